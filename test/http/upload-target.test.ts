import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { fetch } from 'undici';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { clearUploads } from '../../src/job/uploads.ts';
import {
  CompleteUploadDocument,
  CreateUploadTargetDocument,
  type CreateUploadTargetInput,
  DeleteImageDocument,
} from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { openS3Server, type S3Server } from '../s3-server.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const NEVER = new AbortController().signal;

interface Target {
  readonly id: string;
  readonly url: string;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly expiresAt: string;
}

/** Returns the operations of a client of one server. */
function clientOf(app: () => TestApp) {
  const create = async (input: Partial<CreateUploadTargetInput>) => {
    const all = { filename: 'picture.png', mimeType: 'image/png', bytes: 100, ...input };
    const { createUploadTarget } = await app().ask(CreateUploadTargetDocument, { input: all });
    return createUploadTarget;
  };
  return {
    create,
    async target(bytes: Uint8Array, input: Partial<CreateUploadTargetInput> = {}): Promise<Target> {
      const { target, userErrors } = await create({ bytes: bytes.length, ...input });
      expect(userErrors).toEqual([]);
      if (!target) throw new Error('no target');
      return {
        ...target,
        headers: Object.fromEntries(target.headers.map(({ name, value }) => [name, value])),
      };
    },
    /** With no token, as a browser that was handed the target. */
    put: ({ url, method, headers }: Target, body: Uint8Array, more: Record<string, string> = {}) =>
      fetch(url, { method, headers: { ...headers, ...more }, body }),
    async complete(id: string) {
      const { completeUpload } = await app().ask(CompleteUploadDocument, { input: { target: id } });
      return completeUpload;
    },
    clear: () => {
      const { database, services } = app();
      const log = { info() {}, warn: (_: object, message: string) => expect.fail(message) };
      return clearUploads({ database, arrivals: services.arrivals, log: log as never }, NEVER);
    },
    imageCount: async () => {
      const [row] = await app().database.query<{ count: number }>('SELECT count(*) FROM generated_images');
      return row?.count;
    },
  };
}

describe('an upload target of our own', () => {
  let app: TestApp;
  const { create, target, put, complete, clear, imageCount } = clientOf(() => app);
  beforeAll(async () => {
    app = await openTestApp({ MAX_UPLOAD_BYTES: '1 MiB' });
  });
  afterEach(async () => {
    await eventually(() => expect(app.storage.spooler.count).toBe(0));
    await app.database.query('DELETE FROM upload_targets WHERE completed_at IS NULL');
    for (const place of app.services.arrivals)
      for await (const { id } of place.list()) await place.remove(id);
  });
  afterAll(() => app.close());

  /** Sends in pieces, without saying how much. */
  const putChunked = async ({ url, headers }: Target, body: Uint8Array) => {
    const request = httpRequest(url, { method: 'PUT', headers });
    request.on('error', () => {});
    for (let at = 0; at < body.length; at += 1000) request.write(body.subarray(at, at + 1000));
    request.end();
    const [response] = await once(request, 'response');
    let text = '';
    for await (const piece of response) text += piece;
    return { status: response.statusCode as number, body: JSON.parse(text) };
  };
  const errorOf = async (response: Awaited<ReturnType<typeof put>>) =>
    ((await response.json()) as { error: { code: string; message: string } }).error;

  test('takes the bytes, and makes them an image in every store', async () => {
    const picture = await makePicture({ seed: 1 });
    const made = await target(picture, {
      filename: 'C:\\a/b/fox.png',
      sha256: sha256(picture).toUpperCase(),
      prefix: 'comic/7',
      itemId: 'panel 3',
      userId: 'user1',
      prompt: 'a fox',
      tags: ['x'],
      metadata: { a: 1 },
    });
    expect(made.method).toBe('PUT');
    expect(made.headers).toEqual({ 'Content-Type': 'image/png' });
    expect(Date.parse(made.expiresAt) - Date.now()).toBeGreaterThan(3_590_000);
    expect(made.url.startsWith(`${app.url}/uploads/${made.id}?expires=`)).toBe(true);

    const response = await put(made, picture);
    expect([response.status, await response.json()]).toEqual([
      200,
      { bytes: picture.length, sha256: sha256(picture) },
    ]);
    expect(await app.files('uploads')).toEqual([made.id]);

    const { image, userErrors } = await complete(made.id);
    expect(userErrors).toEqual([]);
    expect(image).toMatchObject({
      origin: 'UPLOADED',
      status: 'SUCCESS',
      userId: 'user1',
      tool: 'uploadImage',
      prompt: 'a fox',
      tags: ['x'],
      metadata: { a: 1, prefix: 'comic/7', itemId: 'panel 3' },
      mimeType: 'image/png',
      sha256: sha256(picture),
      copies: [
        { store: 'filesystem', state: 'STORED' },
        { store: 'database', state: 'STORED' },
      ],
    });
    expect(image?.filename).toMatch(/^comic-7-panel-3-fox-[0-9a-f]{12}\.png$/);
    const served = await fetch(image?.url ?? '');
    expect(sha256(new Uint8Array(await served.arrayBuffer()))).toBe(sha256(picture));
    expect(await app.files('uploads')).toEqual([]);
  });

  test('is completed once, however often and however many at once ask for it', async () => {
    const picture = await makePicture({ seed: 2 });
    const made = await target(picture);
    await (await put(made, picture)).text();
    const before = await imageCount();
    const answers = await Promise.all(Array.from({ length: 30 }, () => complete(made.id)));
    answers.push(await complete(made.id));
    expect(new Set(answers.map(({ image }) => image?.id)).size).toBe(1);
    expect(answers.flatMap(({ userErrors }) => userErrors)).toEqual([]);
    expect(await imageCount()).toBe((before ?? 0) + 1);
    expect(await errorOf(await put(made, picture))).toMatchObject({ code: 'CONFLICT' });
    expect(await app.files('uploads')).toEqual([]);
  });

  test('takes the bytes again until it is completed, and the last are those that count', async () => {
    const pictures = await Promise.all([3, 4].map((seed) => makePicture({ seed, width: 40, height: 40 })));
    const bytes = Math.max(...pictures.map(({ length }) => length));
    // Pads the pictures to the same length: bytes after the end of a PNG are allowed.
    const [first, last] = pictures.map((each) => Buffer.concat([each], bytes)) as [Buffer, Buffer];
    const made = await target(first);
    for (const body of [first, first, last]) expect((await put(made, body)).status).toBe(200);
    expect((await complete(made.id)).image?.sha256).toBe(sha256(last));
  });

  test('leaves a target open to which nothing has come yet', async () => {
    const picture = await makePicture({ seed: 5 });
    const made = await target(picture);
    expect(await complete(made.id)).toMatchObject({ image: null, userErrors: [{ code: 'CONFLICT' }] });
    await (await put(made, picture)).text();
    expect((await complete(made.id)).image?.sha256).toBe(sha256(picture));
  });

  test('takes no other number of bytes than was announced, said or not', async () => {
    const picture = await makePicture({ seed: 6 });
    const made = await target(picture);
    const long = Buffer.concat([picture, Buffer.alloc(200_000)]);
    const short = picture.subarray(0, -1);
    for (const [body, status, code] of [
      [long, 413, 'TOO_LARGE'],
      [short, 400, 'MISMATCH'],
      [Buffer.alloc(0), 400, 'MISMATCH'],
    ] as const) {
      if (body.length > 0) {
        const response = await put(made, body);
        expect([response.status, (await errorOf(response)).code]).toEqual([status, code]);
      }
      expect(await putChunked(made, body)).toMatchObject({ status, body: { error: { code } } });
    }
    expect(await app.files('uploads')).toEqual([]);
    expect(await putChunked(made, picture)).toMatchObject({ status: 200 });
    expect((await complete(made.id)).image).toMatchObject({ bytes: picture.length });
  });

  test('takes no other hash than was announced', async () => {
    const picture = await makePicture({ seed: 7 });
    const made = await target(picture, { sha256: '0'.repeat(64) });
    const response = await put(made, picture);
    expect([response.status, (await errorOf(response)).code]).toEqual([400, 'MISMATCH']);
    expect(await app.files('uploads')).toEqual([]);
  });

  test('takes no other Content-Type and no Content-Encoding', async () => {
    const picture = await makePicture({ seed: 8 });
    const made = await target(picture);
    for (const headers of [{ 'Content-Type': 'text/html' }, { 'Content-Encoding': 'gzip' }])
      expect((await put(made, picture, headers)).status).toBe(415);
  });

  test('refuses what is no such picture, removes it, and says so again', async () => {
    const jpeg = await makePicture({ format: 'jpeg', seed: 9 });
    const png = await makePicture({ seed: 10, width: 100, height: 100 });
    const html = Buffer.from('<!doctype html><script>alert(1)</script>');
    const before = await imageCount();
    for (const [bytes, code, says] of [
      [html, 'UNSUPPORTED_TYPE', /HTML/],
      [jpeg, 'MISMATCH', /image\/jpeg .*image\/png/],
      [png.subarray(0, -20), 'DAMAGED_IMAGE', /PNG/],
    ] as const) {
      const made = await target(bytes);
      expect((await put(made, bytes)).status).toBe(200);
      for (const _ of ['first', 'again']) {
        const { image, userErrors } = await complete(made.id);
        expect(image).toBeNull();
        expect(userErrors).toMatchObject([{ code, message: expect.stringMatching(says) }]);
        expect(userErrors[0]?.message.match(/create a new one/g)).toHaveLength(1);
      }
      expect((await put(made, bytes)).status).toBe(409);
      expect(await app.files('uploads')).toEqual([]);
    }
    expect(await imageCount()).toBe(before);
  });

  test('says that the image was deleted since', async () => {
    const picture = await makePicture({ seed: 15 });
    const made = await target(picture);
    await (await put(made, picture)).text();
    const { image } = await complete(made.id);
    await app.ask(DeleteImageDocument, { input: { id: image?.id ?? '' } });
    expect((await complete(made.id)).userErrors).toMatchObject([{ code: 'NOT_FOUND' }]);
  });

  test('does with a duplicate as it was told', async () => {
    const picture = await makePicture({ seed: 11 });
    const kept = async (onDuplicate: 'CREATE' | 'REUSE' | 'ERROR') => {
      const made = await target(picture, { onDuplicate });
      await (await put(made, picture)).text();
      return complete(made.id);
    };
    const first = await kept('CREATE');
    expect((await kept('REUSE')).image?.id).toBe(first.image?.id);
    expect((await kept('CREATE')).image?.id).not.toBe(first.image?.id);
    expect((await kept('ERROR')).userErrors).toMatchObject([{ code: 'DUPLICATE' }]);
    expect(await app.files('uploads')).toEqual([]);
  });

  test('has an address that cannot be forged, changed or used after its time', async () => {
    const picture = await makePicture({ seed: 12 });
    const made = await target(picture);
    const other = await target(picture);
    const { searchParams } = new URL(made.url);
    const changed = (change: (url: URL) => void) => {
      const url = new URL(made.url);
      change(url);
      return put({ ...made, url: url.href }, picture);
    };
    for (const change of [
      (url: URL) => url.searchParams.delete('signature'),
      (url: URL) => url.searchParams.set('signature', 'x'),
      (url: URL) => url.searchParams.set('expires', String(Number(searchParams.get('expires')) + 1)),
      (url: URL) => {
        url.pathname = `/uploads/${other.id}`;
      },
    ]) {
      const response = await changed(change);
      expect([response.status, (await errorOf(response)).code]).toEqual([403, 'FORBIDDEN']);
    }
    const now = vi.spyOn(Date, 'now').mockReturnValue(Date.parse(made.expiresAt) + 1000);
    try {
      const response = await put(made, picture);
      expect([response.status, (await errorOf(response)).code]).toEqual([403, 'EXPIRED']);
    } finally {
      now.mockRestore();
    }
    expect((await put(made, picture)).status).toBe(200);
    expect(app.logged.join('')).not.toContain(searchParams.get('signature'));
  });

  test('takes nothing but PUT', async () => {
    const made = await target(Buffer.alloc(10));
    expect((await fetch(made.url)).status).toBe(405);
  });

  test('keeps nothing of a sender that hangs up', async () => {
    const picture = await makePicture({ seed: 13 });
    const made = await target(picture);
    const request = httpRequest(made.url, {
      method: 'PUT',
      headers: { ...made.headers, 'Content-Length': picture.length },
    });
    request.on('error', () => {});
    request.write(picture.subarray(0, 50));
    await eventually(() => expect(app.storage.spooler.count).toBe(1));
    request.destroy();
    await eventually(() => expect(app.storage.spooler.count).toBe(0));
    expect([await app.files('uploads'), await app.files('spool')]).toEqual([[], []]);
    expect((await put(made, picture)).status).toBe(200);
  });

  test('keeps nothing of a sender that has hung up before its body is read', async () => {
    const picture = await makePicture({ seed: 14 });
    const made = await target(picture);
    for (const sent of [50, picture.length]) {
      const { requireSpace } = app.storage;
      const { promise: hungUp, resolve } = Promise.withResolvers<void>();
      const spy = vi.spyOn(app.storage, 'requireSpace').mockImplementationOnce(async () => {
        request.destroy();
        await new Promise((wait) => setTimeout(wait, 50));
        resolve();
        return requireSpace();
      });
      const request = httpRequest(made.url, {
        method: 'PUT',
        headers: { ...made.headers, 'Content-Length': picture.length },
      });
      request.on('error', () => {});
      request.write(picture.subarray(0, sent));
      await hungUp;
      spy.mockRestore();
      await new Promise((wait) => setTimeout(wait, 20));
      await eventually(() => expect(app.storage.spooler.count).toBe(0));
    }
    expect([await app.files('uploads'), await app.files('spool')]).toEqual([[], []]);
  });

  test('completed by two at once is the image for both, also where another of the same bytes would be refused', async () => {
    const picture = await makePicture({ seed: 15 });
    const made = await target(picture, { onDuplicate: 'ERROR' });
    await put(made, picture);
    const all = await Promise.all([1, 2, 3].map(() => complete(made.id)));
    expect(all.map(({ userErrors }) => userErrors)).toEqual([[], [], []]);
    expect(new Set(all.map(({ image }) => image?.id)).size).toBe(1);
  });

  test('refused for two at once is refused for both, and nothing else comes of it', async () => {
    const made = await target(Buffer.alloc(100));
    await put(made, Buffer.alloc(100, 7));
    const [place] = app.services.arrivals;
    const { open } = place;
    const spy = vi.spyOn(place, 'open').mockImplementationOnce(async (id) => {
      expect((await complete(made.id)).userErrors).toMatchObject([{ code: 'UNSUPPORTED_TYPE' }]);
      return open(id);
    });
    // An unhandled rejection would end the server; here it fails the test run.
    expect((await complete(made.id)).userErrors).toMatchObject([{ code: 'UNSUPPORTED_TYPE' }]);
    spy.mockRestore();
  });

  test('is not given for what would be refused', async () => {
    for (const [input, code, field] of [
      [{ mimeType: 'image/svg+xml' }, 'UNSUPPORTED_TYPE', 'mimeType'],
      [{ mimeType: 'toString' }, 'UNSUPPORTED_TYPE', 'mimeType'],
      [{ bytes: 0 }, 'INVALID_INPUT', 'bytes'],
      [{ bytes: 2 ** 20 + 1 }, 'TOO_LARGE', 'bytes'],
      [{ sha256: 'abc' }, 'INVALID_INPUT', 'sha256'],
      [{ filename: ' ' }, 'INVALID_INPUT', 'filename'],
      [{ prefix: 'x'.repeat(101) }, 'INVALID_INPUT', 'prefix'],
      [{ itemId: 'a\0' }, 'INVALID_INPUT', 'itemId'],
      [{ itemId: 'a', metadata: [1] }, 'INVALID_INPUT', 'metadata'],
      [{ userId: 'x'.repeat(256) }, 'INVALID_INPUT', 'userId'],
    ] as const) {
      expect(await create(input as object), field).toMatchObject({
        target: null,
        userErrors: [{ code, path: ['input', field] }],
      });
    }
    expect((await complete('nothing')).userErrors).toMatchObject([{ code: 'INVALID_ID' }]);
    expect((await complete('0190a1b2-0000-7000-8000-000000000000')).userErrors).toMatchObject([
      { code: 'NOT_FOUND' },
    ]);
  });

  test('is one of at most a hundred that a user has open', async () => {
    const all = await Promise.all(Array.from({ length: 103 }, () => create({ userId: 'many' })));
    const refused = all.filter((each) => each.target === null);
    expect(refused).toHaveLength(3);
    expect(refused[0]?.userErrors).toMatchObject([{ code: 'LIMIT_REACHED' }]);
    expect((await create({ userId: 'few' })).userErrors).toEqual([]);
  });

  test('goes with its bytes when its time is over, and so does what nobody knows', async () => {
    const picture = await makePicture({ seed: 14 });
    const [over, due, open] = await Promise.all([target(picture), target(picture), target(picture)]);
    const endedBefore = (seconds: number, { id }: Target) =>
      app.database.query('UPDATE upload_targets SET expires_at = $1 WHERE id = $2', [
        new Date(Date.now() - seconds * 1000),
        id,
      ]);
    for (const each of [over, due, open]) await (await put(each, picture)).text();
    await endedBefore(16 * 60, over);
    await endedBefore(60, due);
    expect((await complete(over.id)).userErrors).toMatchObject([{ code: 'EXPIRED' }]);

    const stranger = '0190a1b2-0000-7000-8000-000000000001';
    const { utimes, writeFile } = await import('node:fs/promises');
    const fileOf = (id: string) => `${app.directory}/uploads/${id}`;
    await writeFile(fileOf(stranger), 'x');
    await clear();
    expect(await app.files('uploads')).toEqual([stranger, due.id, open.id].sort());
    const longAgo = new Date(Date.now() - 2 * 3_600_000);
    for (const id of [stranger, open.id]) await utimes(fileOf(id), longAgo, longAgo);
    await clear();
    expect(await app.files('uploads')).toEqual([due.id, open.id].sort());
    expect((await complete(over.id)).userErrors).toMatchObject([{ code: 'NOT_FOUND' }]);
    // Uploads that arrived before their target expired can be completed for a while.
    for (const each of [due, open]) expect((await complete(each.id)).image?.sha256).toBe(sha256(picture));
    expect(await app.files('uploads')).toEqual([]);
  });
});

describe('an upload target at S3', () => {
  let app: TestApp;
  let server: S3Server;
  const { target, put, complete, clear, imageCount } = clientOf(() => app);
  beforeAll(async () => {
    server = await openS3Server();
    vi.stubEnv('AWS_ACCESS_KEY_ID', server.credentials.accessKeyId);
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', server.credentials.secretAccessKey);
    app = await openTestApp({
      STORES: 'filesystem,s3',
      S3_BUCKET: server.bucket,
      S3_ENDPOINT: server.endpoint,
      S3_PREFIX: 'some/where/',
    });
    app.storage.startRepairs();
  });
  afterAll(async () => {
    await app.close();
    await server.close();
    vi.unstubAllEnvs();
  });

  const arrived = async () => {
    const ids: string[] = [];
    for await (const { id } of app.services.arrivals[0].list()) ids.push(id);
    return ids;
  };

  test('takes the bytes past us, and they end in every store', async () => {
    const picture = await makePicture({ seed: 20 });
    for (const hash of [sha256(picture), null]) {
      const made = await target(picture, { sha256: hash });
      expect(made.url.startsWith(`${server.endpoint}/images/some/where/.uploads/${made.id}?`)).toBe(true);
      expect((await put(made, picture)).status).toBe(200);
      expect(await arrived()).toEqual([made.id]);
      const { image, userErrors } = await complete(made.id);
      expect(userErrors).toEqual([]);
      expect(image?.sha256).toBe(sha256(picture));
      expect(await arrived()).toEqual([]);
      expect((await complete(made.id)).image?.id).toBe(image?.id);
    }
    const s3 = app.storage.stores.find(({ name }) => name === 's3');
    await eventually(async () => {
      const keys: string[] = [];
      for await (const { key } of s3?.list() ?? []) keys.push(key);
      expect(keys).toEqual([expect.stringContaining(sha256(picture))]);
    });
    expect(await app.files('uploads')).toEqual([]);
  });

  test('has S3 refuse another length, type or hash, and another name', async () => {
    const picture = await makePicture({ seed: 21 });
    const made = await target(picture, { sha256: sha256(picture) });
    const other = Buffer.from(picture);
    other[other.length - 1] = 0;
    const { 'Content-Type': _, ...untyped } = made.headers;
    const tries = [
      put(made, picture.subarray(0, -1)),
      put(made, Buffer.concat([picture, Buffer.alloc(1)])),
      put(made, picture, { 'Content-Type': 'text/html' }),
      put({ ...made, headers: untyped }, picture),
      put({ ...made, headers: { 'Content-Type': 'image/png' } }, picture),
      put(made, other),
      put({ ...made, url: made.url.replace(made.id, 'a') }, picture),
    ];
    for (const each of tries) expect([400, 403]).toContain((await each).status);
    expect(await arrived()).toEqual([]);
    expect((await complete(made.id)).userErrors).toMatchObject([{ code: 'CONFLICT' }]);
  });

  test('is held against what was announced once more, since not every S3 server does', async () => {
    const picture = await makePicture({ seed: 23 });
    for (const [column, value, says] of [
      ['sha256', '0'.repeat(64), /SHA-256/],
      ['bytes', picture.length - 1, /^More than/],
      ['bytes', picture.length + 1, /were announced/],
    ] as const) {
      const made = await target(picture);
      await (await put(made, picture)).text();
      await app.database.query(`UPDATE upload_targets SET ${column} = $1 WHERE id = $2`, [value, made.id]);
      expect(await complete(made.id)).toMatchObject({
        image: null,
        userErrors: [{ code: 'MISMATCH', message: expect.stringMatching(says) }],
      });
      expect(await arrived()).toEqual([]);
    }
  });

  test('is left as it is while S3 cannot be asked', async () => {
    const picture = await makePicture({ seed: 22 });
    const made = await target(picture);
    await (await put(made, picture)).text();
    server.failNext('not-implemented', 1, 'GET');
    expect((await complete(made.id)).userErrors).toMatchObject([{ code: 'STORE_UNAVAILABLE' }]);
    expect((await complete(made.id)).image?.sha256).toBe(sha256(picture));
    expect(await arrived()).toEqual([]);
  });

  test('is cleared of what is refused and of what is never completed', async () => {
    const before = await imageCount();
    const html = Buffer.from('<!doctype html><p>');
    const refused = await target(html);
    await (await put(refused, html)).text();
    expect((await complete(refused.id)).userErrors).toMatchObject([{ code: 'UNSUPPORTED_TYPE' }]);
    expect(await arrived()).toEqual([]);

    const expired = await target(html);
    await (await put(expired, html)).text();
    await app.database.query(
      `UPDATE upload_targets SET expires_at = now() - interval '1 hour' WHERE id = $1`,
      [expired.id],
    );
    // A client that still has the address of a closed target sends the bytes again.
    await (await put(refused, html)).text();
    // To the store it is no orphan.
    expect(await app.storage.quarantine('s3', { graceSeconds: 0 })).toEqual({ moved: 0, young: 0 });
    await clear();
    expect(await arrived()).toEqual([refused.id]);
    const now = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 2 * 3_600_000);
    try {
      await clear();
    } finally {
      now.mockRestore();
    }
    expect(await arrived()).toEqual([]);
    expect(await imageCount()).toBe(before);
  });
});
