import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { print } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../src/config.ts';
import { GenerateImageDocument, ImageByIdDocument } from './generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from './harness.ts';
import { makePicture } from './pictures.ts';
import { upload } from './upload.ts';

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: readonly { key: string; value: { stringValue?: string; intValue?: number } }[];
  readonly status: { code?: number };
}

/** A collector that takes OTLP in JSON over HTTP, or refuses it with a status. */
async function openCollector() {
  const spans: Span[] = [];
  const requests: IncomingMessage[] = [];
  const collector = { spans, requests, status: 200, url: '', close: () => server.close() };
  const server = createServer(async (request, response) => {
    requests.push(request);
    const isJson = request.headers['content-type'] === 'application/json';
    if (isJson) {
      const body = (await json(request)) as { resourceSpans: { scopeSpans: { spans: Span[] }[] }[] };
      if (collector.status === 200)
        spans.push(...body.resourceSpans.flatMap((each) => each.scopeSpans.flatMap((scope) => scope.spans)));
    } else request.resume();
    response.writeHead(collector.status, { 'content-type': 'application/json' }).end('{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  collector.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return collector;
}

const CALLER = { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331' };
const TRACEPARENT = `00-${CALLER.trace}-${CALLER.span}-01`;

describe('traces', () => {
  let app: TestApp;
  let collector: Awaited<ReturnType<typeof openCollector>>;
  beforeAll(async () => {
    collector = await openCollector();
    app = await openTestApp({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20c0llector,x-tenant=a=b',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_SERVICE_NAME: 'images',
      // Only what the caller records.
      OTEL_TRACES_SAMPLER_ARG: '0',
    });
  });
  afterAll(async () => {
    await app.close();
    collector.close();
  });

  const named = (name: string) => collector.spans.filter((span) => span.name === name);
  const attributesOf = ({ attributes }: Span) =>
    Object.fromEntries(
      attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]),
    );
  const ask = (path: string, body?: object) =>
    app.fetch(path, {
      headers: { traceparent: TRACEPARENT, 'content-type': 'application/json' },
      ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
    });

  test('lead from the caller through the queue to provider and stores', async () => {
    const input = { prompt: 'a secret fox', userId: 'u1', waitSeconds: 10 };
    const response = await ask('/graphql', { query: print(GenerateImageDocument), variables: { input } });
    expect(await response.json()).toMatchObject({
      data: { generateImage: { images: [{ status: 'SUCCESS' }] } },
    });
    await eventually(() => expect(named('job generation')).not.toEqual([]));
    await eventually(() => expect(named('POST /graphql')).not.toEqual([]));

    const [request] = named('POST /graphql') as [Span];
    expect(request).toMatchObject({ traceId: CALLER.trace, parentSpanId: CALLER.span, kind: 2 });
    expect(attributesOf(request)).toEqual({
      'http.request.method': 'POST',
      'http.route': '/graphql',
      'http.response.status_code': 200,
      'url.path': '/graphql',
    });
    const [operation] = named('mutation GenerateImage') as [Span];
    expect(operation.parentSpanId).toBe(request.spanId);
    const [job] = named('job generation') as [Span];
    expect(job).toMatchObject({ parentSpanId: operation.spanId, kind: 5 });
    const [call] = collector.spans.filter(({ name }) => name.startsWith('generate_content ')) as [Span];
    expect(call).toMatchObject({ parentSpanId: job.spanId, kind: 3 });
    for (const store of ['filesystem', 'database']) {
      const [put] = named(`${store} put`) as [Span];
      expect(put).toMatchObject({ traceId: CALLER.trace, parentSpanId: job.spanId });
      expect(attributesOf(put)['fixative.bytes']).toBeGreaterThan(100);
    }
    expect(JSON.stringify(collector.spans)).not.toContain('secret fox');
    expect(collector.requests[0]?.url).toBe('/v1/traces');
    expect(collector.requests[0]?.headers).toMatchObject({
      authorization: 'Bearer c0llector',
      'x-tenant': 'a=b',
    });
  });

  test('name an operation on the fast path, and an error', async () => {
    collector.spans.length = 0;
    const query = 'query Fast { server { version } }';
    for (let i = 0; i < 2; i++) await (await ask('/graphql', { query })).text();
    await eventually(() => expect(named('query Fast')).toHaveLength(2));
    const missing = { query: print(ImageByIdDocument), variables: { id: 'bm90aGluZw==' } };
    await (await ask('/graphql', missing)).text();
    await (await ask('/images/none/none?signature=5ecret')).text();
    await (await ask('/nothing/here')).text();
    await eventually(() => expect(named('GET')).toHaveLength(1));
    await eventually(() => expect(named('GET /images/{name}')).toHaveLength(1));
    expect(JSON.stringify(collector.spans)).not.toContain('5ecret');
  });

  test('are not recorded without a caller that records, at a share of 0', async () => {
    collector.spans.length = 0;
    await (await app.fetch('/health')).text();
    await upload(app, { content: await makePicture() });
    await (await ask('/health')).text();
    await eventually(() => expect(named('GET /health')).toHaveLength(1));
    expect(collector.spans).toHaveLength(1);
  });

  test('that the collector refuses are lost, are logged once, and delay nothing', async () => {
    collector.status = 400;
    const before = collector.requests.length;
    await (await ask('/health')).text();
    await eventually(() => expect(collector.requests.length).toBeGreaterThan(before));
    await eventually(() =>
      expect(app.logged.filter((line) => line.includes('takes no spans'))).toHaveLength(1),
    );
    collector.status = 200;
  });
});

test('settings of a collector are read as the specification has them', () => {
  expect(parseConfig({}, '/').tracing).toBeNull();
  const read = (headers: string) =>
    parseConfig(
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318', OTEL_EXPORTER_OTLP_HEADERS: headers },
      '/',
    ).tracing;
  expect(read('a=b%2Cc, d=')).toEqual({
    endpoint: 'http://localhost:4318',
    headers: ['a=b,c', 'd='],
    protocol: 'http/protobuf',
    serviceName: 'fixative',
    share: 1,
  });
  for (const bad of ['a', '=b', 'a b=c', 'a=%zz']) expect(() => read(bad), bad).toThrow(/OTLP_HEADERS/);
});
