import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { StoreError } from '../../src/errors.ts';
import { startScheduledVerify } from '../../src/job/verify.ts';
import { makeMemoryStore } from '../../src/storage/stores/memory.ts';
import type { Store } from '../../src/storage/stores/store.ts';
import {
  CancelMaintenanceRunDocument,
  MaintenanceRunsDocument,
  StartRestoreDocument,
  StartVerifyDocument,
} from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { sourceOf } from '../storage/store-contract.ts';
import { upload } from '../upload.ts';
import { allEvents, followRun } from './maintenance-runs.ts';

const IMAGES = 300;

let app: TestApp;
let first: Store;
let second: Store;
/** Milliseconds that each read of the second store takes. */
let readMs = 0;
let isAway = false;
/** Reads of the second store so far. */
let reads = 0;
/** Keys of the images, by number. */
const keys: string[] = [];

const start = async (input: object = {}) =>
  (await app.ask(StartVerifyDocument, { input: input as never })).startVerify;
const startRestore = async (input: object = {}) =>
  (await app.ask(StartRestoreDocument, { input: input as never })).startRestore;
const cancel = async (id: string) =>
  (await app.ask(CancelMaintenanceRunDocument, { input: { id } })).cancelMaintenanceRun;
const idOf = ({ run, userErrors }: Awaited<ReturnType<typeof start>>) => {
  expect(userErrors).toEqual([]);
  return run?.id ?? '';
};
/** Ends a run of an earlier test that failed. */
const cancelActive = () =>
  app.database.query(
    `UPDATE maintenance_runs SET cancel_requested_at = now() WHERE state IN ('PENDING', 'RUNNING')`,
  );
const idle = () =>
  eventually(async () => {
    const { maintenanceRuns } = await app.ask(MaintenanceRunsDocument, {});
    expect(maintenanceRuns.filter(({ state }) => state === 'PENDING' || state === 'RUNNING')).toEqual([]);
  });
const breakCopies = async () => {
  await second.delete(keys[10] ?? '');
  await second.put(keys[20] ?? '', sourceOf(Buffer.from('not a picture')));
};

beforeAll(async () => {
  first = makeMemoryStore('first');
  second = makeMemoryStore('second');
  const slow: Store = {
    ...second,
    name: 'second',
    kind: 'memory',
    maxBytes: second.maxBytes,
    async open(key, range) {
      reads++;
      if (readMs > 0) await sleep(readMs);
      if (isAway) throw new StoreError('second is away.', 'second');
      return second.open(key, range);
    },
    async stat(key) {
      if (isAway) throw new StoreError('second is away.', 'second');
      return second.stat(key);
    },
  };
  app = await openTestApp(
    { HEAL_DELAY_SECONDS: '3600', RATE_LIMIT_PER_MINUTE: '0' },
    { stores: async () => [first, slow], required: ['first', 'second'] },
  );
  for (let done = 0; done < IMAGES; done += 20) {
    const seeds = Array.from({ length: 20 }, (_each, i) => 900_000 + done + i);
    const images = await Promise.all(
      seeds.map(async (seed) => {
        const picture = await makePicture({ seed, width: 8, height: 8 });
        return upload(app, { content: picture }, { userId: seed % 2 === 0 ? 'even' : 'odd' });
      }),
    );
    keys.push(...images.map(({ image }) => image?.copies[0]?.key ?? ''));
  }
  await app.storage.settled();
}, 120_000);
afterEach(async () => {
  readMs = 0;
  isAway = false;
  await cancelActive();
  await idle();
});
afterAll(() => app?.close());

describe('a verify', () => {
  test('is watched from its start to its end, and says what is missing and corrupt', async () => {
    await breakCopies();
    readMs = 10;
    const { run, userErrors } = await start();
    expect(userErrors).toEqual([]);
    expect(run).toMatchObject({
      kind: 'VERIFY',
      state: 'PENDING',
      stores: ['first', 'second'],
      startedBy: 'root',
      startedAt: null,
      finishedAt: null,
      filter: null,
    });
    const events = await allEvents(app, run?.id ?? '');
    const states = events.map((event) => event.run.state);
    expect(new Set(states)).toEqual(new Set([...states.slice(0, 1), 'RUNNING', 'COMPLETED']));
    // 300 reads of 10 ms take 3 s: the progress is seen on the way.
    const middle = events.filter(({ run: { checked } }) => checked > 0 && checked < 2 * IMAGES);
    expect(middle.length).toBeGreaterThan(1);
    for (const [i, event] of events.slice(1).entries())
      expect(event.at - (events[i]?.at ?? 0), 'at most two a second').toBeGreaterThan(400);
    expect(middle.every((event, i) => event.run.checked > (middle[i - 1]?.run.checked ?? 0))).toBe(true);
    expect(middle.every(({ run: { total } }) => total === 2 * IMAGES)).toBe(true);
    const last = events.at(-1)?.run;
    expect(last).toMatchObject({
      state: 'COMPLETED',
      total: 2 * IMAGES,
      checked: 2 * IMAGES,
      healthy: 2 * IMAGES - 2,
      missing: 1,
      corrupt: 1,
      unreachable: 0,
      error: null,
      errorCode: null,
    });
    expect(last?.finishedAt).not.toBeNull();
    expect(last?.bytes).toBeGreaterThan(0);
    const shaOf = (key = '') => /[0-9a-f]{64}/.exec(key)?.[0];
    expect(last?.problems.toSorted((a, b) => (a.state < b.state ? -1 : 1))).toMatchObject([
      { sha256: shaOf(keys[20]), store: 'second', state: 'CORRUPT', message: expect.any(String) },
      { sha256: shaOf(keys[10]), store: 'second', state: 'MISSING', message: expect.any(String) },
    ]);
    const { maintenanceRuns } = await app.ask(MaintenanceRunsDocument, { first: 1 });
    expect(maintenanceRuns).toEqual([last]);
  });

  test('is cancelled in the middle, and keeps what it has counted', async () => {
    readMs = 20;
    const id = idOf(await start());
    let cancelledAt = 0;
    let last: Awaited<ReturnType<typeof allEvents>>[number] | undefined;
    for await (const event of followRun(app, id)) {
      last = event;
      if (event.run.checked === 0 || cancelledAt > 0) continue;
      expect((await cancel(id)).userErrors).toEqual([]);
      cancelledAt = Date.now();
    }
    expect(last?.run).toMatchObject({ state: 'CANCELLED', errorCode: 'CANCELLED', total: 2 * IMAGES });
    expect(last?.run.checked).toBeGreaterThan(0);
    expect(last?.run.checked).toBeLessThan(2 * IMAGES);
    expect((last?.at ?? 0) - cancelledAt).toBeLessThan(4000);
    // Again: it stays as it is.
    expect((await cancel(id)).run).toEqual(last?.run);
  });

  test('refuses a second one with the id of the first, also when many start at once', async () => {
    readMs = 20;
    const started = await Promise.all(Array.from({ length: 5 }, () => start()));
    const [one, ...more] = started.flatMap(({ run }) => (run ? [run.id] : []));
    expect(more).toEqual([]);
    const refused = started.filter(({ run }) => run === null).flatMap(({ userErrors }) => userErrors);
    expect(refused).toHaveLength(4);
    for (const error of refused)
      expect(error).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining(one ?? '') });
    // A restore is of another kind.
    expect((await startRestore({ filter: { userId: 'nobody' } })).userErrors).toEqual([]);
    await cancel(one ?? '');
    await idle();
    expect((await start({ limit: 1 })).userErrors).toEqual([]);
  });

  test('checks what its options say', async () => {
    const last = async (input: object) => (await allEvents(app, idOf(await start(input)))).at(-1)?.run;
    expect(await last({ limit: 7 })).toMatchObject({ state: 'COMPLETED', total: 7, checked: 7 });
    expect(await last({ stores: ['first'], deep: false })).toMatchObject({
      stores: ['first'],
      total: IMAGES,
      checked: IMAGES,
      bytes: 0,
    });
    for (const [input, path] of [
      [{ stores: ['third'] }, ['input', 'stores']],
      [{ stores: [] }, ['input', 'stores']],
      [{ percent: 0 }, ['input', 'percent']],
      [{ limit: -1 }, ['input', 'limit']],
      [{ maxMissingPercent: 101 }, ['input', 'maxMissingPercent']],
    ] as const) {
      const { run, userErrors } = await start(input);
      expect([run, userErrors]).toMatchObject([null, [{ code: 'INVALID_INPUT', path }]]);
    }
  });

  test('counts copies that cannot be asked for as unreachable, and nothing as missing', async () => {
    isAway = true;
    const last = (await allEvents(app, idOf(await start({ stores: ['second'] })))).at(-1)?.run;
    expect(last).toMatchObject({ state: 'COMPLETED', unreachable: IMAGES, healthy: 0, missing: 0 });
    expect(last?.problems).toHaveLength(100);
    expect(last?.problems[0]).toMatchObject({ store: 'second', state: 'UNREACHABLE' });
  });

  test('stops itself when too much is missing, and says so', async () => {
    const gone = keys.slice(100, 160);
    const kept = await Promise.all(
      gone.map(async (key) => Buffer.concat(await (await second.open(key)).stream.toArray())),
    );
    for (const key of gone) await second.delete(key);
    const last = (await allEvents(app, idOf(await start({ stores: ['second'] })))).at(-1)?.run;
    expect(last).toMatchObject({
      state: 'STOPPED',
      errorCode: 'STOPPED',
      error: expect.stringContaining('maxMissingPercent'),
    });
    expect(last?.missing).toBeGreaterThan(30);
    for (const [i, key] of gone.entries()) await second.put(key, sourceOf(kept[i] as Buffer));
    expect((await allEvents(app, idOf(await start()))).at(-1)?.run.state).toBe('COMPLETED');
  });

  test('by the schedule is a run that one can watch and cancel, and is skipped while another is active', async () => {
    readMs = 20;
    const limits = { seconds: 60, maxBytesPerSecond: 1024 * 1024 };
    await startScheduledVerify(app.services, limits);
    await startScheduledVerify(app.services, limits);
    const { maintenanceRuns } = await app.ask(MaintenanceRunsDocument, { first: 2 });
    expect(maintenanceRuns.map(({ startedBy }) => startedBy)).toEqual(['schedule', 'root']);
    const id = maintenanceRuns[0]?.id ?? '';
    await cancel(id);
    expect((await allEvents(app, id)).at(-1)?.run.state).toBe('CANCELLED');
  });
});

describe('a restore', () => {
  test('by a filter makes the copies of its images healthy, and touches no other', async () => {
    await breakCopies();
    await second.delete(keys[11] ?? '');
    // 10 and 20 belong to `even`, 11 to `odd`.
    const last = (await allEvents(app, idOf(await startRestore({ filter: { userId: 'even' } })))).at(-1)?.run;
    expect(last).toMatchObject({
      kind: 'RESTORE',
      state: 'COMPLETED',
      filter: { userId: 'even' },
      total: IMAGES / 2,
      checked: IMAGES / 2,
      healthy: IMAGES / 2 - 2,
      restored: 2,
      failed: 0,
      problems: [],
    });
    for (const i of [10, 20]) expect(await second.stat(keys[i] ?? '')).not.toBeNull();
    expect(await second.stat(keys[11] ?? '')).toBeNull();
    const [row] = await app.database.query<{ count: number }>(
      `SELECT count(*) FROM copies WHERE state <> 'STORED' AND store = 'second'`,
    );
    expect(row?.count, 'its own copies are on record as healthy').toBe(0);
  });

  test('of all finds what nothing has reported yet, and restores it', async () => {
    expect(await second.stat(keys[11] ?? '')).toBeNull();
    const last = (await allEvents(app, idOf(await startRestore()))).at(-1)?.run;
    expect(last).toMatchObject({
      state: 'COMPLETED',
      filter: null,
      total: 2 * IMAGES + 1,
      checked: 2 * IMAGES + 1,
      missing: 1,
      restored: 1,
      failed: 0,
    });
    expect(await second.stat(keys[11] ?? '')).not.toBeNull();
  });

  test('finds damaged images by their durability', async () => {
    await app.database.query(
      `UPDATE copies SET state = 'MISSING' WHERE store = 'second' AND blob_id = (SELECT min(id) FROM blobs)`,
    );
    const filter = { durability: ['DEGRADED', 'AT_RISK'] as const };
    const last = (
      await allEvents(app, idOf(await startRestore({ filter: { durability: [...filter.durability] } })))
    ).at(-1)?.run;
    // The repairer may have been faster.
    expect(last).toMatchObject({ state: 'COMPLETED', filter, failed: 0, checked: last?.total });
  });

  test('says what is lost', async () => {
    const sha256 = /[0-9a-f]{64}/.exec(keys[30] ?? '')?.[0] ?? '';
    for (const store of [first, second]) await store.delete(keys[30] ?? '');
    const last = (await allEvents(app, idOf(await startRestore({ filter: { sha256 } })))).at(-1)?.run;
    expect(last).toMatchObject({ state: 'COMPLETED', total: 1, checked: 1, restored: 0, failed: 1 });
    expect(last?.problems).toMatchObject([{ sha256, store: null, state: 'LOST' }]);
  });

  test('keeps times and JSON of its filter, and refuses one that cannot be', async () => {
    const filter = { createdAfter: '2020-01-01T00:00:00Z', metadata: { a: [1] }, status: ['SUCCESS'] };
    const { run } = await startRestore({ filter });
    expect(run?.filter).toEqual({ ...filter, createdAfter: '2020-01-01T00:00:00.000Z' });
    expect((await allEvents(app, run?.id ?? '')).at(-1)?.run).toMatchObject({ state: 'COMPLETED', total: 0 });
    const refused = await startRestore({ filter: { sha256: 'x' } });
    expect(refused).toMatchObject({ run: null, userErrors: [{ code: 'INVALID_INPUT' }] });
  });
});

test('a run whose server has died is failed by the next who looks, and another may start', async () => {
  const dead = async () => {
    const [row] = await app.database.query<{ id: string }>(
      `INSERT INTO maintenance_runs (kind, state, stores, options, started_by, started_at, heartbeat_at)
       VALUES ('VERIFY', 'RUNNING', '{first}', '{}', 'root', now(), now() - interval '61 seconds') RETURNING id`,
    );
    return Buffer.from(`MaintenanceRun:${row?.id}`).toString('base64');
  };
  const id = await dead();
  const events = await allEvents(app, id);
  expect(events.map(({ run }) => run)).toMatchObject([
    { state: 'FAILED', errorCode: 'INTERRUPTED', error: expect.stringContaining('INTERRUPTED') },
  ]);
  const again = await dead();
  expect((await start({ limit: 1 })).userErrors).toEqual([]);
  expect((await cancel(again)).userErrors).toMatchObject([{ code: 'CONFLICT', path: ['input', 'id'] }]);
});

test('a server that was taken for dead and lives ends its work, and the run stays failed', async () => {
  readMs = 20;
  const id = idOf(await start({ stores: ['second'] }));
  for await (const { run } of followRun(app, id)) if (run.checked > 0) break;
  await app.database.query(
    `UPDATE maintenance_runs SET heartbeat_at = now() - interval '61 seconds' WHERE state = 'RUNNING'`,
  );
  const failed = (await app.ask(MaintenanceRunsDocument, { first: 1 })).maintenanceRuns[0];
  expect(failed).toMatchObject({ id, state: 'FAILED', errorCode: 'INTERRUPTED' });
  await sleep(2500);
  const before = reads;
  await sleep(500);
  expect(reads, 'copies that were read afterwards').toBe(before);
  expect((await app.ask(MaintenanceRunsDocument, { first: 1 })).maintenanceRuns[0]).toEqual(failed);
});

test('the newest 100 of a kind are kept', async () => {
  await app.database.query(
    `INSERT INTO maintenance_runs (kind, state, stores, options, started_by, created_at)
     SELECT 'VERIFY', 'COMPLETED', '{}', '{}', 'old', now() FROM generate_series(1, 120)`,
  );
  const id = idOf(await start({ limit: 1 }));
  const { maintenanceRuns } = await app.ask(MaintenanceRunsDocument, { first: 100 });
  expect(maintenanceRuns[0]?.id).toBe(id);
  const [row] = await app.database.query<{ count: number }>(
    `SELECT count(*) FROM maintenance_runs WHERE kind = 'VERIFY'`,
  );
  expect(row?.count).toBe(100);
});

test('an unknown run has no events, and what is no id is refused', async () => {
  const unknown = Buffer.from('MaintenanceRun:00000000-0000-7000-8000-000000000000').toString('base64');
  await expect(allEvents(app, unknown)).rejects.toThrow('NOT_FOUND');
  await expect(allEvents(app, 'x')).rejects.toThrow('INVALID_ID');
  expect((await cancel(unknown)).userErrors).toMatchObject([{ code: 'NOT_FOUND' }]);
  expect((await cancel('x')).userErrors).toMatchObject([{ code: 'INVALID_ID' }]);
});

test('a run of a kind that only a newer server knows is left out', async () => {
  await app.database.query(
    `INSERT INTO maintenance_runs (kind, state, stores, options, started_by) VALUES ('FUTURE', 'COMPLETED', '{}', '{}', 'new')`,
  );
  const { maintenanceRuns } = await app.ask(MaintenanceRunsDocument, { first: 5 });
  expect(maintenanceRuns.map(({ startedBy }) => startedBy)).not.toContain('new');
  await app.database.query(`DELETE FROM maintenance_runs WHERE kind = 'FUTURE'`);
});
