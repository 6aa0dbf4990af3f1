import { createHash } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FAST_PATH } from '../../src/http/operations/repeated-operations.ts';
import { openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

const document = (name: string) => readFile(new URL(`../documents/${name}.graphql`, import.meta.url), 'utf8');

/** Operations that the fast path answered. */
let fast = 0;
const count = () => {
  fast++;
};

let app: TestApp;
let id: string;
beforeAll(async () => {
  app = await openTestApp({ MAX_QUERY_COST: '3000' });
  for (let i = 0; i < 5; i++)
    id =
      (
        await upload(
          app,
          { content: await makePicture({ seed: i }) },
          { prompt: `number ${i}`, tags: ['a', 'ä'] },
        )
      ).image?.id ?? '';
});
afterAll(() => app.close());
beforeEach(() => {
  fast = 0;
  subscribe(FAST_PATH, count);
});
afterEach(() => {
  unsubscribe(FAST_PATH, count);
});

interface Sent {
  readonly body: unknown;
  readonly accept?: string | undefined;
  readonly headers?: Record<string, string>;
}

/** Everything of an answer but its time; what differs from time to time by its nature is made the same. */
async function send({ body, accept, headers }: Sent, to: TestApp = app) {
  const response = await to.fetch('/graphql', {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(accept === undefined ? {} : { accept }),
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const { date, ...others } = Object.fromEntries(response.headers);
  const text = (await response.text()).replaceAll(
    /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g,
    '<random>',
  );
  expect(date).toBeDefined();
  return { status: response.status, headers: others, text };
}

/**
 * Sends a request five times: the first is answered by Yoga, and the others by the fast path where it may.
 */
async function sendFive(sent: Sent, to?: TestApp) {
  const answers = [];
  for (let i = 0; i < 5; i++) answers.push(await send(sent, to));
  return answers;
}

function expectSame(answers: readonly unknown[]): void {
  for (const answer of answers) expect(answer).toEqual(answers[0]);
}

describe('an operation that comes again', () => {
  const page = { first: 3, filter: { userId: 'root' } };

  test.each<[string, () => Promise<object> | object]>([
    ['a page', async () => ({ query: await document('imagePage'), variables: page })],
    [
      'every field',
      async () => {
        const query = `${await document('image')}\n${await document('image.fragment')}`;
        return { query, variables: { id } };
      },
    ],
    ['a count', async () => ({ query: await document('imageCount'), variables: { filter: {} } })],
    ['no variables', () => ({ query: '{ images(first: 2) { nodes { id tags createdAt } } }' })],
    ['variables of null', () => ({ query: '{ images(first: 1) { totalCount } }', variables: null })],
    [
      'one of two operations',
      () => ({
        query: 'query A { images(first: 1) { totalCount } } query B { tools { name } }',
        operationName: 'B',
      }),
    ],
    [
      'the other of the two',
      () => ({
        query: 'query A { images(first: 1) { totalCount } } query B { tools { name } }',
        operationName: 'A',
      }),
    ],
    [
      'aliases, fragments, @include',
      () => ({
        query: `query ($with: Boolean!) { a: images(first: 1) { ...P } b: images(last: 1) { ...P @include(if: $with) __typename } }
        fragment P on ImageConnection { edges { cursor node { id ... on Image @skip(if: $with) { prompt } } } }`,
        variables: { with: true },
      }),
    ],
    [
      'extensions that nobody knows',
      () => ({
        query: '{ tools { name } }',
        extensions: { clientLibrary: { name: 'x' } },
      }),
    ],
    ['introspection', () => ({ query: '{ __schema { queryType { name } } __typename }' })],
    ['nothing found', () => ({ query: '{ image(id: "0198c9b4-0000-7000-8000-000000000000") { id } }' })],
  ])('is answered the same by both ways: %s', async (name, make) => {
    const body = await make();
    const answers = await sendFive({ body });
    expectSame(answers);
    expect(answers[0]?.status).toBe(200);
    expect(answers[0]?.text).not.toContain('"errors"');
    expect(fast).toBe(name === 'introspection' ? 0 : 4);
  });

  test.each<[string, unknown]>([
    ['an error of a resolver', { query: '{ images(first: 1000) { totalCount } }' }],
    ['an error of one of two', { query: '{ a: images(first: 1) { totalCount } b: image(id: "x") { id } }' }],
    [
      'a variable of the wrong type',
      { query: 'query ($n: Int!) { images(first: $n) { totalCount } }', variables: { n: 'x' } },
    ],
    ['a variable that is missing', { query: 'query ($n: Int!) { images(first: $n) { totalCount } }' }],
    [
      'an enum that is not one',
      {
        query: 'query ($f: ImageFilter) { images(filter: $f) { totalCount } }',
        variables: { f: { status: ['NEVER'] } },
      },
    ],
    [
      'a date that is none',
      {
        query: 'query ($f: ImageFilter) { images(filter: $f) { totalCount } }',
        variables: { f: { createdAfter: 'soon' } },
      },
    ],
    ['a field that there is not', { query: '{ pictures { id } }' }],
    ['no document', { variables: {} }],
    ['syntax', { query: '{ images(first: ] }' }],
    ['an operation that there is not', { query: 'query A { tools { name } }', operationName: 'B' }],
    ['a name that is no name', { query: '{ tools { name } }', operationName: '' }],
    ['a name that makes the text of another', { query: '{ tools { name } }', operationName: 'query' }],
    ['a parameter that there is not', { query: '{ tools { name } }', more: 1 }],
    ['variables that are a list', { query: '{ tools { name } }', variables: [] }],
    ['extensions that are none', { query: '{ tools { name } }', extensions: 'x' }],
    ['a hash that is not known', { documentId: 'sha256:00' }],
    ['a list', [{ query: '{ tools { name } }' }]],
    ['no JSON', '{'],
    [
      'a cost that its variables make',
      {
        query:
          'query ($n: Int!) { images(first: $n) { nodes { id duplicates { id prompt tool status tags createdAt url } } } }',
        variables: { n: 100 },
      },
    ],
    [
      'variables too deep',
      {
        query: 'query ($f: ImageFilter) { images(filter: $f) { totalCount } }',
        variables: { f: { metadata: nest(60) } },
      },
    ],
  ])('is refused the same by both ways: %s', async (_, body) => {
    // The document is cached by now; what is wrong is the rest of this request.
    const { query } = (Array.isArray(body) ? body[0] : body) as { query?: string };
    if (query) for (let i = 0; i < 3; i++) await send({ body: { query, variables: { n: 1, f: {} } } });
    const answers = await sendFive({ body });
    // A further newline makes another document, which is not cached yet.
    if (query && !Array.isArray(body))
      answers.push(await send({ body: { ...(body as object), query: `${query}\n` } }));
    expectSame(answers);
    expect(answers[0]?.text).toContain('"errors"');
  });

  test.each([
    undefined,
    '*/*',
    'application/json',
    'application/graphql-response+json',
    'application/graphql-response+json, application/json;q=0.9',
    'application/json, application/graphql-response+json',
    'text/event-stream',
    'image/png',
    'application/json; charset=latin1',
  ])('is answered in the same type by both ways: Accept %s', async (accept) => {
    for (const query of ['{ tools { name } }', '{ images(first: -1) { totalCount } }'])
      expectSame(await sendFive({ accept, body: { query } }));
  });

  test('an unexpected error is masked by both ways, and logged each time', async () => {
    const body = { query: '{ images(first: 2) { nodes { id } } }' };
    for (let i = 0; i < 3; i++) await send({ body });
    const { query } = app.database;
    const logged = app.logged.length;
    Object.assign(app.database, { query: () => Promise.reject(new Error('secret')) });
    try {
      const short3 = await sendFive({ body });
      expectSame(short3);
      // A space more, and it is another document, which Yoga interprets.
      expect(await send({ body: { query: `${body.query} ` } })).toEqual(short3[0]);
      expect(short3[0]?.text).toContain('INTERNAL');
      expect(short3[0]?.text).not.toContain('secret');
    } finally {
      Object.assign(app.database, { query });
    }
    expect(app.logged.slice(logged).filter((line) => line.includes('secret'))).toHaveLength(6);
  });

  test('a mutation runs each time', async () => {
    const body = {
      query: `mutation { updateImage(input: { id: "${id}", addTags: ["again"] }) { __typename } }`,
    };
    expectSame(await sendFive({ body }));
    expect(fast).toBe(0);
  });

  test('asks for the scope each time, whoever brought the document first', async () => {
    const { data } = (await (
      await app.fetch('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          query:
            'mutation { createToken(input: { name: "w", userId: "u1", scopes: [IMAGES_WRITE] }) { token } }',
        }),
      })
    ).json()) as { data: { createToken: { token: string } } };
    const body = { query: '{ images(first: 1) { totalCount } tools { name } }' };
    for (let i = 0; i < 3; i++) await send({ body });
    const answer = await send({ body, headers: { authorization: `Bearer ${data.createToken.token}` } });
    expect(answer.text).toContain('FORBIDDEN');
    expect(fast).toBeGreaterThan(1);
  });

  test('a subscription never takes the fast path', async () => {
    const query = `subscription { imageUpdated(id: "${id}") { status } }`;
    for (let i = 0; i < 4; i++) {
      const controller = new AbortController();
      const response = await fetch(`${app.url}/graphql`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'text/event-stream',
          authorization: `Bearer ${ROOT_TOKEN}`,
        },
        body: JSON.stringify({ query }),
        signal: controller.signal,
      });
      expect(response.headers.get('content-type')).toContain('text/event-stream');
      controller.abort();
    }
    expect(fast).toBe(0);
  });
});

describe('where only operations on file are run', () => {
  test('both ways refuse every other, and know them by their hash', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'fixative-persisted-'));
    const query = '{ tools { name } }';
    const hash = createHash('sha256').update(query).digest('hex');
    const file = path.join(directory, 'manifest.json');
    await writeFile(file, JSON.stringify({ [hash]: query }));
    const only = await openTestApp({ PERSISTED_OPERATIONS_FILE: file, PERSISTED_OPERATIONS: 'only' });
    try {
      for (const body of [
        { query },
        { documentId: `sha256:${hash}` },
        { extensions: { persistedQuery: { sha256Hash: hash } } },
      ]) {
        const answers = await sendFive({ body }, only);
        expectSame(answers);
        expect(answers[0]?.text).toContain('"data"');
      }
      expect(fast).toBe(14);
      const others = await sendFive({ body: { query: '{ __typename }' } }, only);
      expectSame(others);
      expect(others[0]?.text).toContain('PERSISTED_QUERY_NOT_FOUND');
      expect(fast).toBe(14);
    } finally {
      await only.close();
      await rm(directory, { recursive: true });
    }
  });
});

function nest(depth: number): unknown {
  return depth === 0 ? 1 : { a: nest(depth - 1) };
}
