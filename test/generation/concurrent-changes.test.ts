import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  AttemptsDocument,
  CancelGenerationDocument,
  DeleteImageDocument,
  GenerateImageDocument,
  type GenerateImageInput,
  PurgeImageDocument,
  RegenerateImageDocument,
  UndeleteImageDocument,
  UpdateImageDocument,
} from '../generated/graphql.ts';
import { eventually, openTestApp, pick, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { type Gate, openGate } from './gate.ts';

/**
 * Concurrent changes of an image. All changes lock rows in one order (docs/architecture.md), so there are no
 * deadlocks; PostgreSQL counts them. On the embedded database, one change runs after the other.
 */
describe('concurrent changes of an image', () => {
  let app: TestApp;
  let gate: Gate;
  beforeAll(async () => {
    gate = await openGate();
    app = await openTestApp({
      OPENAI_API_KEY: gate.apiKey,
      OPENAI_BASE_URL: gate.baseUrl,
      DEFAULT_MODEL: 'dall-e-3',
      DATABASE_POOL_SIZE: '16',
    });
    await app.database.executeSql(`CREATE FUNCTION take_a_while() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END'`);
    await app.database.executeSql(`CREATE FUNCTION take_a_while_before() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN PERFORM pg_sleep(0.3); RETURN NEW; END'`);
  });
  afterEach(async () => {
    await app.database.query('DROP TRIGGER IF EXISTS slow ON generated_images');
    gate.refuse(null);
    gate.open();
  });
  afterAll(async () => {
    const { deadlocks } = await app.close();
    await gate.close();
    expect(deadlocks).toBe(0);
  });

  const generate = async (input: GenerateImageInput) => {
    const { generateImage } = await app.ask(GenerateImageDocument, {
      input: { prompt: 'a fox', userId: 'u1', waitSeconds: 0, ...input },
    });
    expect(generateImage.userErrors).toEqual([]);
    return generateImage.images[0] as (typeof generateImage.images)[number];
  };
  const cancel = async (id: string) =>
    (await app.ask(CancelGenerationDocument, { input: { id } })).cancelGeneration;
  const look = async (id: string) => (await app.ask(AttemptsDocument, { id })).image;

  test('the end of a generation and its cancellation', async () => {
    gate.shut();
    const { id } = await generate({});
    await eventually(() => expect(gate.waiting()).toBe(1));
    // Holds the row locks while the other change begins.
    await app.database.query(
      `CREATE TRIGGER slow AFTER UPDATE ON generated_images FOR EACH ROW WHEN (NEW.status = 'success') EXECUTE FUNCTION take_a_while()`,
    );
    gate.open();
    await eventually(async () =>
      expect(await app.database.query("SELECT 1 FROM generations WHERE state = 'answered'")).toHaveLength(1),
    );
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { userErrors } = await cancel(id);
    await eventually(async () => expect((await look(id))?.status).toMatch(/SUCCESS|FAILED/));
    if ((await look(id))?.status === 'SUCCESS') expect(userErrors).toMatchObject([{ code: 'CONFLICT' }]);
    else expect(userErrors).toEqual([]);
  });

  const keepOne = async (seed: number) => {
    const { image } = await upload(app, { content: await makePicture({ seed }) }, { userId: 'u1' });
    return image?.id as string;
  };
  const purge = async (id: string) => (await app.ask(PurgeImageDocument, { input: { id } })).purgeImage;

  test('an edit of an image, and the purge of that image', async () => {
    for (const named of ['parentId', 'references']) {
      const id = await keepOne(named.length);
      const input: GenerateImageInput =
        named === 'parentId'
          ? { prompt: 'a fox', parentId: id }
          : { prompt: 'a fox', tool: 'imageEditor', model: 'sample', references: [{ id }] };
      const place = named === 'parentId' ? ['input', 'parentId'] : ['input', 'references', '0'];
      const { transaction } = app.database;
      const spy = vi.spyOn(app.database, 'transaction').mockImplementationOnce(async (work) => {
        expect((await purge(id)).userErrors).toEqual([]);
        return transaction(work);
      });
      const { generateImage } = await app.ask(GenerateImageDocument, { input: { userId: 'u1', ...input } });
      spy.mockRestore();
      expect(generateImage).toMatchObject({ images: [], userErrors: [{ code: 'NOT_FOUND', path: place }] });
    }
  });

  test('the purge of an image, and the deletion of a page that was edited from it', async () => {
    const id = await keepOne(96_010);
    const page = await generate({
      ...{ tool: 'generateComic', prompt: null, panels: ['a', 'b'], model: 'sample' },
      ...{ parentId: id, waitSeconds: 20 },
    });
    expect(page.status).toBe('SUCCESS');
    // The page has the lower id and was written last: without an order, its row would be changed after its
    // panels.
    await app.database.query(
      `CREATE TRIGGER slow BEFORE UPDATE ON generated_images FOR EACH ROW
         WHEN (OLD.parent_id IS NOT NULL AND NEW.parent_id IS NULL AND NEW.part_of IS NOT NULL) EXECUTE FUNCTION take_a_while_before()`,
    );
    const purged = purge(id);
    await new Promise((resolve) => setTimeout(resolve, 450));
    const { deleteImage } = await app.ask(DeleteImageDocument, { input: { id: page.id } });
    expect([(await purged).userErrors, deleteImage.userErrors]).toEqual([[], []]);
  });

  test('the end of a generation with parts, and its cancellation with a purge', async () => {
    gate.shut();
    const { id } = await generate({ tool: 'generateIconEmoji', size: '128x128' });
    await eventually(() => expect(gate.waiting()).toBe(1));
    const [before, earlier] = [app.logged.length, await app.files('answers')];
    gate.open();
    await eventually(async () =>
      expect(await app.database.query("SELECT 1 FROM generations WHERE state = 'answered'")).toHaveLength(1),
    );
    // The picture is being cut out, or its first part written.
    expect((await cancel(id)).userErrors).toEqual([]);
    await eventually(async () => expect((await purge(id)).userErrors).toEqual([]));
    await eventually(async () =>
      expect((await app.files('answers')).filter((name) => !earlier.includes(name))).toEqual([]),
    );
    expect(app.logged.slice(before).filter((line) => line.includes('"level":50'))).toEqual([]);
  });

  test('random changes by twelve callers', async () => {
    const ids: string[] = [];
    const begin = async () => {
      const { id, databaseId } = await generate(
        pick<GenerateImageInput>([
          { tool: 'generateComic', prompt: null, panels: ['a', 'refused', 'c'] },
          { tool: 'storyIllustration', prompt: null, pages: ['a', 'b'] },
          { tool: 'generateIconEmoji', size: '128x128' },
        ]),
      );
      const parts = await app.database.query<{ uuid: string }>(
        'SELECT uuid FROM generated_images WHERE part_of = $1',
        [databaseId],
      );
      ids.splice(0, Math.max(0, ids.length - 24));
      ids.push(id, ...parts.map(({ uuid }) => uuid));
    };
    const sides: ((id: string) => ReturnType<typeof app.send<object, never>>)[] = [
      (id) => app.send(CancelGenerationDocument, { input: { id } }),
      (id) => app.send(RegenerateImageDocument, { input: { id, waitSeconds: 0 } }),
      (id) => app.send(DeleteImageDocument, { input: { id } }),
      (id) => app.send(UndeleteImageDocument, { input: { id } }),
      (id) => app.send(PurgeImageDocument, { input: { id } }),
      (id) =>
        app.send(UpdateImageDocument, { input: { id, visibility: pick(['PUBLIC', 'PRIVATE'] as const) } }),
      (id) => app.send(UpdateImageDocument, { input: { id, addTags: [pick(['a', 'b', 'c'])] } }),
    ];
    const refusals = new Map<string, number>();
    let changed = 0;
    const deadline = Date.now() + 1000 * Number(process.env.MEETINGS_SECONDS ?? 4);
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        // A slow machine gets the time for as many.
        while (Date.now() < deadline || changed <= 20) {
          gate.refuse(pick([null, 'refused']));
          if (ids.length < 8 || Math.random() < 0.1) await begin();
          const { data, errors } = await pick(sides)(pick(ids));
          expect(
            errors,
            app.logged.findLast((line) => line.includes('"level":50')),
          ).toBeUndefined();
          const codes = Object.values(data as Record<string, { userErrors?: { code: string }[] }>).flatMap(
            ({ userErrors }) => (userErrors ?? []).map(({ code }) => code),
          );
          for (const code of codes) refusals.set(code, (refusals.get(code) ?? 0) + 1);
          if (codes.length === 0) changed++;
        }
      }),
    );
    expect(changed).toBeGreaterThan(20);
    for (const code of refusals.keys()) expect(['CONFLICT', 'NOT_FOUND']).toContain(code);
    gate.open();
    await eventually(async () =>
      expect(
        await app.database.query("SELECT 1 FROM generations WHERE state IN ('queued', 'asking', 'answered')"),
      ).toEqual([]),
    );
    // Responses of purged images: makeOverdue would discard them within a minute.
    await eventually(async () => {
      for (const name of await app.files('answers')) {
        if (name.startsWith('.')) continue;
        const [row] = await app.database.query('SELECT 1 FROM generated_images WHERE uuid = $1', [
          name.slice(0, 36),
        ]);
        expect(row, name).toBeUndefined();
        await rm(path.join(app.directory, 'answers', name));
      }
    });
  });
});
