import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

const APP = 'https://app.example.com';
const STRANGER = 'https://stranger.example';
const bearer = { authorization: `Bearer ${ROOT_TOKEN}` };
const json = { 'content-type': 'application/json' };
const body = JSON.stringify({ query: '{ images(first: 1) { nodes { id } } }' });

interface Kept {
  readonly id: string;
  readonly path: string;
}

let seed = 71_000;
async function keep(app: TestApp, visibility: 'PUBLIC' | 'PRIVATE'): Promise<Kept> {
  const { image } = await upload(app, { content: await makePicture({ seed: seed++ }) }, { visibility });
  return { id: image?.id ?? '', path: new URL(image?.url ?? '').pathname };
}

/** Without the credentials that the harness adds. */
const ask = (app: TestApp, path: string, { headers, ...init }: RequestInit = {}) =>
  fetch(app.url + path, { redirect: 'manual', ...init, headers: headers ?? {} });

/**
 * One request to each address that may be shared, and one that fails in each way before anything else is
 * looked at.
 */
const asked = (image: Kept): readonly [status: number, path: string, init: RequestInit][] => [
  [200, '/graphql', { method: 'POST', headers: { ...bearer, ...json }, body }],
  [200, `/graphql?query={__typename}`, { headers: bearer }],
  [401, '/graphql', { method: 'POST', headers: json, body }],
  [401, '/graphql', { method: 'POST', headers: { ...json, authorization: 'Bearer fx_no' }, body }],
  [400, '/graphql', { method: 'POST', headers: { ...bearer, ...json }, body: '{' }],
  [415, '/graphql', { method: 'POST', headers: { ...bearer, ...json, 'content-encoding': 'zip' }, body }],
  [405, '/graphql', { method: 'DELETE', headers: bearer }],
  [200, '/api/images/generated', { headers: bearer }],
  [400, '/api/images/generated?first=x', { headers: bearer }],
  [401, '/api/images/generated', {}],
  [400, '/api/images/zip', { headers: bearer }],
  [401, '/api/images/zip', {}],
  [404, '/api/nothing', {}],
  [403, '/uploads/019adf5c-6c5f-7000-8000-000000000000', { method: 'PUT', body: 'x' }],
  [405, '/uploads/019adf5c-6c5f-7000-8000-000000000000', {}],
  [200, image.path, {}],
  [206, image.path, { headers: { range: 'bytes=0-3' } }],
  [416, image.path, { headers: { range: 'bytes=99999999-' } }],
  [200, `${image.path}?w=64`, {}],
  [400, `${image.path}?w=63&h=63`, {}],
  [404, '/images/019adf5c-6c5f-7000-8000-000000000000', {}],
  [404, '/generated/none.png', {}],
];

const from = (origin: string, init: RequestInit): RequestInit => ({
  ...init,
  headers: { ...(init.headers as Record<string, string>), origin },
});

const preflight = (origin: string, method = 'POST', headers = 'authorization,content-type'): RequestInit => ({
  method: 'OPTIONS',
  headers: {
    origin,
    'access-control-request-method': method,
    'access-control-request-headers': headers,
  },
});

const shared = [
  '/graphql',
  '/api/images/generated',
  '/api/images/zip',
  '/uploads/x?expires=1',
  '/images/x',
  '/generated/x.png',
];
const sharing = (response: Response) =>
  [...response.headers.keys()].filter((name) => name.startsWith('access-control-'));

describe('as delivered, for pages of every origin', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  test.each(shared)('a preflight of %s is answered before anybody is asked who they are', async (path) => {
    const response = await ask(app, path, preflight(STRANGER));
    expect(response.status).toBe(204);
    const headers = Object.fromEntries(response.headers);
    expect(headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, HEAD, POST, PUT',
      'access-control-max-age': '7200',
      vary: expect.stringContaining('Origin'),
    });
    const allowed = headers['access-control-allow-headers']?.split(', ');
    for (const name of [
      'authorization',
      'content-type',
      'last-event-id',
      'if-none-match',
      'range',
      'x-graphql-csrf',
      'graphql-require-preflight',
      'apollo-require-preflight',
      'x-apollo-operation-name',
    ])
      expect(allowed).toContain(name);
    expect(headers).not.toHaveProperty('access-control-allow-credentials');
  });

  test('every answer says so, also an error, and never with credentials', async () => {
    for (const [status, path, init] of asked(await keep(app, 'PUBLIC'))) {
      const response = await ask(app, path, from(STRANGER, init));
      const what = `${init.method ?? 'GET'} ${path}`;
      expect(response.status, what).toBe(status);
      expect(response.headers.get('access-control-allow-origin'), what).toBe('*');
      expect(response.headers.get('access-control-allow-credentials'), what).toBe(null);
      for (const name of ['ETag', 'Content-Range', 'Retry-After', 'X-Request-Id'])
        expect(response.headers.get('access-control-expose-headers')?.split(', '), what).toContain(name);
      await response.arrayBuffer();
    }
  });

  test('events are shared as well', async () => {
    const ending = new AbortController();
    const response = await ask(app, '/graphql', {
      method: 'POST',
      headers: { ...bearer, ...json, accept: 'text/event-stream', origin: STRANGER, 'last-event-id': 'x' },
      body: JSON.stringify({ query: 'subscription { imagesUpdated { id } }' }),
      signal: ending.signal,
    });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    ending.abort();
  });

  test('what is for people and for the operator is not', async () => {
    for (const path of ['/', '/health', '/ready', '/metrics', '/login', '/graphqlx', '/nothing']) {
      expect(sharing(await ask(app, path, from(STRANGER, {}))), path).toEqual([]);
      const asked = await ask(app, path, preflight(STRANGER));
      expect(asked.status, path).toBeGreaterThanOrEqual(400);
      expect(sharing(asked), path).toEqual([]);
    }
  });

  test('a session is good for pages of this server only', async () => {
    const image = await keep(app, 'PRIVATE');
    const login = await ask(app, '/login', {
      method: 'POST',
      body: new URLSearchParams({ token: ROOT_TOKEN }),
    });
    const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
    const own200 = await ask(app, image.path, { headers: { cookie } });
    expect(own200.status).toBe(200);
    // Another page could show it in a frame otherwise.
    expect(own200.headers.get('content-security-policy')).toContain("frame-ancestors 'self'");
    const own = { cookie, origin: app.url };
    expect((await ask(app, image.path, { headers: own })).status).toBe(200);
    expect((await ask(app, '/graphql', { method: 'POST', headers: { ...own, ...json }, body })).status).toBe(
      200,
    );
    const foreign = { cookie, origin: STRANGER };
    expect((await ask(app, image.path, { headers: foreign })).status).toBe(404);
    expect((await ask(app, '/api/images/generated', { headers: foreign })).status).toBe(403);
    expect((await ask(app, '/graphql?query={__typename}', { headers: foreign })).status).toBe(403);
    const posted = { method: 'POST', headers: { ...foreign, ...json }, body };
    expect((await ask(app, '/graphql', posted)).status).toBe(403);
    // A header that is no token must not pass for one while the cookie is looked at.
    for (const authorization of [
      'Bearer a b',
      'Bearer',
      'Bearer ',
      'bearer\tx',
      'BEARER x, y',
      'Bearer  fx_no  ',
    ]) {
      const headers = { ...foreign, authorization };
      expect((await ask(app, image.path, { headers })).status, authorization).toBe(404);
      expect((await ask(app, '/api/images/generated', { headers })).status, authorization).toBe(401);
      const sent = { method: 'POST', headers: { ...headers, ...json }, body };
      expect((await ask(app, '/graphql', sent)).status, authorization).toBe(401);
      const form = new FormData();
      form.append('operations', body);
      form.append('map', '{}');
      expect(
        (await ask(app, '/graphql', { method: 'POST', headers, body: form })).status,
        authorization,
      ).toBe(401);
    }
    expect(
      (
        await ask(app, '/graphql', {
          method: 'POST',
          headers: { ...foreign, ...json, authorization: 'Basic eA==' },
          body,
        })
      ).status,
    ).toBe(403);
  });
});

describe('where a few origins are listed', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp({ CORS_ORIGINS: `${APP},https://*.preview.example.com:8443` });
  });
  afterAll(() => app.close());

  test.each([APP, 'https://a.preview.example.com:8443', 'https://a.b.preview.example.com:8443'])(
    'pages of %s may',
    async (origin) => {
      for (const path of shared) {
        const response = await ask(app, path, preflight(origin, 'GET'));
        expect(response.status).toBe(204);
        expect(response.headers.get('access-control-allow-origin')).toBe(origin);
      }
      for (const [status, path, init] of asked(await keep(app, 'PUBLIC'))) {
        const response = await ask(app, path, from(origin, init));
        const what = `${init.method ?? 'GET'} ${path}`;
        expect(response.status, what).toBe(status);
        expect(Object.fromEntries(response.headers), what).toMatchObject({
          'access-control-allow-origin': origin,
          'access-control-allow-credentials': 'true',
          vary: expect.stringMatching(/\bOrigin\b/),
        });
        await response.arrayBuffer();
      }
    },
  );

  test.each([
    STRANGER,
    'null',
    'http://app.example.com',
    'https://app.example.com:444',
    'https://app.example.com.stranger.example',
    'https://xapp.example.com',
    'https://preview.example.com:8443',
    'https://a.preview.example.com',
    'http://a.preview.example.com:8443',
    'https://stranger.example/.preview.example.com:8443',
  ])('pages of %s may not', async (origin) => {
    for (const path of shared) {
      const response = await ask(app, path, preflight(origin, 'GET'));
      expect(response.status).toBe(403);
      expect(sharing(response)).toEqual([]);
      expect(await response.text()).toContain('CORS_ORIGINS');
    }
    for (const [status, path, init] of asked(await keep(app, 'PUBLIC'))) {
      const response = await ask(app, path, from(origin, init));
      expect(response.status, path).toBe(status);
      expect(sharing(response), path).toEqual([]);
      expect(response.headers.get('vary'), path).toMatch(/\bOrigin\b/);
      await response.arrayBuffer();
    }
  });

  test('an answer without an origin differs by it in caches', async () => {
    const image = await keep(app, 'PUBLIC');
    for (const path of [image.path, `${image.path}?w=64`]) {
      const response = await ask(app, path, {});
      expect([response.headers.get('vary'), sharing(response)]).toEqual(['Origin', []]);
      await response.arrayBuffer();
    }
  });
});

test('where nobody is listed nobody may', async () => {
  const app = await openTestApp({ CORS_ORIGINS: 'none' });
  try {
    for (const path of shared) expect((await ask(app, path, preflight(APP))).status).toBe(403);
    const image = await keep(app, 'PUBLIC');
    for (const [status, path, init] of asked(image)) {
      const response = await ask(app, path, from(APP, init));
      expect(response.status, path).toBe(status);
      expect(sharing(response), path).toEqual([]);
      await response.arrayBuffer();
    }
  } finally {
    await app.close();
  }
});
