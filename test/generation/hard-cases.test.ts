import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  AttemptsDocument,
  CancelGenerationDocument,
  DeleteImageDocument,
  GenerateImageDocument,
  type GenerateImageInput,
  ImagesDocument,
  RegenerateImageDocument,
  UpdateImageDocument,
} from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { FILE_OF_FORM, generateWithFile } from '../upload.ts';
import { type Gate, openGate } from './gate.ts';

describe('a generation, in hard cases', () => {
  let app: TestApp;
  let gate: Gate;
  beforeAll(async () => {
    gate = await openGate();
    app = await openTestApp({
      OPENAI_API_KEY: gate.apiKey,
      OPENAI_BASE_URL: gate.baseUrl,
      DEFAULT_MODEL: 'dall-e-3',
    });
  });
  afterEach(() => gate.open());
  afterAll(async () => {
    await app.close();
    await gate.close();
  });

  const generate = async (input: GenerateImageInput) =>
    (await app.ask(GenerateImageDocument, { input: { prompt: 'a fox', userId: 'u1', ...input } }))
      .generateImage;
  const look = async (id: string) => (await app.ask(AttemptsDocument, { id })).image;

  test.each(['half an emoji \ud83d', 'with \0 in it'])(
    'keeps a picture whose provider says what no database holds: %j',
    async (words) => {
      gate.say(words);
      const { images } = await generate({});
      expect(images).toMatchObject([{ status: 'SUCCESS' }]);
      expect(images[0]?.revisedPrompt).toBeTruthy();
    },
  );

  test.each<[string, GenerateImageInput, string]>([
    ['a page', { tool: 'generateComic', panels: ['a'], prompt: 'x\0y' }, 'prompt'],
    [
      'a chart',
      {
        tool: 'renderChart',
        prompt: null,
        chart: { kind: 'BAR', rows: [{ a: 'x\0', b: 1 }], x: 'a', y: 'b' },
      },
      'chart',
    ],
    ['a panel', { tool: 'generateComic', panels: ['a\0b'], prompt: null }, 'panels'],
  ])('refuses NUL in %s', async (_name, input, field) => {
    const { images, userErrors } = await generate(input);
    expect(images).toEqual([]);
    expect(userErrors).toMatchObject([{ code: 'INVALID_INPUT', path: ['input', field] }]);
  });

  test('takes the same request for the same when defaults are said, and another for another in the depth', async () => {
    const before = gate.calls.length;
    const first = await generate({ requestId: 'k-1' });
    const again = await generate({ requestId: 'k-1', n: 1, tool: 'generateUserImage', tags: [] });
    expect(again.images).toMatchObject([{ id: first.images[0]?.id }]);
    expect(gate.calls.length - before).toBe(1);
    await generate({ requestId: 'k-2', metadata: { a: { b: null } } });
    const other = await generate({ requestId: 'k-2', metadata: { a: {} } });
    expect(other.userErrors).toMatchObject([{ code: 'CONFLICT' }]);
  });

  test('answers a request again although what it worked from is gone, and says so when its images are', async () => {
    const [source] = (await generate({ model: 'sample', size: '64x64' })).images;
    const input = {
      ...{ tool: 'imageEditor', model: 'sample', size: '64x64', requestId: 'k-3' },
      references: [{ id: source?.id as string }],
    };
    const { images } = await generate(input);
    await app.ask(DeleteImageDocument, { input: { id: source?.id as string } });
    expect((await generate(input)).images).toMatchObject([{ id: images[0]?.id }]);
    await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query: 'mutation($id: ID!) { purgeImage(input: { id: $id }) { purgedId } }',
        variables: { id: images[0]?.id },
      }),
    });
    expect((await generate(input)).userErrors).toMatchObject([
      { code: 'NOT_FOUND', path: ['input', 'requestId'] },
    ]);
  });

  test('keeps what was said of the image while it was made', async () => {
    gate.shut();
    const { images } = await generate({ waitSeconds: 0, metadata: { old: 1 }, userId: 'u2' });
    const id = images[0]?.id as string;
    await eventually(() => expect(gate.waiting()).toBe(1));
    await app.ask(UpdateImageDocument, { input: { id, metadata: { mine: 2 } } });
    gate.open();
    await eventually(async () => expect(await look(id)).toMatchObject({ status: 'SUCCESS' }));
    expect((await look(id))?.metadata).toMatchObject({ mine: 2 });
    expect((await look(id))?.metadata).not.toHaveProperty('old');
  });

  test('is not made when it was deleted before, and costs nothing', async () => {
    const before = gate.calls.length;
    const scheduledFor = new Date(Date.now() + 1500).toISOString();
    const { images } = await generate({ scheduledFor, waitSeconds: 0 });
    const id = images[0]?.id as string;
    await app.ask(DeleteImageDocument, { input: { id } });
    await eventually(async () =>
      expect(await look(id)).toMatchObject({ status: 'FAILED', error: { code: 'CANCELLED' } }),
    );
    expect(gate.calls.length).toBe(before);
  });

  test('of a page ends with the first panel that fails: what is not begun is not paid', async () => {
    gate.refuse('panel 1 is forbidden');
    const panels = ['panel 1 is forbidden', 'b', 'c', 'd', 'e', 'f'];
    gate.shut(1);
    const { images } = await generate({ tool: 'generateComic', prompt: null, panels, userId: 'u3' });
    expect(images).toMatchObject([{ status: 'FAILED', error: { code: 'PROVIDER_REFUSED' } }]);
    const asked = async () =>
      (
        await app.database.query(
          'SELECT 1 FROM generations g JOIN generated_images i ON i.id = g.image_id WHERE i.part_of = $1 AND g.calls > 0',
          [images[0]?.databaseId],
        )
      ).length;
    const paid = await asked();
    const cancelled = await app.ask(CancelGenerationDocument, { input: { id: images[0]?.id as string } });
    expect(cancelled.cancelGeneration.userErrors).toEqual([]);
    gate.open();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await asked()).toBe(paid);
    expect(paid).toBeLessThan(6);
    gate.refuse(null);
    const again = await app.ask(RegenerateImageDocument, {
      input: { id: images[0]?.id as string, waitSeconds: 60 },
    });
    expect(again.regenerateImage.image).toMatchObject({ status: 'SUCCESS' });
  });

  test('that is made again has the parts of what was made then', async () => {
    const [image] = (await generate({ tool: 'generateIconEmoji', size: '128x128', userId: 'u4' })).images;
    const hashes = async () =>
      (
        await app.database.query<{ sha256: string }>(
          'SELECT sha256 FROM generated_images WHERE part_of = $1 ORDER BY part',
          [image?.databaseId],
        )
      ).map(({ sha256 }) => sha256);
    const before = await hashes();
    for (const { key } of image?.copies ?? []) {
      await rm(path.join(app.directory, 'images', key), { force: true });
      await app.database.query('DELETE FROM stored_objects WHERE key = $1', [key]);
    }
    const { regenerateImage } = await app.ask(RegenerateImageDocument, {
      input: { id: image?.id as string },
    });
    expect(regenerateImage.image).toMatchObject({ status: 'SUCCESS', filename: image?.filename });
    const after = await hashes();
    expect(after).toHaveLength(before.length);
    expect(after.some((hash) => before.includes(hash))).toBe(false);
  });

  test('that is deleted while its provider works leaves no part behind that is seen', async () => {
    gate.shut();
    const { images } = await generate({ tool: 'generateIconEmoji', waitSeconds: 0, userId: 'u8' });
    const id = images[0]?.id as string;
    await eventually(() => expect(gate.waiting()).toBe(1));
    await app.ask(DeleteImageDocument, { input: { id } });
    gate.open();
    await eventually(async () => expect(await look(id)).toMatchObject({ status: 'SUCCESS', url: null }));
    const parts = await app.database.query<{ deleted: boolean }>(
      'SELECT deleted_at IS NOT NULL AS deleted FROM generated_images WHERE part_of = $1',
      [images[0]?.databaseId],
    );
    expect(parts).toEqual([{ deleted: true }, { deleted: true }]);
  });

  test('that is refused by its numbers keeps no file that came along', async () => {
    const count = async () =>
      (await app.ask(ImagesDocument, { filter: { tool: 'reference' } })).images.totalCount;
    const before = await count();
    const input = { prompt: 'a fox', tool: 'generateUserImage', references: [{ file: FILE_OF_FORM }] };
    const { userErrors } = await generateWithFile(app, input, {
      place: 'references.0',
      content: await makePicture({ width: 64, height: 64, seed: 5 }),
    });
    expect(userErrors).toMatchObject([{ path: ['input', 'references'] }]);
    expect(await count()).toBe(before);
  });
});

describe('a server that keeps nothing, with a file to work from', () => {
  test('keeps neither', async () => {
    const app = await openTestApp({ SAVE_GENERATED_IMAGES: 'false' });
    const input = {
      prompt: 'a fox',
      tool: 'imageEditor',
      model: 'sample',
      size: '64x64',
      references: [{ file: FILE_OF_FORM }],
    };
    const made = await generateWithFile(app, input, {
      place: 'references.0',
      content: await makePicture({ width: 64, height: 64, seed: 6 }),
    });
    expect(made).toMatchObject({ images: [{ status: 'SUCCESS' }], userErrors: [] });
    expect(made.images[0]?.url).toMatch(/^data:image\/png/);
    expect(await app.database.query('SELECT 1 FROM generated_images')).toEqual([]);
    await app.close();
  });
});
