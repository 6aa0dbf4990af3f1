import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import pg from 'pg';
import { BinaryRowsClient } from './binary-rows.ts';
import { type Connections, watchConnections } from './connections.ts';
import { DatabaseUnavailableError, isOutdatedStatement, isUnreachable } from './errors.ts';
import type { ReachabilityEvents } from './reachability.ts';
import { makeRetry, type Retry } from './retry.ts';
import { CONNECT_MILLISECONDS, SessionClient, type SessionConfig } from './session.ts';
import { makeSharedConnections, type SharedConnections } from './shared-connections.ts';
import { makeStatements, type Statement } from './statements.ts';

/** All connections to PostgreSQL but that of LISTEN. */
export interface Pools {
  readonly connections: Connections;
  /** Session settings of each connection. */
  readonly config: SessionConfig;
  /** For statements and transactions. */
  readonly pool: pg.Pool;
  /** For connections that hold a lock. */
  readonly locks: pg.Pool;
  /** For quick statements, beside the pool. */
  readonly shared: SharedConnections;
  readonly retry: Retry;
  readonly statementOf: (text: string) => Statement;
}

/** Most connections that quick statements share. */
const SHARED_CONNECTIONS = 4;

/** Jobs that hold a lock for as long as they run: verify, restore, purge, uploads. */
const JOBS = 4;

/**
 * Milliseconds until an idle connection is closed. A new one costs some ten milliseconds of processor time
 * (SCRAM), so statements that an idle server runs every few seconds must find one open.
 */
const IDLE_MILLISECONDS = 60_000;

export function openPools(session: SessionConfig, poolSize: number, events: ReachabilityEvents): Pools {
  const connections = watchConnections((options) => new SessionClient({ ...session, ...options }), events);
  const config = { ...session, connections };
  return {
    connections,
    config,
    pool: openPool(config, BinaryRowsClient, { max: poolSize }),
    // Locks have a pool of their own: their holders also need connections of the other pool. If both came
    // from one pool, lock holders could use it up and wait for each other. A job holds its own lock while it
    // takes those of blobs, so there is a connection for each job.
    locks: openPool(config, BinaryRowsClient, {
      max: poolSize + JOBS,
      connectionTimeoutMillis: 0,
      holdsLocks: true,
    }),
    shared: makeSharedConnections(Math.min(SHARED_CONNECTIONS, poolSize), config),
    retry: makeRetry(connections),
    statementOf: makeStatements(),
  };
}

function openPool(
  config: SessionConfig,
  Client: typeof SessionClient,
  options: pg.PoolConfig & Pick<SessionConfig, 'holdsLocks'>,
): pg.Pool {
  const pool = new pg.Pool({
    ...config,
    connectionTimeoutMillis: CONNECT_MILLISECONDS,
    ...options,
    idleTimeoutMillis: IDLE_MILLISECONDS,
    Client: Client as never,
  });
  // The connection has already reported the error; without a listener it would end the process.
  pool.on('error', () => {});
  return pool;
}

/**
 * Runs `work` with a connection of the pool. A connection that breaks meanwhile is destroyed.
 * @param work gets a signal that is aborted when the connection breaks.
 * @throws DatabaseUnavailableError when it broke under `work`.
 */
export async function withClient<Result>(
  retry: Retry,
  pool: pg.Pool,
  work: (client: pg.PoolClient, lost: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const client = await retry(() => pool.connect(), isConnectRetryable);
  let broken: Error | undefined;
  const lost = new AbortController();
  // A connection that breaks between statements emits `error`, which ends the process when it has no
  // listener.
  const onError = (error: Error) => {
    broken = error;
    lost.abort(error);
  };
  client.on('error', onError);
  try {
    return await work(client, lost.signal);
  } catch (error) {
    // PostgreSQL closes the connection after a FATAL error, but its `error` event comes later.
    if ((error as pg.DatabaseError).severity === 'FATAL' || isOutdatedStatement(error))
      broken = error as Error;
    throw broken && isUnreachable(error) ? new DatabaseUnavailableError({ cause: error }) : error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}

/** Returns false when all connections of the pool were in use for too long. */
const isConnectRetryable = (error: unknown) => !/^timeout exceeded/.test((error as Error).message);

/**
 * Runs `work` with an adapter over a connection of its own: the engine leaves its advisory lock to that
 * connection.
 */
export async function withOwnAdapter<Result>(
  config: SessionConfig,
  adapterOptions: ConstructorParameters<typeof PrismaPg>[1],
  work: (adapter: SqlMigrationAwareDriverAdapterFactory) => Promise<Result>,
): Promise<Result> {
  const own = openPool(config, SessionClient, { max: 1 });
  return work(allowScripts(new PrismaPg(own, adapterOptions), own)).finally(() => own.end());
}

/**
 * Has the adapter send scripts as one simple query. Prisma's own splits a script at every semicolon, also
 * within comments and bodies of functions.
 */
function allowScripts(adapter: PrismaPg, pool: pg.Pool): SqlMigrationAwareDriverAdapterFactory {
  const withScripts = async (connecting: ReturnType<PrismaPg['connect']>) => {
    const connection = await connecting;
    connection.executeScript = async (script) => {
      await pool.query(script);
    };
    return connection;
  };
  return {
    provider: adapter.provider,
    adapterName: adapter.adapterName,
    connect: () => withScripts(adapter.connect()),
    connectToShadowDb: () => withScripts(adapter.connectToShadowDb()),
  };
}
