import pg from 'pg';
import type { Database } from './database.ts';
import { SessionClient, type SessionConfig } from './driver/session.ts';

/** How long a lost connection waits before it is made again, and how often a silent one is asked whether it is there. */
const RECONNECT_SECONDS = 1;
const HEARTBEAT_SECONDS = 15;

interface Hearing {
  readonly channel: string;
  readonly onNotification: (payload: string) => void;
  readonly onGap: () => void;
  readonly onLost: () => void;
}

interface Listener {
  readonly listen: Database['listen'];
  /** Holds an advisory lock for as long as there is a connection. It is shared, for an older connection of this process may hold it still. */
  hold(key: string): Promise<void>;
  close(): Promise<void>;
}

/**
 * LISTEN of PostgreSQL on one connection for all channels, made when the first is listened to, and made again when it is lost. It also holds the locks that
 * show other processes that this one lives.
 * @param isAway whether the database is away, so that statements are refused. The listener reconnects only after that: its subscribers read the database
 *   in `onGap`.
 */
export function makeListener(config: SessionConfig, isAway: () => boolean): Listener {
  const hearings = new Set<Hearing>();
  const held = new Set<string>();
  let connection: Promise<pg.Client> | null = null;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  async function connect(): Promise<pg.Client> {
    const client = new SessionClient(config);
    let lost = false;
    const lose = () => {
      if (lost) return;
      lost = true;
      clearInterval(heartbeat);
      for (const hearing of hearings) hearing.onLost();
      client.end().catch(() => {});
      if (connection !== null && !closed) reconnect();
    };
    client.on('error', lose).on('end', lose);
    client.on('notification', ({ channel, payload = '' }) => {
      for (const hearing of hearings) if (hearing.channel === channel) hearing.onNotification(payload);
    });
    // Nothing is awaited on a connection that only listens, so that its silence would not be noticed (connections.ts).
    const heartbeat = setInterval(() => void client.query('SELECT 1').catch(lose), HEARTBEAT_SECONDS * 1000);
    heartbeat.unref();
    try {
      await client.connect();
      for (const channel of new Set([...hearings].map((each) => each.channel))) await hear(client, channel);
      for (const key of held) await hold(client, key);
    } catch (error) {
      lost = true;
      clearInterval(heartbeat);
      client.end().catch(() => {});
      throw error;
    }
    return client;
  }

  function reconnect(): void {
    connection = null;
    if ((hearings.size === 0 && held.size === 0) || closed) return;
    timer = setTimeout(() => {
      if (closed || connection) return;
      if (isAway()) return reconnect();
      connection = connect();
      connection.then(
        () => {
          for (const hearing of hearings) hearing.onGap();
        },
        () => reconnect(),
      );
    }, RECONNECT_SECONDS * 1000);
    timer.unref();
  }

  /**
   * Sends a statement that `connect` also sends on each new connection.
   * @returns whether the session has it; otherwise a later connection will.
   */
  async function send(statement: (client: pg.Client) => Promise<unknown>): Promise<boolean> {
    const isNew = connection === null;
    clearTimeout(timer);
    connection ??= connect();
    try {
      const client = await connection;
      if (!isNew) await statement(client);
      return true;
    } catch {
      reconnect();
      return false;
    }
  }

  return {
    async listen(channel, onNotification, onGap, onLost = () => {}) {
      const hearing = { channel, onNotification, onGap, onLost };
      hearings.add(hearing);
      // Otherwise `onGap` is called when the connection is there.
      if (await send((client) => hear(client, channel))) onGap();
      return { close: async () => void hearings.delete(hearing) };
    },
    async hold(key) {
      held.add(key);
      await send((client) => hold(client, key));
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      const client = await connection?.catch(() => null);
      await client?.end().catch(() => {});
    },
  };
}

function hear(client: pg.Client, channel: string) {
  return client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
}

function hold(client: pg.Client, key: string) {
  return client.query('SELECT pg_advisory_lock_shared($1)', [key]);
}
