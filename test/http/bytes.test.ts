import { copyFile, link, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { StoresDocument } from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

describe('GET /images', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  let picture: Buffer;
  let image: NonNullable<Awaited<ReturnType<typeof upload>>['image']>;
  let address: string;
  let file: string;
  let seed = 0;
  beforeEach(async () => {
    picture = await makePicture({ width: 200, height: 150, seed: 2000 + seed++ });
    const uploaded = await upload(app, { content: picture });
    if (!uploaded.image?.url) throw new Error(JSON.stringify(uploaded.userErrors));
    image = uploaded.image;
    address = new URL(uploaded.image.url).pathname;
    file = path.join(app.directory, 'images', image.copies[0]?.key ?? '');
  });

  const get = (headers: Record<string, string> = {}, method = 'GET') =>
    app.fetch(address, { headers, method });
  const body = async (response: Awaited<ReturnType<typeof get>>) => Buffer.from(await response.arrayBuffer());

  test('gives the bytes with everything that a cache and a browser need', async () => {
    const response = await get();
    expect(response.status).toBe(200);
    expect((await body(response)).equals(picture)).toBe(true);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      etag: `"${image.sha256}"`,
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': 'image/png',
      'content-length': String(picture.length),
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
      'content-disposition': `inline; filename="${image.filename}"; filename*=UTF-8''picture.png`,
    });
  });

  test('needs no token, and no name behind the uuid, or any', async () => {
    const uuid = address.split('/')[2];
    for (const at of [
      `/images/${uuid}`,
      `/images/${uuid}/whatever.png`,
      `/images/${uuid?.toUpperCase()}`,
      `/generated/${image.filename}`,
    ]) {
      const response = await app.fetch(at, { headers: { authorization: '' } });
      expect(response.status, at).toBe(200);
      expect((await body(response)).equals(picture)).toBe(true);
    }
  });

  test('answers HEAD with the headers of GET and no body', async () => {
    const response = await get({}, 'HEAD');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-length')).toBe(String(picture.length));
    expect(await body(response)).toHaveLength(0);
  });

  test('answers 304 to whoever has it', async () => {
    for (const value of [`"${image.sha256}"`, `W/"${image.sha256}"`, `"other", "${image.sha256}"`, '*']) {
      const response = await get({ 'if-none-match': value });
      expect(response.status, value).toBe(304);
      expect(response.headers.get('etag')).toBe(`"${image.sha256}"`);
      expect(await body(response)).toHaveLength(0);
    }
    const changed = await get({ 'if-none-match': '"other"' });
    expect(changed.status).toBe(200);
    await body(changed);
  });

  test.each([
    ['bytes=0-9', 0, 9],
    ['bytes=10-', 10, -1],
    ['bytes=-7', -7, -1],
    ['bytes=-99999999', 0, -1],
    ['bytes=5-99999999', 5, -1],
    ['BYTES = 3 - 4', 3, 4],
  ])('gives the range %s', async (range, first, last) => {
    const size = picture.length;
    const [start, end] = [first < 0 ? size + first : first, last < 0 ? size + last : last];
    const response = await get({ range });
    expect(response.status).toBe(206);
    expect(response.headers.get('content-range')).toBe(`bytes ${start}-${end}/${size}`);
    expect((await body(response)).equals(picture.subarray(start, end + 1))).toBe(true);
  });

  test.each(['bytes=9-5', 'bytes=-', 'bytes=a-b', 'lines=1-2', 'bytes=0-1,5-6'])(
    'gives the whole to the range %s, which is none',
    async (range) => {
      const response = await get({ range });
      expect(response.status).toBe(200);
      expect(await body(response)).toHaveLength(picture.length);
    },
  );

  test('answers 416 to a range behind the end', async () => {
    for (const range of [`bytes=${picture.length}-`, 'bytes=99999999-', 'bytes=-0']) {
      const response = await get({ range });
      expect(response.status, range).toBe(416);
      expect(response.headers.get('content-range')).toBe(`bytes */${picture.length}`);
      await body(response);
    }
  });

  test('goes on with If-Range only where the bytes are the same', async () => {
    const same = await get({ range: 'bytes=0-9', 'if-range': `"${image.sha256}"` });
    expect(same.status).toBe(206);
    await body(same);
    for (const value of ['"other"', `W/"${image.sha256}"`, 'Sat, 21 Nov 2026 09:35:00 GMT']) {
      const other = await get({ range: 'bytes=0-9', 'if-range': value });
      expect(other.status, value).toBe(200);
      await body(other);
    }
  });

  test('refuses other methods and other addresses with a reason', async () => {
    const post = await get({}, 'POST');
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    await body(post);
    for (const at of [
      '/images/nonsense',
      '/images/01a1fd86-32a5-704a-8823-284343d934b2',
      '/images/',
      '/images/a/b/c',
      '/generated/%00',
      '/generated/..%2f..%2froot-token',
      '/images/%E0%A4%A',
      '/nothing',
    ]) {
      const response = await app.fetch(at);
      expect(response.status, at).toBe(404);
      expect(await response.json()).toMatchObject({ error: { code: 'NOT_FOUND' } });
    }
  });

  const states = async () =>
    await app.database.query<{ store: string; state: string }>(
      'SELECT c.store, c.state FROM copies c JOIN blobs b ON b.id = c.blob_id WHERE b.sha256 = $1 ORDER BY store DESC',
      [image.sha256],
    );
  const damages: [string, () => Promise<unknown>][] = [
    ['is gone', () => rm(file)],
    ['is cut', () => writeFile(file, picture.subarray(0, 100))],
    ['has another byte in it', () => writeFile(file, Buffer.from(picture).fill(7, 50, 51))],
    [
      'is another file with the same length and time',
      async () => {
        await writeFile(file, Buffer.alloc(picture.length, 1));
        await utimes(file, 1, 1);
      },
    ],
  ];
  test.each(damages)(
    'answers from the next copy when the file %s, and puts it right',
    async (_name, damage) => {
      await body(await get());
      await damage();
      for (const headers of [{}, { range: 'bytes=100-199' }] as Record<string, string>[]) {
        const response = await get(headers);
        const expected = headers.range ? picture.subarray(100, 200) : picture;
        expect((await body(response)).equals(expected)).toBe(true);
      }
      await eventually(async () => {
        expect(await states()).toEqual([
          { store: 'filesystem', state: 'STORED' },
          { store: 'database', state: 'STORED' },
        ]);
        const { stores } = await app.ask(StoresDocument, {});
        expect(stores.map(({ missing, corrupt }) => missing + corrupt)).toEqual([0, 0]);
      });
      await eventually(async () =>
        expect((await (await import('node:fs/promises')).readFile(file)).equals(picture)).toBe(true),
      );
    },
  );

  describe('a file that is disturbed while it is sent', () => {
    /** @param which of the times that it is opened. */
    async function whileRead<Result>(
      disturb: (file: string) => Promise<unknown>,
      work: () => Promise<Result>,
      which = 1,
    ): Promise<Result> {
      const [store] = app.storage.stores;
      if (store?.name !== 'filesystem') throw new Error('The files are not read first.');
      const open = store.open;
      let opened = 0;
      const reading = vi.spyOn(store, 'open').mockImplementation(async (key, range) => {
        const result = await open(key, range);
        if (++opened === which) await disturb(path.join(app.directory, 'images', key));
        return result;
      });
      try {
        return await work();
      } finally {
        reading.mockRestore();
        expect(opened).toBeGreaterThanOrEqual(which);
      }
    }
    const spoil = async (at: string) => {
      const { size } = await stat(at);
      await writeFile(at, Buffer.alloc(size), { flag: 'r+' });
    };

    test('goes out whole when it gets a link or is replaced by a mended one, and is cut when it is written to', async () => {
      const large = await makePicture({ width: 1300, height: 1000, seed: 70_001 });
      expect(large.length).toBeGreaterThan(2 * 1024 * 1024);
      const { image: kept } = await upload(app, { content: large });
      const ask = async () => (await app.fetch(new URL(kept?.url ?? '').pathname)).arrayBuffer();
      const linked = (at: string) => link(at, path.join(app.directory, 'a-link'));
      expect(Buffer.from(await whileRead(linked, ask)).equals(large)).toBe(true);
      const mended = async (at: string) => {
        await copyFile(at, `${at}-mended`);
        await rename(`${at}-mended`, at);
      };
      // The link has changed the file's ctime: it is hashed, and then opened once more.
      expect(Buffer.from(await whileRead(mended, ask, 2)).equals(large)).toBe(true);
      await ask();
      await expect(whileRead(spoil, ask)).rejects.toThrow();
    });

    test('is answered from another copy when it is small', async () => {
      await body(await get());
      await utimes(file, 1, 1);
      const response = await whileRead(spoil, () => get(), 2);
      expect((await body(response)).equals(picture)).toBe(true);
      await app.storage.settled();
    });
  });

  test('never gives a damaged copy of the database, which is proven before it is given', async () => {
    await rm(file);
    await app.database.query(
      `UPDATE stored_chunks SET data = set_byte(data, 10, (get_byte(data, 10) + 1) % 256)
       WHERE object_id = (SELECT id FROM stored_objects WHERE key = $1)`,
      [image.copies[1]?.key],
    );
    const response = await get();
    expect(response.status).toBe(404);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(await response.json()).toMatchObject({ error: { code: 'BYTES_LOST' } });
    await app.storage.settled();
  });

  test('is 503 and marks nothing while a store that may have it cannot be asked', async () => {
    await app.database.query(
      'UPDATE stored_chunks SET data = set_byte(data, 0, (get_byte(data, 0) + 1) % 256) WHERE object_id = (SELECT id FROM stored_objects WHERE key = $1)',
      [image.copies[1]?.key],
    );
    const root = path.join(app.directory, 'images');
    const { rename } = await import('node:fs/promises');
    await rename(root, `${root}-away`);
    const response = await get();
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('5');
    await body(response);
    await app.storage.settled();
    await rename(`${root}-away`, root);
    expect(await states()).toEqual([
      { store: 'filesystem', state: 'STORED' },
      { store: 'database', state: 'CORRUPT' },
    ]);
    expect((await get()).status).toBe(200);
  });

  test('leaves nothing open when the client hangs up in the middle', async () => {
    await new Promise<void>((resolve) => {
      const request = httpRequest(app.url + address, (response) => {
        response.once('data', () => {
          request.destroy();
          resolve();
        });
      });
      request.end();
    });
    expect((await get()).status).toBe(200);
  });
});

describe('the other addresses', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  test('say that the server is alive and ready', async () => {
    expect(await (await app.fetch('/health', { headers: { authorization: '' } })).json()).toEqual({
      status: 'alive',
    });
    const ready = await app.fetch('/ready', { headers: { authorization: '' } });
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({
      status: 'ready',
      database: true,
      stores: { filesystem: true, database: true },
      required: ['filesystem', 'database'],
      disk: 'ok',
      workers: true,
    });
  });

  test('say that it is not ready when a required store cannot be reached', async () => {
    const root = path.join(app.directory, 'images');
    const { rename } = await import('node:fs/promises');
    await rename(root, `${root}-away`);
    const ready = await app.fetch('/ready');
    await rename(`${root}-away`, root);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({
      status: 'not ready',
      stores: { filesystem: false, database: true },
    });
  });

  test('give figures to Prometheus', async () => {
    const text = await (await app.fetch('/metrics')).text();
    expect(text).toMatch(/^fixative_blobs_at_risk 0$/m);
    expect(text).toMatch(/^fixative_store_up\{store="filesystem"\} 1$/m);
    expect(text).toMatch(/^fixative_copies\{store="database",state="missing"\} 0$/m);
    expect(text).toMatch(/^fixative_generations\{state="asking"\} 0$/m);
    for (const line of text.trim().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{[^}]*\})? [\d.]+)$/);
    expect((await app.fetch('/metrics', { headers: { authorization: '' } })).status).toBe(401);
  });

  test('list images page by page for clients that do not speak GraphQL', async () => {
    for (let seed = 0; seed < 5; seed++)
      await upload(app, { content: await makePicture({ seed: 3000 + seed }) });
    const seen: { filename: string; url: string; size: number; createdAt: string }[] = [];
    let after = '';
    do {
      const response = await app.fetch(`/api/images/generated?first=2${after ? `&after=${after}` : ''}`);
      const page = (await response.json()) as { images: typeof seen; nextCursor: string | null };
      seen.push(...page.images);
      after = page.nextCursor ?? '';
    } while (after);
    expect(seen).toHaveLength(5);
    expect(new Set(seen.map((each) => each.filename)).size).toBe(5);
    expect(seen.map((each) => each.createdAt)).toEqual(
      seen
        .map((each) => each.createdAt)
        .sort()
        .reverse(),
    );
    expect((await app.fetch(new URL(seen[0]?.url ?? '').pathname)).status).toBe(200);
    expect((await app.fetch('/api/images/generated', { headers: { authorization: '' } })).status).toBe(401);
    expect((await app.fetch('/api/images/generated?first=1000')).status).toBe(400);
    expect((await app.fetch('/api/images/generated?after=xx')).status).toBe(400);
  });
});
