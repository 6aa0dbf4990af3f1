import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/database/database.ts';
import { sessionConfig } from '../../src/database/driver/session.ts';
import { makeListener } from '../../src/database/listener.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { type BreakableWay, openProxy } from '../crash/proxy.ts';
import { eventually, makeDatabase } from '../harness.ts';

/** Longer than a connection may be silent before it is asked about (connections.ts). */
const LONG_SECONDS = 12;

describe.runIf(process.env.TEST_DATABASE_URL)('connections to PostgreSQL', () => {
  let made: Awaited<ReturnType<typeof makeDatabase>>;
  let proxy: BreakableWay;
  let database: Database;
  const events: string[] = [];
  beforeEach(async () => {
    events.length = 0;
    made = await makeDatabase();
    proxy = await openProxy(new URL(made?.url ?? ''));
    database = await openPostgresql({
      url: proxy.url,
      poolSize: 3,
      onError: () => events.push('broken'),
      onAway: () => events.push('away'),
      onBack: () => events.push('back'),
    });
    await database.executeSql('CREATE TABLE things (id int PRIMARY KEY)');
  });
  afterEach(async () => {
    await database.close();
    await proxy.close();
    await made?.drop();
  });

  const insert = (id: number) => database.query('INSERT INTO things VALUES ($1)', [id]);
  const ids = async () =>
    (await database.query<{ id: number }>('SELECT id FROM things ORDER BY id')).map(({ id }) => id);

  test('allow long statements and long waits for a lock', async () => {
    const slow = database.query<{ done: string }>(`SELECT 'slept' AS done, pg_sleep($1)::text AS slept`, [
      LONG_SECONDS,
    ]);
    let isHeld = true;
    const holder = database.exclusively('test', async () => {
      await sleep(LONG_SECONDS * 1000);
      isHeld = false;
    });
    const other = await openPostgresql({ url: proxy.url, poolSize: 1, onError: () => events.push('broken') });
    const waited = await other.exclusively('test', async () => isHeld);
    expect(waited).toBe(false);
    expect(await slow).toMatchObject([{ done: 'slept' }]);
    await holder;
    await other.close();
    expect(events).toEqual([]);
  }, 60_000);

  test('that went silent are replaced, and their reads are retried', async () => {
    await Promise.all([insert(1), ids(), ids(), ids()]);
    proxy.silence('open');
    expect(await ids()).toEqual([1]);
    await insert(2);
    expect(await ids()).toEqual([1, 2]);
    expect(events).not.toContain('away');
  }, 60_000);

  test('that went silent fail their statements when no new connection can be made', async () => {
    await ids();
    proxy.silence('all');
    await expect(ids()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', retryable: true });
    expect(events).toEqual(['away']);
    const start = performance.now();
    await expect(insert(3)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await expect(database.executeSql('SELECT 1', [])).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await expect(database.transaction(async ({ query }) => query('SELECT 1'))).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
    });
    await expect(
      database.prismaTransaction((transaction) => transaction.$queryRawUnsafe('SELECT 1')),
    ).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(performance.now() - start).toBeLessThan(5000);
    proxy.mend();
    for (let tries = 0; events.length < 2 && tries < 200; tries++) await sleep(100);
    expect(events).toEqual(['away', 'back']);
    expect(await ids()).toEqual([]);
  }, 60_000);

  test('that break in a transaction retry it, unless it may be committed', async () => {
    let runs = 0;
    const result = await database.transaction(async ({ query }) => {
      runs++;
      await query('INSERT INTO things VALUES ($1)', [runs]);
      if (runs === 1) {
        proxy.cut();
        proxy.mend();
      }
      await query('INSERT INTO things VALUES ($1)', [runs + 10]);
      return 'done';
    });
    expect(result).toBe('done');
    expect(await ids()).toEqual([2, 12]);
    runs = 0;
    const prismaResult = await database.prismaTransaction(async (transaction) => {
      runs++;
      await transaction.$executeRawUnsafe(`INSERT INTO things VALUES (${100 + runs})`);
      if (runs === 1) {
        proxy.cut();
        proxy.mend();
      }
      await transaction.$executeRawUnsafe(`INSERT INTO things VALUES (${200 + runs})`);
      return 'done';
    });
    expect(prismaResult).toBe('done');
    expect(await ids()).toEqual([2, 12, 102, 202]);
  }, 60_000);

  test('that break during a write fail it: it may have been executed', async () => {
    // Without a key, so that one that is sent twice is there twice.
    await database.executeSql('CREATE TABLE written (id int)');
    const writing = database.query('INSERT INTO written SELECT 5 FROM pg_sleep(2)');
    await sleep(500);
    proxy.cut();
    proxy.mend();
    await expect(writing).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await sleep(2500);
    expect((await database.query('SELECT id FROM written')).length).toBeLessThanOrEqual(1);
  }, 60_000);

  test('of a machine that is gone are closed by PostgreSQL within seconds', async () => {
    const probes = `SELECT name, setting FROM pg_settings WHERE name LIKE 'tcp_keepalives%' ORDER BY name`;
    const wanted = [
      { name: 'tcp_keepalives_count', setting: '3' },
      { name: 'tcp_keepalives_idle', setting: '10' },
      { name: 'tcp_keepalives_interval', setting: '5' },
    ];
    expect(await database.query(probes)).toEqual(wanted);
    expect(await database.exclusively('things', (lock) => lock.query(probes))).toEqual(wanted);
  });

  test('that break while they wait for a lock are replaced; those that hold one are not', async () => {
    const held = Promise.withResolvers<void>();
    const holder = database.exclusively('things', () => held.promise);
    const other = await openPostgresql({ url: proxy.url, poolSize: 1, onError: () => {} });
    let runs = 0;
    const waiting = other.exclusively('things', async () => ++runs);
    const OURS = `locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    const terminate = (isGranted: boolean) =>
      database.query(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE ${OURS} AND granted = $1`, [
        isGranted,
      ]);
    await eventually(async () => expect(await terminate(false)).toHaveLength(1));
    await eventually(async () =>
      expect(await database.query(`SELECT 1 FROM pg_locks WHERE ${OURS} AND NOT granted`)).toHaveLength(1),
    );
    held.resolve();
    await holder;
    expect(await waiting).toBe(1);

    const lost = other.exclusively('things', async (lock) => {
      runs++;
      await terminate(true);
      await lock.query('SELECT 1');
    });
    await expect(lost).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    expect(runs).toBe(2);
    // ECONNREFUSED of another service does not mean that the database is away: it is passed on unchanged.
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const failed = other.exclusively('things', () => {
      runs++;
      return Promise.reject(refused);
    });
    await expect(failed).rejects.toBe(refused);
    expect(runs).toBe(3);
    await other.close();
  }, 60_000);

  test('that listen reconnect only when statements can be sent again', async () => {
    let isAway = false;
    const told: string[] = [];
    const listener = makeListener(sessionConfig(proxy.url), () => isAway);
    const lost = Promise.withResolvers<void>();
    await listener.listen(
      'things',
      (payload) => told.push(payload),
      () => told.push('gap'),
      () => lost.resolve(),
    );
    proxy.cut();
    await lost.promise;
    isAway = true;
    proxy.mend();
    await sleep(2500);
    expect(told).toEqual(['gap']);
    isAway = false;
    await eventually(() => expect(told).toEqual(['gap', 'gap']));
    await database.query("SELECT pg_notify('things', 'heard')");
    await eventually(() => expect(told).toEqual(['gap', 'gap', 'heard']));
    await listener.close();
  }, 60_000);

  test('announce a living process until they are closed', async () => {
    const other = await openPostgresql({ url: proxy.url, poolSize: 1, onError: () => {} });
    await other.announce('one');
    await other.announce('two');
    await database.announce('two');
    const living = async () => {
      const found: string[] = [];
      for (const name of ['one', 'two', 'three']) if (await database.isAnnounced(name)) found.push(name);
      return found;
    };
    expect(await living()).toEqual(['one', 'two']);
    proxy.cut();
    proxy.mend();
    await eventually(async () => expect(await living()).toEqual(['one', 'two']));
    await other.close();
    await eventually(async () => expect(await living()).toEqual(['two']));
  }, 60_000);

  test('that are silent do not delay close', async () => {
    await Promise.all([
      ids(),
      ids(),
      database.listen(
        'channel',
        () => {},
        () => {},
      ),
    ]);
    proxy.silence('all');
    const asked = ids().catch(() => {});
    const start = performance.now();
    await database.close();
    await asked;
    expect(performance.now() - start).toBeLessThan(20_000);
    database = await openPostgresql({ url: made?.url ?? '', poolSize: 1, onError: () => {} });
  }, 60_000);
});
