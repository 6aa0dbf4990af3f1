import { parse, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { GRAPHIQL_TABS, ID_PLACEHOLDER } from '../../src/http/pages/graphiql-tabs.ts';
import { openTestApp, type TestApp } from '../harness.ts';

/** The name and the document of each tab. */
const TABS = GRAPHIQL_TABS.map(({ query }) => ({
  query,
  name: /^(?:query|mutation|subscription) (\w+)/m.exec(query)?.[1],
}));

describe('the tabs of GraphiQL', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  async function run(query: string) {
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    // biome-ignore lint/suspicious/noExplicitAny: no types are made from the documents of this test.
    return (await response.json()) as { data: any; errors?: unknown };
  }

  test('are valid, and each has a name of its own', () => {
    for (const { query } of TABS) expect(validate(schema, parse(query))).toEqual([]);
    expect(new Set(TABS.map(({ name }) => name)).size).toBe(TABS.length);
  });

  test('run one after the other, with an id from the tab Images where one is wanted', async () => {
    let id = '';
    for (const { name, query } of TABS.filter(({ query }) => !/^subscription /m.test(query))) {
      if (query.includes(ID_PLACEHOLDER)) {
        expect(query).toContain('# Put an id in: run the tab Images');
        expect(id).not.toBe('');
      }
      const { data, errors } = await run(query.replace(ID_PLACEHOLDER, id));
      expect(errors, name).toBeUndefined();
      for (const payload of Object.values<{ userErrors?: unknown[] } | null>(data)) {
        expect(payload, name).not.toBeNull();
        expect(payload?.userErrors ?? [], name).toEqual([]);
      }
      if (name === 'Images') id = data.images.nodes[0].id;
    }
  });

  test('subscribe to what is made', async () => {
    const [tab] = TABS.filter(({ query }) => /^subscription /m.test(query));
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
      body: JSON.stringify({ query: tab?.query }),
    });
    expect(response.status).toBe(200);
    await run(TABS[0]?.query ?? '');
    let text = '';
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      if (text.includes('"status":"SUCCESS"')) break;
    }
    expect(text).toContain('"prompt":"A beautiful sunset over mountains"');
    expect(text).not.toContain('"errors"');
  });
});
