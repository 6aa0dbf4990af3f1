import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { type DocumentNode, parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ImageByIdDocument,
  ImageCountDocument,
  type ImageFilter,
  ImagePageDocument,
  ImagesDocument,
  type ImagesQueryVariables,
} from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

const FOXES = 60;

describe('images', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
    // As another service writes them: by SQL of its own, which knows nothing of the columns that we added.
    // Three share each moment.
    await app.database.query(
      `INSERT INTO generated_images (user_id, prompt, model, storage_url, tags, status, metadata, message_id, request_id, bytes, created_at, tool_name)
       SELECT 'fox', 'a red fox number ' || i, CASE WHEN i % 2 = 0 THEN 'm1' ELSE 'm2' END, 'https://elsewhere.example/' || i,
         CASE WHEN i % 5 = 0 THEN ARRAY['five', 'fox'] ELSE ARRAY['fox'] END,
         CASE WHEN i % 10 = 0 THEN 'failed' ELSE 'success' END, jsonb_build_object('i', i, 'deep', jsonb_build_object('odd', i % 2 = 1)),
         'message-' || i, 'request-' || i, i % 7 * 1000,
         TIMESTAMPTZ '2026-01-01 00:00:00Z' + (i / 3) * INTERVAL '1 day' + INTERVAL '0.000123 second', 'tool-' || i % 3
       FROM generate_series(1, ${FOXES}) i`,
    );
    await app.database.query(
      `INSERT INTO generated_images (user_id, prompt, storage_url, tags) VALUES ('owl', 'an owl in the moonlight', '', NULL)`,
    );
  });
  afterAll(() => app.close());

  const list = async (variables: ImagesQueryVariables) => (await app.ask(ImagesDocument, variables)).images;
  const prompts = async (variables: ImagesQueryVariables) =>
    (await list(variables)).edges.map(({ node }) => node.prompt);
  const count = async (filter: ImageFilter) =>
    (await app.ask(ImageCountDocument, { filter })).images.totalCount;

  test('counts and finds by every filter', async () => {
    const cases: [ImageFilter, number][] = [
      [{}, FOXES + 1],
      [{ userId: 'fox' }, FOXES],
      [{ userId: 'nobody' }, 0],
      [{ tool: 'tool-1' }, 20],
      [{ tags: ['fox'] }, FOXES],
      [{ tags: ['fox', 'five'] }, 12],
      [{ userId: 'fox', tags: ['fox', 'five'] }, 12],
      [{ tags: ['five', 'none'] }, 0],
      [{ tags: [] }, FOXES + 1],
      [{ anyTag: ['five', 'none'] }, 12],
      [{ userId: 'fox', anyTag: ['five', 'none'] }, 12],
      [{ status: ['FAILED'] }, 6],
      [{ status: ['FAILED', 'SUCCESS'], userId: 'fox' }, FOXES],
      [{ status: ['PENDING', 'PROCESSING'] }, 0],
      [{ model: 'm1' }, 30],
      [{ provider: 'sample' }, 0],
      [{ origin: 'RECORDED' }, FOXES + 1],
      [{ requestId: 'request-7' }, 1],
      [{ messageId: 'message-7' }, 1],
      [{ sha256: '0'.repeat(64) }, 0],
      [{ createdAfter: '2026-01-02T00:00:00.000Z', createdBefore: '2026-01-03T00:00:00.000Z' }, 3],
      [{ userId: 'fox', createdBefore: '2026-01-01T00:00:00.000Z' }, 0],
      [{ search: 'red fox' }, FOXES],
      [{ search: 'fox 7' }, 1],
      [{ search: '"moonlight" or "number 7"' }, 2],
      [{ search: 'fox -red' }, 0],
      [{ metadata: { deep: { odd: true } } }, 30],
      [{ metadata: { i: 7 } }, 1],
      [{ storageUrl: 'https://elsewhere.example/7' }, 1],
      [{ copies: { store: 'filesystem' } }, 0],
    ];
    for (const [filter, expected] of cases) {
      const { totalCount, edges } = await list({ filter, first: 100 });
      expect([totalCount, edges.length], JSON.stringify(filter)).toEqual([expected, expected]);
    }
  });

  test('finds by copies', async () => {
    const { image } = await upload(app, { content: await makePicture({ seed: 8000 }) }, { userId: 'copies' });
    expect(await count({ copies: { store: 'filesystem', state: 'STORED' } })).toBe(1);
    expect(await count({ copies: { state: 'MISSING' } })).toBe(0);
    expect(await count({ sha256: image?.sha256 ?? '' })).toBe(1);
    expect(await count({ storageUrl: new URL(image?.url ?? '').pathname })).toBe(1);
  });

  test.each([1, 2, 7, 20, 60, 100])(
    'walks forward and back by %i without losing or doubling one',
    async (size) => {
      for (const orderBy of [
        undefined,
        { field: 'CREATED_AT', direction: 'ASC' },
        { field: 'BYTES', direction: 'DESC' },
        { field: 'BYTES', direction: 'ASC' },
      ] as const) {
        const order = orderBy ? { orderBy } : {};
        const seen: string[] = [];
        for (let after: string | null = null; ; ) {
          const page = await list({ filter: { userId: 'fox' }, first: size, after, ...order });
          seen.push(...page.nodes.map((node) => node.id));
          expect(page.pageInfo.hasPreviousPage).toBe(after !== null);
          after = page.pageInfo.endCursor ?? null;
          if (!page.pageInfo.hasNextPage) break;
        }
        expect(new Set(seen).size).toBe(FOXES);
        const back: string[] = [];
        for (let before: string | null = null; ; ) {
          const page = await list({ filter: { userId: 'fox' }, last: size, before, ...order });
          back.unshift(...page.nodes.map((node) => node.id));
          before = page.pageInfo.startCursor ?? null;
          if (!page.pageInfo.hasPreviousPage) break;
        }
        expect(back).toEqual(seen);
      }
    },
  );

  test('answers the range between two cursors, from either end', async () => {
    const { edges } = await list({ filter: { userId: 'fox' }, first: 30 });
    const ids = edges.map(({ node }) => node.id);
    const [after, before] = [edges[4]?.cursor ?? '', edges[15]?.cursor ?? ''];
    const page = async (variables: ImagesQueryVariables) => {
      const { nodes, pageInfo } = await list({ filter: { userId: 'fox' }, ...variables });
      const { hasPreviousPage, hasNextPage } = pageInfo;
      return [nodes.map(({ id }) => id), hasPreviousPage, hasNextPage];
    };
    expect(await page({ after, before })).toEqual([ids.slice(5, 15), true, false]);
    expect(await page({ first: 3, after, before })).toEqual([ids.slice(5, 8), true, true]);
    expect(await page({ first: 10, after, before })).toEqual([ids.slice(5, 15), true, false]);
    expect(await page({ last: 3, after, before })).toEqual([ids.slice(12, 15), true, true]);
    expect(await page({ last: 10, after, before })).toEqual([ids.slice(5, 15), false, true]);
    expect(await page({ first: 3, before })).toEqual([ids.slice(0, 3), false, true]);
    expect(await page({ first: 100, before })).toEqual([ids.slice(0, 15), false, false]);
    expect(await page({ last: 100, after: edges[29]?.cursor ?? '' })).toMatchObject([
      { length: FOXES - 30 },
      false,
      false,
    ]);
    // As a page back, although neither says how long it is.
    expect(await page({ before: edges[25]?.cursor ?? '' })).toEqual([ids.slice(5, 25), true, true]);
    expect(await page({ before: edges[20]?.cursor ?? '' })).toEqual([ids.slice(0, 20), false, true]);
    expect(await page({ after: before, before: after })).toEqual([[], true, false]);
    expect(await page({ last: 3, after: before, before: after })).toEqual([[], false, true]);
  });

  /** Follows the cursors of pages until there are no more, and fails where that does not end. */
  async function followPages(size: number, between: { after: string; before: string }, backward: boolean) {
    const pages: string[][] = [];
    const range = { ...between };
    for (;;) {
      const { nodes, pageInfo } = await list({
        filter: { userId: 'fox' },
        ...(backward ? { last: size } : { first: size }),
        ...range,
      });
      pages.push(nodes.map(({ id }) => id));
      expect(pages.length, 'pages').toBeLessThan(10);
      if (!(backward ? pageInfo.hasPreviousPage : pageInfo.hasNextPage)) return pages;
      if (backward) range.before = pageInfo.startCursor ?? '';
      else range.after = pageInfo.endCursor ?? '';
    }
  }

  test.each([
    [2, [2, 2, 1]],
    [5, [5]],
    [1, [1, 1, 1, 1, 1]],
    [7, [5]],
  ])('ends after the pages of %i between two cursors, forward and backward', async (size, lengths) => {
    const { edges } = await list({ filter: { userId: 'fox' }, first: 30 });
    const between = { after: edges[4]?.cursor ?? '', before: edges[10]?.cursor ?? '' };
    const ids = edges.slice(5, 10).map(({ node }) => node.id);
    const forward = await followPages(size, between, false);
    expect(forward.map(({ length }) => length)).toEqual(lengths);
    expect(forward.flat()).toEqual(ids);
    const backward = await followPages(size, between, true);
    expect(backward.map(({ length }) => length)).toEqual(lengths);
    expect(backward.toReversed().flat()).toEqual(ids);
  });

  test('says that nothing lies at a cursor whose image is gone, unless another image does beyond it', async () => {
    const filter = { userId: 'gone' };
    await app.database.query(
      `INSERT INTO generated_images (user_id, prompt, storage_url, created_at)
       SELECT 'gone', i::text, '', TIMESTAMPTZ '2026-02-01' - i * INTERVAL '1 day' FROM generate_series(0, 4) i`,
    );
    const { edges } = await list({ filter, first: 5 });
    const cursor = (at: number) => edges[at]?.cursor ?? '';
    const ends = async () => {
      const back = await list({ filter, last: 2, before: cursor(4) });
      const on = await list({ filter, first: 2, after: cursor(0) });
      expect(back.edges.map(({ node }) => node.prompt)).toEqual(['2', '3']);
      expect(on.edges.map(({ node }) => node.prompt)).toEqual(['1', '2']);
      return [back.pageInfo.hasNextPage, on.pageInfo.hasPreviousPage];
    };
    expect(await ends()).toEqual([true, true]);
    await app.database.query(
      `UPDATE generated_images SET deleted_at = now() WHERE user_id = 'gone' AND prompt = '4'`,
    );
    await app.database.query(`DELETE FROM generated_images WHERE user_id = 'gone' AND prompt = '0'`);
    expect(await ends()).toEqual([false, false]);
    await app.database.query(
      `INSERT INTO generated_images (user_id, prompt, storage_url, created_at)
       VALUES ('gone', 'newer', '', '2026-03-01'), ('gone', 'older', '', '2026-01-01')`,
    );
    expect(await ends()).toEqual([true, true]);
    await app.database.query(`DELETE FROM generated_images WHERE user_id = 'gone'`);
  });

  test('answers an empty page of none, with its count', async () => {
    const filter = { userId: 'fox' };
    const [, second] = (await list({ filter, first: 2 })).edges;
    const empty = { startCursor: null, endCursor: null };
    expect(await list({ filter, first: 0 })).toEqual({
      edges: [],
      nodes: [],
      totalCount: FOXES,
      pageInfo: { ...empty, hasPreviousPage: false, hasNextPage: true },
    });
    expect(await list({ filter, last: 0, before: second?.cursor ?? '' })).toMatchObject({
      edges: [],
      totalCount: FOXES,
      pageInfo: { ...empty, hasPreviousPage: true, hasNextPage: true },
    });
    expect((await list({ filter: { userId: 'nobody' }, first: 0 })).pageInfo.hasNextPage).toBe(false);
    expect(await count({ userId: 'fox' })).toBe(FOXES);
  });

  test('orders by time, newest first, and by bytes', async () => {
    const newest = await list({ filter: { userId: 'fox' }, first: 100 });
    const times = newest.edges.map(({ node }) => node.createdAt);
    expect(times).toEqual([...times].sort().reverse());
    const small = await list({
      filter: { userId: 'fox' },
      first: 100,
      orderBy: { field: 'BYTES', direction: 'ASC' },
    });
    const sizes = small.edges.map(({ node }) => node.bytes ?? 0);
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
  });

  test('goes on where a cursor points although newer images have come', async () => {
    const first = await list({ filter: { userId: 'moving' }, first: 2 });
    expect(first.nodes).toEqual([]);
    for (let i = 0; i < 4; i++)
      await app.database.query(
        `INSERT INTO generated_images (user_id, prompt, storage_url) VALUES ('moving', 'p${i}', '')`,
      );
    const page = await list({ filter: { userId: 'moving' }, first: 2 });
    await app.database.query(
      `INSERT INTO generated_images (user_id, prompt, storage_url) VALUES ('moving', 'new', '')`,
    );
    expect(
      await prompts({ filter: { userId: 'moving' }, first: 2, after: page.pageInfo.endCursor ?? null }),
    ).toEqual(['p1', 'p0']);
  });

  test('shows rows of other services without giving their address as ours', async () => {
    const page = await list({ filter: { requestId: 'request-10' } });
    expect(page.edges[0]?.node).toMatchObject({
      status: 'FAILED',
      error: { code: 'INTERNAL', retryable: false },
      origin: 'RECORDED',
      url: null,
      copies: [],
      filename: null,
    });
    const owl = await list({ filter: { userId: 'owl' } });
    expect(owl.edges[0]?.node).toMatchObject({ tags: [], metadata: null, url: null });
  });

  test.each<[string, ImagesQueryVariables, string]>([
    ['a cursor that is none', { after: 'nonsense' }, 'INVALID_CURSOR'],
    [
      'a cursor of another order',
      { after: Buffer.from('bytes:5:5').toString('base64url') },
      'INVALID_CURSOR',
    ],
    [
      'a cursor with a number past all bounds',
      { after: Buffer.from('createdAt:99999999999999999999:5').toString('base64url') },
      'INVALID_CURSOR',
    ],
    ['a page of fewer than none', { first: -1 }, 'INVALID_INPUT'],
    ['a page of 101', { first: 101 }, 'INVALID_INPUT'],
    ['a page of -1', { last: -1 }, 'INVALID_INPUT'],
    ['first and last', { first: 1, last: 1 }, 'INVALID_INPUT'],
    ['a cursor that is none as before', { first: 1, before: 'x' }, 'INVALID_CURSOR'],
    ['last with a cursor that is none as after', { last: 1, after: 'x' }, 'INVALID_CURSOR'],
    [
      'a day that no calendar has, as one of two cursors',
      {
        after: Buffer.from('createdAt:2026-01-02 00:00:00+00:1').toString('base64url'),
        before: Buffer.from('createdAt:2026-02-30 00:00:00+00:1').toString('base64url'),
      },
      'INVALID_CURSOR',
    ],
    ['NUL in a filter', { filter: { userId: 'a\0' } }, 'INVALID_INPUT'],
    ['NUL in the one tag of a filter', { filter: { tags: ['a\0'] } }, 'INVALID_INPUT'],
    ['NUL in any tag of a filter', { filter: { userId: 'fox', anyTag: ['a\0'] } }, 'INVALID_INPUT'],
    ['NUL in the metadata of a filter', { filter: { metadata: { a: '\0' } } }, 'INVALID_INPUT'],
    ['a search that is too long', { filter: { search: 'word '.repeat(40_000) } }, 'INVALID_INPUT'],
    ['a time before all times', { filter: { createdAfter: '0000-01-01T00:00:00.000Z' } }, 'INVALID_INPUT'],
    [
      'a cursor of more bytes than there can be',
      {
        after: Buffer.from('bytes:9007199254740991:1').toString('base64url'),
        orderBy: { field: 'BYTES', direction: 'ASC' },
      },
      'INVALID_CURSOR',
    ],
    [
      'metadata that is nested too deep',
      { filter: { metadata: JSON.parse(`${'{"a":'.repeat(30)}1${'}'.repeat(30)}`) } },
      'INVALID_INPUT',
    ],
    [
      'variables that are nested deeper than any can be',
      { filter: { metadata: JSON.parse(`${'{"a":'.repeat(1000)}1${'}'.repeat(1000)}`) } },
      'TOO_COMPLEX',
    ],
    ['NUL in a search', { filter: { search: 'a\0' } }, 'INVALID_INPUT'],
  ])('refuses %s', async (_name, variables, code) => {
    const { errors } = await app.send(ImagesDocument, variables);
    expect(errors).toMatchObject([{ extensions: { code } }]);
    expect(app.logged).toEqual([]);
  });

  test('answers null for what is no image, and a typed error for what is no id', async () => {
    const none = await app.ask(ImageByIdDocument, { id: '01a1fd86-32a5-704a-8823-284343d934b2' });
    expect(none).toEqual({ image: null, node: null });
    for (const id of [
      '',
      'nonsense',
      Buffer.from('Image:5').toString('base64'),
      Buffer.from('Store:01a1fd86-32a5-704a-8823-284343d934b2').toString('base64'),
    ]) {
      const { errors } = await app.send(ImageByIdDocument, { id });
      expect(
        errors?.map((error) => error.extensions?.code),
        id,
      ).toEqual(['INVALID_ID', 'INVALID_ID']);
    }
  });

  test('gives each copy an id of its own, the same each time, by which node finds it', async () => {
    const content = await makePicture({ seed: 8050 });
    const [first, second] = [await upload(app, { content }), await upload(app, { content })];
    await app.storage.settled();
    const document = parse(
      'query Copies($ids: [ID!]!) { nodes(ids: $ids) { ... on Image { copies { id store key url } } } }',
    ) as TypedDocumentNode<
      { nodes: { copies: { id: string; store: string }[] }[] },
      { ids: (string | undefined)[] }
    >;
    const ask = async () =>
      (await app.ask(document, { ids: [first.image?.id, second.image?.id] })).nodes.map(
        ({ copies }) => copies,
      );
    const [ofFirst = [], ofSecond = []] = await ask();
    expect(ofFirst.map(({ store }) => store)).toEqual(['filesystem', 'database']);
    expect(ofSecond.map(({ store }) => store)).toEqual(['filesystem', 'database']);
    const ids = [...ofFirst, ...ofSecond].map(({ id }) => id);
    // Images may share bytes and differ in who is given them.
    expect(new Set(ids).size).toBe(4);
    expect(await ask()).toEqual([ofFirst, ofSecond]);
    const found = parse(
      'query Found($ids: [ID!]!) { nodes(ids: $ids) { ... on Copy { id store key url } } }',
    ) as typeof document;
    expect((await app.ask(found, { ids })).nodes).toEqual([...ofFirst, ...ofSecond]);
  });

  test('has no key twice in lists of stores, tools and models', async () => {
    const document = parse(
      'query Keys { stores { name } tools { name } models { id } }',
    ) as TypedDocumentNode<Record<string, { name?: string; id?: string }[]>, object>;
    for (const [name, list] of Object.entries(await app.ask(document, {}))) {
      const keys = list.map((each) => each.id ?? each.name);
      expect(keys.length, name).toBeGreaterThan(1);
      expect(new Set(keys).size, name).toBe(keys.length);
    }
  });

  test('answers many ids at once, in their order', async () => {
    const page = await list({ filter: { userId: 'fox' }, first: 5 });
    const ids = page.nodes.map((node) => node.id).reverse();
    const document = parse('query Nodes($ids: [ID!]!) { nodes(ids: $ids) { id } }') as TypedDocumentNode<
      { nodes: ({ id: string } | null)[] },
      { ids: string[] }
    >;
    const { nodes } = await app.ask(document, { ids: [...ids, '01a1fd86-32a5-704a-8823-284343d934b2'] });
    expect(nodes).toEqual([...ids.map((id) => ({ id })), null]);
  });

  describe('asks the database', () => {
    /** The statements that an operation sends. */
    async function statements(document: DocumentNode, variables: Record<string, unknown>): Promise<string[]> {
      const sent: string[] = [];
      const { database } = app.services;
      const query = database.query.bind(database);
      const spied = database as { query: typeof database.query };
      spied.query = (text, values) => {
        sent.push(text);
        return query(text, values);
      };
      try {
        await app.ask(document as TypedDocumentNode<unknown, Record<string, unknown>>, variables);
      } finally {
        spied.query = query;
      }
      return sent;
    }

    beforeAll(async () => {
      for (let seed = 0; seed < 6; seed++)
        await upload(app, { content: await makePicture({ seed: 8100 + seed }) }, { userId: 'counted' });
    });
    const filter = { userId: 'counted' };

    test('by one statement for a page', async () => {
      expect(await statements(ImagePageDocument, { filter, first: 20 })).toHaveLength(1);
    });
    test('by one more where it is asked what lies on the side that paging comes from', async () => {
      const [edge] = (await list({ filter, first: 1 })).edges;
      const after = edge?.cursor ?? '';
      expect(await statements(ImagePageDocument, { filter, first: 2, after })).toHaveLength(1);
      const ask = (field: string, args: string) =>
        statements(
          parse(
            `query Q($filter: ImageFilter) { images(filter: $filter, ${args}) { ...P } }
             fragment P on ImageConnection { nodes { id } pageInfo { ${field} } }`,
          ),
          { filter },
        );
      expect(await ask('hasPreviousPage', `first: 2, after: "${after}"`)).toHaveLength(2);
      expect(await ask('hasPreviousPage', 'first: 2')).toHaveLength(1);
      expect(await ask('hasNextPage', `last: 2, before: "${after}"`)).toHaveLength(2);
      expect(await ask('hasPreviousPage', `last: 2, before: "${after}"`)).toHaveLength(1);
      expect(await ask('hasNextPage', `first: 2, before: "${after}"`)).toHaveLength(1);
    });
    test('by one more for all copies of the page', async () => {
      const document = parse(
        'query Copies($filter: ImageFilter) { images(filter: $filter) { nodes { id copies { store state } } } }',
      );
      const sent = await statements(document, { filter });
      expect(sent).toHaveLength(2);
      expect(sent[1]).toContain('FROM copies');
    });
    test('by one for the count alone, and by one more where a page is selected too', async () => {
      expect(await statements(ImageCountDocument, { filter })).toHaveLength(1);
      expect(await statements(ImagesDocument, { filter })).toHaveLength(3);
    });
    test('for no more columns than the fields of a card need, and for all where one more is selected', async () => {
      const [cards] = await statements(ImagePageDocument, { filter, first: 20 });
      expect(cards).not.toContain('metadata');
      for (const fields of ['model', '...More', '... on Image { metadata }']) {
        const fragment = fields === '...More' ? 'fragment More on Image { thumbhash }' : '';
        const document = parse(
          `query Q($filter: ImageFilter) { images(filter: $filter) { edges { node { id ${fields} } } } } ${fragment}`,
        );
        expect((await statements(document, { filter }))[0], fields).toContain('i.metadata');
      }
    });
    test('by one for many images asked for by id', async () => {
      const page = await list({ filter });
      const fields = page.nodes
        .map((node, i) => `i${i}: image(id: "${node.id}") { id copies { store } }`)
        .join(' ');
      expect(await statements(parse(`{ ${fields} }`), {})).toHaveLength(2);
    });
  });
});

test('totalCount is exact up to TOTAL_COUNT_LIMIT, and says so', async () => {
  const app = await openTestApp({ TOTAL_COUNT_LIMIT: '50' });
  const insert = (user: string, images: number) =>
    app.database.query(
      `INSERT INTO generated_images (user_id, prompt, tags) SELECT '${user}', 'a fox', '{fox}' FROM generate_series(1, ${images})`,
    );
  const count = async (filter: ImageFilter) => {
    const query = 'query ($filter: ImageFilter) { images(filter: $filter) { totalCount totalCountIsExact } }';
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query, variables: { filter } }),
    });
    return ((await response.json()) as { data: { images: unknown } }).data.images;
  };
  await insert('some', 50);
  await insert('many', 51);
  await app.database.executeSql('ANALYZE');
  expect(await count({ userId: 'some' })).toEqual({ totalCount: 50, totalCountIsExact: true });
  expect(await count({ userId: 'some', tags: ['fox'] })).toEqual({ totalCount: 50, totalCountIsExact: true });
  expect(await count({ userId: 'nobody' })).toEqual({ totalCount: 0, totalCountIsExact: true });
  expect(await count({ userId: 'many' })).toEqual({
    totalCount: expect.toSatisfy((images: number) => images >= 51 && images < 200),
    totalCountIsExact: false,
  });
  // A search looks at rows of the table, at a tenth as many.
  expect(await count({ userId: 'some', search: 'fox' })).toMatchObject({ totalCountIsExact: false });
  expect(await count({ search: 'owl' })).toEqual({ totalCount: 0, totalCountIsExact: true });
  await app.close();
});
