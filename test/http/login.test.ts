import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';

const form = { authorization: '', 'content-type': 'application/x-www-form-urlencoded' };

const logIn = (app: TestApp, token: string, headers: Record<string, string> = {}) =>
  app.fetch('/login', {
    method: 'POST',
    body: new URLSearchParams({ token }).toString(),
    headers: { ...form, ...headers },
  });

describe('a browser that logs in by an API token', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  async function sessionOf(token: string): Promise<{ cookie: string; header: string }> {
    const response = await logIn(app, token);
    expect(response.status).toBe(200);
    await response.text();
    const header = response.headers.get('set-cookie') ?? '';
    return { cookie: header.split(';')[0] ?? '', header };
  }

  async function ask(query: string, headers: Record<string, string>) {
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query }),
    });
    // biome-ignore lint/suspicious/noExplicitAny: no types are made from the documents of this test.
    const { data, errors } = (await response.json()) as { data: any; errors?: any[] };
    return { status: response.status, data, codes: errors?.map(({ extensions }) => extensions.code) };
  }
  const bySession = (query: string, cookie: string) => ask(query, { authorization: '', cookie });
  const create = (facts: { userId?: string; scopes: string[]; expiresAt?: Date }) =>
    app.services.tokens.create({ name: 'of a browser', ...facts });

  test('may do what the token may, and sees what its user sees', async () => {
    const record = (userId: string) =>
      ask(
        `mutation { generateImage(input: { prompt: "for ${userId}", model: "sample", size: "64x64", userId: "${userId}" }) { images { id } } }`,
        {},
      );
    await record('ann');
    await record('bob');
    const { token } = await create({ userId: 'ann', scopes: ['images:read'] });
    const { cookie } = await sessionOf(token);
    for (const query of [
      '{ images { nodes { prompt userId } } }',
      '{ images(filter: { userId: "bob" }) { nodes { prompt } } }',
      '{ stores { name } }',
      '{ tokens { id } }',
      'mutation { generateImage(input: { prompt: "x", model: "sample" }) { images { id } } }',
    ]) {
      const [byCookie, byToken] = await Promise.all([
        bySession(query, cookie),
        ask(query, { authorization: `Bearer ${token}` }),
      ]);
      expect(byCookie, query).toEqual(byToken);
    }
    expect((await bySession('{ images { nodes { prompt } } }', cookie)).data.images.nodes).toEqual([
      { prompt: 'for ann' },
    ]);
    expect((await bySession('{ stores { name } }', cookie)).codes).toEqual(['FORBIDDEN']);
    const rest = await app.fetch('/metrics', { headers: { authorization: '', cookie } });
    expect(rest.status).toBe(403);
  });

  test('goes on to the page that asked for the login, also after a wrong token', async () => {
    const nextOf = (html: string) => /name="next" value="([^"]*)"/.exec(html)?.[1];
    const asked = await app.fetch('/graphql', { headers: { authorization: '', accept: 'text/html' } });
    expect(nextOf(await asked.text())).toBe('graphql');
    const send = async (next: string, token: string) => {
      const body = new URLSearchParams({ next, token }).toString();
      return (await app.fetch('/login', { method: 'POST', body, headers: form })).text();
    };
    expect(nextOf(await send('graphql', 'wrong'))).toBe('graphql');
    expect(await send('graphql', ROOT_TOKEN)).toContain('<a href="graphql">');
    expect(nextOf(await send('//evil.example', 'wrong'))).toBe('./');
    expect(await send('//evil.example', ROOT_TOKEN)).toContain('<a href="./">');
  });

  test('gets a cookie that tells nothing of the token, and that nobody can change into another', async () => {
    const small = await create({ userId: 'ann', scopes: ['images:read'] });
    const large = await create({ scopes: ['admin'] });
    const { cookie, header } = await sessionOf(small.token);
    expect(header).toMatch(/; Path=\/; Max-Age=2592000; HttpOnly; SameSite=Strict$/);
    const hashed = Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(small.token)));
    for (const secret of [
      small.token,
      small.token.slice(3, 20),
      hashed.toString('hex'),
      hashed.toString('base64url'),
    ])
      expect(header).not.toContain(secret);
    const [expiry = '', id = '', mac = ''] = cookie.replace('fixative_session=', '').split('.');
    expect(id).toBe(small.apiToken.id);
    for (const forged of [
      `${expiry}.${large.apiToken.id}.${mac}`,
      `${Number(expiry) + 1}.${id}.${mac}`,
      `${expiry}.${mac}`,
      `${expiry}.${id}`,
      `${expiry}..${mac}`,
      `.${id}.${mac}`,
      `${expiry}.${id}.${id}.${mac}`,
      `${expiry}.'.${mac}`,
    ])
      expect((await bySession('{ tools { name } }', `fixative_session=${forged}`)).status, forged).toBe(401);
    expect((await bySession('{ tools { name } }', cookie)).status).toBe(200);
  });

  test('is let in no more when the token is revoked, also by what is open', async () => {
    const { token, apiToken } = await create({ scopes: ['images:read', 'images:generate'] });
    const { cookie } = await sessionOf(token);
    const open = await app.fetch('/graphql', {
      method: 'POST',
      headers: {
        authorization: '',
        cookie,
        'content-type': 'application/json',
        accept: 'text/event-stream',
        'x-graphql-csrf': '1',
      },
      body: JSON.stringify({ query: 'subscription { imagesUpdated { prompt } }' }),
    });
    expect(open.status).toBe(200);
    expect((await bySession('{ tools { name } }', cookie)).status).toBe(200);
    await app.services.tokens.revoke(apiToken.id);
    expect((await bySession('{ tools { name } }', cookie)).status).toBe(401);
    const generate =
      'mutation { generateImage(input: { prompt: "secret", model: "sample", size: "64x64" }) { images { id } } }';
    await ask(generate, {});
    let told = '';
    for await (const chunk of open.body as AsyncIterable<Uint8Array>) told += Buffer.from(chunk).toString();
    expect(told).not.toContain('secret');
    expect((await logIn(app, token)).status).toBe(401);
  });

  test('is let in no more when the token expires, and its cookie lasts no longer', async () => {
    const { token } = await create({ scopes: ['images:read'], expiresAt: new Date(Date.now() + 60_000) });
    const { cookie, header } = await sessionOf(token);
    const seconds = Number(/Max-Age=(\d+)/.exec(header)?.[1]);
    expect(seconds).toBeGreaterThan(30);
    expect(seconds).toBeLessThanOrEqual(60);
    expect((await bySession('{ tools { name } }', cookie)).status).toBe(200);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 });
    try {
      expect((await bySession('{ tools { name } }', cookie)).status).toBe(401);
    } finally {
      vi.useRealTimers();
    }
    // Servers that have not cached a token notice a new expiry in the database at once; all others notice it
    // within ten seconds.
    const other = await create({ scopes: ['images:read'] });
    const long = await sessionOf(other.token);
    await app.database.query('UPDATE api_tokens SET expires_at = now() WHERE id = $1', [other.apiToken.id]);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 11_000 });
    try {
      expect((await bySession('{ tools { name } }', long.cookie)).status).toBe(401);
    } finally {
      vi.useRealTimers();
    }
  });

  test('needs the form of this server: no link, and no form of another page', async () => {
    const { token } = await create({ scopes: ['images:read'] });
    for (const secret of [token, ROOT_TOKEN]) {
      const byLink = await app.fetch(`/login?code=${secret}`, { headers: { authorization: '' } });
      expect([byLink.status, byLink.headers.get('set-cookie')]).toEqual([401, null]);
      expect(await byLink.text()).not.toContain(secret);
    }
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
    ]) {
      const response = await logIn(app, token, headers as Record<string, string>);
      expect([response.status, response.headers.get('set-cookie')]).toEqual([403, null]);
    }
    expect((await logIn(app, token, { 'sec-fetch-site': 'same-origin', origin: app.url })).status).toBe(200);
  });

  test('is told when a token is not valid, and a JWT is not taken', async () => {
    for (const token of [`fx_${'A'.repeat(43)}`, 'eyJhbGciOiJub25lIn0.e30.x', 'x']) {
      const response = await logIn(app, token);
      expect([response.status, response.headers.get('set-cookie')]).toEqual([401, null]);
      expect(await response.text()).toContain('unknown, expired or revoked');
    }
  });
});

test('tokens cannot be tried without end at the login page', async () => {
  const app = await openTestApp({ RATE_LIMIT_PER_ADDRESS: '20' });
  const { token } = await app.services.tokens.create({ name: 'a guest', scopes: ['images:read'] });
  const statuses: number[] = [];
  for (let attempt = 0; attempt < 12; attempt++) {
    const response = await app.fetch(`/login?code=${attempt}.x`, { headers: { authorization: '' } });
    statuses.push(response.status);
    await response.text();
  }
  expect(new Set(statuses)).toEqual(new Set([401]));
  // Failures at /login and at /graphql share one limit. Requests of known callers have another.
  for (let attempt = 0; attempt < 12; attempt++) {
    const response = await app.fetch('/graphql', {
      method: 'POST',
      body: '{"query":"{ tools { name } }"}',
      headers: { authorization: `Bearer fx_${attempt}`, 'content-type': 'application/json' },
    });
    statuses.push(response.status);
    await response.text();
  }
  expect(statuses.at(-1)).toBe(429);
  const right = await logIn(app, token);
  expect([right.status, right.headers.get('set-cookie')]).toEqual([429, null]);
  await app.close();
});

describe('a session', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  const cookieOf = (response: Awaited<ReturnType<typeof logIn>>) =>
    response.headers.get('set-cookie')?.split(';')[0] ?? '';
  const status = async (cookie: string, of = app) =>
    (
      await of.fetch('/graphql?query={__typename}', {
        headers: { authorization: '', cookie, 'x-graphql-csrf': '1' },
      })
    ).status;

  test('is none where there are two, of which another page of the host may have set one', async () => {
    const cookie = cookieOf(await logIn(app, ROOT_TOKEN));
    const { token } = await app.services.tokens.create({ name: 'of somebody else', scopes: ['images:read'] });
    const planted = cookieOf(await logIn(app, token));
    expect(await status(cookie)).toBe(200);
    expect(await status(`theme=dark; ${cookie}; x=1`)).toBe(200);
    expect(await status(`${planted}; ${cookie}`)).toBe(401);
    expect(await status(`${cookie}; ${planted}`)).toBe(401);
  });

  test('behind https is under a name that no other host can set', async () => {
    const other = await openTestApp({ PUBLIC_URL: 'https://images.example.com' });
    try {
      const response = await logIn(other, ROOT_TOKEN);
      expect(response.headers.get('set-cookie')).toMatch(
        /^__Host-fixative_session=[^;]+; Path=\/; .*; Secure$/,
      );
      const cookie = cookieOf(response);
      expect(await status(cookie, other)).toBe(200);
      expect(await status(cookie.replace('__Host-', ''), other)).toBe(401);
    } finally {
      await other.close();
    }
  });

  test('ends by /logout, for pages of this server', async () => {
    const cookie = cookieOf(await logIn(app, ROOT_TOKEN));
    const logOut = (headers: Record<string, string>) =>
      app.fetch('/logout', { method: 'POST', headers: { ...form, cookie, ...headers } });
    const foreign = await logOut({ origin: 'https://other.example' });
    expect([foreign.status, foreign.headers.get('set-cookie')]).toEqual([403, null]);
    const own = await logOut({ origin: app.url });
    expect([own.status, own.headers.get('set-cookie')]).toEqual([
      200,
      'fixative_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict',
    ]);
    expect((await app.fetch('/logout')).status).toBe(405);
  });
});
