import { createHash, hash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import pg from 'pg';
import type { Database, HeldLock, PrismaTransaction, Queryable, QueryOptions } from './database.ts';
import { BinaryRowsClient } from './driver/binary-rows.ts';
import { watchConnections } from './driver/connections.ts';
import { afterDeadlocks } from './driver/deadlock.ts';
import { DatabaseUnavailableError, isUnreachable, isUnsent } from './driver/errors.ts';
import { makePatience } from './driver/retry.ts';
import {
  CONNECT_MILLISECONDS,
  checkSession,
  requireOwnSchema,
  SessionClient,
  type SessionConfig,
  sessionConfig,
} from './driver/session.ts';
import { isOutdated, makeLanes } from './driver/shared-connections.ts';
import { PrismaClient } from './generated/client/client.ts';
import { makeKeyedLock } from './keyed-lock.ts';
import { makeListener } from './listener.ts';
import { TRANSACTION_OPTIONS } from './transaction-options.ts';

/** Statement texts come from the code, so there are few; the limit only keeps a mistake from filling the server's memory. */
const MAX_PREPARED_STATEMENTS = 1000;

/** Connections that quick statements share, besides the pool. */
const LANES = 4;
/** Waiting for a turn included: under load a statement takes longer than by itself. */
const QUICK_MILLISECONDS = 50;

/** How long the end waits for connections to say goodbye. */
const CLOSE_MILLISECONDS = 3000;

/** How many jobs may hold a lock for as long as they run: verify, purge, uploads. */
const JOBS = 3;

export async function openPostgresql(options: {
  url: string;
  poolSize: number;
  /** A connection broke although the database can be reached. */
  onError: (error: Error) => void;
  /** The database cannot be reached from now on. */
  onAway?: (error: Error) => void;
  /** It can be reached again, after so many seconds. */
  onBack?: (seconds: number) => void;
}): Promise<Database> {
  const unwatched = sessionConfig(options.url);
  requireOwnSchema(unwatched);
  const { schema } = unwatched;
  await checkSession(async () => {
    const client = new SessionClient(unwatched);
    await client.connect();
    return client;
  });
  const connections = watchConnections((of) => new SessionClient({ ...unwatched, ...of }), {
    onBroken: options.onError,
    onAway: options.onAway ?? (() => {}),
    onBack: options.onBack ?? (() => {}),
  });
  const config = { ...unwatched, connections };
  const makePool = (Client: typeof SessionClient, of: pg.PoolConfig & Pick<SessionConfig, 'holdsLocks'>) => {
    const made = new pg.Pool({
      ...config,
      ...of,
      idleTimeoutMillis: IDLE_MILLISECONDS,
      Client: Client as never,
    });
    // The connection itself has reported it.
    made.on('error', () => {});
    return made;
  };
  const pool = makePool(BinaryRowsClient, {
    max: options.poolSize,
    connectionTimeoutMillis: CONNECT_MILLISECONDS,
  });
  const lanes = makeLanes(Math.min(LANES, options.poolSize), config);
  // Locks are held on connections of their own: whoever holds one also works with the others, and must never wait for its own place.
  const locks = makePool(BinaryRowsClient, {
    // A job holds its own name for as long as it runs, and takes those of blobs meanwhile: there is always a place for them.
    max: options.poolSize + JOBS,
    connectionTimeoutMillis: 0,
    holdsLocks: true,
  });
  const inProcess = makeKeyedLock();
  const listener = makeListener(config, () => connections.isAway);
  const prismaOptions = { onPoolError: () => {}, ...(schema ? { schema } : {}) };
  const prisma = new PrismaClient({
    adapter: new PrismaPg(pool, prismaOptions),
    transactionOptions: TRANSACTION_OPTIONS,
  });
  const keyOf = (name: string) => advisoryKey(schema === null ? name : `${schema}.${name}`);
  const statementOf = makeStatements();
  const patiently = makePatience(connections);

  const queryOn = (client: pg.PoolClient, always: QueryOptions): Queryable['query'] =>
    async function query<Row>(text: string, values: readonly unknown[] = [], options: QueryOptions = {}) {
      return (await client.query(statementOf(text).with(values, { ...options, ...always }))).rows as Row[];
    };

  function query<Row>(
    text: string,
    values: readonly unknown[] = [],
    options: QueryOptions = {},
  ): Promise<Row[]> {
    const statement = statementOf(text);
    return patiently(
      () => send<Row>(statement, values, options),
      (error) => statement.reads || isUnsent(error),
    );
  }

  /** Statements that were quick before go by the lanes, all others by connections of their own. */
  async function send<Row>(
    statement: Statement,
    values: readonly unknown[],
    options: QueryOptions,
  ): Promise<Row[]> {
    const start = performance.now();
    const query = statement.with(values, options);
    const byLane = statement.isQuick() ? lanes.query(query) : null;
    const sent = byLane ?? afterDeadlocks(() => withClient(pool, (client) => client.query(query)));
    const { rows } = await sent.catch((error) => {
      // Without a name it is planned anew. A connection on which a statement was outdated is given up.
      const anew = statement.with(values, { planned: true });
      if (isOutdated(error)) return afterDeadlocks(() => withClient(pool, (client) => client.query(anew)));
      throw error;
    });
    statement.note(performance.now() - start);
    return rows as Row[];
  }

  /** @param work its signal is aborted when the connection breaks. */
  async function withClient<Result>(
    from: pg.Pool,
    work: (client: pg.PoolClient, whole: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const client = await patiently(() => from.connect(), isWorthAgain);
    let broken: Error | undefined;
    const whole = new AbortController();
    // A connection that is cut while nothing waits on it says so by an event, and nobody listening would end the process.
    const onError = (error: Error) => {
      broken = error;
      whole.abort(error);
    };
    client.on('error', onError);
    try {
      return await work(client, whole.signal);
    } catch (error) {
      // The connection ends with such an error, and says so by an event only after it.
      if ((error as pg.DatabaseError).severity === 'FATAL' || isOutdated(error)) broken = error as Error;
      throw broken && isUnreachable(error) ? new DatabaseUnavailableError({ cause: error }) : error;
    } finally {
      client.off('error', onError);
      client.release(broken);
    }
  }

  function queryByPool(text: string, values: readonly unknown[]): Promise<unknown[]> {
    const run = (options: QueryOptions) =>
      withClient(pool, async (client) => (await client.query(statementOf(text).with(values, options))).rows);
    return patiently(() => orAnew(run), isUnsent);
  }

  /** Nothing of a transaction is done before its COMMIT is sent, which `onCommit` hears of. */
  async function transactionOn<Result>(
    client: pg.PoolClient,
    { begin, options }: { begin: string; options: QueryOptions },
    work: (transaction: Queryable) => Promise<Result>,
    onCommit: () => void = () => {},
  ): Promise<Result> {
    await client.query(begin);
    try {
      const result = await work({ query: queryOn(client, options) });
      onCommit();
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {});
      throw error;
    }
  }

  function transaction<Result>(
    begin: string,
    work: (transaction: Queryable) => Promise<Result>,
  ): Promise<Result> {
    let isCommitting = false;
    const run = (options: QueryOptions) =>
      withClient(pool, (client) => {
        isCommitting = false;
        return transactionOn(client, { begin, options }, work, () => {
          isCommitting = true;
        });
      });
    return patiently(
      () => afterDeadlocks(() => orAnew(run)),
      () => !isCommitting,
    );
  }

  /** @returns the lock, and what ends it: the connection is somebody else's then, and what comes too late is refused. */
  function holdOn(client: pg.PoolClient, signal: AbortSignal): { lock: HeldLock; end: () => void } {
    let isHeld = true;
    // A transaction has the connection for itself until it has ended. Nothing is sent again on another: that would not hold the lock.
    const takeTurn = makeKeyedLock();
    const sendIfHeld = async <Result>(send: () => Promise<Result>) => {
      if (!isHeld) throw new Error('The lock is held no more.');
      return send();
    };
    const inTurn = <Result>(send: () => Promise<Result>) =>
      takeTurn('', () => sendIfHeld(send)).catch((error) => {
        throw isUnreachable(error) ? new DatabaseUnavailableError({ cause: error }) : error;
      });
    const lock: HeldLock = {
      id: randomUUID(),
      signal,
      query: <Row>(text: string, values?: readonly unknown[], given: QueryOptions = {}) =>
        inTurn(() => orAnew((options) => queryOn(client, options)<Row>(text, values, given))),
      transaction: (work) =>
        inTurn(() =>
          afterDeadlocks(() => orAnew((options) => transactionOn(client, { begin: 'BEGIN', options }, work))),
        ),
      executeScript: (script) => inTurn(async () => void (await client.query(script))),
    };
    return {
      lock,
      end: () => {
        isHeld = false;
      },
    };
  }

  function prismaTransaction<Result>(
    work: (transaction: PrismaTransaction) => Promise<Result>,
  ): Promise<Result> {
    let isCommitting = false;
    const run = () =>
      prisma.$transaction(async (transaction) => {
        isCommitting = false;
        const result = await work(transaction);
        isCommitting = true;
        return result;
      });
    return patiently(
      () => afterDeadlocks(run),
      () => !isCommitting,
    );
  }

  return {
    kind: 'postgresql',
    schema,
    prisma,
    get isAway() {
      return connections.isAway;
    },
    requireReachable: () => connections.wait(),
    // The engine takes an advisory lock and leaves it to its connection.
    async withAdapter(work) {
      const own = makePool(SessionClient, { max: 1, connectionTimeoutMillis: CONNECT_MILLISECONDS });
      return work(makeScriptable(new PrismaPg(own, prismaOptions), own)).finally(() => own.end());
    },
    query,
    queryBytes: (text, values, room) =>
      patiently(
        () =>
          orAnew((options) =>
            withClient(pool, (client) =>
              (client as unknown as BinaryRowsClient).queryBytes(
                statementOf(text).with(values, options),
                room,
              ),
            ),
          ),
        () => statementOf(text).reads,
      ),
    transaction: (work) => transaction('BEGIN', work),
    prismaTransaction,
    snapshot: (work) => transaction('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', work),
    async executeSql(text, values = []) {
      // With values it is one statement, and the queue sends the same ones over and over: to plan them takes longer than they do.
      if (values.length > 0) return { rows: await queryByPool(text, values) };
      const result: pg.QueryResult | pg.QueryResult[] = await patiently(() => pool.query(text), isUnsent);
      return { rows: Array.isArray(result) ? result.flatMap(({ rows }) => rows) : result.rows };
    },
    listen: listener.listen,
    announce: (name) => listener.hold(keyOf(`announced:${name}`)),
    isAnnounced: async (name) => (await query(ANNOUNCED, [keyOf(`announced:${name}`)])).length > 0,
    exclusively: (name, work) =>
      inProcess(name, async () => {
        let isTaken = false;
        const underLock = () =>
          withClient(locks, async (client, whole) => {
            const key = keyOf(name);
            await client.query(statementOf('SELECT pg_advisory_lock($1)').with([key], {}));
            isTaken = true;
            const { lock, end } = holdOn(client, whole);
            try {
              return await work(lock);
            } finally {
              end();
              await client
                .query(statementOf('SELECT pg_advisory_unlock($1)').with([key], {}))
                .catch(() => {});
            }
          });
        // Retries on a new connection until the lock is taken. An error of `work` goes around `patiently`, because it may come from another service.
        const outcome = await patiently(
          () =>
            underLock().then(
              (result) => ({ result }),
              (error) => {
                if (isTaken) return { error };
                throw error;
              },
            ),
          () => true,
        );
        if ('error' in outcome) throw outcome.error;
        return outcome.result;
      }),
    flush: async () => {},
    async close() {
      connections.close();
      const ended = prisma
        .$disconnect()
        .then(() => Promise.all([listener.close(), lanes.close(), pool.end(), locks.end()]));
      // A database that is silent does not say goodbye either, and Prisma may hold a connection that broke for as long as a transaction may last.
      const late = new AbortController();
      await Promise.race([ended, sleep(CLOSE_MILLISECONDS, undefined, { signal: late.signal })]);
      late.abort();
      connections.destroy();
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

/** Whether another connection may be had at once: not where all of the pool's have been in use for a while. */
const isWorthAgain = (error: unknown) => !/^timeout exceeded/.test((error as Error).message);

/** Runs statements again, planned anew, where tables have changed under one that was prepared (database/driver/shared-connections.ts). The connection of that one is given up. */
function orAnew<Result>(run: (options: QueryOptions) => Promise<Result>): Promise<Result> {
  return run({}).catch((error) => {
    if (isOutdated(error)) return run({ planned: true });
    throw error;
  });
}

/** What is known of a statement by its text. */
class Statement {
  /** Whether it only reads. */
  readonly reads: boolean;
  readonly #name: string | undefined;
  readonly #text: string;
  /** A mean of the last times, the latest of which count most; unknown at first, and then it is not quick. */
  #milliseconds = Number.POSITIVE_INFINITY;

  constructor(name: string | undefined, text: string) {
    this.#name = name;
    this.#text = text;
    this.reads = /^\s*SELECT\b(?!.*\bFOR (UPDATE|SHARE|NO KEY UPDATE|KEY SHARE)\b)/is.test(text);
  }

  /** What has no name is planned at each execution, with its values. */
  with(values: readonly unknown[], { planned = false }: QueryOptions) {
    const name = planned ? undefined : this.#name;
    return { ...(name ? { name } : {}), text: this.#text, values: values as unknown[] };
  }

  /** What writes may wait for a lock, however quick it was, and what stands behind it would wait as well. */
  isQuick(): boolean {
    return this.reads && this.#milliseconds < QUICK_MILLISECONDS;
  }

  note(milliseconds: number): void {
    const before = this.#milliseconds;
    this.#milliseconds =
      before === Number.POSITIVE_INFINITY ? milliseconds : before * 0.8 + milliseconds * 0.2;
  }
}

function makeStatements(): (text: string) => Statement {
  const statements = new Map<string, Statement>();
  return (text) => {
    const known = statements.get(text);
    if (known) return known;
    if (statements.size >= MAX_PREPARED_STATEMENTS) return new Statement(undefined, text);
    const statement = new Statement(`fixative_${hash('sha256', text).slice(0, 32)}`, text);
    statements.set(text, statement);
    return statement;
  };
}

/** A connection costs some ten milliseconds of processor time (SCRAM), and what runs every few seconds in an idle server must not make one each time. */
const IDLE_MILLISECONDS = 60_000;

/** The halves of an advisory lock's key are two columns: https://www.postgresql.org/docs/current/view-pg-locks.html */
const ANNOUNCED = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (classid::bigint << 32) | objid::bigint = $1::bigint LIMIT 1`;

/** Advisory locks are 64 bit numbers, shared with whatever else uses the database: take one that nobody picks by hand. */
function advisoryKey(name: string): string {
  return createHash('sha256').update(`fixative:${name}`).digest().readBigInt64BE(0).toString();
}
