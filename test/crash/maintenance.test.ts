/** Runs of maintenance over several servers, and over the end of the server that executes them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { makeMemoryStore } from '../../src/storage/stores/memory.ts';
import type { Store } from '../../src/storage/stores/store.ts';
import {
  CancelMaintenanceRunDocument,
  MaintenanceRunsDocument,
  type RunFragment,
  StartVerifyDocument,
} from '../generated/graphql.ts';
import { allEvents, followRun } from '../graphql/maintenance-runs.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { AGE_HEARTBEATS, makeRunServer, type RunServer } from './run-server.ts';

/** Copies on record, so many that their verify does not end before the server does. */
const COPIES = 60_000;

describe('the server that executes a run', () => {
  let server: RunServer;

  beforeEach(async () => {
    server = await makeRunServer({ HEAL_DELAY_SECONDS: '86400' });
    await server.withDatabase(async ({ database: db }) => {
      // The first start makes the directory of the store, and its marker.
      const sha256 = `lpad(to_hex(n), 64, '0')`;
      await db.query(
        `INSERT INTO blobs (sha256, bytes, mime_type, width, height, thumbhash)
         SELECT ${sha256}, 100, 'image/png', 1, 1, '' FROM generate_series(1, ${COPIES}) n`,
      );
      await db.query(
        `INSERT INTO copies (blob_id, store, state, key, bytes, fingerprint, verified_at)
         SELECT id, 'filesystem', 'STORED', '00/00/' || sha256 || '.png', 100, 'x', now() FROM blobs`,
      );
    });
  }, 120_000);
  afterEach(() => server.remove());

  const runs = async () =>
    (await server.ask<{ maintenanceRuns: RunFragment[] }>(MaintenanceRunsDocument)).maintenanceRuns;
  async function startRunning(): Promise<string> {
    await server.start();
    const { startVerify } = await server.ask<{
      startVerify: { run: { id: string } | null; userErrors: unknown };
    }>(StartVerifyDocument, { input: { maxMissingPercent: 100, deep: false } });
    expect(startVerify.userErrors).toEqual([]);
    await eventually(async () => expect((await runs())[0]?.checked).toBeGreaterThan(0));
    return startVerify.run?.id ?? '';
  }

  test('stops at once, and the run is on record as interrupted with what it has checked', async () => {
    const id = await startRunning();
    const watched = allEvents({ url: server.url() }, id).then(
      (events) => events.at(-1)?.run.state,
      () => 'cut',
    );
    const begun = Date.now();
    expect(await server.stop()).toBe(0);
    expect(Date.now() - begun).toBeLessThan(15_000);
    expect(['cut', 'FAILED']).toContain(await watched);
    await server.start();
    const [run] = await runs();
    expect(run).toMatchObject({ id, state: 'FAILED', errorCode: 'INTERRUPTED', total: COPIES });
    expect(run?.checked).toBeGreaterThan(0);
    expect(run?.checked).toBeLessThan(COPIES);
  }, 120_000);

  test('is killed, and the run is failed afterwards; the next one goes on where it was', async () => {
    const id = await startRunning();
    await server.kill();
    // The embedded database has one server. On PostgreSQL another one may live, so the heartbeat decides.
    if (process.env.TEST_DATABASE_URL)
      await server.withDatabase(async ({ database: db }) => {
        const [row] = await db.query<{ state: string }>('SELECT state FROM maintenance_runs');
        expect(row?.state, 'it may still live').toBe('RUNNING');
        await db.query(AGE_HEARTBEATS);
      });
    await server.start();
    const [run] = await runs();
    expect(run).toMatchObject({ id, state: 'FAILED', errorCode: 'INTERRUPTED' });
    const checked = run?.checked ?? 0;
    expect(checked).toBeGreaterThan(0);
    const again = await server.ask<{ startVerify: { run: { id: string } | null; userErrors: unknown } }>(
      StartVerifyDocument,
      { input: { maxMissingPercent: 100, deep: false, limit: 100 } },
    );
    expect(again.startVerify.userErrors).toEqual([]);
    const last = (await allEvents({ url: server.url() }, again.startVerify.run?.id ?? '')).at(-1)?.run;
    expect(last).toMatchObject({ state: 'COMPLETED', checked: 100, missing: 100 });
    const seen = last?.problems.map(({ sha256 }) => Number.parseInt(sha256 ?? '', 16)) ?? [];
    expect(Math.min(...seen), 'what the killed server has checked comes last').toBeGreaterThan(checked);
  }, 120_000);
});

describe.runIf(process.env.TEST_DATABASE_URL)('two servers', () => {
  let one: TestApp;
  let two: TestApp;
  beforeEach(async () => {
    const memory = makeMemoryStore('shared');
    const slow: Store = {
      ...memory,
      kind: 'memory',
      name: 'shared',
      maxBytes: memory.maxBytes,
      async open(key, range) {
        await sleep(100);
        return memory.open(key, range);
      },
    };
    const options = { stores: async () => [slow], required: ['shared'] };
    one = await openTestApp({}, options);
    two = await openTestApp({ DATABASE_URL: one.config.databaseUrl ?? '' }, options);
    for (let seed = 950_000; seed < 950_060; seed++)
      await upload(one, { content: await makePicture({ seed, width: 8, height: 8 }) });
  }, 120_000);
  afterEach(async () => {
    await two.close();
    await one.close();
  });
  const start = async (app: TestApp) => (await app.ask(StartVerifyDocument, { input: {} })).startVerify;

  test('a run that starts at one is watched and cancelled at the other, whichever executes it', async () => {
    for (const [here, there] of [
      [one, two],
      [two, one],
    ] as const) {
      const { run } = await start(here);
      const id = run?.id ?? '';
      const refused = await start(there);
      expect(refused).toMatchObject({ run: null, userErrors: [{ code: 'CONFLICT' }] });
      const watchedHere = allEvents(here, id);
      let isCancelled = false;
      const seen: RunFragment[] = [];
      for await (const event of followRun(there, id)) {
        seen.push(event.run);
        if (isCancelled || event.run.checked === 0) continue;
        isCancelled = true;
        const { cancelMaintenanceRun } = await there.ask(CancelMaintenanceRunDocument, { input: { id } });
        expect(cancelMaintenanceRun.userErrors).toEqual([]);
      }
      expect(seen.at(-1)).toMatchObject({ state: 'CANCELLED', total: 60 });
      expect(seen.at(-1)?.checked).toBeLessThan(60);
      expect((await watchedHere).at(-1)?.run).toEqual(seen.at(-1));
    }
  }, 120_000);

  test('a run waits for the lock that another verify holds, and is then executed', async () => {
    // As a server of an older version does, whose scheduled verify is no run.
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const holding = two.database.exclusively('verify', () => held);
    const { run } = await start(one);
    await sleep(1500);
    const { maintenanceRuns } = await two.ask(MaintenanceRunsDocument, {});
    expect(maintenanceRuns[0]?.state).toBe('PENDING');
    release();
    await holding;
    const events = await allEvents(two, run?.id ?? '');
    expect(events.at(-1)?.run).toMatchObject({ state: 'COMPLETED', checked: 60, healthy: 60 });
  }, 120_000);
});
