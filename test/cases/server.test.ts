import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';
import { documentedSite, isInstalled, startNginx } from '../nginx.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

let app: TestApp;
let image: string;
let bytes: Buffer;
beforeAll(async () => {
  app = await openTestApp();
  bytes = await makePicture({ width: 200, height: 200, seed: 73_000 });
  const kept = await upload(app, { content: bytes }, { filename: 'fox.png' });
  image = new URL(kept.image?.url ?? '').pathname;
});
afterAll(() => app.close());

interface RawAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

function dial(): Promise<Socket> {
  const { hostname, port } = new URL(app.url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Sends lines unchanged and reads one response. Its body has a length, or ends with the connection. */
async function sendRaw(
  lines: readonly string[],
  body: Buffer | string = '',
  socket?: Socket,
): Promise<RawAnswer> {
  const own = socket ?? (await dial());
  own.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body)]));
  const isHead = lines[0]?.startsWith('HEAD ') === true;
  let received = Buffer.alloc(0);
  const answer = await new Promise<RawAnswer>((resolve, reject) => {
    const look = (ended: boolean) => {
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) return ended ? reject(new Error(`ended: ${received}`)) : undefined;
      const [first = '', ...rest] = received.toString('latin1', 0, end).split('\r\n');
      const headers = Object.fromEntries(
        rest.map((line) => [
          line.slice(0, line.indexOf(':')).toLowerCase(),
          line.slice(line.indexOf(':') + 1).trim(),
        ]),
      );
      const content = received.subarray(end + 4);
      const length = isHead ? 0 : Number(headers['content-length'] ?? Number.NaN);
      if (!(content.length >= length) && !ended) return;
      resolve({ status: Number(first.split(' ')[1]), headers, body: content });
    };
    own.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      look(false);
    });
    own.on('end', () => look(true));
    own.on('error', reject);
  });
  own.removeAllListeners();
  if (!socket) own.destroy();
  return answer;
}

const HOST = 'Host: localhost';
const AUTH = `Authorization: Bearer ${ROOT_TOKEN}`;
const JSON_TYPE = 'Content-Type: application/json';
const QUERY = JSON.stringify({ query: '{ __typename }' });
const post = (headers: readonly string[], body: Buffer | string = QUERY) =>
  sendRaw(
    ['POST /graphql HTTP/1.1', HOST, AUTH, ...headers, `Content-Length: ${Buffer.byteLength(body)}`],
    body,
  );
const errorsOf = (answer: RawAnswer) => JSON.parse(answer.body.toString()).errors;

describe('bytes of an image', () => {
  const ask = (method: string, ...headers: string[]) =>
    sendRaw([`${method} ${image} HTTP/1.1`, HOST, ...headers]);

  test('by HEAD leave the range aside, and tell the whole length', async () => {
    for (const range of ['bytes=0-9', 'bytes=999999999-', 'bytes=-5'])
      expect(await ask('HEAD', `Range: ${range}`)).toMatchObject({
        status: 200,
        headers: { 'content-length': String(bytes.length) },
      });
    expect(await ask('GET', 'Range: bytes=0-9')).toMatchObject({ status: 206 });
    expect(await ask('GET', 'Range: bytes=999999999-')).toMatchObject({ status: 416 });
  });

  test('are not sent where If-Match names others', async () => {
    const { etag = '' } = (await ask('GET')).headers;
    for (const method of ['GET', 'HEAD']) {
      expect(await ask(method, 'If-Match: "nope"')).toMatchObject({ status: 412 });
      expect(await ask(method, `If-Match: W/${etag}`)).toMatchObject({ status: 412 });
      expect(await ask(method, `If-Match: "a", ${etag}`)).toMatchObject({ status: 200 });
      expect(await ask(method, 'If-Match: *')).toMatchObject({ status: 200 });
    }
    expect(await ask('GET', 'If-Match: "nope"', 'Range: bytes=0-9')).toMatchObject({ status: 412 });
  });
});

describe('a Host', () => {
  test.each(['a b', 'a/b', 'a@b', '[::1', 'a:b', '', 'a"b', 'http://a', 'a\xfc'])(
    'that names none (%j) is a bad request everywhere',
    async (host) => {
      for (const target of ['/graphql', '/health', image, '/nothing']) {
        const answer = await sendRaw([`GET ${target} HTTP/1.1`, `Host: ${host}`, AUTH]);
        expect(answer, target).toMatchObject({ status: 400 });
        expect(answer.body.toString()).not.toMatch(/node:|\.ts/);
      }
    },
  );

  test('that is there twice, or not at all, is a bad request', async () => {
    expect(await sendRaw(['GET /health HTTP/1.1', HOST, 'host: other'])).toMatchObject({ status: 400 });
    expect(await sendRaw(['GET /health HTTP/1.1'])).toMatchObject({ status: 400 });
    expect(await sendRaw(['GET /health HTTP/1.1', 'Host: [::1]:4000'])).toMatchObject({ status: 200 });
  });
});

describe('a refusal', () => {
  test.each([
    ['DELETE', '/nothing', 404, 'NOT_FOUND'],
    ['GET', '/nothing', 404, 'NOT_FOUND'],
    ['GET', '/images/a/b/c', 404, 'NOT_FOUND'],
    ['GET', '/images', 404, 'NOT_FOUND'],
    ['GET', '/images/%E0%A4%A', 404, 'NOT_FOUND'],
    ['DELETE', '/health', 405, 'BAD_REQUEST'],
    ['POST', '/api/images/generated', 405, 'BAD_REQUEST'],
    ['GET', '/images/none', 404, 'NOT_FOUND'],
    ['GET', '/api/images/generated?first=x', 400, 'INVALID_INPUT'],
    ['PUT', '/api/images/zip', 405, 'BAD_REQUEST'],
    ['GET', '/api/images/zip?ids=x', 400, 'INVALID_ID'],
  ])('of %s %s is %d in the one shape', async (method, target, status, code) => {
    const answer = await sendRaw([`${method} ${target} HTTP/1.1`, HOST, AUTH]);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body.toString())).toEqual({ error: { code, message: expect.any(String) } });
    if (status === 405) expect(answer.headers.allow).toMatch(/GET/);
  });

  test('of a way of reading that is not spoken says which are', async () => {
    const none = await post([JSON_TYPE, 'Accept: image/png']);
    expect(none.status).toBe(406);
    expect(errorsOf(none)[0].message).toMatch(/application\/json/);
    const put = await sendRaw(['PUT /graphql HTTP/1.1', HOST, AUTH, 'Content-Length: 0']);
    expect(put).toMatchObject({ status: 405, headers: { allow: expect.stringMatching(/POST/) } });
    expect(errorsOf(put)[0].message).toMatch(/POST/);
  });

  test('of a WebSocket says that subscriptions go over SSE', async () => {
    for (const target of ['/graphql', '/', '/images/x']) {
      const answer = await sendRaw([
        `GET ${target} HTTP/1.1`,
        HOST,
        AUTH,
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ]);
      expect(answer, target).toMatchObject({ status: 426 });
      expect(answer.body.toString()).toMatch(/server-sent events/);
    }
  });

  test.each([
    ['a coding', ['Content-Encoding: gzip', JSON_TYPE], QUERY, 415, /Content-Encoding/],
    ['a charset', ['Content-Type: application/json; charset=iso-8859-1'], QUERY, 415, /UTF-8/],
    ['a charset', ['Content-Type: application/json; charset="utf-16le"'], QUERY, 415, /UTF-8/],
    [
      'bytes that are not UTF-8',
      [JSON_TYPE],
      Buffer.from(QUERY.replace('__', '\xfc'), 'latin1'),
      400,
      /UTF-8/,
    ],
    [
      'a form',
      ['Content-Type: application/x-www-form-urlencoded'],
      'query={__typename}',
      415,
      /application\/json/,
    ],
  ])('of a body with %s says so', async (_name, headers, body, status, message) => {
    const answer = await post(headers, body);
    expect(answer.status).toBe(status);
    expect(errorsOf(answer)[0].message).toMatch(message);
  });

  test('is not given for UTF-8 by another spelling', async () => {
    for (const charset of ['UTF-8', 'utf8', '"Utf-8"'])
      expect(await post([`Content-Type: application/json; charset=${charset}`])).toMatchObject({
        status: 200,
      });
    expect(await post([JSON_TYPE, 'Content-Encoding: identity'])).toMatchObject({ status: 200 });
  });

  test('of a persisted query tells clients of that protocol to send the document', async () => {
    const extensions = { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } };
    for (const body of [{ extensions }, { extensions, variables: {} }]) {
      const answer = await post([JSON_TYPE], JSON.stringify(body));
      expect(errorsOf(answer)[0].extensions.code).toBe('PERSISTED_QUERY_NOT_SUPPORTED');
    }
    const target = `/graphql?extensions=${encodeURIComponent(JSON.stringify(extensions))}`;
    const answer = await sendRaw([`GET ${target} HTTP/1.1`, HOST, AUTH, 'apollo-require-preflight: 1']);
    expect(errorsOf(answer)[0].extensions.code).toBe('PERSISTED_QUERY_NOT_SUPPORTED');
  });
});

describe('an answer of /graphql', () => {
  test('is for the one who asked, and what it says it is', async () => {
    for (const answer of [await post([JSON_TYPE]), await post([JSON_TYPE], '{"query":"{ nothing }"}')])
      expect(answer.headers).toMatchObject({
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        vary: expect.stringMatching(/Accept.*Authorization.*Cookie/),
      });
  });

  const SCHEMA = JSON.stringify({
    query: '{ __schema { types { name description fields { name description } } } }',
  });
  test('is compressed where that is asked for and pays', async () => {
    const plain = await post([JSON_TYPE], SCHEMA);
    expect(plain.headers['content-encoding']).toBeUndefined();
    const packed = await post([JSON_TYPE, 'Accept-Encoding: gzip', 'Connection: close'], SCHEMA);
    expect(packed.headers['content-encoding']).toBe('gzip');
    expect(packed.body.length).toBeLessThan(plain.body.length / 2);
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'accept-encoding': 'br' },
      body: SCHEMA,
    });
    expect(response.headers.get('content-encoding')).toBe('br');
    expect(await response.text()).toBe(plain.body.toString());
    const small = await post([JSON_TYPE, 'Accept-Encoding: br, gzip']);
    expect(small.headers['content-encoding']).toBeUndefined();
    const picture = await sendRaw([`GET ${image} HTTP/1.1`, HOST, 'Accept-Encoding: br, gzip']);
    expect(picture).toMatchObject({ status: 200, body: bytes });
  });

  test('with GraphiQL is a tenth of its size', async () => {
    const ask = (...more: string[]) =>
      sendRaw(['GET /graphql HTTP/1.1', HOST, AUTH, 'Accept: text/html', 'Connection: close', ...more]);
    const plain = await ask();
    const unpack = { br: brotliDecompressSync, gzip: gunzipSync } as const;
    for (const coding of ['br', 'gzip'] as const) {
      const packed = await ask(`Accept-Encoding: ${coding}`);
      expect(packed.headers).toMatchObject({
        'content-encoding': coding,
        vary: expect.stringMatching(/Accept-Encoding/),
      });
      expect(packed.body.length).toBeLessThan(plain.body.length / 3);
      expect(unpack[coding](packed.body).equals(plain.body)).toBe(true);
      const etag = packed.headers.etag ?? '';
      expect(await ask(`Accept-Encoding: ${coding}`, `If-None-Match: ${etag}`)).toMatchObject({
        status: 304,
      });
    }
  });

  test('is not compressed where the setting forbids it', async () => {
    const own = await openTestApp({ COMPRESSION: 'false' });
    const response = await own.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'accept-encoding': 'br, gzip' },
      body: SCHEMA,
    });
    expect(response.headers.get('content-encoding')).toBeNull();
    await response.text();
    await own.close();
  });
});

describe('a connection', () => {
  test('that is idle is kept for longer than proxies keep theirs', async () => {
    const socket = await dial();
    const lines = ['GET /health HTTP/1.1', HOST];
    const first = await sendRaw(lines, '', socket);
    expect(first.headers['keep-alive']).toBe('timeout=75');
    await sleep(6000);
    expect(await sendRaw(lines, '', socket)).toMatchObject({ status: 200 });
    socket.destroy();
  }, 20_000);

  test.skipIf(!isInstalled('nginx'))(
    'of the documented nginx that is idle serves again',
    async () => {
      const directory = await mkdtemp(path.join(tmpdir(), 'fixative-nginx-'));
      const files = path.join(app.directory, 'images');
      const nginx = await startNginx({ directory, site: await documentedSite(new URL(app.url), files) });
      const ask = () =>
        fetch(new URL('/health', nginx.url)).then(
          async (response) => [response.status, await response.text()][0],
        );
      await Promise.all(Array.from({ length: 20 }, ask));
      await sleep(5500);
      const statuses = await Promise.all(Array.from({ length: 100 }, ask));
      expect(new Set(statuses)).toEqual(new Set([200]));
      await nginx.stop();
      await rm(directory, { recursive: true, force: true });
    },
    30_000,
  );

  test('that is hung up in the middle is no error of the server', async () => {
    const before = app.logged.length;
    const { image: large } = await upload(app, {
      content: await makePicture({ width: 2000, height: 1500, seed: 73_001 }),
    });
    const largeImage = new URL(large?.url ?? '').pathname;
    const file = 'x'.repeat(200_000);
    const boundary = 'b';
    const operations = JSON.stringify({
      query: 'mutation ($f: Upload!) { uploadImage(input: { file: $f }) { userErrors { message } } }',
      variables: { f: null },
    });
    const part = (name: string, more: string, content: string) =>
      `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${content}\r\n`;
    const form =
      part('operations', '', operations) +
      part('map', '', '{"0":["variables.f"]}') +
      part('0', '; filename="a.png"', file);
    const uploadTarget = async () => {
      const response = await app.fetch('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          query: `mutation { createUploadTarget(input: { bytes: 100000, mimeType: "image/png", filename: "a.png" }) { target { url } userErrors { message } } }`,
        }),
      });
      const { data } = (await response.json()) as {
        data: { createUploadTarget: { target: { url: string } } };
      };
      const url = new URL(data.createUploadTarget.target.url);
      return url.pathname + url.search;
    };
    const requests: [string[], string | Buffer][] = [
      [['POST /graphql HTTP/1.1', HOST, AUTH, JSON_TYPE, 'Content-Length: 1000'], QUERY],
      [
        ['POST /graphql HTTP/1.1', HOST, AUTH, JSON_TYPE, 'Transfer-Encoding: chunked'],
        `10\r\n${QUERY.slice(0, 8)}`,
      ],
      [
        [
          'POST /graphql HTTP/1.1',
          HOST,
          AUTH,
          `Content-Type: multipart/form-data; boundary=${boundary}`,
          'Content-Length: 900000',
        ],
        form,
      ],
      [
        [
          'POST /graphql HTTP/1.1',
          HOST,
          AUTH,
          `Content-Type: multipart/form-data; boundary=${boundary}`,
          'Content-Length: 900000',
        ],
        form.slice(0, 150),
      ],
      [
        [`PUT ${await uploadTarget()} HTTP/1.1`, HOST, 'Content-Type: image/png', 'Content-Length: 100000'],
        bytes.subarray(0, 500),
      ],
      [[`GET ${image} HTTP/1.1`, HOST], ''],
      [[`GET ${largeImage} HTTP/1.1`, HOST], ''],
      [[`GET ${largeImage} HTTP/1.1`, HOST, 'Range: bytes=1-'], ''],
      [[`GET ${image}?w=64&format=avif HTTP/1.1`, HOST], ''],
      [['GET /graphql HTTP/1.1', HOST, AUTH, 'Accept: text/html'], ''],
      [['GET /metrics HTTP/1.1', HOST, AUTH], ''],
      [
        [
          'POST /login HTTP/1.1',
          HOST,
          'Content-Type: application/x-www-form-urlencoded',
          'Content-Length: 500',
        ],
        'token=abc',
      ],
      [
        ['POST /graphql HTTP/1.1', HOST, AUTH, JSON_TYPE, 'Accept: text/event-stream', 'Content-Length: 54'],
        JSON.stringify({ query: 'subscription { imagesUpdated { id } }' }).padEnd(54),
      ],
    ];
    for (const reset of [false, true])
      for (const [lines, body] of requests)
        for (const wait of [0, 30]) {
          const socket = await dial();
          socket.on('error', () => {});
          socket.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), Buffer.from(body)]));
          await sleep(wait);
          const closed = once(socket, 'close');
          if (reset) socket.resetAndDestroy();
          else socket.destroy();
          await closed;
        }
    await eventually(() => expect(app.storage.spooler.count).toBe(0));
    await sleep(300);
    expect(app.logged.slice(before).filter((line) => JSON.parse(line).level >= 50)).toEqual([]);
  }, 60_000);
});
