import { isDeadlock } from './errors.ts';

const MAX_TRIES = 5;

/**
 * Runs a transaction, and once more when PostgreSQL ended it because it and another waited for each other: nothing of it was done then, and
 * the other has what it needs (https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-DEADLOCKS). Rows are locked in one order
 * where several are (docs/architecture.md), so this is for what comes together all the same; it costs a second, PostgreSQL's `deadlock_timeout`.
 */
export async function afterDeadlocks<Result>(transaction: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries++) {
    try {
      return await transaction();
    } catch (error) {
      if (tries === MAX_TRIES || !isDeadlock(error)) throw error;
    }
  }
}
