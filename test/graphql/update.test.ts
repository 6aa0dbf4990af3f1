import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DeleteImageDocument, PurgeImageDocument, UpdateImageDocument } from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

describe('updateImage', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  let seed = 0;
  async function keep(input: Record<string, unknown> = {}) {
    const { image } = await upload(app, { content: await makePicture({ seed: 61_000 + seed++ }) }, input);
    if (!image) throw new Error('refused');
    return image;
  }
  const update = async (id: string, changes: Record<string, unknown>) =>
    (await app.ask(UpdateImageDocument, { input: { id, ...changes } })).updateImage;
  const rowOf = (image: { databaseId: number }) =>
    app.database.prisma.image.findUniqueOrThrow({ where: { id: BigInt(image.databaseId) } });
  const statusOf = async (address: string) => {
    const response = await app.fetch(address);
    await response.arrayBuffer();
    return response.status;
  };

  // More than once: a query that comes again runs by the fast path, and mutations must not.
  test.each([1, 2, 3])('changes what is given, and leaves the rest as it is (time %i)', async () => {
    const image = await keep({ tags: ['a', 'b'], metadata: { one: 1, two: 2 }, prompt: 'a fox' });
    const before = await rowOf(image);
    expect(await update(image.id, { tags: ['c', 'a', 'c'] })).toEqual({
      image: { id: image.id, tags: ['c', 'a'], metadata: { one: 1, two: 2 } },
      userErrors: [],
    });
    const after = await rowOf(image);
    expect(after.updatedAt > before.updatedAt).toBe(true);
    expect(after).toEqual({ ...before, tags: ['c', 'a'], updatedAt: after.updatedAt });
    expect((await update(image.id, { metadata: { three: 3 } })).image).toMatchObject({
      tags: ['c', 'a'],
      metadata: { three: 3 },
    });
    expect((await update(image.id, { metadata: null })).image).toMatchObject({
      tags: ['c', 'a'],
      metadata: null,
    });
    expect((await rowOf(image)).metadata).toBeNull();
    expect((await update(image.id, { tags: null })).image?.tags).toEqual([]);
    const unchanged = await rowOf(image);
    expect((await update(image.id, {})).image?.id).toBe(image.id);
    expect(await rowOf(image)).toEqual(unchanged);
  });

  test('adds tags to those that are there, and takes others away', async () => {
    const image = await keep({ tags: ['a', 'b'] });
    expect((await update(image.id, { addTags: ['c', 'a'], removeTags: ['b', 'x'] })).image?.tags).toEqual([
      'a',
      'c',
    ]);
    // As another service leaves them.
    await app.database.query('UPDATE generated_images SET tags = NULL WHERE id = $1', [image.databaseId]);
    expect((await update(image.id, { addTags: ['d'] })).image?.tags).toEqual(['d']);
  });

  test('of many that change one image at once none is lost', async () => {
    const image = await keep();
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        update(image.id, { addTags: [`tag-${i}`], mergeMetadata: { [`key-${i}`]: i } }),
      ),
    );
    const { tags, metadata } = await rowOf(image);
    expect(tags.toSorted()).toEqual(Array.from({ length: 20 }, (_, i) => `tag-${i}`).toSorted());
    expect(Object.keys(metadata as object)).toHaveLength(20);
  });

  test('merges metadata key by key', async () => {
    const image = await keep({ metadata: { one: 1, two: { deep: true }, three: 3 } });
    expect(
      (await update(image.id, { mergeMetadata: { two: { other: 1 }, three: null, four: [null] } })).image
        ?.metadata,
    ).toEqual({ one: 1, two: { other: 1 }, four: [null] });
    await update(image.id, { metadata: null });
    expect((await update(image.id, { mergeMetadata: { a: 1 } })).image?.metadata).toEqual({ a: 1 });
    await app.database.query(`UPDATE generated_images SET metadata = '[1]' WHERE id = $1`, [
      image.databaseId,
    ]);
    expect((await update(image.id, { mergeMetadata: { a: 1 } })).userErrors).toMatchObject([
      { code: 'INVALID_INPUT', path: ['input', 'mergeMetadata'] },
    ]);
  });

  test('gives another name, and every older address below /images answers on', async () => {
    const image = await keep({ filename: 'first' });
    const old = { url: new URL(image.url ?? '').pathname, name: image.filename };
    await update(image.id, { filename: '../../Ein schöner Fuchs.exe' });
    const { storageUrl, filename, uuid } = await rowOf(image);
    expect(filename).toBe(`Ein-schoner-Fuchs-${uuid.slice(-12)}.png`);
    expect(storageUrl).toBe(`/images/${uuid}/${filename}`);
    expect(
      await Promise.all(
        [storageUrl, old.url, `/images/${uuid}`, `/generated/${filename}`, `/generated/${old.name}`].map(
          statusOf,
        ),
      ),
    ).toEqual([200, 200, 200, 200, 404]);
    await update(image.id, { filename: null });
    expect((await rowOf(image)).filename).toBe(`image-${uuid.slice(-12)}.png`);
  });

  const many = (length: number) => Array.from({ length }, (_, i) => `t${i}`);
  test.each<[string, Record<string, unknown>, string, string]>([
    ['tags and addTags', { tags: ['a'], addTags: ['b'] }, 'INVALID_INPUT', 'tags'],
    ['a tag both ways', { addTags: ['b'], removeTags: ['b'] }, 'INVALID_INPUT', 'removeTags'],
    ['51 tags', { tags: many(51) }, 'INVALID_INPUT', 'tags'],
    ['49 tags more', { addTags: many(49) }, 'INVALID_INPUT', 'addTags'],
    ['an empty tag', { addTags: [' '] }, 'INVALID_INPUT', 'addTags'],
    ['metadata that is no object', { metadata: [1] }, 'INVALID_INPUT', 'metadata'],
    ['metadata with NUL', { mergeMetadata: { a: '\0' } }, 'INVALID_INPUT', 'mergeMetadata'],
    ['metadata and a merge', { metadata: {}, mergeMetadata: { a: 1 } }, 'INVALID_INPUT', 'metadata'],
    ['metadata too large', { metadata: { a: 'x'.repeat(70_000) } }, 'INVALID_INPUT', 'metadata'],
    [
      'metadata too large together',
      { mergeMetadata: { b: 'x'.repeat(40_000) } },
      'INVALID_INPUT',
      'mergeMetadata',
    ],
    ['an empty name', { filename: ' ' }, 'INVALID_INPUT', 'filename'],
  ])('refuses %s, and changes nothing', async (_name, changes, code, field) => {
    const image = await keep({ tags: ['a', 'b'], metadata: { a: 'x'.repeat(40_000) } });
    const before = await rowOf(image);
    expect(await update(image.id, { ...changes })).toMatchObject({
      image: null,
      userErrors: [{ code, path: ['input', field] }],
    });
    expect(await rowOf(image)).toEqual(before);
  });

  test('refuses what is not there, what lies in the trash, and a name for what has no bytes', async () => {
    const codes = async (id: string, changes: Record<string, unknown>) =>
      (await update(id, changes)).userErrors.map(({ code, path }) => [code, path?.at(-1)]);
    expect(await codes('01a1fd86-32a5-704a-8823-284343d934b2', { tags: [] })).toEqual([['NOT_FOUND', 'id']]);
    expect(await codes('nonsense', { tags: [] })).toEqual([['INVALID_ID', 'id']]);
    const image = await keep();
    await app.ask(DeleteImageDocument, { input: { id: image.id } });
    expect(await codes(image.id, { tags: ['late'] })).toEqual([['CONFLICT', 'id']]);
    await app.ask(PurgeImageDocument, { input: { id: image.id } });
    expect(await codes(image.id, { tags: ['late'] })).toEqual([['NOT_FOUND', 'id']]);
    const [row] = await app.database.query<{ uuid: string }>(
      `INSERT INTO generated_images (user_id, prompt, storage_url, status) VALUES ('u', 'p', '', 'failed') RETURNING uuid`,
    );
    expect(await codes(row?.uuid ?? '', { filename: 'name' })).toEqual([['CONFLICT', 'filename']]);
    expect(await codes(row?.uuid ?? '', { tags: ['x'] })).toEqual([]);
  });
});
