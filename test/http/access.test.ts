import { readFile, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadRootToken } from '../../src/auth/root-token.ts';
import { openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';

describe('who may ask', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  const query = JSON.stringify({ query: '{ stores { name } }' });
  const post = (headers: Record<string, string>) =>
    app.fetch('/graphql', {
      method: 'POST',
      body: query,
      headers: { 'content-type': 'application/json', ...headers },
    });

  test.each([
    '',
    'Bearer',
    'Bearer ',
    'Bearer wrong',
    `Basic ${ROOT_TOKEN}`,
    ROOT_TOKEN,
    `Bearer ${ROOT_TOKEN}x`,
  ])('is refused with %j', async (authorization) => {
    const response = await post({ authorization });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toContain('Bearer');
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
  });

  test('is refused before a byte of the body is asked for', async () => {
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
    const answer = await new Promise<string>((resolve) => {
      socket.once('data', (data) => resolve(data.toString()));
      socket.write(
        'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n',
      );
    });
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
    // The server closes the connection instead of waiting for the rest of the body.
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    await closed;
  });

  test('asks for the body of one who is let in', async () => {
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
    const answers: string[] = [];
    socket.on('data', (data) => answers.push(data.toString()));
    socket.write(
      `POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ROOT_TOKEN}\r\nContent-Type: application/json\r\nContent-Length: ${query.length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`,
    );
    await new Promise<void>((resolve) => socket.once('data', () => resolve()));
    expect(answers.join('')).toMatch(/^HTTP\/1\.1 100 Continue/);
    socket.write(query);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(answers.join('')).toContain('"stores"');
  });

  test('logs a browser in by the link, and GraphiQL works with the cookie alone', async () => {
    const html = { accept: 'text/html', authorization: '' };
    const before = await app.fetch('/graphql', { headers: html });
    expect(before.status).toBe(401);
    expect(await before.text()).toContain('root token');

    const login = await app.fetch(`/login?code=${app.authenticator.loginCode}`, { headers: html });
    expect(login.status).toBe(200);
    const cookie = login.headers.get('set-cookie') ?? '';
    expect(cookie).toMatch(/; HttpOnly; SameSite=Strict$/);
    expect(cookie).not.toContain(ROOT_TOKEN);
    const session = { cookie: cookie.split(';')[0] ?? '', authorization: '' };
    const graphiql = await app.fetch('/graphql', { headers: { ...session, accept: 'text/html' } });
    expect(graphiql.status).toBe(200);
    const page = await graphiql.text();
    expect(page).toContain('Generate an image');
    expect(page).not.toMatch(/<script[^>]+src="https?:/);
    expect((await post(session)).status).toBe(200);
  });

  test('logs a browser in by the token, typed into the form', async () => {
    const form = (token: string) =>
      app.fetch('/login', {
        method: 'POST',
        body: new URLSearchParams({ token }).toString(),
        headers: { authorization: '', 'content-type': 'application/x-www-form-urlencoded' },
      });
    expect((await form(ROOT_TOKEN)).headers.get('set-cookie')).toContain('fixative_session=');
    const wrong = await form('wrong');
    expect([wrong.status, wrong.headers.get('set-cookie')]).toEqual([401, null]);
  });

  test('takes no request of a page of another origin for a session, whatever its port', async () => {
    const login = await app.fetch(`/login?code=${app.authenticator.loginCode}`);
    const cookie = (login.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
    const session = { cookie, authorization: '' };
    for (const headers of [
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site' },
      { origin: 'http://127.0.0.1:3000' },
    ]) {
      const response = await post({ ...session, ...headers } as Record<string, string>);
      expect(response.status).toBe(403);
      await response.text();
    }
    expect((await post({ ...session, origin: app.url })).status).toBe(200);
    expect((await post({ ...session, 'sec-fetch-site': 'same-origin' })).status).toBe(200);
  });

  test('answers a request that is not well formed with 400', async () => {
    for (const address of [
      '/graphql?query={stores{name}}&variables={x',
      '/graphql?query={stores{name}}&extensions=1x',
    ]) {
      expect((await app.fetch(address, { headers: { accept: 'application/json' } })).status).toBe(400);
    }
    const deep = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{a'.repeat(100_000) }),
    });
    expect(deep.status).toBe(400);
    const odd = await new Promise<string>((resolve) => {
      const socket = connect(Number(new URL(app.url).port), '127.0.0.1', () =>
        socket.write('GET /graphql HTTP/1.1\r\nHost: a b[\r\nConnection: close\r\n\r\n'),
      );
      socket.once('data', (data) => resolve(data.toString()));
    });
    expect(odd).toMatch(/^HTTP\/1\.1 400 /);
    const absolute = await new Promise<string>((resolve) => {
      const socket = connect(Number(new URL(app.url).port), '127.0.0.1', () =>
        socket.write('GET http://x/health?a=b?c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'),
      );
      socket.once('data', (data) => resolve(data.toString()));
    });
    expect(absolute).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('takes no forged, foreign or expired session', async () => {
    const login = await app.fetch(`/login?code=${app.authenticator.loginCode}`);
    const [expiry, mac] = (
      /fixative_session=([^;]+)/.exec(login.headers.get('set-cookie') ?? '')?.[1] ?? ''
    ).split('.');
    for (const value of [`${Number(expiry) + 1}.${mac}`, `${expiry}.`, '', '1.2', `1.${mac}`]) {
      expect((await post({ authorization: '', cookie: `fixative_session=${value}` })).status, value).toBe(
        401,
      );
    }
  });
});

test('a cookie behind https is for https only', async () => {
  const app = await openTestApp({ PUBLIC_URL: 'https://images.example.com' });
  const login = await app.fetch(`/login?code=${app.authenticator.loginCode}`);
  expect(login.headers.get('set-cookie')).toMatch(/; HttpOnly; SameSite=Strict; Secure$/);
  await login.text();
  await app.close();
});

test('the root token is made once, for its owner only', async () => {
  const app = await openTestApp();
  const config = { rootToken: null, dataDirectory: path.join(app.directory, 'elsewhere') };
  const tokens = await Promise.all(Array.from({ length: 5 }, () => loadRootToken(config)));
  expect(new Set(tokens).size).toBe(1);
  expect(tokens[0]).toMatch(/^fx_[\w-]{43}$/);
  const file = path.join(config.dataDirectory, 'root-token');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await readFile(file, 'utf8')).trim()).toBe(tokens[0]);
  await app.close();
});
