import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../src/database/database.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { eventually, makeDatabase } from '../harness.ts';

const ECHO = 'SELECT $1::int AS value, pg_backend_pid() AS pid';
const FAIL = 'SELECT 1 / $1::int AS value';
const SLEEP = "SELECT pg_sleep($1::float8)::text, 'slept' AS value";

interface Echo {
  readonly value: number;
  readonly pid: number;
}

describe.skipIf(!process.env.TEST_DATABASE_URL)('quick statements on PostgreSQL', () => {
  let made: { url: string; drop(): Promise<void> };
  let database: Database;
  const errors: Error[] = [];
  beforeAll(async () => {
    made = (await makeDatabase()) as typeof made;
    database = await openPostgresql({ url: made.url, poolSize: 4, onError: (error) => errors.push(error) });
    // A statement is quick once it was quick, and a shared connection is opened when it is needed.
    await database.query(FAIL, [1]);
    await database.query(SLEEP, [0]);
    await eventually(async () => {
      const pids = new Set((await echo(200)).map(({ pid }) => pid));
      expect(pids.size).toBeGreaterThan(1);
    });
  });
  afterAll(async () => {
    await database.close();
    await made.drop();
  });

  const echo = (count: number) =>
    Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const [row] = await database.query<Echo>(ECHO, [i]);
        return row as Echo;
      }),
    );

  test('each gets its own result, however many are under way', async () => {
    const rows = await echo(1000);
    expect(rows.map(({ value }) => value)).toEqual(rows.map((_, i) => i));
    // At most those of the pool and the shared ones: never a connection for each statement.
    expect(new Set(rows.map(({ pid }) => pid)).size).toBeLessThanOrEqual(8);
  });

  test('an error does not affect the others', async () => {
    const all = await Promise.allSettled(
      Array.from({ length: 100 }, (_, i) =>
        i % 10 === 0 ? database.query(FAIL, [0]) : database.query<Echo>(ECHO, [i]),
      ),
    );
    for (const [i, one] of all.entries()) {
      if (i % 10 === 0) expect(one).toMatchObject({ status: 'rejected', reason: { code: '22012' } });
      else expect(one).toMatchObject({ status: 'fulfilled', value: [{ value: i }] });
    }
  });

  test('a slow statement does not delay those sent once it is known to be slow', async () => {
    const order: string[] = [];
    const slow = database.query(SLEEP, [1.5]).then(() => order.push('slow'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await echo(100);
    order.push('quick');
    await slow;
    expect(order).toEqual(['quick', 'slow']);
  });

  test('a statement whose columns another process changes is prepared again', async () => {
    const text = 'SELECT word FROM changing';
    await database.executeSql("CREATE TABLE changing AS SELECT 'a'::varchar(10) AS word");
    const all = () => Promise.all(Array.from({ length: 20 }, () => database.query<{ word: string }>(text)));
    for (let i = 0; i < 5; i++) await all();
    await database.executeSql('ALTER TABLE changing ALTER COLUMN word TYPE text');
    for (let i = 0; i < 3; i++) expect(await all()).toEqual(Array(20).fill([{ word: 'a' }]));
  });

  test('an idle connection is closed, and another is opened when one is needed', async () => {
    let before = new Set<number>();
    // The pool has four connections, so a fifth is a shared one.
    await eventually(async () => {
      before = new Set((await echo(200)).map(({ pid }) => pid));
      expect(before.size).toBeGreaterThan(4);
    });
    const isOpen = 'SELECT count(*)::int AS open FROM pg_stat_activity WHERE pid = ANY($1::int[])';
    await new Promise((resolve) => setTimeout(resolve, 12_500));
    const [row] = await database.query<{ open: number }>(isOpen, [[...before]]);
    expect(row?.open).toBeLessThan(before.size);
    const rows = await echo(100);
    expect(rows.map(({ value }) => value)).toEqual(rows.map((_, i) => i));
  });

  test('a broken connection is replaced, and its SELECT is retried', async () => {
    const mine =
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()';
    const slow = database.query(SLEEP, [1]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await database.executeSql(mine);
    expect(await slow).toMatchObject([{ value: 'slept' }]);
    await eventually(async () => {
      const rows = await echo(100);
      expect(rows.map(({ value }) => value)).toEqual(rows.map((_, i) => i));
    });
    await eventually(async () => expect(errors.length).toBeGreaterThan(0));
  });
});
