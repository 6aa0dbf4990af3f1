import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database, Queryable } from '../../src/database/database.ts';
import { sqlOf } from '../../src/database/database.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { makeDatabase, type TestDatabase } from '../harness.ts';

/** Skipped on the embedded database: it has one connection, so transactions cannot deadlock. */
describe.skipIf(!process.env.TEST_DATABASE_URL)('two transactions that wait for each other', () => {
  let made: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    made = (await makeDatabase()) as TestDatabase;
    database = await openPostgresql({ url: made.url, poolSize: 4, onError: () => {} });
    await database.executeSql('CREATE TABLE numbers (id integer PRIMARY KEY, value integer)');
  });
  afterAll(async () => {
    await database.close();
    await made.drop();
  });

  const ways: [string, (work: (sql: Queryable) => Promise<void>) => Promise<void>][] = [
    ['of plain statements', (work) => database.transaction(work)],
    ["of Prisma's client", (work) => database.prismaTransaction((transaction) => work(sqlOf(transaction)))],
  ];

  test.each(ways)('%s: one is cancelled and retried, and both commit once', async (_name, run) => {
    await database.executeSql('TRUNCATE numbers; INSERT INTO numbers VALUES (1, 0), (2, 0)');
    let runs = 0;
    const first = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
    const add = (order: readonly number[], me: 0 | 1) =>
      run(async (sql) => {
        runs++;
        for (const [place, id] of order.entries()) {
          await sql.query('UPDATE numbers SET value = value + 1 WHERE id = $1', [id]);
          if (place > 0) continue;
          first[me].resolve();
          await first[1 - me]?.promise;
        }
      });
    await Promise.all([add([1, 2], 0), add([2, 1], 1)]);
    expect(runs).toBe(3);
    expect(await database.query('SELECT id, value FROM numbers ORDER BY id')).toEqual([
      { id: 1, value: 2 },
      { id: 2, value: 2 },
    ]);
  });

  test('are not retried after any other error', async () => {
    let runs = 0;
    const fail = database.transaction(async (sql) => {
      runs++;
      await sql.query('INSERT INTO numbers VALUES (1, 0)');
    });
    await expect(fail).rejects.toMatchObject({ code: '23505' });
    expect(runs).toBe(1);
  });
});
