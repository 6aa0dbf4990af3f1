import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

type Response = Awaited<ReturnType<typeof fetch>>;
type Transform = Record<string, unknown>;

const ALICE = 'alice';
const OLD_KEY = 'an-old-key-0123456789';
const NEW_KEY = 'a-new-key-0123456789';
const READ = ['images:read', 'images:write'] as const;

let app: TestApp;
let seed = 61_000;
let tokens: Record<'alice' | 'bob' | 'writer' | 'service' | 'admin', string>;

beforeAll(async () => {
  app = await openTestApp({
    SIGNING_KEYS: `${NEW_KEY},${OLD_KEY}`,
    VARIANT_SIZES: '16,32',
  });
  const token = async (userId: string | null, scopes: readonly string[] = READ) =>
    (await app.services.tokens.create({ name: 'of a test', userId, scopes })).token;
  tokens = {
    alice: await token(ALICE),
    bob: await token('bob'),
    writer: await token(ALICE, ['images:write']),
    service: await token(null),
    admin: ROOT_TOKEN,
  };
});
afterAll(() => app.close());

interface Kept {
  readonly id: string;
  readonly uuid: string;
  readonly path: string;
  readonly filename: string;
  readonly sha256: string;
  readonly picture: Buffer;
}

async function keep(input: Record<string, unknown> = {}, of = app): Promise<Kept> {
  const picture = await makePicture({ seed: seed++ });
  const { image, userErrors } = await upload(
    of,
    { content: picture },
    { userId: ALICE, visibility: 'PRIVATE', ...input },
  );
  if (!image?.url) throw new Error(JSON.stringify(userErrors));
  const { id, filename, sha256 } = image;
  const path = new URL(image.url).pathname;
  return {
    ...{ id, path, picture },
    uuid: path.split('/')[2] ?? '',
    filename: filename ?? '',
    sha256: sha256 ?? '',
  };
}

const bearer = (token: string) => ({ authorization: token ? `Bearer ${token}` : '' });
const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  app.fetch(path, { method, headers: { authorization: '', ...headers } });
const bodyOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

async function ask(query: string, variables: Record<string, unknown>, token = ROOT_TOKEN) {
  const response = await app.fetch('/graphql', {
    method: 'POST',
    headers: { ...bearer(token), 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  return (await response.json()) as {
    data: Record<string, never> | null;
    errors?: { message: string; extensions: { code: string } }[];
  };
}

const URL_QUERY =
  'query ($id: ID!, $seconds: Int, $transform: ImageTransform) { image(id: $id) { url(expiresInSeconds: $seconds, transform: $transform) } }';
/** The path and query of the address that GraphQL gives. */
async function addressOf(
  { id }: Kept,
  more: { seconds?: number; transform?: Transform },
  token = tokens.alice,
): Promise<string> {
  const { data, errors } = await ask(URL_QUERY, { id, ...more }, token);
  expect(errors).toBeUndefined();
  const url = new URL((data as never as { image: { url: string } }).image.url);
  return url.pathname + url.search;
}

/** All that an answer tells, but for the name that was asked for. */
async function told(response: Response, ...names: string[]): Promise<unknown> {
  const { date: _, 'keep-alive': __, ...headers } = Object.fromEntries(response.headers);
  let body = (await bodyOf(response)).toString('latin1');
  for (const name of names) body = body.replaceAll(name, '<name>');
  return { status: response.status, headers: { ...headers, 'content-length': '' }, body };
}

/** Expects exactly the response that the same request gets for an image that does not exist. */
async function expectAbsent(path: string, headers: Record<string, string>, method = 'GET'): Promise<void> {
  const name = path.split(/[/?]/)[2] ?? '';
  const absent = name.includes('.') ? `${randomUUID()}.png` : randomUUID();
  const [there, nowhere] = [
    await get(path, headers, method),
    await get(path.replaceAll(name, absent), headers, method),
  ];
  const what = `${method} ${path} ${JSON.stringify(headers)}`;
  expect(there.status, what).toBe(404);
  expect(await told(there, name), what).toEqual(await told(nowhere, absent));
}

/** Every way of asking; each must tell a stranger nothing. */
const waysTo = ({ path, uuid, filename, sha256 }: Kept): [string, Record<string, string>, string?][] => [
  [path, {}],
  [`/images/${uuid}`, {}],
  [`/images/${uuid.toUpperCase()}/x.png`, {}],
  [`/generated/${filename}`, {}],
  [path, {}, 'HEAD'],
  [`/generated/${filename}`, {}, 'HEAD'],
  [path, { range: 'bytes=0-9' }],
  [path, { range: 'bytes=99999999-' }],
  [path, { range: 'bytes=0-9', 'if-range': `"${sha256}"` }],
  [path, { 'if-none-match': `"${sha256}"` }],
  [path, { 'if-none-match': '*' }],
  [path, { 'if-none-match': '*' }, 'HEAD'],
  [`${path}?w=16`, {}],
  [`${path}?w=16`, { 'if-none-match': '*' }],
  [`${path}?w=16`, {}, 'HEAD'],
  [`/generated/${filename}?w=16&format=webp`, {}],
  [path, { referer: `${app.url}/`, 'sec-fetch-site': 'same-origin', origin: app.url }],
  [path, { origin: 'https://app.example.com' }],
];

describe('a private image', () => {
  test('is not there for strangers, whatever they ask of it', async () => {
    const image = await keep();
    // The owner's request puts the variant into the cache.
    expect((await get(`${image.path}?w=16`, bearer(tokens.alice))).status).toBe(200);
    for (const [path, headers, method] of waysTo(image)) await expectAbsent(path, headers, method);
  });

  test.each([
    ['another user', () => bearer(tokens.bob)],
    ['a token of the user that may not read', () => bearer(tokens.writer)],
    ['a token that is none', () => bearer(`fx_${'a'.repeat(43)}`)],
    ['a session that is none', () => ({ cookie: 'fixative_session=9999999999.abc' })],
  ])('is not there for %s', async (_who, credentials) => {
    const image = await keep();
    expect((await get(`${image.path}?w=16`, bearer(tokens.alice))).status).toBe(200);
    for (const [path, headers, method] of waysTo(image))
      await expectAbsent(path, { ...headers, ...credentials() }, method);
  });

  test('is given to its user, a service, an admin and a session, for them alone', async () => {
    const image = await keep();
    const login = await app.fetch('/login', {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ token: ROOT_TOKEN }).toString(),
    });
    const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect(cookie).toContain('fixative_session=');
    const letIn = [
      ...(['alice', 'service', 'admin'] as const).map((name) => bearer(tokens[name])),
      { cookie, authorization: '' },
    ];
    for (const credentials of letIn) {
      for (const path of [image.path, `/generated/${image.filename}`]) {
        const response = await get(path, credentials);
        expect(response.status).toBe(200);
        expect((await bodyOf(response)).equals(image.picture)).toBe(true);
        expect(Object.fromEntries(response.headers)).toMatchObject({
          'cache-control': 'private, max-age=300',
          vary: 'Authorization, Cookie, Origin',
          'cross-origin-resource-policy': 'same-origin',
        });
        expect(response.headers.get('access-control-allow-origin')).toBe(null);
      }
      const same = await get(image.path, { ...credentials, 'if-none-match': `"${image.sha256}"` });
      expect([same.status, same.headers.get('cache-control')]).toEqual([304, 'private, max-age=300']);
      const part = await get(image.path, { ...credentials, range: 'bytes=0-3' });
      expect([part.status, (await bodyOf(part)).length]).toEqual([206, 4]);
    }
  });

  test('is in no list of REST for others, and its copies say no address of a CDN', async () => {
    const image = await keep();
    const list = async (token: string) =>
      (await (await get('/api/images/generated?first=100', bearer(token))).text()).includes(image.filename);
    expect([await list(tokens.alice), await list(tokens.bob)]).toEqual([true, false]);
    const asked = await ask('query ($id: ID!) { image(id: $id) { copies { url } } }', { id: image.id });
    expect(JSON.stringify(asked)).not.toMatch(/"url":"/);
  });
});

test('nobody is told by a failure of the identity provider that there is an image', async () => {
  const other = await openTestApp({
    AUTH_JWKS_URL: 'http://127.0.0.1:9/keys',
    AUTH_JWT_ISSUER: 'https://login.example.com/',
    AUTH_JWT_AUDIENCE: 'fixative',
  });
  try {
    const image = await keep({}, other);
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const jwt = `${encode({ alg: 'RS256', kid: 'a' })}.${encode({ sub: 'alice', exp: 9_999_999_999 })}.c2ln`;
    const [there, nowhere] = await Promise.all(
      [image.uuid, randomUUID()].map(async (uuid) => {
        const response = await other.fetch(`/images/${uuid}`, { headers: bearer(jwt) });
        return told(response, uuid);
      }),
    );
    expect(there).toEqual(nowhere);
    expect(there).toMatchObject({ status: 503, headers: { 'retry-after': '5' } });
  } finally {
    await other.close();
  }
});

describe('a signed address', () => {
  test('gives the bytes to whoever has it, for a while', async () => {
    const image = await keep();
    const address = await addressOf(image, { seconds: 60 });
    const response = await get(address, { origin: 'https://app.example.com' });
    expect(response.status).toBe(200);
    expect((await bodyOf(response)).equals(image.picture)).toBe(true);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'cache-control': 'private, max-age=300',
      vary: 'Authorization, Cookie',
      'access-control-allow-origin': '*',
      'cross-origin-resource-policy': 'cross-origin',
    });
    // The address also works with a token of another user, and under a former file name.
    expect((await get(address, bearer(tokens.bob))).status).toBe(200);
    expect((await get(address.replace(/\/[^/]*\?/, '/old-name.png?'))).status).toBe(200);
  });

  test('is good for nothing when it is altered, expired, or of something else', async () => {
    const image = await keep();
    const other = await keep();
    const signed = new URL(await addressOf(image, { seconds: 600 }), app.url);
    const small = new URL(await addressOf(image, { seconds: 600, transform: { width: 16 } }), app.url);
    const sized = new URL(await addressOf(image, { transform: { width: 77 } }), app.url);
    const signature = signed.searchParams.get('signature') ?? '';
    const expires = signed.searchParams.get('expires') ?? '';
    const past = app.services.imageAddress.sign(image.uuid, {
      expiresAt: new Date(Date.now() - 1000),
      transform: '',
    });
    const last = signature.at(-1) === 'A' ? 'B' : 'A';
    const bad = [
      `expires=${expires}`,
      `signature=${signature}`,
      `expires=${expires}&signature=`,
      `expires=${expires}&signature=${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`,
      `expires=${expires}&signature=${signature.slice(0, -1)}${last}`,
      `expires=${expires}&signature=${signature}=`,
      `expires=${expires}&signature=${signature}!`,
      `expires=${Number(expires) + 1}&signature=${signature}`,
      `expires=0${expires}&signature=${signature}`,
      `expires=99999999999999&signature=${signature}`,
      `expires=${expires}&expires=9999999999&signature=x`,
      past,
      // Signature of a variant on the original, of the original on a variant, of one variant on another.
      small.search.slice(1).replace('w=16&', ''),
      `w=16&expires=${expires}&signature=${signature}`,
      small.search.slice(1).replace('w=16', 'w=32'),
      small.search.slice(1).replace('w=16', 'w=16&format=webp'),
    ];
    for (const query of bad) {
      // An absent image has the same answer to the same query.
      await expectAbsent(`${image.path}?${query}`, {});
    }
    // This signature allows a size but grants no access. Its holder already knows that the image exists.
    const stranger = await get(sized.pathname + sized.search);
    expect(await told(stranger, image.uuid)).toEqual(await told(await get(image.path), image.uuid));
    await expectAbsent(`${other.path}${signed.search}`, {});
    await expectAbsent(`/generated/${image.filename}${signed.search}`, {});
    const upload = app.services.imageAddress.sign(randomUUID(), { expiresAt: new Date(), transform: '' });
    await expectAbsent(`${image.path}?${upload}`, {});
    expect((await get(signed.pathname + signed.search)).status).toBe(200);
    expect((await get(small.pathname + small.search)).status).toBe(200);
    expect((await get(sized.pathname + sized.search, bearer(tokens.alice))).status).toBe(200);
  });

  test('ends with the image: in the trash there is none', async () => {
    const image = await keep();
    const address = await addressOf(image, { seconds: 60 });
    await ask('mutation ($id: ID!) { deleteImage(input: { id: $id }) { userErrors { message } } }', {
      id: image.id,
    });
    await expectAbsent(address, {});
    await expectAbsent(image.path, bearer(tokens.alice));
  });

  test('lasts a minute to a week, and is given to those who may read', async () => {
    const image = await keep();
    for (const seconds of [59, 0, -1, 604_801]) {
      const { errors } = await ask(URL_QUERY, { id: image.id, seconds });
      expect(errors?.[0]?.message).toBe(`expiresInSeconds is ${seconds}; it must be 60 to 604800.`);
    }
    for (const seconds of [60, 604_800])
      expect((await get(await addressOf(image, { seconds }))).status).toBe(200);
    const change = `mutation ($id: ID!) { updateImage(input: { id: $id, addTags: ["x"] }) { image { url(expiresInSeconds: 60) } } }`;
    const { errors, data } = await ask(change, { id: image.id }, tokens.writer);
    expect(errors?.[0]?.extensions.code).toBe('FORBIDDEN');
    expect(JSON.stringify(data)).not.toContain('signature');
    expect((await ask(URL_QUERY, { id: image.id, seconds: 60 }, tokens.bob)).data).toEqual({ image: null });
  });

  test('without arguments it is the plain one, which cannot expire', async () => {
    const image = await keep();
    expect(await addressOf(image, {})).toBe(image.path);
  });

  test('is verified by every key and signed by the first', async () => {
    const image = await keep();
    const { makeImageAddress } = await import('../../src/auth/image-address.ts');
    const { makeSigner } = await import('../../src/auth/signature.ts');
    const expiresAt = new Date(Date.now() + 60_000);
    const by = (...keys: [string, ...string[]]) =>
      makeImageAddress(makeSigner(keys)).sign(image.uuid, { expiresAt, transform: '' });
    expect((await get(`${image.path}?${by(OLD_KEY)}`)).status).toBe(200);
    expect((await get(`${image.path}?${by(NEW_KEY)}`)).status).toBe(200);
    expect((await get(`${image.path}?${by('a-key-that-is-gone-012')}`)).status).toBe(404);
    const url = new URL(await addressOf(image, { seconds: 60 }), app.url);
    const seconds = Number(url.searchParams.get('expires'));
    const own = makeImageAddress(makeSigner([NEW_KEY])).sign(image.uuid, {
      expiresAt: new Date(seconds * 1000),
      transform: '',
    });
    expect(url.search.slice(1)).toBe(own);
  });

  test('is in no log', async () => {
    expect(app.logged.join('')).not.toMatch(/signature=/);
  });
});

describe('visibility', () => {
  const VISIBILITY = 'query ($id: ID!) { image(id: $id) { visibility } }';
  const visibilityOf = async (id: string) =>
    ((await ask(VISIBILITY, { id })).data as never as { image: { visibility: string } }).image.visibility;

  test('is public without a word, by every way in, and as the input says with one', async () => {
    const picture = await makePicture({ seed: seed++ });
    const plain = await upload(app, { content: picture });
    expect(await visibilityOf(plain.image?.id ?? '')).toBe('PUBLIC');
    const source = createServer((_request, response) => response.end(picture));
    await new Promise<void>((resolve) => source.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(source.address() as AddressInfo).port}/x.png`;
    const other = await openTestApp({ DEFAULT_VISIBILITY: 'private', ALLOW_PRIVATE_SOURCES: '127.0.0.1' });
    const run = async (field: string, input: string, values: Record<string, unknown>, result: string) => {
      const response = await other.fetch('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          query: `mutation ($input: ${input}!) { ${field}(input: $input) { ${result} userErrors { message } } }`,
          variables: { input: values },
        }),
      });
      return JSON.stringify(await response.json());
    };
    try {
      for (const [visibility, expected] of [
        [{}, '"PRIVATE"'],
        [{ visibility: 'PUBLIC' }, '"PUBLIC"'],
      ] as const) {
        const image = 'image { visibility }';
        expect(await run('importImage', 'ImportImageInput', { url, ...visibility }, image)).toContain(
          expected,
        );
        const record = { url, tool: 'x', ...visibility };
        expect(await run('recordImage', 'RecordImageInput', record, image)).toContain(expected);
        const wish = { tool: 'generateComic', panels: ['a fox', 'a hare'], ...visibility };
        const made = await run(
          'generateImage',
          'GenerateImageInput',
          wish,
          'images { visibility parts { visibility } }',
        );
        expect(made.match(/"(PRIVATE|PUBLIC)"/g), made).toEqual([expected, expected, expected]);
        const avatar = { tool: 'generateUserAvatar', prompt: 'a fox', ...visibility };
        const drawn = await run(
          'generateImage',
          'GenerateImageInput',
          avatar,
          'images { visibility parts { visibility } }',
        );
        expect(new Set(drawn.match(/"(PRIVATE|PUBLIC)"/g)), drawn).toEqual(new Set([expected]));
        expect(drawn).toMatch(/"parts":\[\{/);
        const { image: sent } = await upload(other, { content: picture }, visibility);
        const target = await run(
          'createUploadTarget',
          'CreateUploadTargetInput',
          { filename: 'x.png', mimeType: 'image/png', bytes: picture.length, ...visibility },
          'target { id url }',
        );
        const { id, url: address } = JSON.parse(target).data.createUploadTarget.target;
        await other.fetch(new URL(address).pathname + new URL(address).search, {
          method: 'PUT',
          body: picture as never,
          headers: { 'content-type': 'image/png', authorization: '' },
        });
        const completed = await run('completeUpload', 'CompleteUploadInput', { target: id }, image);
        expect(completed).toContain(expected);
        const status = (
          await other.fetch(new URL(sent?.url ?? '').pathname, { headers: { authorization: '' } })
        ).status;
        expect(status).toBe(expected === '"PRIVATE"' ? 404 : 200);
      }
      // A row of another service says nothing of it, and is public.
      const [row] = await other.database.query<{ visibility: string }>(
        `INSERT INTO generated_images (user_id, prompt) VALUES ('x', 'x') RETURNING visibility`,
      );
      expect(row?.visibility).toBe('public');
    } finally {
      await other.close();
      source.close();
    }
  });

  test('is changed with all parts, and found by the filter', async () => {
    const whole = await keep({ visibility: 'PUBLIC', userId: 'carol' });
    const part = await keep({ visibility: 'PUBLIC', userId: 'carol' });
    await app.database.query(
      `UPDATE generated_images SET part = 'p', part_of = (SELECT id FROM generated_images WHERE uuid = $1) WHERE uuid = $2`,
      [whole.uuid, part.uuid],
    );
    const change = `mutation ($id: ID!, $visibility: Visibility) {
      updateImage(input: { id: $id, visibility: $visibility }) { image { visibility parts { visibility } } userErrors { message } } }`;
    for (const visibility of ['PRIVATE', 'PUBLIC', 'PRIVATE']) {
      const { data } = await ask(change, { id: whole.id, visibility });
      expect(data).toEqual({
        updateImage: { image: { visibility, parts: [{ visibility }] }, userErrors: [] },
      });
      const status = visibility === 'PRIVATE' ? 404 : 200;
      for (const { path } of [whole, part]) expect((await get(path)).status).toBe(status);
    }
    const count = async (visibility: string) => {
      const query = `query ($filter: ImageFilter) { images(filter: $filter) { totalCount } imageStats(filter: $filter) { total } }`;
      return (await ask(query, { filter: { userId: 'carol', parts: true, visibility } })).data;
    };
    expect(await count('PRIVATE')).toEqual({ images: { totalCount: 2 }, imageStats: { total: 2 } });
    expect(await count('PUBLIC')).toEqual({ images: { totalCount: 0 }, imageStats: { total: 0 } });
  });

  test('of a row that says neither is private', async () => {
    const image = await keep({ visibility: 'PUBLIC' });
    await app.database.query(`UPDATE generated_images SET visibility = 'Public' WHERE uuid = $1`, [
      image.uuid,
    ]);
    expect((await get(image.path)).status).toBe(404);
    expect(await visibilityOf(image.id)).toBe('PRIVATE');
  });

  test('decides which image of the same bytes is given again', async () => {
    const image = await keep({ visibility: 'PUBLIC' });
    const again = async (input: Record<string, unknown>) => {
      const sent = { userId: ALICE, onDuplicate: 'REUSE', ...input };
      return (await upload(app, { content: image.picture }, sent)).image?.id;
    };
    expect(await again({})).toBe(image.id);
    const hidden = await again({ visibility: 'PRIVATE' });
    expect(hidden).not.toBe(image.id);
    expect(await again({ visibility: 'PRIVATE' })).toBe(hidden);
    expect(await again({ visibility: 'PUBLIC' })).toBe(image.id);
  });
});

describe('a public image', () => {
  test('is for every origin, and asks for no token, not even a good one', async () => {
    const image = await keep({ visibility: 'PUBLIC' });
    for (const headers of [{}, bearer('fx_nonsense'), { origin: 'https://any.example' }]) {
      const response = await get(image.path, headers);
      expect(response.status).toBe(200);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'cache-control': 'public, max-age=31536000, immutable',
        'access-control-allow-origin': '*',
        'cross-origin-resource-policy': 'cross-origin',
      });
      expect(response.headers.get('vary')).toBe(null);
      await bodyOf(response);
    }
  });

  test('is shown by listed pages only where there is a list', async () => {
    const { mayHotlink, sharingHeaders } = await import('../../src/http/bytes/cross-origin.ts');
    const sharing = {
      corsOrigins: ['https://app.example.com'],
      hotlinkAllow: ['example.com', '*.example.org'],
      publicUrl: () => 'https://images.example.net',
    };
    const cases: [Record<string, string>, boolean][] = [
      [{}, true],
      [{ 'sec-fetch-site': 'none' }, true],
      [{ 'sec-fetch-site': 'same-origin', referer: 'https://evil.example/' }, true],
      [{ 'sec-fetch-site': 'cross-site' }, false],
      [{ 'sec-fetch-site': 'cross-site', referer: 'https://example.com/a' }, true],
      [{ 'sec-fetch-site': 'cross-site', referer: 'https://a.example.com/a' }, false],
      [{ 'sec-fetch-site': 'cross-site', referer: 'https://a.b.example.org/' }, true],
      [{ 'sec-fetch-site': 'cross-site', referer: 'https://example.org/' }, false],
      [{ 'sec-fetch-site': 'cross-site', referer: 'https://evilexample.org/' }, false],
      [{ 'sec-fetch-site': 'cross-site', referer: 'https://evil.example/?example.com' }, false],
      [{ 'sec-fetch-site': 'cross-site', referer: 'https://example.com@evil.example/' }, false],
      [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'document' }, true],
      [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-dest': 'iframe' }, false],
      [{ referer: 'https://images.example.net/' }, true],
      [{ referer: 'nonsense' }, false],
    ];
    for (const [headers, expected] of cases)
      expect(mayHotlink(sharing, headers), JSON.stringify(headers)).toBe(expected);
    expect(sharingHeaders(sharing, 'public')).toEqual({
      'Cross-Origin-Resource-Policy': 'cross-origin',
      Vary: 'Referer, Sec-Fetch-Site, Sec-Fetch-Dest, Origin',
    });
    const other = await openTestApp({ HOTLINK_ALLOW: 'example.com', CORS_ORIGINS: 'none' });
    try {
      const image = await keep({ visibility: 'PUBLIC' }, other);
      const status = async (headers: Record<string, string>) =>
        (await other.fetch(image.path, { headers: { authorization: '', ...headers } })).status;
      expect(await status({ referer: 'https://evil.example/' })).toBe(403);
      expect(await status({ referer: 'https://example.com/' })).toBe(200);
      const plain = await other.fetch(image.path, { headers: { origin: 'https://example.com' } });
      expect(plain.headers.get('access-control-allow-origin')).toBe(null);
    } finally {
      await other.close();
    }
  });
});
