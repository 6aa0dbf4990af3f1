import type { Queryable } from '../database/database.ts';

/** Channel on which servers hear that there is something to dispatch or to deliver. */
export const CHANNEL = 'fixative_webhooks';

const NOTIFY = `SELECT pg_notify('${CHANNEL}', '')`;

/** Wakes the servers when the transaction has been committed. */
export async function notifyServers(transaction: Queryable): Promise<void> {
  await transaction.query(NOTIFY);
}
