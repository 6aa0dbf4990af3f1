import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { open as openFile, readFile, rename, rm } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { makeDatabaseStore } from '../../src/storage/stores/database/database-store.ts';
import { makeMemoryStore } from '../../src/storage/stores/memory.ts';
import type { Store } from '../../src/storage/stores/store.ts';
import { DeleteImageDocument, PurgeImageDocument, UpdateImageDocument } from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

let seed = 7300;

describe('an image that is asked for over and over', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  const get = (at: string, headers: Record<string, string> = {}) =>
    app.fetch(at, { headers: { authorization: '', ...headers } });
  const body = async (response: Awaited<ReturnType<typeof get>>) => Buffer.from(await response.arrayBuffer());

  async function keep(visibility?: 'PRIVATE') {
    const content = await makePicture({ width: 90, height: 70, seed: seed++ });
    const { image } = await upload(app, { content }, visibility ? { visibility } : {});
    if (!image?.url) throw new Error('It was not kept.');
    const file = path.join(app.directory, 'images', image.copies[0]?.key ?? '');
    return { content, image, file, at: new URL(image.url).pathname };
  }

  /** Asks until nothing is looked up for it any more. */
  async function heat(at: string): Promise<void> {
    await eventually(async () => {
      const query = vi.spyOn(app.database, 'query');
      try {
        const response = await get(at);
        await response.arrayBuffer();
        expect(response.status).toBe(200);
        expect(query).not.toHaveBeenCalled();
      } finally {
        query.mockRestore();
      }
    });
  }

  test('costs no statement, and neither does a 304, a range, or the name as address', async () => {
    const { content, image, at } = await keep();
    await heat(at);
    const first = await get(at);
    const headers = Object.fromEntries(first.headers);
    expect((await body(first)).equals(content)).toBe(true);
    const query = vi.spyOn(app.database, 'query');
    try {
      const unchanged = await get(at, { 'if-none-match': `"${image.sha256}"` });
      expect(unchanged.status).toBe(304);
      const part = await get(at, { range: 'bytes=5-9' });
      expect((await body(part)).equals(content.subarray(5, 10))).toBe(true);
      const named = await get(`/generated/${image.filename}`);
      expect((await body(named)).equals(content)).toBe(true);
      for (const [name, value] of Object.entries(headers))
        if (name !== 'date') expect(named.headers.get(name), name).toBe(value);
      expect(query).not.toHaveBeenCalled();
    } finally {
      query.mockRestore();
    }
  });

  test('is given while its file is away, which is noticed and put right', async () => {
    const { content, file, at } = await keep();
    await heat(at);
    await rm(file);
    const response = await get(at);
    expect((await body(response)).equals(content)).toBe(true);
    await eventually(async () => expect((await readFile(file)).equals(content)).toBe(true));
    await app.storage.settled();
  });

  test('comes from its file while too much of what came from memory was not taken yet', async () => {
    const { content, at, image } = await keep();
    await heat(at);
    const recall = vi.spyOn(app.storage, 'serveFromMemory');
    const fromMemory = async () => {
      recall.mockClear();
      expect((await body(await get(at))).equals(content)).toBe(true);
      return recall.mock.results.some(({ value }) => value?.length === image.bytes);
    };
    const done = app.storage.holdUnsent(Buffer.allocUnsafe(200 * 1024 * 1024));
    expect(await fromMemory()).toBe(false);
    done();
    done();
    expect(await fromMemory()).toBe(true);
    recall.mockRestore();
  });

  test('is gone at once when it is deleted, hidden or purged here, and has no former name', async () => {
    const [deleted, hidden, purged, renamed] = [await keep(), await keep(), await keep(), await keep()];
    for (const { at } of [deleted, hidden, purged, renamed]) await heat(at);
    const status = async (at: string) => {
      const response = await get(at);
      await response.arrayBuffer();
      return response.status;
    };
    await app.ask(DeleteImageDocument, { input: { id: deleted.image.id } });
    expect(await status(deleted.at)).toBe(404);
    await app.ask(UpdateImageDocument, { input: { id: hidden.image.id, visibility: 'PRIVATE' } });
    expect(await status(hidden.at)).toBe(404);
    await app.ask(PurgeImageDocument, { input: { id: purged.image.id } });
    expect(await status(purged.at)).toBe(404);
    await app.ask(UpdateImageDocument, { input: { id: renamed.image.id, filename: 'another' } });
    expect(await status(`/generated/${renamed.image.filename}`)).toBe(404);
    expect(await status(renamed.at)).toBe(200);
  });

  test('is gone when another service says so in plain SQL', async () => {
    for (const change of [
      `UPDATE generated_images SET visibility = 'private' WHERE uuid = $1`,
      'UPDATE generated_images SET deleted_at = now() WHERE uuid = $1',
      'DELETE FROM generated_images WHERE uuid = $1',
    ]) {
      const { at } = await keep();
      await heat(at);
      const begun = performance.now();
      await app.database.query(change, [at.split('/')[2]]);
      await eventually(async () => {
        const response = await get(at);
        await response.arrayBuffer();
        expect(response.status, change).toBe(404);
      });
      expect(performance.now() - begun).toBeLessThan(5000);
    }
  });

  test('is looked up each time when it is private, as one that is not there', async () => {
    const { at, content } = await keep('PRIVATE');
    const owner = () => app.fetch(at);
    for (let times = 0; times < 3; times++) expect((await body(await owner())).equals(content)).toBe(true);
    const query = vi.spyOn(app.database, 'query');
    try {
      expect((await get(at)).status).toBe(404);
      expect(query.mock.calls.some(([text]) => text.includes('generated_images'))).toBe(true);
    } finally {
      query.mockRestore();
    }
  });

  test('is not given from a store that is away once it has to be read', async () => {
    const { at } = await keep();
    await body(await get(at));
    const root = path.join(app.directory, 'images');
    await rename(root, `${root}-away`);
    const response = await get(at, { range: 'bytes=0-3' });
    await rename(`${root}-away`, root);
    // From the file that is still open, or from the database.
    expect(response.status).toBe(206);
    await app.storage.settled();
  });
});

test('a file that is written to while it is sent does not go out whole', async () => {
  const app = await openTestApp({ MAX_UPLOAD_BYTES: '64MiB' });
  try {
    const [width, height] = [2400, 2000];
    const pixels = randomBytes(width * height * 3);
    const content = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png({ compressionLevel: 0 })
      .toBuffer();
    const { image } = await upload(app, { content });
    const { host, hostname, port } = new URL(app.url);
    const client = net.connect(Number(port), hostname);
    client.write(
      `GET ${new URL(image?.url ?? '').pathname} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
    );
    await once(client, 'readable');
    const file = await openFile(path.join(app.directory, 'images', image?.copies[0]?.key ?? ''), 'r+');
    await file.write(Buffer.alloc(1000), 0, 1000, content.length - 5000);
    await file.close();
    const answer = await buffer(client).catch(() => Buffer.alloc(0));
    expect(answer.length).toBeLessThan(content.length);
  } finally {
    await app.close();
  }
});

describe('bytes that are other than what is on record, under the same fingerprint', () => {
  /** Gives a wrong byte at the end, and says that nothing has changed. */
  const lying = (store: Store, lies: { on: boolean }): Store => ({
    ...store,
    name: 'liar',
    ...(store.readWhole && {
      async readWhole(key: string, room: Buffer) {
        const bytes = (await store.readWhole?.(key, room)) ?? null;
        if (lies.on && bytes !== null) room[bytes - 1] = (room[bytes - 1] ?? 0) ^ 1;
        return bytes;
      },
    }),
    async open(key, range) {
      const { stat, stream } = await store.open(key, range);
      const data = await buffer(stream);
      const last = data.length - 1;
      if (lies.on) data[last] = (data[last] ?? 0) ^ 1;
      const parts = Array.from({ length: Math.ceil(data.length / 65_536) }, (_, i) =>
        data.subarray(i * 65_536, (i + 1) * 65_536),
      );
      return { stat, stream: Readable.from(parts, { objectMode: false }) };
    },
  });

  test.each(['memory', 'database'])(
    'do not go out of a %s when they are few, and never whole when they are many; the copy is marked',
    async (kind) => {
      const lies = { on: false };
      const app = await openTestApp(
        { HEAL_DELAY_SECONDS: '3600', BYTES_CACHE_BYTES: 'off' },
        {
          stores: async (database) => [
            lying(kind === 'memory' ? makeMemoryStore() : makeDatabaseStore({ name: kind, database }), lies),
            makeDatabaseStore({ name: 'database', database }),
          ],
          required: ['liar', 'database'],
        },
      );
      try {
        const small = await makePicture({ width: 80, height: 60, seed: seed++ });
        const large = await makePicture({ width: 1200, height: 900, seed: seed++ });
        expect(large.length).toBeGreaterThan(1024 * 1024);
        const [few, many] = [await upload(app, { content: small }), await upload(app, { content: large })];
        const at = (uploaded: typeof few) => new URL(uploaded.image?.url ?? '').pathname;
        // The first request proves the hash that is on record.
        for (const each of [few, many]) await (await app.fetch(at(each))).arrayBuffer();
        lies.on = true;
        const right = await app.fetch(at(few));
        expect(Buffer.from(await right.arrayBuffer()).equals(small)).toBe(true);
        // A range of everything is everything.
        const cut = await app.fetch(at(many), { headers: { range: 'bytes=0-' } });
        expect(cut.status).toBe(206);
        await expect(cut.arrayBuffer()).rejects.toThrow();
        const marked = await app.database.query<{ state: string }>(
          `SELECT state FROM copies WHERE store = 'liar' ORDER BY blob_id`,
        );
        expect(marked).toEqual([{ state: 'CORRUPT' }, { state: 'CORRUPT' }]);
        // The cached facts of the image are discarded when the database's notification arrives.
        await eventually(async () => {
          const again = await app.fetch(at(many));
          expect(Buffer.from(await again.arrayBuffer()).equals(large)).toBe(true);
        });
      } finally {
        await app.close();
      }
    },
  );
});
