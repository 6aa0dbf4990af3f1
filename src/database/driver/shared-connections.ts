/**
 * Connections on which statements are sent one after the other, without waiting for responses (pipelining:
 * https://www.postgresql.org/docs/current/libpq-pipeline-mode.html, with a Sync after each statement, so that
 * each is its own transaction). Statements of one turn of the event loop leave in one write, and a backend
 * finds its next statement when it has finished the last: waking the other side is half the cost of a quick
 * statement. A statement waits for those before it, so only quick ones belong here.
 */
import type { Duplex } from 'node:stream';
import pg from 'pg';
import { isOutdatedStatement } from './errors.ts';
import { SessionClient, type SessionConfig } from './session.ts';

export interface SharedConnections {
  /** Sends a statement; null when no connection can take it now: then use the pool. */
  query(statement: SharedStatement): Promise<pg.QueryResult> | null;
  close(): Promise<void>;
}

export interface SharedStatement {
  /** Name to prepare it under; without one it is planned at each execution. */
  readonly name?: string;
  readonly text: string;
  readonly values: unknown[];
}

interface SharedConnection {
  readonly client: pg.Client;
  /** When each statement without a response was sent, oldest first; milliseconds of performance.now(). */
  readonly sent: number[];
  /** When the last statement was sent. */
  sentAt: number;
  /** Number of statements buffered until the end of this turn of the event loop. */
  held: number;
  /** retired: takes no more statements, and closes after its last response. */
  state: 'connecting' | 'open' | 'retired' | 'closed';
}

/** The open and connecting connections. */
interface State {
  readonly config: SessionConfig;
  readonly max: number;
  readonly all: SharedConnection[];
  /** Earliest time of the next connect, in milliseconds of performance.now(). */
  nextConnect: number;
}

/**
 * Age of the oldest statement without a response from which on a connection takes no more: that statement is
 * not quick.
 */
const SLOW_MILLISECONDS = 10;
/** Most statements without a response on one connection. */
const MAX_DEPTH = 32;
/** Most statements in one write: they are executed one after the other, while other backends are idle. */
const MAX_HELD = 8;
const RECONNECT_MILLISECONDS = 1000;
/** An idle connection is closed after this time, before a firewall or NAT drops it silently. */
const IDLE_MILLISECONDS = 10_000;
const SWEEP_MILLISECONDS = 1000;

/** @param max most connections to open. */
export function makeSharedConnections(max: number, config: SessionConfig): SharedConnections {
  const state: State = { config, max, all: [], nextConnect: 0 };
  let closed = false;

  const timer = setInterval(() => retireIdle(state), SWEEP_MILLISECONDS);
  timer.unref();

  return {
    query(statement) {
      if (closed) return null;
      const now = performance.now();
      const connection = findConnection(state, now);
      if (!connection) return null;
      connection.sent.push(now);
      connection.sentAt = now;
      holdWrites(connection);
      return send(state, connection, statement);
    },
    async close() {
      closed = true;
      clearInterval(timer);
      await Promise.all(state.all.map(({ client }) => client.end().catch(() => {})));
    },
  };
}

/** Sends a statement. Uses a callback, because the client's own promise costs three. */
function send(
  state: State,
  connection: SharedConnection,
  { name, text, values }: SharedStatement,
): Promise<pg.QueryResult> {
  return new Promise((resolve, reject) => {
    let isDone = false;
    // Made here, because the client copies a plain configuration, which costs more than all else it does.
    const query = new pg.Query(text, values, (error, result) => {
      if (isDone) return;
      isDone = true;
      connection.sent.shift();
      if (!error) return resolve(result);
      if (isOutdatedStatement(error)) retire(state, connection);
      // Point the stack to the caller of the statement, as the client does.
      Error.captureStackTrace(error);
      reject(error);
    });
    if (name !== undefined) Object.assign(query, { name });
    connection.client.query(query);
  });
}

/** Returns the least busy connection; null when all are too busy. Opens one more when each is busy. */
function findConnection(state: State, now: number): SharedConnection | null {
  let best: SharedConnection | null = null;
  for (const connection of state.all) {
    const { sent } = connection;
    if (connection.state !== 'open' || sent.length >= MAX_DEPTH) continue;
    if (sent.length > 0 && now - (sent[0] as number) > SLOW_MILLISECONDS) continue;
    if (connection.held > 0 && connection.held < MAX_HELD) return connection;
    if (!best || sent.length < best.sent.length) best = connection;
  }
  if ((!best || best.sent.length > 0) && state.all.length < state.max && now >= state.nextConnect) {
    openConnection(state);
  }
  return best;
}

function openConnection(state: State): void {
  const client = new SessionClient({ ...state.config, pipeline: true });
  const connection: SharedConnection = {
    client,
    sent: [],
    sentAt: performance.now(),
    held: 0,
    state: 'connecting',
  };
  const drop = () => {
    if (connection.state === 'closed') return;
    if (connection.state !== 'retired') state.nextConnect = performance.now() + RECONNECT_MILLISECONDS;
    connection.state = 'closed';
    const at = state.all.indexOf(connection);
    if (at >= 0) state.all.splice(at, 1);
    void client.end().catch(() => {});
  };
  client.on('error', drop);
  client.on('end', drop);
  state.all.push(connection);
  client.connect().then(() => {
    if (connection.state === 'connecting') connection.state = 'open';
  }, drop);
}

/**
 * Buffers writes until all requests of this turn have been read, so that many statements leave in one write.
 */
function holdWrites(connection: SharedConnection): void {
  if (connection.held++ > 0) return;
  const stream = streamOf(connection.client);
  stream.cork();
  setImmediate(() => {
    connection.held = 0;
    stream.uncork();
  });
}

function retireIdle(state: State): void {
  const now = performance.now();
  for (const connection of [...state.all]) {
    if (connection.sent.length === 0 && now - connection.sentAt > IDLE_MILLISECONDS)
      retire(state, connection);
  }
}

/** Takes no more statements, and closes the connection after its last response. */
function retire(state: State, connection: SharedConnection): void {
  if (connection.state !== 'open') return;
  connection.state = 'retired';
  state.all.splice(state.all.indexOf(connection), 1);
  void connection.client.end().catch(() => {});
}

const streamOf = (client: pg.Client) =>
  (client as unknown as { connection: { stream: Duplex } }).connection.stream;
