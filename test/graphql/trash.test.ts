import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { StoreError } from '../../src/errors.ts';
import { purgeTrash } from '../../src/image/trash/purge.ts';
import { makeMemoryStore } from '../../src/storage/stores/memory.ts';
import type { Store } from '../../src/storage/stores/store.ts';
import {
  DeleteImageDocument,
  DuplicatesDocument,
  ImageCountDocument,
  ImagePageDocument,
  PurgeImageDocument,
  UndeleteImageDocument,
} from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload, uploadForm } from '../upload.ts';

const quietLog = { warn: () => {}, info: () => {}, error: () => {} } as never;

describe('the trash', () => {
  let app: TestApp;
  let away: boolean;
  let silent: boolean;
  beforeEach(async () => {
    away = false;
    silent = false;
    // Two stores; the second one can be taken away.
    const second = makeMemoryStore('second');
    const reach = <Result>(work: () => Result): Result => {
      if (away) throw new StoreError('second is away.', 'second');
      return work();
    };
    const absent: Store = {
      ...second,
      name: 'second',
      kind: 'memory',
      maxBytes: second.maxBytes,
      put: async (key, source) => reach(() => second.put(key, source)),
      open: async (key, range) => reach(() => second.open(key, range)),
      stat: async (key) => reach(() => second.stat(key)),
      delete: async (key) => (silent ? new Promise<void>(() => {}) : reach(() => second.delete(key))),
      list: () => reach(() => second.list()),
    };
    app = await openTestApp(
      {},
      { stores: async () => [makeMemoryStore('first'), absent], required: ['first'] },
    );
  });
  afterEach(() => app.close());

  let seed = 0;
  const picture = () => makePicture({ seed: 52_000 + seed++ });
  async function keep(content: Uint8Array, input: Record<string, unknown> = {}) {
    const { image } = await upload(app, { content }, input);
    await app.storage.settled();
    if (!image) throw new Error('refused');
    return {
      id: image.id,
      uuid: Buffer.from(image.id, 'base64').toString().split(':')[1] ?? '',
      url: new URL(image.url ?? '').pathname,
      sha256: image.sha256 ?? '',
    };
  }
  const trash = (id: string) => app.ask(DeleteImageDocument, { input: { id } });
  const purge = async (id: string) => (await app.ask(PurgeImageDocument, { input: { id } })).purgeImage;
  const statusOf = async (url: string) => {
    const response = await app.fetch(url);
    await response.arrayBuffer();
    return response.status;
  };
  const count = async (filter: object) => (await app.ask(ImageCountDocument, { filter })).images.totalCount;
  async function objects(name: string) {
    const store = app.storage.stores.find((each) => each.name === name) as Store;
    const keys: string[] = [];
    for await (const { key } of store.list()) keys.push(key);
    return keys;
  }
  const rows = async (table: string) =>
    (await app.database.query<{ count: number }>(`SELECT count(*) FROM ${table}`))[0]?.count;

  test('takes an image out of lists and counts, answers 404 for its address, and gives it back whole', async () => {
    const [one, two] = [await keep(await picture()), await keep(await picture())];
    const { image } = (await trash(one.id)).deleteImage;
    expect(image?.deletedAt).toMatch(/^20/);
    expect((await trash(one.id)).deleteImage.image?.deletedAt, 'the first time counts').toBe(
      image?.deletedAt,
    );
    expect(await statusOf(one.url)).toBe(404);
    const page = await app.ask(ImagePageDocument, { first: 10 });
    expect(page.images.edges.map(({ node }) => node.id)).toEqual([two.id]);
    expect(
      await Promise.all([
        count({}),
        count({ trash: 'ONLY' }),
        count({ trash: 'INCLUDE' }),
        count({ trash: 'EXCLUDE', tags: ['x'] }),
      ]),
    ).toEqual([1, 1, 2, 0]);
    const found = await app.ask(DuplicatesDocument, { id: one.id });
    expect(found.image).toMatchObject({ id: one.id, url: null });
    const { undeleteImage } = await app.ask(UndeleteImageDocument, { input: { id: one.id } });
    expect(undeleteImage).toMatchObject({ image: { id: one.id, deletedAt: null }, userErrors: [] });
    expect(await statusOf(one.url)).toBe(200);
    expect(await count({})).toBe(2);
  });

  test('purges the row, its bytes from every store, and keeps a tombstone by which the bytes are recognised', async () => {
    const content = await picture();
    const image = await keep(content, { prompt: 'a secret', tags: ['secret'] });
    expect(await objects('second')).toHaveLength(1);
    expect(await purge(image.id)).toMatchObject({ purgedId: image.id, userErrors: [] });
    expect(await statusOf(image.url)).toBe(404);
    expect([await objects('first'), await objects('second')]).toEqual([[], []]);
    expect([await rows('blobs'), await rows('copies'), await rows('generated_images')]).toEqual([0, 0, 0]);
    const [tombstone] = await app.database.query<Record<string, unknown>>('SELECT * FROM tombstones');
    expect(tombstone).toMatchObject({
      uuid: image.uuid,
      sha256: image.sha256,
      user_id: 'root',
      mime_type: 'image/png',
    });
    expect(JSON.stringify(tombstone)).not.toContain('secret');
    expect((await purge(image.id)).userErrors).toMatchObject([{ code: 'NOT_FOUND' }]);
    const again = await keep(content);
    expect((await app.ask(DuplicatesDocument, { id: again.id })).image?.purgedBefore).toMatch(/^20/);
    expect(await statusOf(again.url)).toBe(200);
  });

  test.each([
    ['the first, then the second', [0, 1]],
    ['the second, then the first', [1, 0]],
  ])('bytes that two images share go with the last of them: %s', async (_name, [first = 0, last = 1]) => {
    const content = await picture();
    const images = [await keep(content), await keep(content, { userId: 'other' })];
    // In the trash it still shares the bytes.
    await trash(images[last]?.id ?? '');
    await purge(images[first]?.id ?? '');
    expect(await objects('first')).toHaveLength(1);
    await app.ask(UndeleteImageDocument, { input: { id: images[last]?.id ?? '' } });
    expect(await statusOf(images[last]?.url ?? '')).toBe(200);
    await purge(images[last]?.id ?? '');
    expect([await objects('first'), await objects('second'), await rows('blobs')]).toEqual([[], [], 0]);
  });

  test('a store that is away gives up its bytes later, and repair does not bring them back meanwhile', async () => {
    const image = await keep(await picture());
    away = true;
    expect((await purge(image.id)).userErrors).toEqual([]);
    expect([await objects('first'), await rows('blobs')]).toEqual([[], 1]);
    expect(await app.storage.removeCondemned()).toEqual({ removed: 0, left: 1 });
    await app.database.query('UPDATE copies SET retry_at = now()');
    app.storage.startRepairs();
    await app.storage.settled();
    expect(await objects('first')).toEqual([]);
    expect((await app.storage.verify()).lostCount).toBe(0);
    away = false;
    expect(await app.storage.removeCondemned()).toEqual({ removed: 1, left: 0 });
    expect([await objects('second'), await rows('blobs'), await rows('copies')]).toEqual([[], 0, 0]);
  });

  test('an upload of the same bytes pardons a blob that is half removed', async () => {
    const content = await picture();
    const image = await keep(content);
    away = true;
    await purge(image.id);
    away = false;
    const again = await keep(content);
    expect(await app.storage.removeCondemned()).toEqual({ removed: 0, left: 0 });
    expect(await statusOf(again.url)).toBe(200);
    expect((await app.storage.verify()).stores).toMatchObject([{ right: 1 }, { right: 1 }]);
    // The deletion that failed may still be on its way, so the new copy has another key, and the old one is
    // seen to a day later.
    expect(await objects('second')).toHaveLength(2);
    await app.database.query(`UPDATE retired_keys SET retired_at = retired_at - interval '25 hours'`);
    await app.storage.removeCondemned();
    expect(await objects('second')).toHaveLength(1);
    expect(await app.database.query('SELECT key FROM retired_keys')).toEqual([]);
    expect((await app.storage.verify()).stores).toMatchObject([{ right: 1 }, { right: 1 }]);
  });

  test('does not wait for a store that is silent, and removes the bytes there later', async () => {
    const image = await keep(await picture());
    silent = true;
    expect(await purge(image.id)).toMatchObject({ purgedId: image.id, userErrors: [] });
    expect([await objects('first'), await objects('second')]).toMatchObject([[], [expect.anything()]]);
    silent = false;
    expect(await app.storage.removeCondemned()).toEqual({ removed: 1, left: 0 });
    expect(await objects('second')).toEqual([]);
  });

  test('uploads and purges of the same bytes at once lose nothing that was acknowledged', async () => {
    const content = await picture();
    let image = await keep(content);
    for (let round = 0; round < 15; round++) {
      const [next] = await Promise.all([keep(content), purge(image.id)]);
      expect(await statusOf(next.url)).toBe(200);
      image = next;
    }
    expect(await objects('first')).toHaveLength(1);
  });

  test('is emptied of what has been in it for long enough, and of nothing else', async () => {
    const [old, young, live] = [
      await keep(await picture()),
      await keep(await picture()),
      await keep(await picture()),
    ];
    await trash(old.id);
    await trash(young.id);
    await app.database.query(
      `UPDATE generated_images SET deleted_at = now() - interval '31 days' WHERE uuid = $1`,
      [old.uuid],
    );
    expect(await purgeTrash({ ...app.services, log: quietLog }, 30)).toEqual({ purged: 1, failed: 0 });
    expect([await count({}), await count({ trash: 'ONLY' })]).toEqual([1, 1]);
    expect(await statusOf(live.url)).toBe(200);
    expect(await objects('first')).toHaveLength(2);
  });

  test('does not purge what is being made', async () => {
    const image = await keep(await picture());
    await app.database.query(`UPDATE generated_images SET status = 'processing'`);
    expect(await purge(image.id)).toMatchObject({ purgedId: null, userErrors: [{ code: 'CONFLICT' }] });
    expect(await objects('first')).toHaveLength(1);
  });

  describe('duplicates', () => {
    test('name each other, those in the trash left out', async () => {
      const content = await picture();
      const [one, two, three] = [
        await keep(content),
        await keep(content, { userId: 'other' }),
        await keep(content),
      ];
      await trash(three.id);
      const found = await app.ask(DuplicatesDocument, { id: one.id });
      expect(found.image?.duplicates).toEqual([{ id: two.id }]);
    });

    test('are reused, made, or refused with the image that is there', async () => {
      const content = await picture();
      const one = await keep(content);
      expect((await keep(content, { onDuplicate: 'REUSE', tags: ['new'] })).id).toBe(one.id);
      expect((await keep(content, { onDuplicate: 'REUSE', userId: 'other' })).id).not.toBe(one.id);
      const query = `mutation ($input: UploadImageInput!) {
        uploadImage(input: $input) { image { id } userErrors { code ... on DuplicateError { image { id } } } }
      }`;
      const form = uploadForm({ content }, { onDuplicate: 'ERROR' }, query);
      const response = await app.fetch('/graphql', { method: 'POST', body: form });
      expect(await response.json()).toMatchObject({
        data: { uploadImage: { image: null, userErrors: [{ code: 'DUPLICATE', image: { id: one.id } }] } },
      });
      expect((await keep(content)).id).not.toBe(one.id);
      expect(await count({ userId: 'root' })).toBe(2);
    });

    test('ten at once with REUSE make one image', async () => {
      const content = await picture();
      const images = await Promise.all(
        Array.from({ length: 10 }, () => keep(content, { onDuplicate: 'REUSE' })),
      );
      expect(new Set(images.map(({ id }) => id)).size).toBe(1);
      expect(await rows('generated_images')).toBe(1);
    });
  });
});
