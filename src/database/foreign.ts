import { types } from 'pg';
import { parseExactly } from '../json.ts';
import type { Queryable } from './database.ts';
import { SessionClient, sessionConfig } from './driver/session.ts';
import { JSON_TEXT, JSONB } from './driver/type-parsers.ts';

/** Another system's database. */
export interface ForeignDatabase extends Queryable {
  close(): Promise<void>;
}

/**
 * Connects to a database that is not ours, once. Its session is read-only unless it is to be written to, so
 * that no mistake of ours can change it.
 * @throws the driver's error when it cannot be reached.
 */
export async function openForeignDatabase(options: {
  url: string;
  readOnly: boolean;
}): Promise<ForeignDatabase> {
  const client = new SessionClient({
    ...sessionConfig(options.url, FOREIGN_SETTINGS),
    types: { getTypeParser: parserOf as typeof types.getTypeParser },
    connectionTimeoutMillis: 10_000,
  });
  await client.connect();
  await client.query(`SET default_transaction_read_only = ${options.readOnly ? 'on' : 'off'}`);
  return {
    query: async (text, values = []) => (await client.query(text, [...values])).rows,
    close: () => client.end(),
  };
}

/** Servers of other versions know these. */
const FOREIGN_SETTINGS = { TimeZone: 'UTC', DateStyle: 'ISO, MDY' };

const TIMESTAMP = 1114;
const DATE = 1082;

/**
 * Times without a zone come as text, which is read as UTC: pg takes them for the time of this machine.
 * Numbers in JSON come as they are. All else is read as pg reads it.
 */
function parserOf(oid: number, format: 'text' | 'binary' = 'text'): unknown {
  if (format === 'text' && (oid === TIMESTAMP || oid === DATE)) return (text: string) => text;
  if (format === 'text' && (oid === JSON_TEXT || oid === JSONB)) return parseExactly;
  return types.getTypeParser(oid, format as never);
}
