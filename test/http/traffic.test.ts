import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { makeAddressOf } from '../../src/http/traffic/address.ts';
import { watchOverload } from '../../src/http/traffic/overload.ts';
import { makeRateLimit } from '../../src/http/traffic/rate.ts';
import { CreateUploadTargetDocument } from '../generated/graphql.ts';
import { eventually, openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

const AUTH = `Authorization: Bearer ${ROOT_TOKEN}\r\n`;
const BOUNDARY = 'edge';

/** A connection that says what it has to say, and what it was answered. */
function dial(
  app: TestApp,
  text: string,
): { socket: Socket; answer: () => string; closed: Promise<unknown> } {
  let answered = '';
  const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
  socket.on('data', (data) => {
    answered += data;
  });
  socket.on('error', () => {});
  socket.write(text);
  return { socket, answer: () => answered, closed: once(socket, 'close') };
}

const uploadHead = (length: number) =>
  `POST /graphql HTTP/1.1\r\nHost: x\r\n${AUTH}Content-Type: multipart/form-data; boundary=${BOUNDARY}\r\nContent-Length: ${length}\r\n\r\n`;
const part = (name: string, content: string) =>
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${content}\r\n`;
const uploadBegin = [
  part(
    'operations',
    '{"query":"mutation($i:UploadImageInput!){uploadImage(input:$i){image{id} userErrors{code}}}","variables":{"i":{"file":null}}}',
  ),
  part('map', '{"0":["variables.i.file"]}'),
  `--${BOUNDARY}\r\nContent-Disposition: form-data; name="0"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n`,
].join('');

describe('one who sends slowly', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp({
      HEADERS_TIMEOUT_SECONDS: '1',
      BODY_TIMEOUT_SECONDS: '1',
      MIN_BODY_BYTES_PER_SECOND: '1000',
    });
  });
  afterAll(() => app.close());

  test('headers is cut', async () => {
    const { answer, closed } = dial(app, 'GET /health HTTP/1.1\r\nHost: x\r\n');
    await closed;
    expect(answer()).toMatch(/^HTTP\/1\.1 408 /);
  });

  test.each([
    [
      'a JSON body',
      `POST /graphql HTTP/1.1\r\nHost: x\r\n${AUTH}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`,
    ],
    [
      'a chunked body',
      `POST /graphql HTTP/1.1\r\nHost: x\r\n${AUTH}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`,
    ],
    [
      'a form',
      'POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nto',
    ],
    ['a file', `${uploadHead(1_000_000)}${uploadBegin}`],
  ])('%s is answered 408 and cut', async (_what, text) => {
    const { socket, answer, closed } = dial(app, text);
    const trickle = setInterval(() => socket.write(text.includes('chunked') ? '1\r\n \r\n' : 'x'), 200);
    await closed;
    clearInterval(trickle);
    expect(answer()).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer()).toContain('"TIMED_OUT"');
    await eventually(() => expect(app.storage.spooler.count).toBe(0));
  });

  test('the body of an upload target is answered 408 and cut', async () => {
    const { createUploadTarget } = await app.ask(CreateUploadTargetDocument, {
      input: { filename: 'a.png', mimeType: 'image/png', bytes: 100_000 },
    });
    const address = new URL(createUploadTarget.target?.url ?? '');
    const { socket, answer, closed } = dial(
      app,
      `PUT ${address.pathname}${address.search} HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n`,
    );
    const trickle = setInterval(() => socket.write('x'), 200);
    await closed;
    clearInterval(trickle);
    expect(answer()).toMatch(/^HTTP\/1\.1 408 /);
    await eventually(() => expect(app.storage.spooler.count).toBe(0));
  });

  test('but steadily is heard to the end', async () => {
    const picture = (await makePicture({ width: 40, height: 40 })).toString('latin1');
    const body = `${uploadBegin}${picture}\r\n--${BOUNDARY}--\r\n`;
    const { socket, answer } = dial(app, uploadHead(body.length));
    const pieces = 8;
    for (let i = 0; i < pieces; i++) {
      const from = Math.floor((body.length * i) / pieces);
      socket.write(body.slice(from, Math.floor((body.length * (i + 1)) / pieces)), 'latin1');
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
    await eventually(() => expect(answer()).toMatch(/^HTTP\/1\.1 200 .*"userErrors":\[\]/s));
    socket.destroy();
  });
});

describe('no more at once than there is room for', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp({
      MAX_REQUESTS: '4',
      MAX_UPLOADS: '2',
      MAX_UPLOADS_PER_CALLER: '1',
      MAX_SUBSCRIPTIONS: '3',
      MAX_SUBSCRIPTIONS_PER_CALLER: '2',
    });
  });
  afterAll(() => app.close());

  test('uploads of one caller, and of all', async () => {
    const first = dial(app, `${uploadHead(1_000_000)}${uploadBegin}x`);
    await eventually(() => expect(app.storage.spooler.count).toBe(1));
    const second = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
      body: `${uploadBegin}x\r\n--${BOUNDARY}--\r\n`,
    });
    expect([second.status, Number(second.headers.get('retry-after')) > 0]).toEqual([429, true]);
    expect(await second.json()).toMatchObject({ errors: [{ extensions: { code: 'RATE_LIMITED' } }] });

    const put = (path: string) =>
      dial(app, `PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n`);
    const { createUploadTarget } = await app.ask(CreateUploadTargetDocument, {
      input: { filename: 'a.png', mimeType: 'image/png', bytes: 9000 },
    });
    const address = new URL(createUploadTarget.target?.url ?? '');
    const third = put(address.pathname + address.search);
    await eventually(() => expect(app.storage.spooler.count).toBe(2));
    const fourth = put(address.pathname + address.search);
    await eventually(() => expect(fourth.answer()).toMatch(/^HTTP\/1\.1 429 .*Retry-After/s));
    for (const { socket } of [first, third, fourth]) socket.destroy();
    await eventually(() => expect(app.storage.spooler.count).toBe(0));
    // Uploads that were aborted no longer count, so another is accepted.
    expect((await upload(app, { content: await makePicture() })).userErrors).toEqual([]);
  });

  test('subscriptions, which are counted out when their clients go', async () => {
    const subscribe = () =>
      app.fetch('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
        body: JSON.stringify({ query: 'subscription { imagesUpdated { id } }' }),
      });
    const open = [await subscribe(), await subscribe()];
    expect(open.map(({ status }) => status)).toEqual([200, 200]);
    const refused = await subscribe();
    expect(await refused.text()).toContain('RATE_LIMITED');
    for (const { body } of open) await body?.cancel();
    await eventually(async () => {
      const again = await subscribe();
      expect(again.status).toBe(200);
      expect(again.headers.get('content-type')).toContain('event-stream');
      const reader = (again.body as ReadableStream<Uint8Array>).getReader();
      const text = await Promise.race([
        reader.read().then(({ value }) => Buffer.from(value ?? []).toString()),
        new Promise<string>((resolve) => setTimeout(() => resolve(''), 200)),
      ]);
      await reader.cancel();
      expect(text).not.toContain('RATE_LIMITED');
    });
  });

  test('requests: what is more gets 503, and health is told all the same', async () => {
    const held = Array.from({ length: 4 }, () =>
      dial(
        app,
        `POST /graphql HTTP/1.1\r\nHost: x\r\n${AUTH}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{`,
      ),
    );
    await eventually(async () => {
      const refused = await app.fetch('/graphql?query={__typename}');
      expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
      await refused.text();
    });
    expect((await app.fetch('/health')).status).toBe(200);
    for (const { socket } of held) socket.destroy();
    await eventually(async () => expect((await app.fetch('/graphql?query={__typename}')).status).toBe(200));
  });
});

test('connections beyond the limit are closed', async () => {
  const app = await openTestApp({ MAX_CONNECTIONS: '3' });
  const open = Array.from({ length: 3 }, () => dial(app, 'GET /health HTTP/1.1\r\n'));
  await Promise.all(open.map(({ socket }) => once(socket, 'connect')));
  await new Promise((resolve) => setTimeout(resolve, 100));
  await dial(app, 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n').closed;
  for (const { socket } of open) socket.destroy();
  await eventually(async () => expect((await app.fetch('/health')).status).toBe(200));
  await app.close();
});

test('requests that come too fast get 429: of a caller, of an address, of one behind a trusted proxy', async () => {
  const app = await openTestApp({
    RATE_LIMIT_PER_CALLER: '5',
    RATE_LIMIT_PER_ADDRESS: '5',
    TRUSTED_PROXIES: '127.0.0.0/8',
  });
  const statuses = async (count: number, ask: () => ReturnType<TestApp['fetch']>) => {
    const found: number[] = [];
    for (let i = 0; i < count; i++) {
      const response = await ask();
      found.push(response.status);
      if (response.status === 429) expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
      await response.text();
    }
    return found;
  };
  expect(await statuses(7, () => app.fetch('/graphql?query={__typename}'))).toEqual([
    200, 200, 200, 200, 200, 429, 429,
  ]);
  const image = (headers: Record<string, string>) => () =>
    app.fetch('/images/none', { headers: { authorization: '', ...headers } });
  expect(await statuses(6, image({}))).toEqual([404, 404, 404, 404, 404, 429]);
  // A forged address stands to the left of the one that the proxy appends.
  const behind = (client: string) => image({ 'x-forwarded-for': `9.9.9.${Math.random()}, ${client}` });
  expect(await statuses(6, behind('1.2.3.4'))).toEqual([404, 404, 404, 404, 404, 429]);
  expect(await statuses(1, behind('1.2.3.5'))).toEqual([404]);
  // A request with a wrong token counts by its address, like one without a token.
  const wrong = () =>
    app.fetch('/graphql?query={__typename}', {
      headers: { authorization: 'Bearer wrong', 'x-forwarded-for': '1.2.3.6' },
    });
  expect(await statuses(6, wrong)).toEqual([401, 401, 401, 401, 401, 429]);
  await app.close();
});

test('a minute slides, and forgets', () => {
  let time = 0;
  const { take } = makeRateLimit(60, () => time);
  for (let i = 0; i < 60; i++) expect(take('a')).toBe(0);
  expect(take('a')).toBeGreaterThan(0);
  expect(take('b')).toBe(0);
  time = 60_000 + 30_000;
  for (let i = 0; i < 30; i++) expect(take('a')).toBe(0);
  const wait = take('a');
  expect(wait).toBeGreaterThan(0);
  time += wait * 1000;
  expect(take('a')).toBe(0);
  time += 180_000;
  for (let i = 0; i < 60; i++) expect(take('a')).toBe(0);
});

test('an address is believed of trusted proxies only, and IPv6 counts by its /64', () => {
  const addressOf = (trusted: string[], peer: string, forwarded?: string) =>
    makeAddressOf(trusted)({
      socket: { remoteAddress: peer },
      headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
    } as never);
  expect(addressOf([], '10.0.0.1', '1.2.3.4')).toBe('10.0.0.1');
  expect(addressOf(['10.0.0.0/8'], '10.0.0.1', '6.6.6.6, 1.2.3.4, 10.0.0.2')).toBe('1.2.3.4');
  expect(addressOf(['10.0.0.1'], '::ffff:10.0.0.1', '1.2.3.4')).toBe('1.2.3.4');
  expect(addressOf(['10.0.0.1'], '10.0.0.1', 'nonsense')).toBe('10.0.0.1');
  expect(addressOf([], '2001:db8:1:2:3:4:5:6')).toBe(addressOf([], '2001:db8:1:2::1'));
  expect(addressOf([], '2001:db8:1:2::1')).not.toBe(addressOf([], '2001:db8:1:3::1'));
});

test('addresses that were read before are told apart, however many came between', () => {
  const addressOf = makeAddressOf(['10.0.0.1']);
  const ask = (peer: string, forwarded: string) =>
    addressOf({ socket: { remoteAddress: peer }, headers: { 'x-forwarded-for': forwarded } } as never);
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 6000; n++)
      expect(ask('10.0.0.1', `1.2.${n >> 8}.${n & 255}`)).toBe(`1.2.${n >> 8}.${n & 255}`);
    expect(ask('10.0.0.2', '1.2.3.4')).toBe('10.0.0.2');
    expect(ask('10.0.0.1', `${'9.9.9.9, '.repeat(100)}1.2.3.4`)).toBe('1.2.3.4');
  }
});

test('a loop that is late again and again is an overload, and ends to be one', async () => {
  const overload = watchOverload({ maxEventLoopDelayMilliseconds: 100, maxHeapPercent: 100 });
  const until = Date.now() + 10_000;
  while (overload.reason === null && Date.now() < until) {
    const end = performance.now() + 400;
    while (performance.now() < end);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(overload.reason).toMatch(/event loop is \d+ ms late/);
  await eventually(() => expect(overload.reason).toBeNull());
  overload.stop();
  const full = watchOverload({ maxEventLoopDelayMilliseconds: 60_000, maxHeapPercent: 0 });
  await eventually(() => expect(full.reason).toMatch(/heap is \d+ % full/));
  full.stop();
});

test('who hangs up while it is found out who asks, keeps no place of an upload', async () => {
  const app = await openTestApp({ MAX_UPLOADS: '1', MAX_UPLOADS_PER_CALLER: '1' });
  const { authenticate } = app.authenticator;
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const spy = vi.spyOn(app.authenticator, 'authenticate').mockImplementationOnce(async (credentials) => {
    const caller = await authenticate(credentials);
    socket.destroy();
    await new Promise((wait) => setTimeout(wait, 100));
    resolve();
    return caller;
  });
  const { socket } = dial(app, uploadHead(1000));
  await asked;
  spy.mockRestore();
  const { userErrors } = await upload(app, { content: await makePicture() });
  expect(userErrors).toEqual([]);
  await app.close();
});
