import type { Duplex } from 'node:stream';
import pg from 'pg';
import { SessionClient, type SessionConfig } from './session.ts';

export interface Lanes {
  /** Sends a statement, or says null when there is no lane for it now: then the pool is the way. */
  query(statement: LaneStatement): Promise<pg.QueryResult> | null;
  close(): Promise<void>;
}

export interface LaneStatement {
  /** Prepared under it; without it the statement is planned anew. */
  readonly name?: string;
  readonly text: string;
  readonly values: unknown[];
}

interface Lane {
  readonly client: pg.Client;
  /** When each of the statements that are not answered was sent, the oldest first; milliseconds of performance.now(). */
  readonly sent: number[];
  /** When the last one was sent. */
  sentAt: number;
  /** How many statements are held back until the turn of the event loop is over. */
  held: number;
  /** retired: what was sent is answered, and nothing more is sent. */
  state: 'connecting' | 'open' | 'retired' | 'closed';
}

/** No more are sent on a connection whose oldest statement has not been answered for so long: it is no quick one. */
const SLOW_MILLISECONDS = 10;
const MAX_DEPTH = 32;
/** What leaves in one write is answered one after the other; more of it would wait while other backends have nothing to do. */
const MAX_HELD = 8;
const RECONNECT_MILLISECONDS = 1000;
/** One that nothing is sent on is closed, before anything between here and PostgreSQL forgets it without a word. */
const IDLE_MILLISECONDS = 10_000;

/**
 * Connections on which statements are sent one behind the other, without waiting for answers (pipelining:
 * https://www.postgresql.org/docs/current/libpq-pipeline-mode.html, with a Sync after each, so that each is a transaction of its own).
 * What is sent in the same turn of the event loop leaves in one write, and a backend finds its next statement there when it has answered the
 * last: half of what a quick statement costs is waking the other side. A statement waits for those before it, so only quick ones belong here.
 */
export function makeLanes(count: number, config: SessionConfig): Lanes {
  const lanes: Lane[] = [];
  let nextConnect = 0;
  let closed = false;

  function connect(): void {
    const client = new SessionClient({ ...config, pipeline: true });
    const lane: Lane = { client, sent: [], sentAt: performance.now(), held: 0, state: 'connecting' };
    const drop = () => {
      if (lane.state === 'closed') return;
      if (lane.state !== 'retired') nextConnect = performance.now() + RECONNECT_MILLISECONDS;
      lane.state = 'closed';
      const at = lanes.indexOf(lane);
      if (at >= 0) lanes.splice(at, 1);
      void client.end().catch(() => {});
    };
    client.on('error', drop);
    client.on('end', drop);
    lanes.push(lane);
    client.connect().then(() => {
      if (lane.state === 'connecting') lane.state = 'open';
    }, drop);
  }

  /** The one with the least to do; one more is opened when each has something to do. */
  function find(now: number): Lane | null {
    let best: Lane | null = null;
    for (const lane of lanes) {
      const { sent, state } = lane;
      if (state !== 'open' || sent.length >= MAX_DEPTH) continue;
      if (sent.length > 0 && now - (sent[0] as number) > SLOW_MILLISECONDS) continue;
      if (lane.held > 0 && lane.held < MAX_HELD) return lane;
      if (!best || sent.length < best.sent.length) best = lane;
    }
    if ((!best || best.sent.length > 0) && lanes.length < count && now >= nextConnect) connect();
    return best;
  }

  /** All requests that have come are read before the first of them is asked about: so many leave together. */
  function hold(lane: Lane): void {
    if (lane.held++ > 0) return;
    const stream = streamOf(lane.client);
    stream.cork();
    setImmediate(() => {
      lane.held = 0;
      stream.uncork();
    });
  }

  const sweep = setInterval(() => {
    const now = performance.now();
    for (const lane of [...lanes]) {
      if (lane.state !== 'open') continue;
      if (lane.sent.length === 0 && now - lane.sentAt > IDLE_MILLISECONDS) retire(lane);
    }
  }, 1000);
  sweep.unref();

  /** Sends nothing more on it, and closes it when what was sent is answered. */
  function retire(lane: Lane): void {
    if (lane.state !== 'open') return;
    lane.state = 'retired';
    lanes.splice(lanes.indexOf(lane), 1);
    void lane.client.end().catch(() => {});
  }

  return {
    query(statement) {
      if (closed) return null;
      const now = performance.now();
      const lane = find(now);
      if (!lane) return null;
      const { client, sent } = lane;
      sent.push(now);
      lane.sentAt = now;
      hold(lane);
      // By a callback: the promise of the client itself is three of them.
      return new Promise((resolve, reject) => {
        // Made here, for of a configuration that it is given the client makes a copy, which costs more than all else that it does.
        let isAnswered = false;
        const query = new pg.Query(statement.text, statement.values, (error, result) => {
          if (isAnswered) return;
          isAnswered = true;
          sent.shift();
          if (!error) return resolve(result);
          if (isOutdated(error)) retire(lane);
          // As the client does: from where the statement came, not from where the answer was read.
          Error.captureStackTrace(error);
          reject(error);
        });
        if (statement.name !== undefined) Object.assign(query, { name: statement.name });
        client.query(query);
      });
    },
    async close() {
      closed = true;
      clearInterval(sweep);
      await Promise.all(lanes.map(({ client }) => client.end().catch(() => {})));
    },
  };
}

const streamOf = (client: pg.Client) =>
  (client as unknown as { connection: { stream: Duplex } }).connection.stream;

/**
 * Whether a prepared statement is to be prepared anew: the types of its columns have changed ("cached plan must not change result type"), or it is not
 * there. Nothing was run then.
 */
export function isOutdated(error: unknown): boolean {
  const { code, message } = error as pg.DatabaseError;
  return code === '26000' || (code === '0A000' && /cached plan/.test(message));
}
