/**
 * Watches the connections to PostgreSQL. A server that vanishes (failover, partition, a NAT that drops its
 * state) closes nothing, and a statement sent to it would wait forever. Statements have no time limit,
 * because a migration or a wait for a lock takes any time. Instead, a connection that is silent for a while
 * is checked over a new one: PostgreSQL knows whether it still works on the statement (pg_stat_activity). If
 * it does not, the connection is destroyed.
 */
import type { Duplex } from 'node:stream';
import type pg from 'pg';
import { isServerError } from './errors.ts';
import { type Reachability, type ReachabilityEvents, watchReachability } from './reachability.ts';

/** A pg client, with the members that are read here and missing in its types. */
export interface WatchedConnection {
  readonly connection: { readonly stream: Duplex & { readonly bytesRead?: number } };
  readonly _activeQuery: object | null;
  readonly _sentQueryQueue: readonly object[];
  readonly _queryQueue: readonly object[];
  /** Process id of the backend; null until the connection is made. */
  readonly backend: number | null;
  /**
   * Whether its session may hold locks. Such a connection is destroyed only when a statement is lost on it.
   */
  readonly holdsLocks: boolean;
}

export interface Connections extends Reachability {
  add(connection: WatchedConnection): void;
  remove(connection: WatchedConnection): void;
  /** Destroys all open connections. */
  destroy(): void;
}

/** A connection that awaits a response and has not moved. */
interface Silence {
  /** State of the connection that changes when it moves. */
  readonly mark: readonly unknown[];
  /** When PostgreSQL was last asked about it, in milliseconds of performance.now(). */
  askedAt: number;
  /** How often in a row PostgreSQL did not work on its statement. */
  strikes: number;
}

type Watched = Map<WatchedConnection, Silence | null>;
/** Makes a client that is not watched. */
type MakeClient = (options: { connectionTimeoutMillis: number }) => pg.Client;

const SWEEP_MILLISECONDS = 1000;
/** Silence after which PostgreSQL is asked about a connection, and asked again. */
const SILENT_MILLISECONDS = 5000;
/** Checks in a row that must fail. The response may be on its way during the first. */
const STRIKES = 2;
/** Time limit for connecting, and another for the response. */
const PROBE_MILLISECONDS = 3000;

export function watchConnections(makeClient: MakeClient, events: ReachabilityEvents): Connections {
  const watched: Watched = new Map();
  const reachability = watchReachability(() => findWorking(makeClient, []), {
    ...events,
    onAway(error) {
      // Statements under way may still get a response: their connections are destroyed by their own silence.
      destroyIdle(watched);
      events.onAway(error);
    },
  });

  let isSweeping = false;
  const timer = setInterval(() => {
    if (isSweeping) return;
    isSweeping = true;
    void sweep(watched, makeClient, reachability).finally(() => {
      isSweeping = false;
    });
  }, SWEEP_MILLISECONDS);
  timer.unref();

  return {
    get isAway() {
      return reachability.isAway;
    },
    report: reachability.report,
    wait: reachability.wait,
    add: (connection) => void watched.set(connection, null),
    remove: (connection) => void watched.delete(connection),
    close() {
      clearInterval(timer);
      reachability.close();
    },
    destroy() {
      for (const [connection] of watched) destroy(connection);
    },
  };
}

/** Checks all connections, and destroys those on which a statement is lost. */
async function sweep(watched: Watched, makeClient: MakeClient, reachability: Reachability): Promise<void> {
  const silent = findSilent(watched);
  if (reachability.isAway) {
    for (const [connection] of silent) destroy(connection);
    return;
  }
  if (silent.length === 0) return;
  let working: Set<number>;
  try {
    working = await findWorking(
      makeClient,
      silent.map(([{ backend }]) => backend as number),
    );
  } catch (error) {
    reachability.report(error as Error);
    return;
  }
  let isLost = false;
  for (const [connection, silence] of silent) {
    silence.askedAt = performance.now();
    silence.strikes = working.has(connection.backend as number) ? 0 : silence.strikes + 1;
    // It has moved meanwhile: the next sweep starts over.
    if (hasMoved(connection, silence)) continue;
    if (silence.strikes < STRIKES) continue;
    isLost = true;
    destroy(connection);
  }
  // The idle connections are most likely lost for the same reason. Each would delay its next statement until
  // this check finds it.
  if (isLost) destroyIdle(watched);
}

/** Notes which connections have moved. @returns those that PostgreSQL is to be asked about. */
function findSilent(watched: Watched): [WatchedConnection, Silence][] {
  const now = performance.now();
  const silent: [WatchedConnection, Silence][] = [];
  for (const [connection, silence] of watched) {
    if (!isAwaiting(connection)) watched.set(connection, null);
    else if (!silence || hasMoved(connection, silence))
      watched.set(connection, { mark: markOf(connection), askedAt: now, strikes: 0 });
    else if (silence.strikes > 0 || now - silence.askedAt >= SILENT_MILLISECONDS)
      silent.push([connection, silence]);
  }
  return silent;
}

/**
 * Asks PostgreSQL over a new connection. @returns the process ids of those backends that work on a statement.
 */
async function findWorking(makeClient: MakeClient, backends: readonly number[]): Promise<Set<number>> {
  const client = makeClient({ connectionTimeoutMillis: PROBE_MILLISECONDS });
  const timer = setTimeout(() => destroy(client as unknown as WatchedConnection), 2 * PROBE_MILLISECONDS);
  try {
    await client.connect();
    // A backend that waits for the client, to send or to read, does not work on a statement.
    const { rows } = await client.query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE pid = ANY($1::int[]) AND state = 'active' AND wait_event_type IS DISTINCT FROM 'Client'`,
      [backends],
    );
    return new Set(rows.map(({ pid }) => pid));
  } catch (error) {
    // A server that rejects the connection (too many, wrong password) is running. Assume that its backends
    // work.
    if (isServerError(error)) return new Set(backends);
    throw error;
  } finally {
    clearTimeout(timer);
    void client.end().catch(() => {});
    setTimeout(() => destroy(client as unknown as WatchedConnection), PROBE_MILLISECONDS).unref();
  }
}

/** Returns whether a response is awaited. A connection that is being made has a time limit of its own. */
const isAwaiting = ({ backend, _activeQuery, _sentQueryQueue, _queryQueue }: WatchedConnection) =>
  backend !== null && (Boolean(_activeQuery) || _sentQueryQueue.length > 0 || _queryQueue.length > 0);

const markOf = ({ connection: { stream }, _activeQuery }: WatchedConnection) => [
  _activeQuery,
  stream.bytesRead,
  stream.writableLength,
];

const hasMoved = (connection: WatchedConnection, silence: Silence) =>
  markOf(connection).some((each, at) => each !== silence.mark[at]);

/** Destroys the idle connections whose session holds no locks. */
function destroyIdle(watched: Watched): void {
  for (const [connection] of watched)
    if (!connection.holdsLocks && connection.backend !== null && !isAwaiting(connection)) destroy(connection);
}

/** Destroys the socket. Its statements fail, and its owner gets an `error` event. */
function destroy({ connection: { stream } }: WatchedConnection): void {
  const error = new Error('PostgreSQL does not respond on this connection, so it was closed. Try again.');
  stream.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
}
