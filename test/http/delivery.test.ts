import { readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { eventually, openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';
import { documentedSite, isInstalled, type Nginx, startNginx } from '../nginx.ts';
import { makePicture } from '../pictures.ts';
import { openS3Server, type S3Server } from '../s3-server.ts';
import { upload } from '../upload.ts';

let seed = 7100;
const picture = () => makePicture({ width: 120, height: 90, seed: seed++ });

async function keep(app: TestApp, content: Buffer, visibility: 'PUBLIC' | 'PRIVATE' = 'PUBLIC') {
  const { image, userErrors } = await upload(app, { content }, { visibility });
  if (!image?.url) throw new Error(JSON.stringify(userErrors));
  return { image, at: new URL(image.url).pathname };
}

const hasNginx = isInstalled('nginx');

describe.skipIf(!hasNginx)('DELIVERY=x-accel behind a real nginx (skipped where none is installed)', () => {
  let app: TestApp;
  let nginx: Nginx;

  beforeAll(async () => {
    app = await openTestApp({ DELIVERY: 'x-accel', TRUSTED_PROXIES: '127.0.0.1' });
    nginx = await startNginx({
      directory: path.join(app.directory, 'nginx'),
      site: await documentedSite(new URL(app.url), path.join(app.directory, 'images')),
    });
  });
  afterAll(async () => {
    await nginx?.stop();
    await app?.close();
  });

  const get = (at: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(new URL(at, nginx.url), { headers, method });
  const body = async (response: Awaited<ReturnType<typeof get>>) => Buffer.from(await response.arrayBuffer());

  test('nginx sends the file, with our headers', async () => {
    const content = await picture();
    const { image, at } = await keep(app, content);
    const past = await fetch(app.url + at);
    expect(past.headers.get('x-accel-redirect')).toBe(`/_fixative_files/${image.copies[0]?.key}`);
    expect(await body(past)).toHaveLength(0);

    const response = await get(at);
    expect(response.status).toBe(200);
    expect((await body(response)).equals(content)).toBe(true);
    expect(response.headers.get('x-accel-redirect')).toBeNull();
    expect(response.headers.get('last-modified')).toBeNull();
    expect(Object.fromEntries(response.headers)).toMatchObject({
      etag: `"${image.sha256}"`,
      'cache-control': 'public, max-age=31536000, immutable',
      'content-type': 'image/png',
      'content-length': String(content.length),
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
      'cross-origin-resource-policy': 'cross-origin',
      'access-control-allow-origin': '*',
      'content-disposition': `inline; filename="${image.filename}"; filename*=UTF-8''picture.png`,
    });
  });

  test('an error of nginx is not to be kept', async () => {
    const { image, at } = await keep(app, await picture());
    // Gone between our look and nginx's.
    const locate = vi.spyOn(app.storage, 'locate').mockResolvedValue(`aa/bb/${image.sha256}.png`);
    const response = await get(at);
    await body(response);
    expect([response.status, response.headers.get('cache-control')]).toEqual([404, null]);
    locate.mockRestore();
  });

  test('ranges, HEAD, 304 and 416 are as without nginx', async () => {
    const content = await picture();
    const { image, at } = await keep(app, content);
    const etag = `"${image.sha256}"`;
    const part = await get(at, { range: 'bytes=10-19' });
    expect([part.status, part.headers.get('content-range'), part.headers.get('etag')]).toEqual([
      206,
      `bytes 10-19/${content.length}`,
      etag,
    ]);
    expect((await body(part)).equals(content.subarray(10, 20))).toBe(true);
    const same = await get(at, { range: 'bytes=-7', 'if-range': etag });
    expect([same.status, (await body(same)).equals(content.subarray(-7))]).toEqual([206, true]);
    const other = await get(at, { range: 'bytes=0-9', 'if-range': '"other"' });
    expect([other.status, (await body(other)).length]).toEqual([200, content.length]);
    const head = await get(at, {}, 'HEAD');
    expect([head.status, head.headers.get('content-length'), head.headers.get('etag')]).toEqual([
      200,
      String(content.length),
      etag,
    ]);
    const unchanged = await get(at, { 'if-none-match': `W/${etag}` });
    expect([unchanged.status, unchanged.headers.get('etag')]).toEqual([304, etag]);
    const late = await get(at, { 'if-modified-since': new Date(Date.now() + 60_000).toUTCString() });
    expect([late.status, (await body(late)).length]).toEqual([200, content.length]);
    for (const range of ['bytes=5-2', 'bytes=abc', 'bytes=0-1,5-6']) {
      const ignored = await get(at, { range });
      expect([range, ignored.status, (await body(ignored)).length]).toEqual([range, 200, content.length]);
    }
    const elder = await get(at, { 'if-unmodified-since': new Date(0).toUTCString() });
    expect([elder.status, (await body(elder)).length]).toEqual([200, content.length]);
    const beyond = await get(at, { range: `bytes=${content.length}-` });
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, `bytes */${content.length}`]);
    await body(beyond);
  });

  test('a private image is for those who may see it, and the location for nobody', async () => {
    const content = await picture();
    const { image, at } = await keep(app, content, 'PRIVATE');
    for (const path of [at, `/_fixative_files/${image.copies[0]?.key}`]) {
      const stranger = await get(path, { 'x-accel-redirect': `/_fixative_files/${image.copies[0]?.key}` });
      expect(stranger.status, path).toBe(404);
      expect((await body(stranger)).includes(content.subarray(0, 30))).toBe(false);
    }
    const owner = await get(at, { authorization: `Bearer ${ROOT_TOKEN}` });
    expect((await body(owner)).equals(content)).toBe(true);
    expect(Object.fromEntries(owner.headers)).toMatchObject({
      'cache-control': 'private, max-age=300',
      vary: 'Authorization, Cookie, Origin',
      'cross-origin-resource-policy': 'same-origin',
    });
  });

  test('a file that is damaged or gone is not handed on, and is put right; a variant is sent by us', async () => {
    for (const damage of [
      (file: string) => rm(file),
      (file: string, content: Buffer) => writeFile(file, Buffer.from(content).fill(7, 50, 51)),
    ]) {
      const content = await picture();
      const { image, at } = await keep(app, content);
      const file = path.join(app.directory, 'images', image.copies[0]?.key ?? '');
      expect((await body(await get(at))).equals(content)).toBe(true);
      await damage(file, content);
      expect((await body(await get(at))).equals(content)).toBe(true);
      await eventually(async () => expect((await readFile(file)).equals(content)).toBe(true));
      const small = await get(`${at}?w=64`);
      expect([small.status, small.headers.get('content-type')]).toEqual([200, 'image/png']);
      expect((await body(small)).length).toBeGreaterThan(0);
    }
    await app.storage.settled();
  });
});

describe('DELIVERY=redirect', () => {
  let s3: S3Server;
  beforeAll(async () => {
    s3 = await openS3Server();
  });
  afterAll(() => s3.close());

  const openApp = (settings: Record<string, string>) => {
    const { accessKeyId, secretAccessKey } = s3.credentials;
    Object.assign(process.env, {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_REGION: 'us-east-1',
    });
    return openTestApp({
      DELIVERY: 'redirect',
      STORES: 'filesystem,s3',
      REQUIRED_STORES: 'filesystem,s3',
      S3_BUCKET: s3.bucket,
      S3_ENDPOINT: s3.endpoint,
      ...settings,
    });
  };
  const get = (app: TestApp, at: string, headers: Record<string, string> = {}) =>
    fetch(app.url + at, { headers, redirect: 'manual' });

  test('sends a public image to the CDN, and what is private, a variant, or not there in time by itself', async () => {
    const app = await openApp({ S3_PUBLIC_URL: 'https://cdn.example.com/files' });
    try {
      const content = await picture();
      const { image, at } = await keep(app, content);
      const key = image.copies.find(({ store }) => store === 's3')?.key;
      const response = await get(app, at);
      expect(response.status).toBe(302);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        location: `https://cdn.example.com/files/${key}`,
        'cache-control': 'public, max-age=60',
        'access-control-allow-origin': '*',
      });
      const head = await fetch(app.url + at, { method: 'HEAD', redirect: 'manual' });
      expect([head.status, head.headers.get('content-length')]).toEqual([200, String(content.length)]);
      const unchanged = await get(app, at, { 'if-none-match': `"${image.sha256}"` });
      expect(unchanged.status).toBe(304);
      const variant = await get(app, `${at}?w=64`);
      expect(variant.status).toBe(200);
      await variant.arrayBuffer();

      await app.database.query(`UPDATE copies SET state = 'MISSING' WHERE store = 's3'`);
      await eventually(async () => {
        const ours = await get(app, at);
        expect(Buffer.from(await ours.arrayBuffer()).equals(content)).toBe(true);
        expect(ours.status).toBe(200);
      });
    } finally {
      await app.close();
    }
  });

  test('sends to an address that S3 signs, which lives longer than it is cached; of a private image for a minute', async () => {
    const app = await openApp({});
    try {
      const content = await picture();
      const { at, image } = await keep(app, content);
      const response = await get(app, at);
      expect([response.status, response.headers.get('cache-control')]).toEqual([302, 'public, max-age=60']);
      const location = new URL(response.headers.get('location') ?? '');
      expect(location.searchParams.get('X-Amz-Expires')).toBe('300');
      expect(location.searchParams.get('response-content-disposition')).toContain(image.filename);
      const given = await fetch(location);
      expect(Buffer.from(await given.arrayBuffer()).equals(content)).toBe(true);

      const hidden = await keep(app, await picture(), 'PRIVATE');
      const stranger = await get(app, hidden.at);
      expect([stranger.status, stranger.headers.get('location')]).toEqual([404, null]);
      await stranger.arrayBuffer();
      const owner = await get(app, hidden.at, { authorization: `Bearer ${ROOT_TOKEN}` });
      expect([owner.status, owner.headers.get('cache-control')]).toEqual([302, 'private, no-store']);
      const signed = new URL(owner.headers.get('location') ?? '');
      expect(signed.searchParams.get('X-Amz-Expires')).toBe('60');
    } finally {
      await app.close();
    }
  });
});
