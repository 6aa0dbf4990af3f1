import { serverAudits } from 'graphql-http';
import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';

/**
 * Audits of GraphQL over HTTP (https://graphql.github.io/graphql-over-http/draft/) that the server does not
 * pass, by id, each with its reason. graphql-http audits the running server as a client with a token.
 */
const NOT_KEPT: Readonly<Record<string, string>> = {};

describe('GraphQL over HTTP', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  const audits = serverAudits({
    url: () => `${app.url}/graphql`,
    fetchFn: (url: string, init: { headers?: Record<string, string> } = {}) =>
      fetch(url, { ...init, headers: { ...init.headers, authorization: `Bearer ${ROOT_TOKEN}` } }),
  });

  test.each(audits.map((audit) => [audit.id, audit.name, audit] as const))(
    '%s %s',
    async (id, _name, audit) => {
      const result = await audit.fn();
      const kept = result.status === 'ok' || (result.status === 'notice' && /\bMAY\b/.test(audit.name));
      if (id in NOT_KEPT) expect(kept, `${id} is kept now: take it off the list`).toBe(false);
      else expect(kept, 'reason' in result ? result.reason : '').toBe(true);
    },
  );

  test('there are as many as the package has', () => {
    expect(audits.length).toBeGreaterThan(60);
  });
});
