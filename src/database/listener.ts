import pg from 'pg';
import type { Database } from './database.ts';
import { SessionClient, type SessionConfig } from './session.ts';

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
 * @param isAway whether statements are refused because the database is away. It is not connected to before they are sent again: whoever is told
 *   that notifications have come back (`onGap`) reads what has changed.
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

  return {
    async listen(channel, onNotification, onGap, onLost = () => {}) {
      const hearing = { channel, onNotification, onGap, onLost };
      const first = connection === null;
      hearings.add(hearing);
      clearTimeout(timer);
      connection ??= connect();
      try {
        const client = await connection;
        if (!first) await hear(client, channel);
      } catch {
        // Whoever listens hears of it when the connection is there.
        reconnect();
        return { close: async () => void hearings.delete(hearing) };
      }
      onGap();
      return { close: async () => void hearings.delete(hearing) };
    },
    async hold(key) {
      const first = connection === null;
      held.add(key);
      clearTimeout(timer);
      connection ??= connect();
      try {
        const client = await connection;
        if (!first) await hold(client, key);
      } catch {
        reconnect();
      }
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
