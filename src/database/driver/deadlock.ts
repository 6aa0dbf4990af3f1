import { isDeadlock } from './errors.ts';

const MAX_TRIES = 5;

/**
 * Runs a transaction, up to five times after deadlocks. PostgreSQL has rolled the transaction back then, so a
 * retry is safe (https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-DEADLOCKS).
 * Transactions lock several rows in one order (docs/architecture.md), so a deadlock is rare. It costs one
 * second, PostgreSQL's `deadlock_timeout`.
 */
export async function retryAfterDeadlock<Result>(transaction: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await transaction();
    } catch (error) {
      if (tries === MAX_TRIES || !isDeadlock(error)) throw error;
    }
  }
}
