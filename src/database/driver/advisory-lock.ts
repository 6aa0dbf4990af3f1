import { createHash, randomUUID } from 'node:crypto';
import type pg from 'pg';
import type { Database, HeldLock, QueryOptions } from '../database.ts';
import { makeKeyedLock } from '../keyed-lock.ts';
import { retryAfterDeadlock } from './deadlock.ts';
import { DatabaseUnavailableError, isUnreachable } from './errors.ts';
import { type Pools, withClient } from './pools.ts';
import { replanIfOutdated } from './statements.ts';
import { makeClientQuery, runTransaction } from './transactions.ts';

/**
 * Returns the key of an advisory lock. Keys are 64-bit numbers that all programs in the database share, so a
 * hash is used: it does not collide with numbers picked by hand.
 */
export function advisoryKeyOf(name: string): string {
  return createHash('sha256').update(`fixative:${name}`).digest().readBigInt64BE(0).toString();
}

/**
 * Selects a row when any session holds the advisory lock of the key `$1`. The two halves of a key are two
 * columns: https://www.postgresql.org/docs/current/view-pg-locks.html
 */
export const IS_LOCKED = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (classid::bigint << 32) | objid::bigint = $1::bigint LIMIT 1`;

/** Returns `Database.exclusively`. */
export function makeExclusively(pools: Pools, keyOf: (name: string) => string): Database['exclusively'] {
  const { locks, retry, statementOf } = pools;
  const inProcess = makeKeyedLock();

  /** Runs `work` under the lock. @param onTaken called once the lock is taken. */
  const runUnderLock = <Result>(
    name: string,
    work: (lock: HeldLock) => Promise<Result>,
    onTaken: () => void,
  ) =>
    withClient(retry, locks, async (client, lost) => {
      const key = keyOf(name);
      await client.query(statementOf('SELECT pg_advisory_lock($1)').with([key], {}));
      onTaken();
      const { lock, end } = makeHeldLock(client, lost, statementOf);
      try {
        return await work(lock);
      } finally {
        end();
        await client.query(statementOf('SELECT pg_advisory_unlock($1)').with([key], {})).catch(() => {});
      }
    });

  return (name, work) =>
    inProcess(name, async () => {
      let isTaken = false;
      // Retries on a new connection until the lock is taken. An error of `work` is returned, not thrown: it
      // may come from another service, and must not be retried.
      const attempt = () =>
        runUnderLock(name, work, () => {
          isTaken = true;
        }).then(
          (result) => ({ result }),
          (error: unknown) => {
            if (isTaken) return { error };
            throw error;
          },
        );
      const outcome = await retry(attempt, () => true);
      if ('error' in outcome) throw outcome.error;
      return outcome.result;
    });
}

/**
 * Makes the handle that `exclusively` gives to its work.
 * @returns the handle, and `end`, which makes it reject every later statement: the connection then belongs to
 *   others.
 */
function makeHeldLock(
  client: pg.PoolClient,
  signal: AbortSignal,
  statementOf: Pools['statementOf'],
): { lock: HeldLock; end: () => void } {
  let isHeld = true;
  // One at a time, because a transaction needs the connection for itself. No retries on another connection:
  // that one would not hold the lock.
  const takeTurn = makeKeyedLock();
  const sendIfHeld = async <Result>(send: () => Promise<Result>) => {
    if (!isHeld) throw new Error('The lock has been released. Send statements only while `work` runs.');
    return send();
  };
  const inTurn = <Result>(send: () => Promise<Result>) =>
    takeTurn('', () => sendIfHeld(send)).catch((error) => {
      throw isUnreachable(error) ? new DatabaseUnavailableError({ cause: error }) : error;
    });
  const queryOf = (options: QueryOptions) => makeClientQuery(client, statementOf, options);
  const lock: HeldLock = {
    id: randomUUID(),
    signal,
    query: <Row>(text: string, values?: readonly unknown[], given: QueryOptions = {}) =>
      inTurn(() => replanIfOutdated((options) => queryOf(options)<Row>(text, values, given))),
    transaction: (work) =>
      inTurn(() =>
        retryAfterDeadlock(() =>
          replanIfOutdated((options) =>
            runTransaction(client, { begin: 'BEGIN', query: queryOf(options) }, work),
          ),
        ),
      ),
    // A script is one transaction, so a deadlock has undone all of it.
    executeScript: (script) =>
      inTurn(() => retryAfterDeadlock(async () => void (await client.query(script)))),
  };
  return {
    lock,
    end: () => {
      isHeld = false;
    },
  };
}
