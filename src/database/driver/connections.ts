/**
 * Watches the connections to PostgreSQL. A server that vanishes without a word (failover, a partition, a NAT that forgets) closes nothing, and a
 * statement that was sent to it would wait forever. How long a statement may take is not known: a migration takes minutes, and a lock is waited for.
 * So no statement has a time limit. A connection that has been silent for a while is asked about over a new one: PostgreSQL knows
 * whether it still works on the statement (pg_stat_activity). A connection on which it does not is given up.
 */
import type { Duplex } from 'node:stream';
import type pg from 'pg';
import { isServerError } from './errors.ts';
import { type Reachability, type ReachabilityEvents, watchReachability } from './reachability.ts';

/** A connection that is watched: pg's own, with what is read of it here and is not in its types. */
export interface Watched {
  readonly connection: { readonly stream: Duplex & { readonly bytesRead?: number } };
  readonly _activeQuery: object | null;
  readonly _sentQueryQueue: readonly object[];
  readonly _queryQueue: readonly object[];
  /** Process id of the backend, once it is known. */
  readonly backend: number | null;
  /** It may hold locks of its session: it is given up only when a statement is lost on it. */
  readonly holdsLocks: boolean;
}

export interface Connections extends Reachability {
  add(connection: Watched): void;
  remove(connection: Watched): void;
  /** Destroys what is still open. */
  destroy(): void;
}

interface Silence {
  /** What would change if the connection moved. */
  readonly mark: readonly unknown[];
  /** When PostgreSQL was last asked about it. */
  askedAt: number;
  /** How often in a row PostgreSQL did not know of its statement. */
  strikes: number;
}

const SWEEP_MILLISECONDS = 1000;
/** A connection on which an answer is awaited, and on which nothing has moved for so long, is asked about, and again after as long. */
const SILENT_MILLISECONDS = 5000;
/** An answer may be on its way while PostgreSQL is asked: the second look decides. */
const STRIKES = 2;
/** For connecting, and for the answer. */
const LOOK_MILLISECONDS = 3000;

/** @param makeClient a client that is not watched. */
export function watchConnections(
  makeClient: (options: { connectionTimeoutMillis: number }) => pg.Client,
  events: ReachabilityEvents,
): Connections {
  const connections = new Map<Watched, Silence | null>();
  let isSweeping = false;

  /** Asks PostgreSQL over a new connection which of these backends work on a statement. */
  async function look(backends: readonly number[] = []): Promise<Set<number>> {
    const client = makeClient({ connectionTimeoutMillis: LOOK_MILLISECONDS });
    const timer = setTimeout(() => giveUp(client as unknown as Watched), 2 * LOOK_MILLISECONDS);
    try {
      await client.connect();
      // One that waits for us to send or to read has nothing to do for us.
      const { rows } = await client.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE pid = ANY($1::int[]) AND state = 'active' AND wait_event_type IS DISTINCT FROM 'Client'`,
        [backends],
      );
      return new Set(rows.map(({ pid }) => pid));
    } catch (error) {
      // A server that refuses us, for its limit of connections or a password, is there; so are all the backends, as far as we know.
      if (isServerError(error)) return new Set(backends);
      throw error;
    } finally {
      clearTimeout(timer);
      void client.end().catch(() => {});
      setTimeout(() => giveUp(client as unknown as Watched), LOOK_MILLISECONDS).unref();
    }
  }

  const reachability = watchReachability(look, {
    ...events,
    onAway(error) {
      // A statement that is under way may still be answered: it is given up by its own silence.
      for (const [connection] of connections)
        if (!connection.holdsLocks && isIdle(connection)) giveUp(connection);
      events.onAway(error);
    },
  });

  async function sweep(): Promise<void> {
    const now = performance.now();
    const silent: [Watched, Silence][] = [];
    for (const [connection, before] of connections) {
      const mark = markOf(connection);
      if (!isAwaiting(connection)) connections.set(connection, null);
      else if (!before || mark.some((each, at) => each !== before.mark[at]))
        connections.set(connection, { mark, askedAt: now, strikes: 0 });
      else if (before.strikes > 0 || now - before.askedAt >= SILENT_MILLISECONDS)
        silent.push([connection, before]);
    }
    if (reachability.isAway) {
      for (const [connection] of silent) giveUp(connection);
      return;
    }
    if (silent.length === 0) return;
    let working: Set<number>;
    try {
      working = await look(silent.map(([{ backend }]) => backend as number));
    } catch (error) {
      reachability.report(error as Error);
      return;
    }
    let isLost = false;
    for (const [connection, silence] of silent) {
      silence.askedAt = performance.now();
      silence.strikes = working.has(connection.backend as number) ? 0 : silence.strikes + 1;
      // It has moved since: the next sweep begins anew.
      if (markOf(connection).some((each, at) => each !== silence.mark[at])) continue;
      if (silence.strikes < STRIKES) continue;
      isLost = true;
      giveUp(connection);
    }
    // What took one took the idle ones as well, most likely; each would cost the next statement as long.
    if (isLost)
      for (const [connection] of connections)
        if (!connection.holdsLocks && isIdle(connection)) giveUp(connection);
  }

  const timer = setInterval(() => {
    if (isSweeping) return;
    isSweeping = true;
    void sweep().finally(() => {
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
    add: (connection) => void connections.set(connection, null),
    remove: (connection) => void connections.delete(connection),
    close() {
      clearInterval(timer);
      reachability.close();
    },
    destroy() {
      for (const [connection] of connections) giveUp(connection);
    },
  };
}

/** One that is being made has a time limit of its own. */
const isAwaiting = ({ backend, _activeQuery, _sentQueryQueue, _queryQueue }: Watched) =>
  backend !== null && (Boolean(_activeQuery) || _sentQueryQueue.length > 0 || _queryQueue.length > 0);

const isIdle = (connection: Watched) => connection.backend !== null && !isAwaiting(connection);

const markOf = ({ connection: { stream }, _activeQuery }: Watched) => [
  _activeQuery,
  stream.bytesRead,
  stream.writableLength,
];

/** Destroys the socket. Its statements fail, and its owner gets an error event. */
function giveUp({ connection: { stream } }: Watched): void {
  stream.destroy(
    Object.assign(new Error('PostgreSQL does not answer on this connection.'), { code: 'ETIMEDOUT' }),
  );
}
