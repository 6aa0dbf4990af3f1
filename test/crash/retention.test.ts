/** Runs of retention over the end of the server that executes them, and with several servers. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Queryable } from '../../src/database/database.ts';
import { createPolicy } from '../../src/image/retention/policy.ts';
import { parseRule } from '../../src/image/retention/rule.ts';
import {
  CreateRetentionPolicyDocument,
  type RetentionRunFragment,
  RetentionRunsDocument,
  RunRetentionDocument,
} from '../generated/graphql.ts';
import { allEvents } from '../graphql/maintenance-runs.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { insertImages, readImages, selectInMemory } from '../retention/model.ts';
import { AGE_HEARTBEATS, makeRunServer, type RunServer } from './run-server.ts';

/** So many that the server can be killed before their run ends. */
const IMAGES = 6000;
const RULE = { maxAgeDays: 10, per: 'USER', maxCount: 200, maxShare: 1 } as const;

const selected = async (db: Queryable) =>
  selectInMemory(await readImages(db), parseRule(RULE, 'The rule'), new Date())
    .filter(({ reason }) => reason !== null)
    .map(({ id }) => id);
const trashed = async (db: Queryable) =>
  (
    await db.query<{ id: number }>(
      `SELECT id FROM generated_images WHERE deleted_at > now() - interval '1 hour' AND part_of IS NULL
       AND NOT prompt LIKE 'before%' ORDER BY id`,
    )
  ).map(({ id }) => id);
/** Marks what is in the trash before the run. */
const MARK = `UPDATE generated_images SET prompt = 'before' WHERE deleted_at IS NOT NULL`;

describe('a server that is killed in the middle of a run', () => {
  let server: RunServer;
  let expected: number[] = [];

  beforeEach(async () => {
    server = await makeRunServer();
    await server.withDatabase(async (app) => {
      await insertImages(app.database, IMAGES);
      await app.database.query(MARK);
      await createPolicy(app, { name: 'policy', enabled: true, rule: RULE });
      expected = await selected(app.database);
    });
    expect(expected.length).toBeGreaterThan(2000);
  }, 120_000);
  afterEach(() => server.remove());

  const lastRun = async () =>
    (await server.ask<{ maintenanceRuns: RetentionRunFragment[] }>(RetentionRunsDocument)).maintenanceRuns[0];

  test('continues the run after its next start, and ends as without the kill', async () => {
    await server.start();
    const before = await server.count({ trash: 'ONLY' });
    const { runRetention } = await server.ask<{
      runRetention: { run: { id: string }; userErrors: unknown[] };
    }>(RunRetentionDocument, { input: { name: 'policy' } });
    expect(runRetention.userErrors).toEqual([]);
    await eventually(async () => expect(await server.count({ trash: 'ONLY' })).toBeGreaterThan(before));
    await server.kill();
    await server.withDatabase(async ({ database: db }) => {
      const gone = await trashed(db);
      expect(gone.length).toBeGreaterThan(0);
      expect(gone.length, 'it was killed before its end').toBeLessThan(expected.length);
      await db.query(AGE_HEARTBEATS);
    });
    const { id } = runRetention.run;
    const events = await allEvents(await server.start(), id);
    expect(events.at(-1)?.run.state).toBe('COMPLETED');
    expect(await lastRun()).toMatchObject({
      id,
      state: 'COMPLETED',
      total: expected.length,
      checked: expected.length,
      changed: expected.length,
      skipped: 0,
    });
    await server.stop();
    await server.withDatabase(async ({ database: db }) => expect(await trashed(db)).toEqual(expected));
  }, 120_000);
});

describe.runIf(process.env.TEST_DATABASE_URL)('two servers', () => {
  let one: TestApp;
  let two: TestApp;
  beforeEach(async () => {
    one = await openTestApp();
    two = await openTestApp({ DATABASE_URL: one.config.databaseUrl ?? '' });
    await insertImages(one.database, 2000);
    await one.database.query(MARK);
  }, 120_000);
  afterEach(async () => {
    await two.close();
    await one.close();
  });

  test('execute one run at a time', async () => {
    const { createRetentionPolicy } = await one.ask(CreateRetentionPolicyDocument, {
      input: { name: 'policy', ...RULE },
    });
    expect(createRetentionPolicy.userErrors).toEqual([]);
    const expected = await selected(one.database);
    const start = async (app: TestApp) =>
      (await app.ask(RunRetentionDocument, { input: { name: 'policy' } })).runRetention;
    const started = await Promise.all([start(one), start(two), start(one), start(two)]);
    const runs = started.filter(({ run }) => run !== null);
    expect(runs).toHaveLength(1);
    for (const { run, userErrors } of started)
      if (run === null) expect(userErrors).toMatchObject([{ code: 'CONFLICT' }]);
    const events = await allEvents(two, runs[0]?.run?.id ?? '');
    expect(events.at(-1)?.run).toMatchObject({ state: 'COMPLETED', changed: expected.length, skipped: 0 });
    expect(await trashed(one.database)).toEqual(expected);
  }, 120_000);
});
