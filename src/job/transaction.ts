import type { Queryable } from '../database/database.ts';

/** Returns pg-boss's interface to a transaction. */
export function dbOf(transaction: Queryable) {
  return {
    executeSql: async (text: string, values?: unknown[]) => ({ rows: await transaction.query(text, values) }),
  };
}
