import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { makeCaller } from '../../src/auth/caller.ts';
import { openTokens } from '../../src/auth/tokens.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';

describe('API tokens', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp({ LOG_LEVEL: 'trace' });
  });
  afterAll(() => app.close());

  async function ask(query: string, variables: object = {}, headers: Record<string, string> = {}) {
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as {
      // biome-ignore lint/suspicious/noExplicitAny: no types are made from the documents of this test.
      data: any;
      errors?: { message: string; extensions: { code: string } }[];
    };
    return { status: response.status, headers: response.headers, data, errors };
  }
  const as = (token: string) => ({ authorization: `Bearer ${token}` });
  const CREATE = `mutation ($input: CreateTokenInput!) { createToken(input: $input) {
    token apiToken { id name start userId scopes createdAt expiresAt lastUsedAt revokedAt } userErrors { code message path } } }`;
  const REVOKE = `mutation ($id: ID!) { revokeToken(input: { id: $id }) { apiToken { id revokedAt } userErrors { code path } } }`;
  const LIST = `query ($revoked: Boolean) { tokens(revoked: $revoked) { id name start lastUsedAt revokedAt } }`;
  const PROBE = '{ tools { name } }';
  /** The UUID in a global id. */
  const uuidOf = (id: string) =>
    Buffer.from(id, 'base64')
      .toString()
      .replace(/^ApiToken:/, '');
  async function create(input: object): Promise<{ token: string; id: string }> {
    const { data } = await ask(CREATE, { input: { name: 'a test', scopes: ['IMAGES_READ'], ...input } });
    return { token: data.createToken.token, id: data.createToken.apiToken.id };
  }

  test('are shown once and kept as a hash', async () => {
    const expiresAt = new Date(Date.now() + 3_600_000).toISOString();
    const { data } = await ask(CREATE, {
      input: { name: 'the shop', userId: 'alice', scopes: ['IMAGES_READ', 'IMAGES_READ'], expiresAt },
    });
    const { token, apiToken, userErrors } = data.createToken;
    expect(userErrors).toEqual([]);
    expect(token).toMatch(/^fx_[\w-]{43}$/);
    expect(apiToken).toMatchObject({
      name: 'the shop',
      start: token.slice(0, 7),
      userId: 'alice',
      scopes: ['IMAGES_READ'],
      expiresAt,
      lastUsedAt: null,
      revokedAt: null,
    });
    const rows = await app.database.query<{ hash: string }>('SELECT * FROM api_tokens WHERE id = $1', [
      uuidOf(apiToken.id),
    ]);
    expect(rows[0]?.hash).toBe(createHash('sha256').update(token).digest('hex'));
    expect(JSON.stringify(rows)).not.toContain(token);
    expect(JSON.stringify(await ask(LIST))).not.toContain(token);
    expect((await ask(PROBE, {}, as(token))).status).toBe(200);
  });

  test.each([
    ['an empty name', { name: ' ' }, 'name'],
    ['a long name', { name: 'x'.repeat(101) }, 'name'],
    ['a name with NUL', { name: 'a\0b' }, 'name'],
    ['no scope', { scopes: [] }, 'scopes'],
    ['a long user', { userId: 'x'.repeat(256) }, 'userId'],
    ['a time that has passed', { expiresAt: '2020-01-01T00:00:00Z' }, 'expiresAt'],
  ])('are not made with %s', async (_name, input, field) => {
    const { data } = await ask(CREATE, { input: { name: 'x', scopes: ['ADMIN'], ...input } });
    expect(data.createToken).toMatchObject({
      token: null,
      apiToken: null,
      userErrors: [{ code: 'INVALID_INPUT', path: ['input', field] }],
    });
  });

  test('let nobody in that are not there, not whole, expired or revoked', async () => {
    const valid = await create({});
    const expired = await create({});
    await app.database.query(`UPDATE api_tokens SET expires_at = now() - interval '1 second' WHERE id = $1`, [
      uuidOf(expired.id),
    ]);
    const revoked = await create({});
    await ask(REVOKE, { id: revoked.id });
    const last = valid.token.endsWith('A') ? 'E' : 'A';
    for (const token of [
      expired.token,
      revoked.token,
      `fx_${'A'.repeat(43)}`,
      valid.token.slice(0, -1),
      `${valid.token.slice(0, -1)}${last}`,
      `${valid.token}A`,
      valid.token.slice(3),
      valid.id,
    ]) {
      const { status, headers, errors } = await ask(PROBE, {}, as(token));
      expect(status, token).toBe(401);
      expect(headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
      expect(errors?.[0]).toMatchObject({
        message: 'The token is invalid, expired or revoked. Use a valid token.',
        extensions: { code: 'UNAUTHENTICATED' },
      });
    }
    expect((await ask(PROBE, {}, as(valid.token))).status).toBe(200);
  });

  test('end at once where they are revoked, also those that were just used', async () => {
    const { token, id } = await create({});
    expect((await ask(PROBE, {}, as(token))).status).toBe(200);
    const first = (await ask(REVOKE, { id })).data.revokeToken.apiToken;
    expect((await ask(PROBE, {}, as(token))).status).toBe(401);
    // Once more changes nothing, also by the UUID, which the command line shows.
    for (const again of [id, uuidOf(id)])
      expect((await ask(REVOKE, { id: again })).data.revokeToken.apiToken).toEqual(first);
    const listed = async (revoked: boolean) =>
      (await ask(LIST, { revoked })).data.tokens.some((each: { id: string }) => each.id === id);
    expect([await listed(false), await listed(true)]).toEqual([false, true]);
    for (const [other, code] of [
      ['x', 'INVALID_ID'],
      [Buffer.from(`Image:${uuidOf(id)}`).toString('base64'), 'INVALID_ID'],
      ['01900000-0000-7000-8000-000000000000', 'NOT_FOUND'],
    ])
      expect((await ask(REVOKE, { id: other })).data.revokeToken).toEqual({
        apiToken: null,
        userErrors: [{ code, path: ['input', 'id'] }],
      });
  });

  test('end at another server within ten seconds, and when they expire without delay', async () => {
    const other = openTokens(app.database, { warn: () => {} } as never);
    const { token, id } = await create({});
    const soon = await create({ expiresAt: new Date(Date.now() + 60_000).toISOString() });
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    try {
      expect(await other.authenticate(token)).not.toBe(null);
      await app.services.tokens.revoke(id);
      vi.setSystemTime(Date.now() + 9_000);
      expect(await other.authenticate(token)).not.toBe(null);
      vi.setSystemTime(Date.now() + 1_001);
      expect(await other.authenticate(token)).toBe(null);
      vi.setSystemTime(Date.now() + 45_000);
      expect(await other.authenticate(soon.token)).not.toBe(null);
      vi.setSystemTime(Date.now() + 6_000);
      expect(await other.authenticate(soon.token)).toBe(null);
    } finally {
      vi.useRealTimers();
      await other.close();
    }
  });

  test('cost no statement a request, and their use is written once a minute', async () => {
    const statements: string[] = [];
    const watched = {
      ...app.database,
      query: (text: string, values?: readonly unknown[]) => {
        statements.push(text.trim().split(/\s/, 1)[0] ?? '');
        return app.database.query(text, values);
      },
    };
    const tokens = openTokens(watched as never, { warn: () => {} } as never);
    const { token, id } = await create({});
    for (let count = 0; count < 50; count++) await tokens.authenticate(token);
    await tokens.close();
    expect(statements).toEqual(['SELECT', 'UPDATE']);
    const used = async () =>
      (await ask(LIST)).data.tokens.find((each: { id: string }) => each.id === id).lastUsedAt;
    expect(Date.now() - Date.parse(await used())).toBeLessThan(10_000);

    await app.database.query(
      `UPDATE api_tokens SET last_used_at = now() - interval '2 minutes' WHERE id = $1`,
      [uuidOf(id)],
    );
    expect((await ask(PROBE, {}, as(token))).status).toBe(200);
    await eventually(async () => expect(Date.now() - Date.parse(await used())).toBeLessThan(10_000));
  });

  test('are for admins to make and see', async () => {
    const { token } = await create({
      scopes: ['IMAGES_READ', 'IMAGES_WRITE', 'IMAGES_GENERATE', 'STORES_READ'],
    });
    for (const [query, variables] of [
      [CREATE, { input: { name: 'x', scopes: ['ADMIN'] } }],
      [REVOKE, { id: '01900000-0000-7000-8000-000000000000' }],
      [LIST, {}],
    ] as const) {
      expect((await ask(query, variables, as(token))).errors?.[0]?.extensions.code).toBe('FORBIDDEN');
    }
    const admin = await create({ scopes: ['ADMIN'] });
    expect((await ask(LIST, {}, as(admin.token))).errors).toBeUndefined();
  });

  test('are in no log and no error, also where the database fails', async () => {
    const { token } = await create({});
    const { query } = app.database;
    const spy = vi
      .spyOn(app.database, 'query')
      .mockImplementation((text, values) =>
        text.includes('api_tokens') ? Promise.reject(new Error('the database is away')) : query(text, values),
      );
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...as(token) },
      body: JSON.stringify({ query: PROBE }),
    });
    spy.mockRestore();
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain(token);
    await ask(`{ ${token} }`, {}, as(token));
    expect(app.logged.length).toBeGreaterThan(0);
    expect(app.logged.join('\n')).not.toMatch(/fx_[\w-]{43}/);
  });
});

test('an admin is confined to no user', () => {
  const facts = { kind: 'jwt', name: 'carol', userId: 'carol' } as const;
  expect(makeCaller({ ...facts, scopes: ['images:read'] })).toMatchObject({ userId: 'carol' });
  expect(makeCaller({ ...facts, scopes: ['admin'] })).toMatchObject({ userId: null, defaultUserId: 'carol' });
});
