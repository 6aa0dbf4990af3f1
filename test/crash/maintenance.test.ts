/** Runs of maintenance over several servers, and over the end of the server that executes them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { print } from 'graphql';
import pino from 'pino';
import { fetch } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openApp } from '../../src/app.ts';
import { parseConfig } from '../../src/config.ts';
import { makeMemoryStore } from '../../src/storage/stores/memory.ts';
import type { Store } from '../../src/storage/stores/store.ts';
import {
  CancelMaintenanceRunDocument,
  MaintenanceRunsDocument,
  type RunFragment,
  StartVerifyDocument,
} from '../generated/graphql.ts';
import { allEvents, followRun } from '../graphql/maintenance-runs.ts';
import {
  eventually,
  makeDatabase,
  openTestApp,
  ROOT_TOKEN,
  type TestApp,
  type TestDatabase,
} from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { type ServerProcess, startServer } from './server.ts';

/** Copies on record, so many that their verify does not end before the server does. */
const COPIES = 60_000;

describe('the server that executes a run', () => {
  let directory: string;
  let database: TestDatabase | null;
  let environment: Record<string, string>;
  let server: ServerProcess | null = null;

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-runs-'));
    database = await makeDatabase();
    environment = {
      DATA_DIR: directory,
      FIXATIVE_ROOT_TOKEN: ROOT_TOKEN,
      STORES: 'filesystem',
      LOG_LEVEL: 'error',
      HEAL_DELAY_SECONDS: '86400',
      VERIFY_SCHEDULE: 'off',
      ...(database ? { DATABASE_URL: database.url } : {}),
    };
    await withDatabase(async (query) => {
      // The first start makes the directory of the store, and its marker.
      const sha256 = `lpad(to_hex(n), 64, '0')`;
      await query(
        `INSERT INTO blobs (sha256, bytes, mime_type, width, height, thumbhash)
         SELECT ${sha256}, 100, 'image/png', 1, 1, '' FROM generate_series(1, ${COPIES}) n`,
      );
      await query(
        `INSERT INTO copies (blob_id, store, state, key, bytes, fingerprint, verified_at)
         SELECT id, 'filesystem', 'STORED', '00/00/' || sha256 || '.png', 100, 'x', now() FROM blobs`,
      );
    });
  }, 120_000);
  afterEach(async () => {
    await server?.kill();
    server = null;
    await database?.drop();
    await rm(directory, { recursive: true, force: true });
  });

  /** Sends statements while no server runs. */
  async function withDatabase(work: (query: (sql: string) => Promise<unknown>) => Promise<void>) {
    const app = await openApp(parseConfig(environment, directory), {
      log: pino({ level: 'silent' }),
      processId: process.pid,
      onEnd: (reason) => {
        throw new Error(reason);
      },
    });
    await work((sql) => app.database.query(sql)).finally(() => app.close());
  }

  async function ask<Data>(document: Parameters<typeof print>[0], variables: object = {}): Promise<Data> {
    const response = await fetch(`${server?.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${ROOT_TOKEN}` },
      body: JSON.stringify({ query: print(document), variables }),
    });
    const { data, errors } = (await response.json()) as { data: Data; errors?: unknown };
    expect(errors).toBeUndefined();
    return data;
  }
  const runs = async () =>
    (await ask<{ maintenanceRuns: RunFragment[] }>(MaintenanceRunsDocument)).maintenanceRuns;
  async function startRunning(): Promise<string> {
    server = await startServer(environment);
    const { startVerify } = await ask<{ startVerify: { run: { id: string } | null; userErrors: unknown } }>(
      StartVerifyDocument,
      { input: { maxMissingPercent: 100, deep: false } },
    );
    expect(startVerify.userErrors).toEqual([]);
    await eventually(async () => expect((await runs())[0]?.checked).toBeGreaterThan(0));
    return startVerify.run?.id ?? '';
  }

  test('stops at once, and the run is on record as interrupted with what it has checked', async () => {
    const id = await startRunning();
    const watched = allEvents({ url: server?.url ?? '' }, id).then(
      (events) => events.at(-1)?.run.state,
      () => 'cut',
    );
    const begun = Date.now();
    expect(await server?.stop()).toBe(0);
    expect(Date.now() - begun).toBeLessThan(15_000);
    expect(['cut', 'FAILED']).toContain(await watched);
    server = await startServer(environment);
    const [run] = await runs();
    expect(run).toMatchObject({ id, state: 'FAILED', errorCode: 'INTERRUPTED', total: COPIES });
    expect(run?.checked).toBeGreaterThan(0);
    expect(run?.checked).toBeLessThan(COPIES);
  }, 120_000);

  test('is killed, and the run is failed afterwards; the next one goes on where it was', async () => {
    const id = await startRunning();
    await server?.kill();
    // The embedded database has one server. On PostgreSQL another one may live, so the heartbeat decides.
    if (database)
      await withDatabase(async (query) => {
        const [row] = (await query('SELECT state FROM maintenance_runs')) as { state: string }[];
        expect(row?.state, 'it may still live').toBe('RUNNING');
        await query(`UPDATE maintenance_runs SET heartbeat_at = heartbeat_at - interval '60 seconds'`);
      });
    server = await startServer(environment);
    const [run] = await runs();
    expect(run).toMatchObject({ id, state: 'FAILED', errorCode: 'INTERRUPTED' });
    const checked = run?.checked ?? 0;
    expect(checked).toBeGreaterThan(0);
    const again = await ask<{ startVerify: { run: { id: string } | null; userErrors: unknown } }>(
      StartVerifyDocument,
      { input: { maxMissingPercent: 100, deep: false, limit: 100 } },
    );
    expect(again.startVerify.userErrors).toEqual([]);
    const last = (await allEvents(server, again.startVerify.run?.id ?? '')).at(-1)?.run;
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
