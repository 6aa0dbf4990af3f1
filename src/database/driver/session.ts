/**
 * Settings of the sessions on PostgreSQL. The server, the database, the role and the address can set what
 * changes the meaning of statements and values (`ALTER DATABASE … SET`, `?options=`). So each new connection
 * sets these again. They are sent in a statement, not as startup options, because PgBouncer rejects those.
 */
import pg from 'pg';
import { FixativeError } from '../../errors.ts';
import type { Connections, WatchedConnection } from './connections.ts';
import { isUnreachable } from './errors.ts';
import { typeParserOf } from './type-parsers.ts';

/** Settings for our own database: https://www.postgresql.org/docs/current/runtime-config-client.html */
export const SETTINGS: Readonly<Record<string, string>> = {
  // Prisma's adapter reads each timestamptz as UTC and ignores its offset.
  TimeZone: 'UTC',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  array_nulls: 'on',
  standard_conforming_strings: 'on',
  // JIT pays off in queries of seconds, but PostgreSQL decides by estimated costs. With it, a search of one
  // millisecond in ten million images took 25.
  jit: 'off',
};

/**
 * TCP keep-alive on PostgreSQL's side, to notice that a client's machine is gone: 10 seconds of silence, then
 * three probes. The default is two hours, and the session would keep its locks meanwhile. No effect on Unix
 * sockets.
 */
const PROBES: Readonly<Record<string, string>> = {
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '3',
};

/**
 * Makes a commit wait for PostgreSQL's disk, where the database, the role or the address turned that off: an
 * acknowledged image must survive a loss of power. Other values of synchronous_commit are kept.
 */
const COMMIT_DURABLY = `CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END`;

export interface SessionConfig extends pg.ClientConfig {
  /**
   * Schema of our tables, from `?schema=` as in Prisma's addresses; null: the first schema of the role's
   * search_path, usually `public`.
   */
  readonly schema: string | null;
  /** Settings to apply to each session. */
  readonly settings: Readonly<Record<string, string>>;
  /** Watches the connection. Default: not watched. */
  readonly connections?: Pick<Connections, 'add' | 'remove' | 'report'>;
  /** Whether the session may hold locks between statements. Default: false. */
  readonly holdsLocks?: boolean;
}

/** Time limit for connecting. */
export const CONNECT_MILLISECONDS = 10_000;
/**
 * Silence after which TCP keep-alive probes an idle connection, once a second. Ten probes without a response
 * close it.
 */
const KEEP_ALIVE_MILLISECONDS = 10_000;

/** At most 50 of the 63 bytes of a PostgreSQL name: the queue's schema appends to it. */
const SCHEMA = /^[a-z_][a-z0-9_]{0,49}$/;

/** Returns the configuration of a SessionClient for an address of PostgreSQL. */
export function sessionConfig(url: string, settings = { ...SETTINGS, ...PROBES }): SessionConfig {
  const address = new URL(url);
  const named = address.searchParams.get('schema');
  // In Prisma's addresses, `public` means no schema of one's own.
  const schema = named === 'public' || named === '' ? null : named;
  return {
    connectionString: url,
    fallback_application_name: 'fixative',
    types: { getTypeParser: typeParserOf as typeof pg.types.getTypeParser },
    schema,
    settings,
  };
}

/**
 * Checks the name of the schema.
 * @throws FixativeError INVALID_INPUT when our tables cannot be in a schema of this name.
 */
export function requireOwnSchema({ schema }: SessionConfig): void {
  if (schema === null || SCHEMA.test(schema)) return;
  throw new FixativeError(
    'INVALID_INPUT',
    `DATABASE_URL names the schema ${JSON.stringify(schema.slice(0, 100))}. Its name must have 1 to 50 lower-case letters, digits and "_", and must not begin with a digit.`,
  );
}

/** Returns a statement that applies settings to its session. */
export function settingStatement(settings: Readonly<Record<string, string>>) {
  const entries = Object.entries(settings);
  const calls = entries.map((_, at) => `set_config($${2 * at + 1}, $${2 * at + 2}, false)`);
  return { text: `SELECT ${calls.join(', ')}`, values: entries.flat() };
}

/** A client that applies the settings before its first statement. */
export class SessionClient extends pg.Client {
  readonly holdsLocks: boolean;
  /**
   * Process id of the backend; null until connected. A statement asks for it, because a pooler reports a
   * wrong one when it connects.
   */
  backend: number | null = null;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #connections: SessionConfig['connections'];
  readonly #connectMilliseconds: number;

  constructor({ schema, settings, connections, holdsLocks = false, ...config }: SessionConfig) {
    super({
      ...config,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MILLISECONDS,
      // pg's own limit does not cover the settings; #connect has one that does.
      connectionTimeoutMillis: 0,
    });
    this.#connectMilliseconds = config.connectionTimeoutMillis || CONNECT_MILLISECONDS;
    this.holdsLocks = holdsLocks;
    this.#connections = connections;
    // A broken connection emits `error`, which would end the process without a listener. A pool adds its own
    // only after `connect`.
    this.on('error', (error) => connections?.report(error));
    const searchPath = schema === null ? {} : { search_path: pg.escapeIdentifier(schema) };
    this.#settings = { ...settings, ...searchPath };
  }

  override connect(): Promise<pg.Client>;
  // The form that pg-pool calls.
  override connect(callback: (error: Error) => void): void;
  override connect(callback?: (error: Error) => void): Promise<pg.Client> | undefined {
    const connected = this.#connect();
    if (!callback) return connected;
    connected.then(() => (callback as () => void)(), callback);
    return undefined;
  }

  async #connect(): Promise<this> {
    const watched = this as unknown as WatchedConnection;
    this.#connections?.add(watched);
    this.once('end', () => this.#connections?.remove(watched));
    const timer = setTimeout(() => {
      const late = new Error(
        'PostgreSQL did not accept a new connection in time. Check that its address is right and that it runs.',
      );
      watched.connection.stream.destroy(Object.assign(late, { code: 'ETIMEDOUT', syscall: 'connect' }));
    }, this.#connectMilliseconds);
    try {
      await super.connect();
      const { text, values } = settingStatement(this.#settings);
      if (values.length === 0) return this;
      const { rows } = await this.query<{ backend: number }>(
        `${text}, ${COMMIT_DURABLY} AS durable, pg_backend_pid() AS backend`,
        values,
      );
      this.backend = rows[0]?.backend ?? null;
      return this;
    } catch (error) {
      // A client that could not connect is not ended by its owner.
      watched.connection.stream.destroy();
      if (isUnreachable(error)) this.#connections?.report(error as Error);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * Checks that a connection keeps its session between two statements, and with it settings, locks and prepared
 * statements. A pooler in transaction mode does not.
 * @throws FixativeError INVALID_INPUT that says what to change.
 */
export async function checkSession(connect: () => Promise<pg.Client>): Promise<void> {
  const first = await connect();
  const second = await connect().catch(async (error) => {
    await first.end();
    throw error;
  });
  const pidOf = async (client: pg.Client) =>
    (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid;
  try {
    for (let check = 0; check < CHECKS; check++) {
      const mine = await pidOf(first);
      await second.query('BEGIN');
      // The second connection has a backend of its own by now. Poolers hand out the one used last.
      const other = await pidOf(second);
      const again = await pidOf(first);
      await second.query('COMMIT');
      if (mine === other || mine !== again) throw sharedSession();
    }
    const { rows } = await first.query<{ name: string; setting: string }>(
      'SELECT name, current_setting(name) AS setting FROM unnest($1::text[]) AS each(name)',
      [Object.keys(SETTINGS)],
    );
    const wrong = rows.find(({ name, setting }) => setting !== SETTINGS[name]);
    if (wrong) {
      throw new FixativeError(
        'INVALID_INPUT',
        `The database changed the setting ${wrong.name} from ${SETTINGS[wrong.name]} to ${wrong.setting}. Allow this user to set it in a session.`,
      );
    }
  } finally {
    await Promise.allSettled([first.end(), second.end()]);
  }
}

const CHECKS = 3;

function sharedSession(): FixativeError {
  return new FixativeError(
    'INVALID_INPUT',
    'DATABASE_URL leads to a connection pooler in transaction or statement mode (PgBouncer: pool_mode). Locks, LISTEN and prepared statements need a session. Set pool_mode = session for this database, or give the address of PostgreSQL itself.',
  );
}
