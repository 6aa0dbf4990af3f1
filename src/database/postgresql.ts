import { createHash } from 'node:crypto';
import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import pg from 'pg';
import { BinaryRowsClient } from './binary-rows.ts';
import type { Database, Queryable } from './database.ts';
import { PrismaClient } from './generated/client/client.ts';
import { makeKeyedLock } from './keyed-lock.ts';
import { makeListener } from './listener.ts';
import { TRANSACTION_OPTIONS } from './transaction-options.ts';

const INT8 = 20;
/** Statement texts come from the code, so there are few; the limit only keeps a mistake from filling the server's memory. */
const MAX_PREPARED_STATEMENTS = 1000;

/** How many jobs may hold a lock for as long as they run: verify, purge, uploads. */
const JOBS = 3;

export async function openPostgresql(options: {
  url: string;
  poolSize: number;
  onError: (error: Error) => void;
}): Promise<Database> {
  const pool = new pg.Pool({
    connectionString: options.url,
    Client: BinaryRowsClient,
    max: options.poolSize,
    connectionTimeoutMillis: 10_000,
    // Prisma's adapter takes a timestamptz for UTC whatever its offset says.
    options: '-c TimeZone=UTC',
    types: {
      getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
        oid === INT8
          ? Number
          : pg.types.getTypeParser(oid, format ?? 'text')) as typeof pg.types.getTypeParser,
    },
  });
  pool.on('error', options.onError);
  // Locks are held on connections of their own: whoever holds one works with the others, and must never wait for its own place.
  const locks = new pg.Pool({
    connectionString: options.url,
    // A job holds its own name for as long as it runs, and takes those of blobs meanwhile: there is always a place for them.
    max: options.poolSize + JOBS,
    connectionTimeoutMillis: 0,
  });
  locks.on('error', options.onError);
  const inProcess = makeKeyedLock();
  const listener = makeListener(options.url, options.onError);
  const adapter = new PrismaPg(pool, { onPoolError: options.onError });
  const prisma = new PrismaClient({ adapter, transactionOptions: TRANSACTION_OPTIONS });
  const nameOf = makeStatementNames();

  const queryOn = (client: pg.Pool | pg.PoolClient): Queryable['query'] =>
    async function query<Row>(text: string, values: readonly unknown[] = []) {
      const name = nameOf(text);
      const result = await client.query({ ...(name ? { name } : {}), text, values: values as unknown[] });
      return result.rows as Row[];
    };

  async function withClient<Result>(
    from: pg.Pool,
    work: (client: pg.PoolClient) => Promise<Result>,
  ): Promise<Result> {
    const client = await from.connect();
    let broken: Error | undefined;
    // A connection that is cut while nothing waits on it says so by an event, and nobody listening would end the process.
    const onError = (error: Error) => {
      broken = error;
    };
    client.on('error', onError);
    try {
      return await work(client);
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  return {
    kind: 'postgresql',
    prisma,
    adapter: makeScriptable(adapter, pool),
    query: queryOn(pool),
    queryBytes: (text, values) =>
      withClient(pool, (client) => {
        const name = nameOf(text);
        const statement = { ...(name ? { name } : {}), text, values: [...values] };
        return (client as unknown as BinaryRowsClient).queryBytes(statement);
      }),
    transaction: (work) =>
      withClient(pool, async (client) => {
        await client.query('BEGIN');
        try {
          const result = await work({ query: queryOn(client) });
          await client.query('COMMIT');
          return result;
        } catch (error) {
          await client.query('ROLLBACK').catch(() => {});
          throw error;
        }
      }),
    async executeSql(text, values = []) {
      const result: pg.QueryResult | pg.QueryResult[] = await pool.query(
        text,
        values.length > 0 ? values : undefined,
      );
      return { rows: Array.isArray(result) ? result.flatMap(({ rows }) => rows) : result.rows };
    },
    listen: listener.listen,
    exclusively: (name, work) =>
      inProcess(name, () =>
        withClient(locks, async (client) => {
          const key = advisoryKey(name);
          await client.query('SELECT pg_advisory_lock($1)', [key]);
          try {
            return await work();
          } finally {
            await client.query('SELECT pg_advisory_unlock($1)', [key]).catch(() => {});
          }
        }),
      ),
    flush: async () => {},
    async close() {
      await prisma.$disconnect();
      await Promise.all([listener.close(), pool.end(), locks.end()]);
    },
  };
}

/**
 * Prisma's adapter cuts a script at every semicolon, also in comments and in the bodies of functions. PostgreSQL takes a script as it
 * is, in one simple query.
 */
function makeScriptable(adapter: PrismaPg, pool: pg.Pool): SqlMigrationAwareDriverAdapterFactory {
  const scriptable = async (connecting: ReturnType<PrismaPg['connect']>) => {
    const connection = await connecting;
    connection.executeScript = async (script) => {
      await pool.query(script);
    };
    return connection;
  };
  return {
    provider: adapter.provider,
    adapterName: adapter.adapterName,
    connect: () => scriptable(adapter.connect()),
    connectToShadowDb: () => scriptable(adapter.connectToShadowDb()),
  };
}

function makeStatementNames(): (text: string) => string | undefined {
  const names = new Map<string, string>();
  return (text) => {
    const known = names.get(text);
    if (known) return known;
    if (names.size >= MAX_PREPARED_STATEMENTS) return undefined;
    const name = `fixative_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
    names.set(text, name);
    return name;
  };
}

/** Advisory locks are 64 bit numbers, shared with whatever else uses the database: take one that nobody picks by hand. */
function advisoryKey(name: string): string {
  return createHash('sha256').update(`fixative:${name}`).digest().readBigInt64BE(0).toString();
}
