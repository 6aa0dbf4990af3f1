import { types } from 'pg';
import { parseExactly } from '../json.ts';
import type { Queryable } from './database.ts';
import { SessionClient, sessionConfig } from './driver/session.ts';
import { JSON_TEXT, JSONB } from './driver/type-parsers.ts';

/** Database of another system. */
export interface ForeignDatabase extends Queryable {
  close(): Promise<void>;
}

/**
 * Connects to another system's database, over one connection. A read-only session protects it from our
 * mistakes.
 * @param options.readOnly whether the session is read-only.
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

/** Settings that all supported versions of PostgreSQL have. */
const FOREIGN_SETTINGS = { TimeZone: 'UTC', DateStyle: 'ISO, MDY' };

const TIMESTAMP = 1114;
const DATE = 1082;

/**
 * Returns the parser of a type. Times without a zone stay text, which is later read as UTC: pg would use this
 * machine's time zone. JSON keeps its numbers exactly. All other types are parsed by pg.
 */
function parserOf(oid: number, format: 'text' | 'binary' = 'text'): unknown {
  if (format === 'text' && (oid === TIMESTAMP || oid === DATE)) return (text: string) => text;
  if (format === 'text' && (oid === JSON_TEXT || oid === JSONB)) return parseExactly;
  return types.getTypeParser(oid, format as never);
}
