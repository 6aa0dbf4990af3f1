import pg from 'pg';
import type { Database } from './database.ts';
import { SessionClient, type SessionConfig } from './driver/session.ts';

/** Seconds until a lost connection is made again. */
const RECONNECT_SECONDS = 1;
/** Seconds between two checks of the silent connection. */
const HEARTBEAT_SECONDS = 15;

interface Subscription {
  readonly channel: string;
  readonly onNotification: (payload: string) => void;
  readonly onGap: () => void;
  readonly onLost: () => void;
}

export interface Listener {
  readonly listen: Database['listen'];
  /**
   * Holds a shared advisory lock while connected. Shared, because an older connection of this process may
   * still hold it.
   */
  hold(key: string): Promise<void>;
  close(): Promise<void>;
}

/** Subscriptions and locks that the connection must have. Each new connection sets them up again. */
interface Wanted {
  readonly subscriptions: Set<Subscription>;
  /** Keys of advisory locks. */
  readonly locks: Set<string>;
}

/**
 * Runs LISTEN on one connection for all channels. It is made at the first subscription, and again when it is
 * lost. It also holds the locks that show other processes that this one is alive.
 * @param isAway whether the database is unreachable, so that statements fail. The listener reconnects only
 *   afterwards, because its subscribers read the database in `onGap`.
 */
export function makeListener(config: SessionConfig, isAway: () => boolean): Listener {
  const wanted: Wanted = { subscriptions: new Set(), locks: new Set() };
  let connection: Promise<pg.Client> | null = null;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const connect = () =>
    connectListener(config, wanted, () => {
      if (connection !== null && !closed) reconnect();
    });

  function reconnect(): void {
    connection = null;
    if ((wanted.subscriptions.size === 0 && wanted.locks.size === 0) || closed) return;
    timer = setTimeout(() => {
      if (closed || connection) return;
      if (isAway()) return reconnect();
      connection = connect();
      connection.then(
        () => {
          for (const { onGap } of wanted.subscriptions) onGap();
        },
        () => reconnect(),
      );
    }, RECONNECT_SECONDS * 1000);
    timer.unref();
  }

  /**
   * Sends a statement that each new connection also sends.
   * @returns whether the session has it; if not, a later connection will.
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
      const subscription = { channel, onNotification, onGap, onLost };
      wanted.subscriptions.add(subscription);
      // If it fails, `onGap` is called once the connection is made.
      if (await send((client) => listenTo(client, channel))) onGap();
      return { close: async () => void wanted.subscriptions.delete(subscription) };
    },
    async hold(key) {
      wanted.locks.add(key);
      await send((client) => lockShared(client, key));
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      const client = await connection?.catch(() => null);
      await client?.end().catch(() => {});
    },
  };
}

/**
 * Makes a connection with all subscriptions and locks. @param onLost called once, when the connection is
 * lost.
 */
async function connectListener(
  config: SessionConfig,
  { subscriptions, locks }: Wanted,
  onLost: () => void,
): Promise<pg.Client> {
  const client = new SessionClient(config);
  let lost = false;
  const lose = () => {
    if (lost) return;
    lost = true;
    clearInterval(heartbeat);
    for (const subscription of subscriptions) subscription.onLost();
    client.end().catch(() => {});
    onLost();
  };
  client.on('error', lose).on('end', lose);
  client.on('notification', ({ channel, payload = '' }) => {
    for (const each of subscriptions) if (each.channel === channel) each.onNotification(payload);
  });
  // connections.ts checks only connections that await a response, and this one rarely does.
  const heartbeat = setInterval(() => void client.query('SELECT 1').catch(lose), HEARTBEAT_SECONDS * 1000);
  heartbeat.unref();
  try {
    await client.connect();
    for (const channel of new Set([...subscriptions].map((each) => each.channel)))
      await listenTo(client, channel);
    for (const key of locks) await lockShared(client, key);
  } catch (error) {
    lost = true;
    clearInterval(heartbeat);
    client.end().catch(() => {});
    throw error;
  }
  return client;
}

function listenTo(client: pg.Client, channel: string) {
  return client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
}

function lockShared(client: pg.Client, key: string) {
  return client.query('SELECT pg_advisory_lock_shared($1)', [key]);
}
