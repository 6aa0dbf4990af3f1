import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { parse } from 'graphql';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { purgeImage, purgeTrash } from '../../src/image/trash/purge.ts';
import {
  DeleteImageDocument,
  FamilyDocument,
  ImageCountDocument,
  PurgeImageDocument,
  UndeleteImageDocument,
} from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

const quietLog = { warn: () => {}, info: () => {}, error: () => {} } as never;

describe('parts and edits', () => {
  let app: TestApp;
  beforeEach(async () => {
    app = await openTestApp();
  });
  afterEach(() => app.close());

  let seed = 0;
  async function keep() {
    const { image } = await upload(app, { content: await makePicture({ seed: 81_000 + seed++ }) });
    await app.storage.settled();
    if (!image) throw new Error('refused');
    return { id: image.id, row: image.databaseId, url: new URL(image.url ?? '').pathname };
  }
  type Kept = Awaited<ReturnType<typeof keep>>;
  const makePart = (part: Kept, whole: Kept, name: string) =>
    app.database.query('UPDATE generated_images SET part_of = $1, part = $2 WHERE id = $3', [
      whole.row,
      name,
      part.row,
    ]);
  /** A whole and its parts by their names. */
  async function comic(names: readonly string[]) {
    const whole = await keep();
    const parts: Kept[] = [];
    for (const name of names) {
      const part = await keep();
      await makePart(part, whole, name);
      parts.push(part);
    }
    return { whole, parts };
  }
  const family = async (id: string) => (await app.ask(FamilyDocument, { id })).image;
  const trash = async (id: string) => (await app.ask(DeleteImageDocument, { input: { id } })).deleteImage;
  const untrash = async (id: string) =>
    (await app.ask(UndeleteImageDocument, { input: { id } })).undeleteImage;
  const purge = async (id: string) => (await app.ask(PurgeImageDocument, { input: { id } })).purgeImage;
  const count = async (filter: object) => (await app.ask(ImageCountDocument, { filter })).images.totalCount;
  const statuses = (images: readonly Kept[]) =>
    Promise.all(
      images.map(async ({ url }) => {
        const response = await app.fetch(url);
        await response.arrayBuffer();
        return response.status;
      }),
    );
  const rows = async (table: string) =>
    (await app.database.query<{ count: number }>(`SELECT count(*) FROM ${table}`))[0]?.count;

  test('are shown from both ends: parts by name as people count, edits newest first', async () => {
    const { whole, parts } = await comic(['panel-10', 'panel-2', 'original']);
    const [first, second] = [await keep(), await keep()];
    for (const edit of [first, second])
      await app.database.query('UPDATE generated_images SET parent_id = $1 WHERE id = $2', [
        whole.row,
        edit.row,
      ]);
    expect(await family(whole.id)).toEqual({
      id: whole.id,
      part: null,
      whole: null,
      parent: null,
      parts: [
        { id: parts[2]?.id, part: 'original', whole: { id: whole.id } },
        { id: parts[1]?.id, part: 'panel-2', whole: { id: whole.id } },
        { id: parts[0]?.id, part: 'panel-10', whole: { id: whole.id } },
      ],
      edits: [
        { id: second.id, parent: { id: whole.id } },
        { id: first.id, parent: { id: whole.id } },
      ],
    });
    await trash(second.id);
    expect((await family(whole.id))?.edits.map(({ id }) => id)).toEqual([first.id]);
    expect(await count({})).toBe(2);
    expect(await count({ parts: true })).toBe(5);
    await purge(whole.id);
    expect(await family(first.id)).toMatchObject({ parent: null });
  });

  test('go into the trash with the whole and come back with it, those that lay there before stay', async () => {
    const { whole, parts } = await comic(['a', 'b', 'c']);
    const [, b, c] = parts as [Kept, Kept, Kept];
    // A part of a part.
    const deep = await keep();
    await makePart(deep, b, 'original');
    await trash(c.id);
    await trash(whole.id);
    expect(await statuses([whole, ...parts, deep])).toEqual([404, 404, 404, 404, 404]);
    expect((await family(whole.id))?.parts).toHaveLength(3);
    expect(await untrash(b.id)).toMatchObject({ image: null, userErrors: [{ code: 'CONFLICT' }] });
    expect(await untrash(whole.id)).toMatchObject({ image: { id: whole.id, deletedAt: null } });
    expect(await statuses([whole, ...parts, deep])).toEqual([200, 200, 200, 404, 200]);
    expect((await family(whole.id))?.parts.map(({ part }) => part)).toEqual(['a', 'b']);
    await untrash(c.id);
    expect((await family(whole.id))?.parts).toHaveLength(3);
  });

  test('whoever deletes and undeletes at once leaves the whole and its parts on one side', async () => {
    const { whole, parts } = await comic(['a', 'b']);
    await Promise.all(
      Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? trash(whole.id) : untrash(whole.id))),
    );
    expect(new Set(await statuses([whole, ...parts])).size).toBe(1);
  });

  test('are purged before the whole, bytes and all, and each leaves a tombstone', async () => {
    const { whole, parts } = await comic(['a', 'b']);
    await makePart(await keep(), parts[1] as Kept, 'original');
    expect(await purge(whole.id)).toEqual({ purgedId: whole.id, userErrors: [] });
    expect([await rows('generated_images'), await rows('blobs'), await rows('copies')]).toEqual([0, 0, 0]);
    expect(await rows('tombstones')).toBe(4);
    expect(await app.files('images')).toEqual([]);
  });

  test('a part is purged by itself', async () => {
    const { whole, parts } = await comic(['a', 'b']);
    expect((await purge(parts[0]?.id ?? '')).userErrors).toEqual([]);
    expect((await family(whole.id))?.parts.map(({ part }) => part)).toEqual(['b']);
    expect(await statuses([whole, ...parts])).toEqual([200, 404, 200]);
  });

  test('nothing is purged while a part is being made', async () => {
    const { whole, parts } = await comic(['a', 'b']);
    await app.database.query(`UPDATE generated_images SET status = 'processing' WHERE part = 'b'`);
    expect(await purge(whole.id)).toMatchObject({ purgedId: null, userErrors: [{ code: 'CONFLICT' }] });
    expect(await statuses([whole, parts[0] as Kept])).toEqual([200, 200]);
  });

  test('the job purges a whole that has lain in the trash long enough with its parts, and neither alone', async () => {
    const [old, young, live] = [
      await comic(['a', 'b']),
      await comic(['a', 'b']),
      await comic(['a', 'b', 'c']),
    ];
    await trash(old.whole.id);
    await trash(young.whole.id);
    await trash(live.parts[2]?.id ?? '');
    const age = (images: (Kept | undefined)[]) =>
      app.database.query(
        `UPDATE generated_images SET deleted_at = deleted_at - interval '31 days' WHERE id = ANY($1)`,
        [images.map((image) => image?.row)],
      );
    await age([old.whole, ...old.parts]);
    // It went there long before its whole, and a part of a live image went by itself.
    await age([young.parts[0], live.parts[2]]);
    expect(await purgeTrash({ ...app.services, log: quietLog }, 30)).toEqual({ purged: 4, failed: 0 });
    expect(await rows('generated_images')).toBe(6);
    expect(await rows('tombstones')).toBe(4);
    expect(await untrash(young.whole.id)).toMatchObject({ image: { deletedAt: null } });
    expect((await family(live.whole.id))?.parts).toHaveLength(2);
  });

  test('a part that comes while the others are purged keeps its whole', async () => {
    const { whole, parts } = await comic(['a']);
    const late = await keep();
    const { database } = app.services;
    const slow: typeof database.query = async (text, values) => {
      const found = await database.query(text, values);
      await makePart(late, whole, 'late');
      return found as never;
    };
    const image = await database.prisma.image.findUniqueOrThrow({ where: { id: BigInt(whole.row) } });
    const deps = { ...app.services, database: { ...database, query: slow } };
    await expect(purgeImage(deps, image)).rejects.toMatchObject({ code: 'CONFLICT', retryable: true });
    expect(await statuses([whole, late, ...parts])).toEqual([200, 200, 404]);
    expect((await purge(whole.id)).userErrors).toEqual([]);
  });

  test('a purge by the job spares what was taken out meanwhile, and says so', async () => {
    const { whole, parts } = await comic(['a']);
    const image = await app.database.prisma.image.findUniqueOrThrow({ where: { id: BigInt(whole.row) } });
    await expect(purgeImage(app.services, image, { deletedBefore: new Date() })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await statuses([whole, ...parts])).toEqual([200, 200]);
  });

  describe('are asked for', () => {
    const deep = parse(`query Deep { images(first: 10) { nodes {
      parts { id whole { id parts { part } } } edits { id parent { id } } newest: edits(first: 1) { id }
    } } }`) as TypedDocumentNode<{ images: { nodes: { parts: unknown[] }[] } }, Record<string, never>>;

    test('by one statement for each level of all images', async () => {
      for (let i = 0; i < 3; i++) await comic(['a', 'b']);
      const sent: string[] = [];
      const { database } = app.services;
      const query = database.query.bind(database);
      const spied = database as { query: typeof database.query };
      spied.query = (text, values) => {
        sent.push(text);
        return query(text, values);
      };
      const { images } = await app.ask(deep, {}).finally(() => {
        spied.query = query;
      });
      expect(images.nodes.map(({ parts }) => parts.length)).toEqual([2, 2, 2]);
      // The page, parts, wholes, edits of both counts; the parts of the wholes are known by then.
      expect(sent).toHaveLength(4);
    });

    test('no further than the limit of a request, and no more edits than 100', async () => {
      await app.database.query(
        `WITH whole AS (INSERT INTO generated_images (user_id, prompt) VALUES ('u', 'p') RETURNING id)
         INSERT INTO generated_images (user_id, prompt, part_of, part) SELECT 'u', 'p', id, 'panel-' || n FROM whole, generate_series(1, 101) n`,
      );
      const nested = (depth: number): string =>
        depth === 0 ? 'id' : `parts { whole { ${nested(depth - 1)} } }`;
      const ask = (text: string) =>
        app.send(parse(`{ images(first: 1) { nodes { ${text} } } }`) as never, {});
      expect((await ask(nested(1))).errors).toBeUndefined();
      expect((await ask(nested(3))).errors?.[0]).toMatchObject({ extensions: { code: 'LIMIT_REACHED' } });
      expect((await ask('edits(first: 0) { id }')).data).toEqual({ images: { nodes: [{ edits: [] }] } });
      for (const first of [101, -1])
        expect((await ask(`edits(first: ${first}) { id }`)).errors?.[0]).toMatchObject({
          extensions: { code: 'INVALID_INPUT' },
        });
    });
  });
});
