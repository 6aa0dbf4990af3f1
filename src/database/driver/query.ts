import type { Database, Queryable, QueryOptions } from '../database.ts';
import type { BinaryRowsClient } from './binary-rows.ts';
import { retryAfterDeadlock } from './deadlock.ts';
import { isOutdatedStatement, isUnsent } from './errors.ts';
import { type Pools, withClient } from './pools.ts';
import { replanIfOutdated, type Statement } from './statements.ts';

/** Returns `Database.query`. */
export function makeQuery({ pool, shared, retry, statementOf }: Pools): Queryable['query'] {
  /** Sends a quick statement over a shared connection, any other over one of the pool. */
  async function send<Row>(
    statement: Statement,
    values: readonly unknown[],
    options: QueryOptions,
  ): Promise<Row[]> {
    const start = performance.now();
    const query = statement.with(values, options);
    const viaShared = statement.isQuick() ? shared.query(query) : null;
    const sent =
      viaShared ?? retryAfterDeadlock(() => withClient(retry, pool, (client) => client.query(query)));
    const { rows } = await sent.catch((error) => {
      if (!isOutdatedStatement(error)) throw error;
      // Without a name it is planned again. The connection with the outdated statement is given up.
      const replanned = statement.with(values, { planned: true });
      return retryAfterDeadlock(() => withClient(retry, pool, (client) => client.query(replanned)));
    });
    statement.noteDuration(performance.now() - start);
    return rows as Row[];
  }

  return function query<Row>(text: string, values: readonly unknown[] = [], options: QueryOptions = {}) {
    const statement = statementOf(text);
    return retry(
      () => send<Row>(statement, values, options),
      (error) => statement.reads || isUnsent(error),
    );
  };
}

/** Returns `Database.queryBytes`. */
export function makeQueryBytes({ pool, retry, statementOf }: Pools): Database['queryBytes'] {
  return (text, values, buffer) =>
    retry(
      () =>
        replanIfOutdated((options) =>
          withClient(retry, pool, (client) =>
            (client as unknown as BinaryRowsClient).queryBytes(
              statementOf(text).with(values, options),
              buffer,
            ),
          ),
        ),
      () => statementOf(text).reads,
    );
}

/** Returns `Database.executeSql`. */
export function makeExecuteSql({ pool, retry, statementOf }: Pools): Database['executeSql'] {
  return async (text, values = []) => {
    if (values.length === 0) {
      const result = await retry(() => pool.query(text), isUnsent);
      const results = Array.isArray(result) ? result : [result];
      return { rows: results.flatMap(({ rows }) => rows as unknown[]) };
    }
    // With values it is one statement. The queue sends a few of them all the time, and planning takes longer
    // than executing.
    const run = (options: QueryOptions) =>
      withClient(
        retry,
        pool,
        async (client) => (await client.query(statementOf(text).with(values, options))).rows as unknown[],
      );
    return { rows: await retry(() => replanIfOutdated(run), isUnsent) };
  };
}
