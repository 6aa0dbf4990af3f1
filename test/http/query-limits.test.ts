import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { getIntrospectionQuery, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { weighDocument } from '../../src/http/operations/document-weight.ts';
import { costOf } from '../../src/http/operations/query-cost.ts';
import { GRAPHIQL_TABS } from '../../src/http/pages/graphiql-tabs.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';

interface Answer {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: { message: string; extensions: Record<string, unknown> }[];
}

async function post(app: TestApp, body: unknown, headers: Record<string, string> = {}) {
  const response = await app.fetch('/graphql', {
    method: 'POST',
    // As GraphQL over HTTP has it, what is not valid is 400 here, and 200 for those who ask for
    // application/json.
    headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, ...((await response.json()) as Answer) };
}

describe('one request asks for no more than the limits', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  const many = (count: number, each: (index: number) => string) =>
    Array.from({ length: count }, (_, i) => each(i)).join(' ');
  const bomb = `{ stores { ...f0 } } ${many(30, (i) => `fragment f${i} on Store { name ...f${i + 1} ...f${i + 1} }`)} fragment f30 on Store { name }`;
  const byVariableBomb = `query ($n: Int) { ...g0 } ${many(27, (i) => `fragment g${i} on Query { images(first: $n) { ...g${i + 1} } images(first: $n) { ...g${i + 1} } }`)} fragment g27 on Query { images { totalCount } }`;
  const relatives = ['duplicates', 'edits', 'parent', 'parts', 'references', 'whole'];
  const belowNothing = `{ nodes(ids: []) { ...h0 } } ${many(9, (i) => `fragment h${i} on Image { ${relatives.map((name) => `${name} { ...h${i + 1} }`).join(' ')} }`)} fragment h9 on Image { id }`;
  const empty = `{ ...e0 } ${many(40, (i) => `fragment e${i} on Query { ...e${i + 1} ...e${i + 1} ...e0 }`)} fragment e40 on Query { ...e0 }`;
  const byDefault =
    'query ($n: Int = 100) { images(first: $n) { nodes { edits(first: $n) { edits(first: $n) { id } } } } }';
  const lists = '{ images(first: 100) { nodes { parts { edits(first: 100) { id } } } } }';
  const make = (input: string, name = 'm') =>
    `${name}: generateImage(input: ${input}) { userErrors { message } }`;
  const deletes = many(21, (i) => `d${i}: deleteImage(input: { id: "x" }) { userErrors { message } }`);
  const schemas = (count: number) =>
    `{ ${many(count, (i) => `s${i}: __schema { types { name description fields { name description args { name description } } } }`)} }`;
  const byVariable = 'query ($n: Int) { images(first: $n) { nodes { parts { edits(first: $n) { id } } } } }';

  test.each([
    [
      'levels',
      'MAX_QUERY_DEPTH',
      `{ image(id: "x") { ${'whole { '.repeat(12)} id ${'} '.repeat(12)} } }`,
      {},
    ],
    ['aliases, of __typename too', 'MAX_QUERY_ALIASES', `{ ${many(51, (i) => `a${i}: __typename`)} }`, {}],
    ['directives', 'MAX_QUERY_DIRECTIVES', `{ stores { name ${many(51, () => '@include(if: true)')} } }`, {}],
    ['tokens', 'MAX_QUERY_TOKENS', `{ ${'stores { name } '.repeat(1000)} }`, {}],
    ['bytes', 'MAX_DOCUMENT_BYTES', `{ stores { name } } #${'x'.repeat(100_000)}`, {}],
    ['lists within lists', 'MAX_QUERY_COST', lists, {}],
    ['the same by a variable', 'MAX_QUERY_COST', byVariable, { n: 100 }],
    ['fragments that double each time', 'MAX_QUERY_FIELDS', bomb, {}],
    ['the same with a variable in each', 'MAX_QUERY_FIELDS', byVariableBomb, { n: 1 }],
    ['what hangs below a list of none', 'MAX_QUERY_FIELDS', belowNothing, {}],
    ['fragments that lead to nothing', 'MAX_QUERY_FIELDS', empty, {}],
    ['the default of a variable', 'MAX_QUERY_COST', byDefault, {}],
    ['introspection over and over', 'MAX_QUERY_COST', schemas(45), {}],
    ['mutations', 'MAX_QUERY_MUTATIONS', `mutation { ${deletes} }`, {}],
    [
      'mutations in fragments',
      'MAX_QUERY_MUTATIONS',
      `mutation { ...M } fragment M on Mutation { ${deletes} }`,
      {},
    ],
    [
      'pictures by literals',
      'MAX_QUERY_GENERATIONS',
      `mutation { ${many(3, (i) => make('{ prompt: "a", n: 10 }', `m${i}`))} }`,
      {},
    ],
    [
      'pictures by a variable',
      'MAX_QUERY_GENERATIONS',
      `mutation ($n: Int) { ${many(3, (i) => make('{ prompt: "a", n: $n }', `m${i}`))} }`,
      { n: 10 },
    ],
    [
      'pictures by the default of a variable',
      'MAX_QUERY_GENERATIONS',
      `mutation ($n: Int = 10) { ${many(3, (i) => make('{ prompt: "a", n: $n }', `m${i}`))} }`,
      {},
    ],
    [
      'pictures by the variable of the whole input',
      'MAX_QUERY_GENERATIONS',
      `mutation ($i: GenerateImageInput!) { ${many(4, (i) => make('$i', `m${i}`))} }`,
      { i: { tool: 'comic', panels: Array(6).fill('a fox') } },
    ],
    ['variables in bytes', 'MAX_VARIABLES_BYTES', '{ stores { name } }', { x: 'x'.repeat(3_000_000) }],
    [
      'variables in levels',
      'MAX_VARIABLES_DEPTH',
      '{ stores { name } }',
      { x: JSON.parse('['.repeat(50) + ']'.repeat(50)) },
    ],
    ['variables in a list', 'MAX_VARIABLES_LIST', '{ stores { name } }', { x: Array(10_001).fill(1) }],
  ])('%s: %s', async (_what, setting, query, variables) => {
    for (let time = 0; time < 2; time++) {
      const started = performance.now();
      const { status, errors } = await post(app, { query, variables });
      expect(status).toBe(400);
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'TOO_COMPLEX', setting });
      expect(errors?.[0]?.message).toContain(setting);
      expect(performance.now() - started).toBeLessThan(1000);
    }
  });

  test('a default counts for its operation, and not for another of the same document', async () => {
    const a = `mutation A($n: Int = 10) { ${many(3, (i) => make('{ prompt: "a", n: $n }', `m${i}`))} }`;
    const b = `mutation B($n: Int = 1) { ${make('{ prompt: "a", n: $n }')} }`;
    for (const query of [`${a} ${b}`, `${b} ${a}`]) {
      const { status, errors } = await post(app, { query, operationName: 'A' });
      expect([status, errors?.[0]?.extensions.setting]).toEqual([400, 'MAX_QUERY_GENERATIONS']);
    }
  });

  test('what is asked for by a variable counts as what the variable says', async () => {
    expect((await post(app, { query: byVariable, variables: { n: 10 } })).errors).toBeUndefined();
    const subscription = `subscription ($n: Int) { imagesUpdated { parts { edits(first: $n) { parts { edits(first: $n) { id } } } } } }`;
    const refused = await post(
      app,
      { query: subscription, variables: { n: 100 } },
      { accept: 'text/event-stream, application/json' },
    ).catch(() => null);
    expect(refused?.errors?.[0]?.extensions.code ?? 'TOO_COMPLEX').toBe('TOO_COMPLEX');
  });

  test('the contract, the tabs of GraphiQL and introspection pass with room', async () => {
    const directory = 'test/documents';
    const files = (await readdir(directory)).filter((name) => name.endsWith('.graphql'));
    const texts = await Promise.all(files.map((name) => readFile(path.join(directory, name), 'utf8')));
    const fragments = texts.filter((text) => /^\s*fragment /.test(text)).join('\n');
    const examples = (await readdir('examples')).filter((name) => name.endsWith('.graphql'));
    const readme = await Promise.all(examples.map((name) => readFile(path.join('examples', name), 'utf8')));
    const documents = [
      ...texts.filter((text) => !/^\s*fragment /.test(text)).map((text) => `${text}\n${fragments}`),
      ...GRAPHIQL_TABS.map(({ query }) => query),
      ...readme,
      getIntrospectionQuery({
        descriptions: true,
        inputValueDeprecation: true,
        specifiedByUrl: true,
        schemaDescription: true,
        oneOf: true,
      }),
    ];
    expect(documents.length).toBeGreaterThan(15);
    let greatest = { depth: 0, aliases: 0, cost: 0, tokens: 0 };
    for (const text of documents) {
      const document = parse(text, { maxTokens: 1000 });
      const weight = weighDocument(schema, document);
      const cost = costOf(weight.cost, { first: 100 });
      greatest = {
        depth: Math.max(greatest.depth, weight.depth),
        aliases: Math.max(greatest.aliases, weight.aliases),
        cost: Math.max(greatest.cost, cost),
        tokens: Math.max(greatest.tokens, document.loc?.endToken ? countTokens(document.loc.startToken) : 0),
      };
    }
    const { mutations, pictures } = weighDocument(
      schema,
      parse('mutation ($i: GenerateImageInput!) { generateImage(input: $i) { __typename } }'),
    );
    expect([mutations, costOf(pictures, { i: { n: 3, panels: null } }), costOf(pictures, {})]).toEqual([
      1, 3, 1,
    ]);
    // Half of what is allowed, each.
    expect(greatest.depth).toBeLessThanOrEqual(8);
    expect(greatest.aliases).toBeLessThanOrEqual(25);
    expect(greatest.cost, JSON.stringify(greatest)).toBeLessThanOrEqual(25_000);
    expect((await post(app, { query: getIntrospectionQuery() })).errors).toBeUndefined();
  });

  test('introspection costs what it answers', async () => {
    const full = { descriptions: true, inputValueDeprecation: true, specifiedByUrl: true, oneOf: true };
    for (const query of [
      getIntrospectionQuery(full),
      getIntrospectionQuery({ descriptions: false }),
      schemas(1),
    ]) {
      const { data } = await post(app, { query });
      const { cost } = weighDocument(schema, parse(query));
      const answered = countValues(data);
      expect(costOf(cost, {}) / answered, `${costOf(cost, {})} of ${answered}`).toBeGreaterThan(0.9);
      expect(costOf(cost, {}) / answered, `${costOf(cost, {})} of ${answered}`).toBeLessThan(2.5);
    }
  });

  test('a subscription whose field is left out is refused, and no failure of ours', async () => {
    for (const selection of [
      'imagesUpdated @include(if: false) { id }',
      '... @skip(if: true) { imagesUpdated { id } }',
      '...F',
    ]) {
      const fragment =
        selection === '...F' ? 'fragment F on Subscription { imagesUpdated @skip(if: true) { id } }' : '';
      const { errors } = await post(app, { query: `subscription { ${selection} } ${fragment}` });
      expect(errors?.[0]?.extensions.code, selection).toBe('BAD_REQUEST');
    }
  });

  test.each([
    ['of another type', { first: 'many' }],
    ['left out', {}],
  ])('a variable that is %s has a code', async (_name, variables) => {
    const query = 'query ($first: Int!) { images(first: $first) { nodes { id } } }';
    // The second comes by the fast path.
    for (const _ of [1, 2]) {
      const { status, errors } = await post(app, { query, variables });
      expect([status, errors?.[0]?.extensions.code]).toEqual([400, 'BAD_REQUEST']);
      expect(errors?.[0]?.message).toContain('$first');
    }
  });

  test('several operations in one request are not run', async () => {
    expect((await post(app, [{ query: '{ __typename }' }, { query: '{ __typename }' }])).status).toBe(400);
  });
});

function countValues(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) return value.reduce((total: number, each) => total + countValues(each), 0);
  return Object.values(value).reduce((total: number, each) => total + 1 + countValues(each), 0);
}

function countTokens(first: { next: unknown }): number {
  let count = 0;
  for (let token: { next: unknown } | null = first; token; token = token.next as { next: unknown } | null)
    count++;
  return count;
}

describe('a server that shows nothing of its schema', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp({ INTROSPECTION: 'false', GRAPHIQL: 'false', OPERATION_TIMEOUT_SECONDS: '1' });
  });
  afterAll(() => app.close());

  test('answers no introspection, no GraphiQL and no suggestions', async () => {
    expect((await post(app, { query: '{ __schema { types { name } } }' })).status).toBe(400);
    expect((await post(app, { query: '{ __typename }' })).data).toEqual({ __typename: 'Query' });
    const html = await app.fetch('/graphql', { headers: { accept: 'text/html' } });
    expect(await html.text()).not.toContain('<html');
    for (const [query, variables] of [
      ['{ storez { name } }', {}],
      ['{ images(first: 1, filter: { usrId: "x" }) { totalCount } }', {}],
      ['query ($f: ImageFilter) { images(filter: $f) { totalCount } }', { f: { usrId: 'x' } }],
      ['query ($f: ImageFilter) { images(filter: $f) { totalCount } }', { f: { status: ['SUCCES'] } }],
    ] as const) {
      for (let time = 0; time < 3; time++) {
        const { errors } = await post(app, { query, variables });
        expect(errors?.[0]?.message).toBeTruthy();
        expect(JSON.stringify(errors)).not.toContain('Did you mean');
      }
    }
  });

  test('answers an operation that takes too long, and not a subscription', async () => {
    const { database } = app.services;
    const query = database.query.bind(database);
    (database as { query: unknown }).query = async (...args: Parameters<typeof query>) => {
      await new Promise((resolve) => setTimeout(resolve, 1500));
      return query(...args);
    };
    try {
      const { status, errors } = await post(app, { query: '{ images { totalCount } }' });
      expect(status).toBe(503);
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'TIMED_OUT' });
    } finally {
      (database as { query: unknown }).query = query;
    }
    const stream = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ query: 'subscription { imagesUpdated { id } }' }),
    });
    expect(stream.status).toBe(200);
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
    const ended = await Promise.race([
      (async () => {
        for (;;) if ((await reader.read()).done) return true;
      })(),
      new Promise((resolve) => setTimeout(() => resolve(false), 2000)),
    ]);
    expect(ended).toBe(false);
    await reader.cancel();
  });
});

describe('persisted operations', () => {
  const listed = 'query Listed { stores { name } }';
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  let app: TestApp;
  beforeAll(async () => {
    const file = path.join(await mkdtemp(path.join(tmpdir(), 'fixative-persisted-')), 'manifest.json');
    await writeFile(file, JSON.stringify({ [sha256(listed)]: listed }));
    app = await openTestApp({ PERSISTED_OPERATIONS: 'only', PERSISTED_OPERATIONS_FILE: file });
  });
  afterAll(() => app.close());

  test('are run by their hashes, in each of the shapes that clients have', async () => {
    const hash = sha256(listed);
    const persistedQuery = { version: 1, sha256Hash: hash };
    for (const body of [
      { query: listed },
      { extensions: { persistedQuery } },
      { documentId: hash },
      { documentId: `sha256:${hash}` },
      { query: '', extensions: { persistedQuery } },
    ]) {
      const { data } = await post(app, body);
      expect(data?.stores, JSON.stringify(body)).toHaveLength(2);
    }
    const get = await app.fetch(
      `/graphql?extensions=${encodeURIComponent(JSON.stringify({ persistedQuery }))}`,
      { headers: { accept: 'application/json' } },
    );
    expect(await get.json()).toHaveProperty('data.stores');
  });

  test('nothing else is', async () => {
    for (const body of [
      { query: '{ stores { name } }' },
      { documentId: sha256('x') },
      { extensions: { persistedQuery: { sha256Hash: sha256('x') } } },
      { extensions: {} },
    ]) {
      const { status, errors } = await post(app, body);
      expect(status).toBe(400);
      expect(errors?.[0]?.extensions).toMatchObject({ code: 'PERSISTED_QUERY_NOT_FOUND' });
    }
  });
});

describe('a request that a page of another site can have sent', () => {
  let app: TestApp;
  let cookie: string;
  beforeAll(async () => {
    app = await openTestApp();
    const login = await app.fetch(`/login?code=${app.authenticator.loginCode}`);
    cookie = (login.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  });
  afterAll(() => app.close());

  const ask = (headers: Record<string, string>) =>
    app.fetch('/graphql?query={__typename}', {
      headers: { authorization: '', cookie, accept: 'application/json', ...headers },
    });
  const host = () => new URL(app.url).host;

  test('is refused by GET and as multipart', async () => {
    for (const headers of [{}, { 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }]) {
      const response = await ask(headers as Record<string, string>);
      expect([response.status, await response.text()]).toEqual([
        400,
        expect.stringContaining('x-graphql-csrf'),
      ]);
    }
    // Sessions do not count in requests whose Origin is another site.
    const foreign = await ask({ origin: 'https://elsewhere.example' });
    expect([foreign.status, await foreign.text()]).toEqual([
      403,
      expect.stringContaining('this server only'),
    ]);
    const form = await app.fetch('/graphql', {
      method: 'POST',
      headers: { authorization: '', cookie, 'content-type': 'multipart/form-data; boundary=x' },
      body: '--x--\r\n',
    });
    expect([form.status, await form.text()]).toEqual([400, expect.stringContaining('x-graphql-csrf')]);
  });

  test('is taken with a token, a header that asks for leave, or from our own pages', async () => {
    for (const headers of [
      { 'x-graphql-csrf': '1' },
      { 'apollo-require-preflight': 'true' },
      { 'content-type': 'application/json' },
      { 'sec-fetch-site': 'same-origin' },
      { origin: `http://${host()}` },
      { referer: `http://${host()}/graphql` },
    ]) {
      const response = await ask(headers as Record<string, string>);
      expect([response.status, await response.json()], JSON.stringify(headers)).toEqual([
        200,
        { data: { __typename: 'Query' } },
      ]);
    }
    const events = await ask({ accept: 'text/event-stream', 'sec-fetch-site': 'same-origin' });
    expect(events.status).toBe(200);
    await events.body?.cancel();
    await eventually(() => {});
  });
});
