import type { RequestListener } from 'node:http';
import { createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Listener, listen, makeLookup, openTestFetcher, type TestFetcher } from './fetching.ts';

const PAST = 'se=2020-01-01T00:00:00Z&sig=secret';
const FUTURE = 'se=2099-01-01T00:00:00Z&sig=secret';
const S3_EXPIRED =
  '<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message><Expires>2024-05-06T07:08:09Z</Expires></Error>';
const AZURE_EXPIRED =
  '<?xml version="1.0"?><Error><Code>AuthenticationFailed</Code><AuthenticationErrorDetail>Signature not valid in the specified time frame: Start [Mon, 06 May 2024 06:08:09 GMT] - Expiry [Mon, 06 May 2024 07:08:09 GMT] - Current [Sat, 21 Nov 2026 09:35:00 GMT]</AuthenticationErrorDetail></Error>';

/** By path: how a source behaves. */
const SOURCE: Record<string, RequestListener> = {
  '/a%20fox.png': (_request, response) =>
    void response.writeHead(200, { 'content-type': 'image/png' }).end('fox'),
  '/named': (_request, response) =>
    void response
      .writeHead(200, {
        'content-disposition': `attachment; filename="plain.png"; filename*=UTF-8''f%C3%BCchsin.png`,
      })
      .end('fox'),
  '/empty': (_request, response) => void response.end(),
  '/big': (_request, response) => void response.end('x'.repeat(1001)),
  '/endless': (_request, response) => {
    const timer = setInterval(() => response.write('x'.repeat(300)), 5);
    response.on('close', () => clearInterval(timer));
  },
  '/bomb': (_request, response) =>
    void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('x'.repeat(100_000))),
  '/zipped': (_request, response) =>
    void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('fox')),
  '/slow': (_request, response) => {
    const timer = setInterval(() => response.write('x'), 100);
    response.on('close', () => clearInterval(timer));
  },
  '/silent': () => {},
  '/hop': (request, response) => {
    const hops = Number(new URL(request.url ?? '', 'http://a').searchParams.get('n'));
    const location = hops > 0 ? `/hop?n=${hops - 1}` : '/a%20fox.png';
    response.writeHead(302, { location, 'set-cookie': 'tracked=yes' }).end('moved');
  },
  '/loop': (_request, response) => void response.writeHead(307, { location: '/loop' }).end(),
  '/nowhere': (_request, response) => void response.writeHead(302).end(),
  '/hangs-up': (request) => void request.socket.destroy(),
  '/s3': (_request, response) => void response.writeHead(403).end(S3_EXPIRED),
  '/azure': (_request, response) => void response.writeHead(403).end(AZURE_EXPIRED),
  '/partial': (_request, response) => void response.writeHead(206).end('fo'),
};

/** Raw responses that no HTTP library would send, by path. */
const RAW: Record<string, string> = {
  '/cut': 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfox',
  '/cut-chunk': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nfox',
  '/longer': 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nfoxes and more',
  '/negative': 'HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nfox',
  '/huge': 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nfox',
  '/garbage': 'this is no HTTP at all\r\n\r\n',
  '/headers': `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`,
};

describe('the fetch of a foreign address', () => {
  let source: Listener;
  let fetcher: TestFetcher;
  let rawUrl: string;
  let raw: ReturnType<typeof createServer>;
  beforeAll(async () => {
    source = await listen((request, response) => {
      const { pathname } = new URL(request.url ?? '', 'http://a');
      const status = /^\/status\/(\d+)$/.exec(pathname)?.[1];
      if (status) response.writeHead(Number(status)).end('no');
      else SOURCE[pathname]?.(request, response);
    });
    raw = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (data) => {
        const path = data.toString().split(' ')[1] ?? '';
        if (path === '/endless-headers') {
          const timer = setInterval(() => socket.write(`x-${Date.now()}: y\r\n`), 50);
          socket.write('HTTP/1.1 200 OK\r\n');
          socket.once('close', () => clearInterval(timer));
        } else socket.end(RAW[path] ?? '');
      });
    });
    await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
    rawUrl = `http://source.test:${(raw.address() as { port: number }).port}`;
    fetcher = await openTestFetcher({
      allowPrivate: ['source.test'],
      timeoutSeconds: 1,
      lookup: makeLookup({ 'source.test': [['127.0.0.1']] }),
    });
  });
  afterAll(async () => {
    await fetcher.close();
    await source.close();
    await new Promise((resolve) => raw.close(resolve));
  });
  const tell = (path: string, options?: { maxBytes?: number; signal?: AbortSignal }) =>
    fetcher.tell(`http://source.test:${source.port}${path}`, options);

  test('downloads a file with its name and type', async () => {
    expect(await tell('/a%20fox.png#part')).toEqual({
      text: 'fox',
      url: `http://source.test:${source.port}/a%20fox.png`,
      contentType: 'image/png',
      filename: 'a fox.png',
    });
    expect(await tell('/named')).toMatchObject({ filename: 'füchsin.png', contentType: null });
    expect(await tell('/zipped')).toMatchObject({ text: 'fox' });
  });

  test('follows at most five redirects, and sends no headers of one to the next', async () => {
    source.seen.headers.length = 0;
    expect(await tell('/hop?n=4')).toMatchObject({ text: 'fox', filename: 'a fox.png' });
    for (const headers of source.seen.headers) {
      for (const name of ['cookie', 'authorization', 'referer', 'origin'])
        expect(headers[name]).toBeUndefined();
    }
    expect(source.seen.headers).toHaveLength(6);
    expect(await tell('/hop?n=5')).toMatchObject({ code: 'SOURCE_FAILED' });
    expect(await tell('/loop')).toMatchObject({
      code: 'SOURCE_FAILED',
      message: expect.stringContaining('5 times'),
    });
    expect(await tell('/nowhere')).toMatchObject({ code: 'SOURCE_FAILED' });
  });

  test.each(['/big', '/endless', '/bomb'])('rejects %s at the limit', async (path) => {
    expect(await tell(path)).toMatchObject({ code: 'TOO_LARGE' });
  });

  test('applies the limit of the caller', async () => {
    expect(await tell('/big', { maxBytes: 2000 })).toMatchObject({ text: 'x'.repeat(1001) });
    expect(await tell('/a%20fox.png', { maxBytes: 2 })).toMatchObject({ code: 'TOO_LARGE' });
  });

  test('rejects an empty file', async () => {
    expect(await tell('/empty')).toMatchObject({ code: 'EMPTY_FILE' });
    expect(await tell('/partial')).toMatchObject({ code: 'SOURCE_FAILED' });
  });

  test.each(['/slow', '/silent'])('gives up on %s in time', async (path) => {
    expect(await tell(path)).toMatchObject({
      code: 'SOURCE_FAILED',
      retryable: true,
      message: expect.stringContaining('in time'),
    });
  });

  test('rejects fetches after close', async () => {
    const ended = await openTestFetcher({
      allowPrivate: ['source.test'],
      timeoutSeconds: 1,
      lookup: makeLookup({ 'source.test': [['127.0.0.1']] }),
    });
    await ended.close();
    expect(await ended.tell(`http://source.test:${source.port}/`)).toMatchObject({
      code: 'SOURCE_FAILED',
      message: expect.stringContaining('the server is stopping'),
    });
  });

  test('gives up on headers that never end', async () => {
    const told = await fetcher.tell(`${rawUrl}/endless-headers`);
    expect(told).toMatchObject({ code: 'SOURCE_FAILED', retryable: true });
  });

  test('stops when its signal is aborted', async () => {
    const signal = AbortSignal.timeout(100);
    expect(await tell('/slow', { signal })).toMatchObject({ code: 'SOURCE_FAILED', retryable: true });
  });

  test.each(['/cut', '/cut-chunk', '/garbage', '/headers', '/negative'])(
    'takes no half of %s',
    async (path) => {
      expect(await fetcher.tell(rawUrl + path)).toMatchObject({ code: 'SOURCE_FAILED', retryable: true });
    },
  );

  test('reads as much as Content-Length says, and rejects a Content-Length beyond the limit', async () => {
    expect(await fetcher.tell(`${rawUrl}/longer`)).toMatchObject({ text: 'fox' });
    expect(await fetcher.tell(`${rawUrl}/huge`)).toMatchObject({ code: 'TOO_LARGE' });
  });

  test('says which errors are retryable', async () => {
    for (const status of [408, 429, 500, 502, 503])
      expect(await tell(`/status/${status}`)).toMatchObject({ code: 'SOURCE_FAILED', retryable: true });
    for (const status of [204, 304, 400, 401, 403, 404, 451])
      expect(await tell(`/status/${status}`)).toMatchObject({ code: 'SOURCE_FAILED', retryable: false });
    expect(await tell('/hangs-up')).toMatchObject({ code: 'SOURCE_FAILED', retryable: true });
    expect(await fetcher.tell('http://unknown.test/')).toMatchObject({
      code: 'SOURCE_FAILED',
      retryable: true,
    });
  });

  test('distinguishes expired addresses from forbidden ones', async () => {
    const expiredAt = new Date('2020-01-01T00:00:00Z');
    for (const status of [401, 403, 404])
      expect(await tell(`/status/${status}?${PAST}`)).toMatchObject({ code: 'SOURCE_EXPIRED', expiredAt });
    expect(await tell('/status/410')).toMatchObject({ code: 'SOURCE_EXPIRED', expiredAt: null });
    for (const path of ['/s3', '/azure'])
      expect(await tell(path)).toMatchObject({
        code: 'SOURCE_EXPIRED',
        expiredAt: new Date('2024-05-06T07:08:09Z'),
      });
    expect(await tell(`/status/403?${FUTURE}`)).toMatchObject({ code: 'SOURCE_FAILED' });
    expect(await tell(`/status/500?${PAST}`)).toMatchObject({ code: 'SOURCE_FAILED' });
    // Its own word is only a hint: what still comes is taken.
    expect(await tell(`/a%20fox.png?${PAST}`)).toMatchObject({ text: 'fox' });
  });

  test('never reveals a signature in an error', async () => {
    for (const path of [
      `/status/403?${PAST}`,
      `/status/403?${FUTURE}`,
      `/hangs-up?${PAST}`,
      `/empty?${PAST}`,
      `/big?${PAST}`,
    ]) {
      const { message, stack } = await tell(path);
      expect(message).toContain('source.test');
      expect(`${message}${stack}`).not.toContain('secret');
    }
  });
});
