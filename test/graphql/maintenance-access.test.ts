import { afterAll, beforeAll, expect, test } from 'vitest';
import { openTestApp, type TestApp } from '../harness.ts';

let app: TestApp;
beforeAll(async () => {
  app = await openTestApp();
  await app.database.query(
    `INSERT INTO maintenance_runs (kind, state, stores, filter, options, started_by, failed, problems)
     VALUES ('RESTORE', 'COMPLETED', '{filesystem}', '{"userId": "ann", "search": "secret"}', '{}', 'root', 1,
       '[{"sha256": null, "store": null, "state": "LOST", "message": "an image of ann"}]')`,
  );
});
afterAll(() => app.close());

test.each([
  { userId: 'bob', filter: null, problems: 0 },
  { userId: null, filter: { userId: 'ann', search: 'secret' }, problems: 1 },
])('a token for the user $userId sees $problems problems of a run', async ({ userId, filter, problems }) => {
  const { token } = await app.services.tokens.create({
    name: 'watcher',
    scopes: ['stores:read', 'images:read'],
    userId,
  });
  const ask = async (query: string) => {
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ query }),
    });
    return ((await response.json()) as { data: Record<string, unknown> }).data;
  };
  const { maintenanceRuns } = await ask(`{ maintenanceRuns { id failed filter problems { message } } }`);
  const [run] = maintenanceRuns as { id: string; problems: unknown[] }[];
  expect(run).toMatchObject({ failed: 1, filter });
  expect(run?.problems).toHaveLength(problems);
  const { node } = await ask(
    `{ node(id: "${run?.id}") { ... on MaintenanceRun { failed filter problems { message } } } }`,
  );
  expect(node).toMatchObject({ failed: 1, filter, problems: run?.problems });
});
