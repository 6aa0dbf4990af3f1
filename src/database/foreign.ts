import pg from 'pg';
import type { Queryable } from './database.ts';

/** Another system's database. */
export interface ForeignDatabase extends Queryable {
  close(): Promise<void>;
}

/**
 * Connects to a database that is not ours, once. Its session is read-only unless it is to be written to, so that no mistake of ours can change it.
 * @throws the driver's error when it cannot be reached.
 */
export async function openForeignDatabase(options: {
  url: string;
  readOnly: boolean;
}): Promise<ForeignDatabase> {
  const client = new pg.Client({ connectionString: options.url, connectionTimeoutMillis: 10_000 });
  // What breaks an idle connection is met by the next statement.
  client.on('error', () => {});
  await client.connect();
  await client.query(`SET default_transaction_read_only = ${options.readOnly ? 'on' : 'off'}`);
  return {
    query: async (text, values = []) => (await client.query(text, [...values])).rows,
    close: () => client.end(),
  };
}
