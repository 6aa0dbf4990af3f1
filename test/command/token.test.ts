import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ServedApp, serve } from '../../src/command/serve.ts';
import { expiryOf } from '../../src/command/token.ts';
import { parseConfig } from '../../src/config.ts';

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

/** These run whole processes on the embedded database, whatever the other tests run on. */
describe('tokens on the command line', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-token-'));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  const start = (args: string[], environment: Record<string, string> = {}): ChildProcess =>
    spawn(process.execPath, [MAIN, ...args], {
      cwd: directory,
      env: { PATH: process.env.PATH ?? '', PORT: '0', ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  function gather(child: ChildProcess) {
    const texts = { out: '', note: '' };
    child.stdout?.on('data', (chunk) => {
      texts.out += chunk;
    });
    child.stderr?.on('data', (chunk) => {
      texts.note += chunk;
    });
    return texts;
  }
  async function run(args: string[], environment?: Record<string, string>) {
    const child = start(args, environment);
    const texts = gather(child);
    const code = await new Promise((resolve) => child.once('close', resolve));
    return { code, ...texts };
  }

  test('are made, listed, used and revoked; before there is one, nobody is listened to from elsewhere', async () => {
    const refused = await run(['serve'], { HOST: '0.0.0.0' });
    expect(refused.code).toBe(2);
    expect(refused.note).toMatch(/HOST is 0\.0\.0\.0/);
    expect(refused.note).toMatch(/FIXATIVE_ROOT_TOKEN.*AUTH_JWKS_URL.*token create/s);
    expect(refused.out).toBe('');

    const made = await run(
      ['token', 'create', '--name', 'a shop', '--user', 'alice', '--expires', '90d'].concat([
        '--scope',
        'images:read',
        'images:write',
      ]),
    );
    expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^fx_[\w-]{43}\n$/) });
    expect(made.note).toMatch(/for the user alice: images:read, images:write until 20.*shown this once/);
    const token = made.out.trim();
    expect(made.note).not.toContain(token);

    const list = await run(['token', 'list']);
    expect(list.out).toMatch(new RegExp(`${token.slice(0, 7)}…  a shop  alice  images:read images:write`));
    expect(list.out).not.toContain(token);
    const [entry] = (await run(['token', 'list', '--json'])).out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(entry).toMatchObject({ name: 'a shop', userId: 'alice', lastUsedAt: null, revokedAt: null });

    const child = start(['serve'], { HOST: '0.0.0.0', LOG_LEVEL: 'trace', LOG_FORMAT: 'json' });
    const texts = gather(child);
    const closed = new Promise((resolve) => child.once('close', resolve));
    for (let count = 0; count < 400 && !texts.out.includes('GraphQL  '); count++)
      await new Promise((resolve) => setTimeout(resolve, 50));
    const url = /GraphQL\s+(http:\S+)/.exec(texts.out)?.[1] ?? '';
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ images { totalCount } stores { name } }' }),
    });
    const text = await response.text();
    const wrong = await fetch(`${url}?query={tools{name}}`, {
      headers: { authorization: `Bearer ${token}x` },
    });
    expect([response.status, text.includes('FORBIDDEN'), wrong.status]).toEqual([200, true, 401]);
    await wrong.text();
    const login = /http:\S+\/login\?code=(\S+)/.exec(texts.out)?.[1] ?? 'no code';
    const page = await fetch(url.replace('/graphql', `/login?code=${login}`));
    const cookie = page.headers.getSetCookie()[0] ?? '';
    expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
    await page.text();
    child.kill('SIGTERM');
    expect(await closed).toBe(0);
    // The only secret on standard output is the login code, for the operator. The log contains none.
    const root = (await readFile(path.join(directory, 'data', 'root-token'), 'utf8')).trim();
    const session = /fixative_session=([^;]+)/.exec(cookie)?.[1] ?? 'none';
    for (const secret of [token, root, session]) expect(texts.out + texts.note).not.toContain(secret);
    expect(texts.note).not.toContain(login);

    const used = await run(['token', 'list', '--json']);
    expect(JSON.parse(used.out).lastUsedAt).not.toBe(null);
    expect(await run(['token', 'revoke', entry.id])).toMatchObject({ code: 0 });
    expect((await run(['token', 'list', '--json'])).out).toBe('');
    expect((await run(['token', 'list', '--revoked'])).out).toContain('revoked');
    expect((await run(['serve'], { HOST: '0.0.0.0' })).code).toBe(2);
  }, 240_000);

  test.each([
    ['no scope', ['--name', 'x'], /--scope/],
    [
      'a scope that there is not',
      ['--name', 'x', '--scope', 'images'],
      /no scope images\. Choose from: images:read/,
    ],
    ['a time that has passed', ['--name', 'x', '--scope', 'admin', '--expires', '2020-01-01'], /90d/],
  ])('are not made with %s', async (_name, args, message) => {
    const { code, out, note } = await run(['token', 'create', ...args]);
    expect([code, out]).toEqual([2, '']);
    expect(note).toMatch(message);
  });
});

test('a time is said as a span or as ISO 8601', () => {
  const now = Date.UTC(2026, 0, 1);
  expect(expiryOf('90d', now)).toEqual(new Date(now + 90 * 86_400_000));
  expect(expiryOf('30m', now)).toEqual(new Date(now + 1_800_000));
  expect(expiryOf('2026-02-01T00:00:00Z', now)).toEqual(new Date('2026-02-01T00:00:00Z'));
  for (const text of ['', '0d', '-1d', '1y', 'x', '2025-01-01', '2026-99-99', '1e9d', '12'])
    expect(expiryOf(text, now), text).toBe(null);
});

describe('beyond this machine', () => {
  class Listens extends Error {}
  const listen = async (environment: Record<string, string>, tokens = 0) => {
    const app = {
      database: { query: async () => Array.from({ length: tokens }) },
      server: { listen: () => Promise.reject(new Listens()) },
      services: {},
    } as unknown as ServedApp;
    const options = { terminal: {} as never, stopped: Promise.resolve(), workers: false };
    return serve(app, parseConfig(environment, '/srv'), options).then(
      () => '',
      (error: Error) => (error instanceof Listens ? 'listens' : error.message),
    );
  };

  test.each(['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1', 'localhost', 'LOCALHOST', ''])(
    'is not %j',
    async (HOST) => expect(await listen({ HOST })).toBe('listens'),
  );

  test.each(['0.0.0.0', '::', '0', '192.168.1.5', '::ffff:10.0.0.1', 'example.com', 'localhost.example.com'])(
    'is %j, and needs an identity',
    async (HOST) => {
      expect(await listen({ HOST })).toMatch(/no way to authenticate is configured.*FIXATIVE_ROOT_TOKEN/s);
      expect(await listen({ HOST, FIXATIVE_ROOT_TOKEN: '0123456789abcdef' })).toBe('listens');
      expect(await listen({ HOST, AUTH_JWT_SECRET: 'x'.repeat(32) })).toBe('listens');
      expect(await listen({ HOST }, 1)).toBe('listens');
    },
  );
});
