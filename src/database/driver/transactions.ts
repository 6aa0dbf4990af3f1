import type pg from 'pg';
import type { Database, PrismaTransaction, Queryable, QueryOptions } from '../database.ts';
import type { PrismaClient } from '../generated/client/client.ts';
import { retryAfterDeadlock } from './deadlock.ts';
import { type Pools, withClient } from './pools.ts';
import { replanIfOutdated, type Statement } from './statements.ts';

/**
 * Returns a function that sends plain statements over one connection. @param always options for all of them.
 */
export function makeClientQuery(
  client: pg.PoolClient,
  statementOf: (text: string) => Statement,
  always: QueryOptions,
): Queryable['query'] {
  return async function query<Row>(
    text: string,
    values: readonly unknown[] = [],
    options: QueryOptions = {},
  ) {
    return (await client.query(statementOf(text).with(values, { ...options, ...always }))).rows as Row[];
  };
}

/**
 * Runs `work` in a transaction on one connection.
 * @param onCommit called just before COMMIT is sent. An error before that means that nothing was done.
 */
export async function runTransaction<Result>(
  client: pg.PoolClient,
  { begin, query }: { begin: string; query: Queryable['query'] },
  work: (transaction: Queryable) => Promise<Result>,
  onCommit: () => void = () => {},
): Promise<Result> {
  await client.query(begin);
  try {
    const result = await work({ query });
    onCommit();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

/** Returns `Database.transaction`. @param begin statement that begins the transaction. */
export function makeTransaction({ pool, retry, statementOf }: Pools, begin: string): Database['transaction'] {
  return (work) => {
    let isCommitting = false;
    const run = (options: QueryOptions) =>
      withClient(retry, pool, (client) => {
        isCommitting = false;
        const query = makeClientQuery(client, statementOf, options);
        return runTransaction(client, { begin, query }, work, () => {
          isCommitting = true;
        });
      });
    return retry(
      () => retryAfterDeadlock(() => replanIfOutdated(run)),
      () => !isCommitting,
    );
  };
}

/** Returns `Database.prismaTransaction`. */
export function makePrismaTransaction({ retry }: Pools, prisma: PrismaClient): Database['prismaTransaction'] {
  return <Result>(work: (transaction: PrismaTransaction) => Promise<Result>) => {
    let isCommitting = false;
    const run = () =>
      prisma.$transaction(async (transaction) => {
        isCommitting = false;
        const result = await work(transaction);
        isCommitting = true;
        return result;
      });
    return retry(
      () => retryAfterDeadlock(run),
      () => !isCommitting,
    );
  };
}
