import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { makeMemoryStore } from '../../src/storage/stores/memory.ts';
import type { Store } from '../../src/storage/stores/store.ts';
import { eventually, openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

const PATH = '/api/images/zip';
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

interface Listed {
  readonly id: string;
  readonly uuid: string;
  readonly filename: string | null;
  readonly sha256: string | null;
  readonly prompt: string;
  readonly error: { readonly code: string; readonly message: string } | null;
}

interface Unpacked {
  /** SHA-256 by name. */
  readonly files: Readonly<Record<string, string>>;
  readonly manifest: readonly Listed[];
}

/** Unpacks an archive by another program, which also checks its CRCs. */
async function unpack(archive: Buffer): Promise<Unpacked> {
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-zip-'));
  try {
    const file = path.join(directory, 'images.zip');
    await writeFile(file, archive);
    const program = `import hashlib, json, sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
assert all(i.compress_type == zipfile.ZIP_STORED for i in z.infolist())
assert len(set(z.namelist())) == len(z.namelist())
print(json.dumps({ "files": { n: hashlib.sha256(z.read(n)).hexdigest() for n in z.namelist() }, "manifest": json.loads(z.read("manifest.json"))["images"] }))`;
    const { stdout } = await promisify(execFile)('python3', ['-c', program, file], { maxBuffer: 2 ** 26 });
    return JSON.parse(stdout) as Unpacked;
  } finally {
    await rm(directory, { recursive: true });
  }
}

const hashOf = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');

interface Kept {
  readonly id: string;
  readonly content: Buffer;
  readonly sha256: string;
}

let seed = 83_000;
async function keep(app: TestApp, input = {}, name = 'picture.png', width = 64): Promise<Kept> {
  const content = await makePicture({ seed: seed++, width, height: width });
  const { image } = await upload(app, { content, name }, input);
  return { id: image?.id ?? '', content, sha256: hashOf(content) };
}

const get = async (app: TestApp, ids: readonly string[], headers = {}) =>
  app.fetch(`${PATH}?${ids.map((id) => `ids=${encodeURIComponent(id)}`).join('&')}`, { headers });
const post = (app: TestApp, body: string, headers = {}) =>
  app.fetch(PATH, { method: 'POST', headers: { ...FORM, ...headers }, body });
const archiveOf = async (response: Awaited<ReturnType<typeof get>>) => {
  expect(response.status).toBe(200);
  return unpack(Buffer.from(await response.arrayBuffer()));
};
const problemOf = async (response: Awaited<ReturnType<typeof get>>) => {
  const { error } = (await response.json()) as { error: { code: string; message: string } };
  return [response.status, error.code, error.message] as const;
};

/** Makes rows that share the bytes of an image. */
async function copyRows(app: TestApp, { sha256 }: Kept, count: number): Promise<string[]> {
  const rows = await app.database.query<{ uuid: string }>(
    `INSERT INTO generated_images (user_id, prompt, blob_id, sha256, mime_type, original_filename)
     SELECT user_id, 'p ' || number, blob_id, sha256, mime_type, original_filename
     FROM (SELECT * FROM generated_images WHERE sha256 = $1 LIMIT 1) i, generate_series(1, $2::int) number RETURNING uuid`,
    [sha256, count],
  );
  return rows.map(({ uuid }) => uuid);
}

describe('an archive of images', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp({ STORES: 'filesystem,database', REQUIRED_STORES: 'filesystem,database' });
  });
  afterAll(() => app.close());

  test('has each image once, whole, under a name that every system takes, and says what each is', async () => {
    const names = [
      'fuchs.png',
      'FUCHS.PNG',
      'manifest.json',
      'con.png',
      '../../etc/übersicht 2026.jpg',
      'a:b?.gif',
    ];
    const images: Kept[] = [];
    for (const name of names) images.push(await keep(app, { prompt: `prompt of ${name}` }, name));
    const large = await keep(app, {}, 'large.png', 1000);
    images.push(large);
    expect(large.content.length).toBeGreaterThan(1024 * 1024);
    const ids = images.map(({ id }) => id);
    const response = await get(app, [ids.slice(0, 4).join(), ...ids.slice(4), ids[0] ?? '']);
    expect(response.headers.get('content-type')).toBe('application/zip');
    expect(response.headers.get('content-disposition')).toMatch(
      /^attachment; filename="fixative-\d{4}-\d\d-\d\d\.zip"$/,
    );
    const { files, manifest } = await archiveOf(response);
    expect(manifest.map(({ id, sha256, error }) => [id, sha256, error])).toEqual(
      images.map(({ id, sha256 }) => [id, sha256, null]),
    );
    expect(manifest.map(({ filename }) => filename)).toEqual([
      ...['fuchs.png', 'FUCHS (2).png', 'manifest.json.png', '_con.png', 'übersicht 2026.png', 'a_b_.png'],
      'large.png',
    ]);
    for (const { filename, sha256 } of manifest) expect(files[filename ?? '']).toBe(sha256);
    expect(Object.keys(files)).toHaveLength(images.length + 1);
    expect(manifest[0]?.prompt).toBe('prompt of fuchs.png');
  });

  test('has 1,000 images, asked for by a form of a page with a session', async () => {
    const image = await keep(app, {}, 'same.png');
    const uuids = await copyRows(app, image, 1000);
    const login = await app.fetch('/login', {
      method: 'POST',
      headers: { authorization: '', ...FORM },
      body: `token=${ROOT_TOKEN}`,
    });
    await login.text();
    const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
    const body = uuids.map((uuid) => `ids=${uuid}`).join('&');
    const own = await post(app, body, { authorization: '', cookie, origin: app.url });
    const { files, manifest } = await archiveOf(own);
    expect(manifest.map(({ uuid }) => uuid)).toEqual(uuids);
    expect(new Set(manifest.map(({ filename }) => files[filename ?? '']))).toEqual(new Set([image.sha256]));
    expect(files['same (1000).png']).toBe(image.sha256);
    const foreign = { authorization: '', cookie, origin: 'https://other.example' };
    expect((await problemOf(await post(app, body, foreign))).slice(0, 2)).toEqual([403, 'FORBIDDEN']);
    const tooMany = await problemOf(await post(app, `${body}&ids=${image.id}`));
    expect(tooMany.slice(0, 2)).toEqual([400, 'INVALID_INPUT']);
  });

  test('is refused with the ids that are not there, before a byte is sent', async () => {
    const [mine, other] = [await keep(app, { userId: 'alice' }), await keep(app, { userId: 'bob' })];
    const { token } = await app.services.tokens.create({
      name: 'alice',
      userId: 'alice',
      scopes: ['images:read'],
    });
    const alice = { authorization: `Bearer ${token}` };
    const none = '019adf5c-6c5f-7000-8000-000000000000';
    const refused = await problemOf(await get(app, [mine.id, other.id, none], alice));
    expect(refused).toEqual([404, 'NOT_FOUND', `There are no images "${other.id}", "${none}".`]);
    const wrong = await problemOf(await get(app, [mine.id, 'no-id', 'U3RvcmU6eA=='], alice));
    expect(wrong.slice(0, 2)).toEqual([400, 'INVALID_ID']);
    expect(wrong[2]).toContain('"no-id", "U3RvcmU6eA=="');
    expect((await problemOf(await get(app, [], alice))).slice(0, 2)).toEqual([400, 'INVALID_INPUT']);
    expect((await archiveOf(await get(app, [mine.id], alice))).manifest).toHaveLength(1);
    const writer = await app.services.tokens.create({ name: 'w', userId: 'alice', scopes: ['images:write'] });
    const lacking = await get(app, [mine.id], { authorization: `Bearer ${writer.token}` });
    expect((await problemOf(lacking)).slice(0, 2)).toEqual([403, 'FORBIDDEN']);
    const json = { 'content-type': 'application/json' };
    expect((await problemOf(await post(app, '{}', json)))[0]).toBe(415);
    expect((await problemOf(await post(app, `ids=${'x'.repeat(300_000)}`)))[0]).toBe(413);
    const removed = await app.fetch(PATH, { method: 'DELETE' });
    expect([removed.status, removed.headers.get('allow')]).toEqual([405, 'GET, POST']);
    await removed.text();
  });

  test('counts the memory of cached images while they are sent', async () => {
    const images = [await keep(app), await keep(app), await keep(app)];
    const ask = async () =>
      archiveOf(
        await get(
          app,
          images.map(({ id }) => id),
        ),
      );
    // The cache takes what is asked for again.
    for (let i = 0; i < 3; i++) await ask();
    const { storage } = app.services;
    const { holdUnsent } = storage;
    const held: number[] = [];
    const released: number[] = [];
    const spy = vi.spyOn(storage, 'holdUnsent').mockImplementation((content) => {
      held.push(content.length);
      const release = holdUnsent(content);
      return () => {
        released.push(content.length);
        release();
      };
    });
    await ask();
    spy.mockRestore();
    expect(held).toEqual(images.map(({ content }) => content.length));
    await eventually(() => expect(released).toEqual(held));
  });

  test('takes a damaged image from another store, and goes on after a lost one', async () => {
    const images = [await keep(app), await keep(app), await keep(app)] as const;
    const [damaged, lost, whole] = images;
    const keyOf = ({ sha256 }: Kept) => `${sha256.slice(0, 2)}/${sha256.slice(2, 4)}/${sha256}.png`;
    const file = (image: Kept) => path.join(app.directory, 'images', keyOf(image));
    await writeFile(file(damaged), 'no picture');
    await rm(file(lost));
    await app.database.query('DELETE FROM stored_objects WHERE key = $1', [keyOf(lost)]);
    const pending = await app.database.query<{ uuid: string }>(
      `INSERT INTO generated_images (user_id, prompt, status) VALUES ('u', 'p', 'pending') RETURNING uuid`,
    );
    const ids = [...images.map(({ id }) => id), pending[0]?.uuid ?? ''];
    const { files, manifest } = await archiveOf(await get(app, ids));
    expect(manifest.map(({ error }) => error?.code ?? null)).toEqual([null, 'BYTES_LOST', null, 'NOT_FOUND']);
    expect(manifest.map(({ filename }) => files[filename ?? ''])).toEqual([
      damaged.sha256,
      undefined,
      whole.sha256,
      undefined,
    ]);
    await app.storage.settled();
  });
});

interface PartCounts {
  /** Bytes that were given. */
  given: number;
  /** Streams that are open now, and all that were opened. */
  live: number;
  opened: number;
  /** Streams that are still to break off in the middle. */
  breaks: number;
}

/** Makes a store in memory that gives objects in parts, and counts. */
function makePartStore(): Store & PartCounts {
  const inner = makeMemoryStore();
  const store = {
    ...inner,
    given: 0,
    live: 0,
    opened: 0,
    /** Streams that break off in the middle. */
    breaks: 0,
    async open(key: string, range?: { start: number; end: number }) {
      const { stat, stream } = await inner.open(key, range);
      const [whole = Buffer.alloc(0)] = (await stream.toArray()) as Buffer[];
      const breaksAt = store.breaks > 0 ? whole.length / 2 : Number.POSITIVE_INFINITY;
      if (store.breaks > 0) store.breaks--;
      store.live++;
      store.opened++;
      async function* parts() {
        for (let at = 0; at < whole.length; at += 65_536) {
          if (at > breaksAt) throw new Error('the store broke off');
          const part = whole.subarray(at, at + 65_536);
          store.given += part.length;
          yield part;
        }
      }
      const parted = Readable.from(parts(), { objectMode: false });
      parted.once('close', () => store.live--);
      return { stat, stream: parted };
    },
  };
  return store;
}

describe('an archive of large images', () => {
  let app: TestApp;
  let store: ReturnType<typeof makePartStore>;
  let large: Kept;
  beforeAll(async () => {
    store = makePartStore();
    app = await openTestApp(
      { BYTES_CACHE_BYTES: 'off' },
      { stores: async () => [store], required: ['memory'] },
    );
    large = await keep(app, {}, 'large.png', 1200);
  });
  afterAll(() => app.close());

  test('is read as fast as the client takes it, and no further when the client hangs up', async () => {
    const uuids = await copyRows(app, large, 100);
    store.given = 0;
    const asked = request(`${app.url}${PATH}`, {
      method: 'POST',
      headers: { ...FORM, authorization: `Bearer ${ROOT_TOKEN}` },
    });
    asked.on('error', () => {});
    asked.end(`ids=${uuids.join()}`);
    const response = await new Promise<import('node:http').IncomingMessage>((resolve) =>
      asked.once('response', resolve),
    );
    response.on('error', () => {});
    // Nothing is taken from the connection: its buffers fill, and the rest waits.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const before = store.given;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(store.given).toBe(before);
    expect(before).toBeLessThan(20 * 1024 * 1024);
    response.destroy();
    await eventually(() => expect(store.live).toBe(0));
    const opened = store.opened;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(store.opened).toBe(opened);
    expect(app.logged).toEqual([]);
  });

  test('has a second, whole file of an image whose store breaks off', async () => {
    const small = await keep(app);
    store.breaks = 1;
    const { files, manifest } = await archiveOf(await get(app, [large.id, small.id]));
    expect(manifest.map(({ filename, error }) => [filename, error?.code ?? null])).toEqual([
      ['large (2).png', 'STORE_UNAVAILABLE'],
      ['picture.png', null],
    ]);
    expect([files['large (2).png'], files['picture.png']]).toEqual([large.sha256, small.sha256]);
    store.breaks = 10;
    const broken = await archiveOf(await get(app, [large.id]));
    expect(broken.manifest).toMatchObject([{ filename: null, error: { code: 'STORE_UNAVAILABLE' } }]);
    store.breaks = 0;
    expect((await archiveOf(await get(app, [large.id]))).manifest).toMatchObject([{ error: null }]);
  });
});
