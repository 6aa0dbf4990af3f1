import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { makeJwtVerifier } from '../../src/auth/jwt.ts';
import { type JwtConfig, parseConfig } from '../../src/config.ts';
import { openTestApp, type TestApp } from '../harness.ts';

const ISSUER = 'https://login.example.com/';
const AUDIENCE = 'fixative';
const SECRET = 'a secret that two servers share, and nobody else';

let rsa: { publicKey: CryptoKey; privateKey: CryptoKey };
let ec: { publicKey: CryptoKey; privateKey: CryptoKey };
let provider: Server;
let url: string;
/** Response of the identity provider. */
let answer: { status: number; body: string; delay?: number };
/** Number of requests to the identity provider. */
let asked = 0;
let keys: string;

beforeAll(async () => {
  rsa = await generateKeyPair('RS256', { extractable: true });
  ec = await generateKeyPair('ES256', { extractable: true });
  keys = JSON.stringify({
    keys: [
      { ...(await exportJWK(rsa.publicKey)), kid: 'rsa', alg: 'RS256', use: 'sig' },
      { ...(await exportJWK(ec.publicKey)), kid: 'ec', alg: 'ES256', use: 'sig' },
    ],
  });
  provider = createServer(async (_request, response) => {
    asked++;
    const { status, body, delay } = answer;
    if (delay) await new Promise((resolve) => setTimeout(resolve, delay));
    response.writeHead(status, { 'content-type': 'application/json', location: '/elsewhere' }).end(body);
  });
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(provider.address() as AddressInfo).port}/keys`;
});
afterAll(() => {
  provider.closeAllConnections();
  provider.close();
});
beforeEach(() => {
  answer = { status: 200, body: keys };
  asked = 0;
});

const now = () => Math.floor(Date.now() / 1000);
type Claims = { [name in keyof JWTPayload]: JWTPayload[name] | undefined };
const claims = (more: Claims = {}) =>
  ({
    iss: ISSUER,
    aud: AUDIENCE,
    sub: 'alice',
    iat: now(),
    exp: now() + 300,
    ...more,
  }) as JWTPayload;
const sign = (
  payload: JWTPayload = claims(),
  header: { alg: string; kid?: string } = { alg: 'RS256', kid: 'rsa' },
  key: CryptoKey | Uint8Array = header.alg.startsWith('ES') ? ec.privateKey : rsa.privateKey,
) => new SignJWT(payload).setProtectedHeader(header).sign(key);
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

const settings = (more: Record<string, string> = {}) => ({
  AUTH_JWKS_URL: url,
  AUTH_JWT_ISSUER: ISSUER,
  AUTH_JWT_AUDIENCE: AUDIENCE,
  ...more,
});
const logged: unknown[] = [];
const verifier = (more: Record<string, string> = {}, base: Record<string, string> = settings()) =>
  makeJwtVerifier(
    parseConfig({ ...base, ...more }, '/srv').jwt as JwtConfig,
    {
      warn: (...values: unknown[]) => logged.push(values),
    } as never,
  );
const refusal = (token: string, of = verifier()) =>
  of.verify(token).then(
    () => 'taken',
    (error: { code: string; message: string }) => `${error.code}: ${error.message}`,
  );

describe('a token of an identity provider', () => {
  test('lets its user in, by keys that are fetched once', async () => {
    const one = verifier();
    const caller = await one.verify(await sign());
    expect(caller).toMatchObject({ kind: 'jwt', userId: 'alice', defaultUserId: 'alice' });
    expect([...caller.scopes]).toEqual(['images:read', 'images:write', 'images:generate']);
    expect(await one.verify(await sign(claims({ sub: 'bob' }), { alg: 'ES256', kid: 'ec' }))).toMatchObject({
      userId: 'bob',
    });
    expect(asked).toBe(1);
  });

  test.each<[string, () => Promise<string> | string]>([
    ['has expired', () => sign(claims({ exp: now() - 60 }))],
    ['is not valid yet', () => sign(claims({ nbf: now() + 600 }))],
    [
      'never expires',
      () => {
        const { exp: _, ...rest } = claims();
        return sign(rest);
      },
    ],
    ['is for another audience', () => sign(claims({ aud: 'another' }))],
    [
      'is for none',
      () => {
        const { aud: _, ...rest } = claims();
        return sign(rest);
      },
    ],
    ['is of another issuer', () => sign(claims({ iss: 'https://login.example.com' }))],
    ['is of no issuer', () => sign(claims({ iss: undefined }))],
    ['is not signed', () => `${part({ alg: 'none' })}.${part(claims())}.`],
    ['says none in capitals', () => `${part({ alg: 'NONE' })}.${part(claims())}.`],
    ['has lost its signature', async () => (await sign()).replace(/[^.]+$/, '')],
    [
      'was changed',
      async () => {
        const [header, , signature] = (await sign()).split('.');
        return `${header}.${part(claims({ sub: 'root' }))}.${signature}`;
      },
    ],
    [
      'is signed under the public key, as if that were a secret',
      async () => {
        const text = `${part({ alg: 'HS256', kid: 'rsa' })}.${part(claims())}`;
        const mac = createHmac('sha256', await exportSPKI(rsa.publicKey)).update(text);
        return `${text}.${mac.digest('base64url')}`;
      },
    ],
    [
      'is signed under the public key as the provider writes it',
      () => {
        const text = `${part({ alg: 'HS256' })}.${part(claims())}`;
        return `${text}.${createHmac('sha256', keys).update(text).digest('base64url')}`;
      },
    ],
    [
      'is signed by a key that it brings along',
      async () => {
        const own = await generateKeyPair('RS256', { extractable: true });
        const jwk = await exportJWK(own.publicKey);
        return new SignJWT(claims())
          .setProtectedHeader({ alg: 'RS256', kid: 'rsa', jwk })
          .sign(own.privateKey);
      },
    ],
    ['names a key that there is not', () => sign(claims(), { alg: 'RS256', kid: 'other' })],
    ['names the key of another algorithm', () => sign(claims(), { alg: 'RS256', kid: 'ec' })],
    [
      'wants something understood that is not',
      () => `${part({ alg: 'RS256', kid: 'rsa', crit: ['x'], x: 1 })}.${part(claims())}.${'A'.repeat(342)}`,
    ],
    ['is no JSON', () => `${Buffer.from('x').toString('base64url')}.${part(claims())}.AAAA`],
  ])('is refused when it %s', async (_name, make) => {
    expect(await refusal(await make())).toMatch(/^UNAUTHENTICATED: /);
  });

  test.each<[string, Claims, RegExp]>([
    ['is too long', { sub: 'x'.repeat(256) }, /sub .* has 256 characters; a user ID has at most 255/],
    ['is empty', { sub: '' }, /names no user/],
    ['is not there', { sub: undefined }, /names no user/],
    ['is a list', { sub: ['alice'] as never }, /names no user/],
    ['has NUL in it', { sub: 'a\0' }, /names no user/],
    ["is the operator's", { sub: 'root' }, /root/],
  ])('is refused when the user %s', async (_name, more, message) => {
    expect(await refusal(await sign(claims(more)))).toMatch(message);
  });

  test('may name its user and its scopes elsewhere', async () => {
    const one = verifier({
      AUTH_JWT_USER_CLAIM: 'https://x.example/user',
      AUTH_JWT_SCOPE_CLAIM: 'access.roles',
    });
    const caller = await one.verify(
      await sign(
        claims({ 'https://x.example/user': 42, access: { roles: ['images:read', 'stores:read', 'other'] } }),
      ),
    );
    expect([caller.userId, ...caller.scopes]).toEqual(['42', 'images:read', 'stores:read']);
  });

  test.each<[unknown, string[]]>([
    ['images:read openid', ['images:read']],
    ['images:*', ['images:read', 'images:write', 'images:generate']],
    ['openid profile', []],
    ['', []],
    [['images:generate', 7], ['images:generate']],
    [null, []],
    [{ admin: true }, []],
    ['Admin constructor __proto__', []],
  ])('has of the scopes %j those that are ours', async (scope, expected) => {
    const caller = await verifier().verify(await sign(claims({ scope })));
    expect([...caller.scopes]).toEqual(expected);
    expect(caller.userId).toBe('alice');
  });

  test('may be an admin, for every user', async () => {
    const caller = await verifier().verify(await sign(claims({ scope: 'admin' })));
    expect(caller).toMatchObject({ userId: null, defaultUserId: 'alice' });
  });

  test('is not remembered longer than it is valid', async () => {
    const one = verifier();
    const token = await sign(claims({ exp: now() - 9 }));
    expect(await refusal(token, one)).toBe('taken');
    await new Promise((resolve) => setTimeout(resolve, 2100));
    expect(await refusal(token, one)).toMatch(/expired/);
  });
});

describe('an identity provider', () => {
  test.each([
    ['answers 500', { status: 500, body: '{}' }],
    ['sends elsewhere', { status: 302, body: '' }],
    ['answers no JSON', { status: 200, body: '<html>' }],
    ['answers no keys', { status: 200, body: '{}' }],
    ['answers for ever', { status: 200, body: 'x'.repeat(300 * 1024) }],
  ])('that %s is no reason to call a token invalid', async (_name, broken) => {
    answer = broken;
    expect(await refusal(await sign())).toMatch(/^IDENTITY_UNAVAILABLE: /);
  });

  test('that does not answer is waited for five seconds', async () => {
    answer.delay = 8000;
    const begun = Date.now();
    expect(await refusal(await sign())).toMatch(/^IDENTITY_UNAVAILABLE: /);
    expect(Date.now() - begun).toBeLessThan(7000);
  });

  test('is not asked again and again by strangers', async () => {
    const one = verifier();
    answer = { status: 500, body: '' };
    const token = await sign();
    for (let count = 0; count < 20; count++) await refusal(token, one);
    expect(asked).toBe(1);

    const two = verifier();
    answer = { status: 200, body: keys };
    asked = 0;
    for (let count = 0; count < 20; count++)
      await refusal(await sign(claims(), { alg: 'RS256', kid: `unknown-${count}` }), two);
    expect(asked).toBe(1);
    expect(await refusal(await sign(), two)).toBe('taken');
  });
});

describe('a shared secret', () => {
  const key = new TextEncoder().encode(SECRET);
  const base = { AUTH_JWT_SECRET: SECRET };

  test('lets in whom it signs for', async () => {
    expect(await refusal(await sign(claims(), { alg: 'HS256' }, key), verifier({}, base))).toBe('taken');
  });

  test('takes nothing else', async () => {
    for (const token of [
      await sign(claims(), { alg: 'HS256' }, new TextEncoder().encode(`${SECRET}x`)),
      await sign(claims(), { alg: 'HS512' }, key),
      await sign(),
      `${part({ alg: 'none' })}.${part(claims())}.`,
    ])
      expect(await refusal(token, verifier({}, base))).toMatch(/^UNAUTHENTICATED: /);
  });
});

describe('settings', () => {
  const fault = (environment: Record<string, string>) => {
    try {
      parseConfig(environment, '/srv');
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  };
  const jwks = { AUTH_JWKS_URL: 'https://x.example/keys', AUTH_JWT_ISSUER: 'x', AUTH_JWT_AUDIENCE: 'y' };

  test('never mix a secret with key pairs, and know no `none`', () => {
    expect(fault(jwks)).toBe(null);
    expect(fault({ ...jwks, AUTH_JWT_SECRET: SECRET })).toMatch(/one of them, not both/);
    expect(fault({ ...jwks, AUTH_JWT_ALGORITHMS: 'RS256,HS256' })).toMatch(/AUTH_JWT_ALGORITHMS/);
    expect(fault({ AUTH_JWT_SECRET: SECRET, AUTH_JWT_ALGORITHMS: 'ES256' })).toMatch(/AUTH_JWT_ALGORITHMS/);
    expect(fault({ AUTH_JWT_SECRET: SECRET, AUTH_JWT_ALGORITHMS: 'HS256,none' })).toMatch(
      /AUTH_JWT_ALGORITHMS/,
    );
    expect(fault({ AUTH_JWT_SECRET: SECRET, AUTH_JWT_ALGORITHMS: ' , ' })).toMatch(/AUTH_JWT_ALGORITHMS/);
  });

  test('are not left half done', () => {
    expect(fault({ AUTH_JWT_SECRET: 'short' })).toMatch(/at least 32 bytes/);
    expect(fault({ AUTH_JWKS_URL: 'https://x.example/keys' })).toMatch(/AUTH_JWT_ISSUER.*AUTH_JWT_AUDIENCE/s);
    expect(fault({ AUTH_JWT_AUDIENCE: 'y' })).toMatch(/AUTH_JWKS_URL, AUTH_JWT_SECRET/);
    expect(fault({ AUTH_JWKS_URL: 'file:///etc/passwd' })).toMatch(/AUTH_JWKS_URL/);
  });
});

describe('through the front door', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp(settings());
  });
  afterAll(() => app.close());
  const ask = (token: string, query = '{ images { totalCount } }') =>
    app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query }),
    });

  test('is let in, with its own images and its own scopes', async () => {
    const made = await ask(
      await sign(),
      'mutation { generateImage(input: { prompt: "x", waitSeconds: 0 }) { images { userId } } }',
    );
    expect(await made.json()).toEqual({ data: { generateImage: { images: [{ userId: 'alice' }] } } });
    const other = await ask(await sign(claims({ sub: 'bob' })));
    expect(await other.json()).toEqual({ data: { images: { totalCount: 0 } } });
    const stores = (await (await ask(await sign(), '{ stores { name } }')).json()) as { errors: object[] };
    expect(stores.errors[0]).toMatchObject({ extensions: { code: 'FORBIDDEN' } });
  });

  test('is told why it is not, and no log has its token', async () => {
    const token = await sign(claims({ exp: now() - 60 }));
    const refused = await ask(token);
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      'Bearer error="invalid_token"',
    ]);
    expect(await refused.json()).toEqual({
      errors: [{ message: 'The token has expired.', extensions: { code: 'UNAUTHENTICATED' } }],
    });
    expect(app.logged.join('\n')).not.toContain(token.split('.')[2]);
  });

  test('hears that nobody knows when the provider is away', async () => {
    const away = await openTestApp(settings());
    answer = { status: 500, body: '' };
    const token = await sign();
    const response = await away.fetch('/graphql?query={tools{name}}', {
      headers: { authorization: `Bearer ${token}` },
    });
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'IDENTITY_UNAVAILABLE' } }],
    });
    expect(away.logged.join('\n')).toContain('AUTH_JWKS_URL');
    expect(away.logged.join('\n')).not.toContain(token.split('.')[2]);
    await away.close();
  });
});
