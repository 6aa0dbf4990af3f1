/**
 * The session of a connection to PostgreSQL. What the server, the database, the role and the address set
 * (`ALTER DATABASE … SET`, `?options=`) would change what our statements mean and how values are read, so
 * every connection sets these again when it is made. They are sent as a statement and not as startup options:
 * PgBouncer refuses those.
 */
import pg from 'pg';
import { FixativeError } from '../../errors.ts';
import type { Connections, WatchedConnection } from './connections.ts';
import { isUnreachable } from './errors.ts';
import { typeParserOf } from './type-parsers.ts';

/** Of our own database: https://www.postgresql.org/docs/current/runtime-config-client.html */
export const SETTINGS: Readonly<Record<string, string>> = {
  // Prisma's adapter takes a timestamptz for UTC, whatever its offset says.
  TimeZone: 'UTC',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  array_nulls: 'on',
  standard_conforming_strings: 'on',
  // To compile a plan pays in queries of seconds, and PostgreSQL decides by what it expects them to cost: a
  // search in ten million images, done in a millisecond, took 25.
  jit: 'off',
};

/**
 * How PostgreSQL finds that the machine of a client is gone: ten seconds without a word, then three probes.
 * By default it would wait two hours, and hold the locks of that session meanwhile. Without effect on Unix
 * sockets.
 */
const PROBES: Readonly<Record<string, string>> = {
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '3',
};

export interface SessionConfig extends pg.ClientConfig {
  /**
   * Schema of our tables, as Prisma's addresses name it (`?schema=`); null: the first of the role's
   * search_path, usually `public`.
   */
  readonly schema: string | null;
  /** Settings of each session. */
  readonly settings: Readonly<Record<string, string>>;
  /** Watches the connection; without it, nobody does. */
  readonly connections?: Pick<Connections, 'add' | 'remove' | 'report'>;
  /** Whether the session may hold locks while no statement is under way. */
  readonly holdsLocks?: boolean;
}

/** For making a connection. */
export const CONNECT_MILLISECONDS = 10_000;
/**
 * A connection that is idle for so long is probed by TCP, each second; ten probes without an answer end it.
 */
const KEEP_ALIVE_MILLISECONDS = 10_000;

/** Of 63 bytes that PostgreSQL's names have; the queue's schema is named after it. */
const SCHEMA = /^[a-z_][a-z0-9_]{0,49}$/;

/** What a SessionClient is made with for an address of PostgreSQL, with the parsers of our types. */
export function sessionConfig(url: string, settings = { ...SETTINGS, ...PROBES }): SessionConfig {
  const address = new URL(url);
  const named = address.searchParams.get('schema');
  // Prisma's word for no schema of one's own.
  const schema = named === 'public' || named === '' ? null : named;
  return {
    connectionString: url,
    fallback_application_name: 'fixative',
    types: { getTypeParser: typeParserOf as typeof pg.types.getTypeParser },
    schema,
    settings,
  };
}

/** @throws FixativeError INVALID_INPUT for a schema that our own tables cannot be in. */
export function requireOwnSchema({ schema }: SessionConfig): void {
  if (schema === null || SCHEMA.test(schema)) return;
  throw new FixativeError(
    'INVALID_INPUT',
    `DATABASE_URL has the schema ${JSON.stringify(schema.slice(0, 100))}. Name it with 1 to 50 small letters, digits and "_".`,
  );
}

/** Sets settings of the session it is sent in. */
export function settingStatement(settings: Readonly<Record<string, string>>) {
  const entries = Object.entries(settings);
  const calls = entries.map((_, at) => `set_config($${2 * at + 1}, $${2 * at + 2}, false)`);
  return { text: `SELECT ${calls.join(', ')}`, values: entries.flat() };
}

/** A client whose session is set before its first statement. */
export class SessionClient extends pg.Client {
  readonly holdsLocks: boolean;
  /** Process id of the backend, which a pooler between would not say when it connects. */
  backend: number | null = null;
  readonly #settings: Readonly<Record<string, string>>;
  readonly #connections: SessionConfig['connections'];
  readonly #connectMilliseconds: number;

  constructor({ schema, settings, connections, holdsLocks = false, ...config }: SessionConfig) {
    super({
      ...config,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_MILLISECONDS,
      // Its own leaves out the setting of the session.
      connectionTimeoutMillis: 0,
    });
    this.#connectMilliseconds = config.connectionTimeoutMillis || CONNECT_MILLISECONDS;
    this.holdsLocks = holdsLocks;
    this.#connections = connections;
    // A connection that breaks fails its statements and emits this event, which ends the process where nobody
    // listens. A pool listens only after the session has been set.
    this.on('error', (error) => connections?.report(error));
    const searchPath = schema === null ? {} : { search_path: pg.escapeIdentifier(schema) };
    this.#settings = { ...settings, ...searchPath };
  }

  override connect(): Promise<pg.Client>;
  // As pg-pool calls it.
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
      const late = new Error('PostgreSQL does not answer in time to a new connection.');
      watched.connection.stream.destroy(Object.assign(late, { code: 'ETIMEDOUT', syscall: 'connect' }));
    }, this.#connectMilliseconds);
    try {
      await super.connect();
      const { text, values } = settingStatement(this.#settings);
      if (values.length === 0) return this;
      const { rows } = await this.query<{ backend: number }>(`${text}, pg_backend_pid() AS backend`, values);
      this.backend = rows[0]?.backend ?? null;
      return this;
    } catch (error) {
      // Nobody ends a client that could not connect.
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
 * statements. A pooler that hands connections out for a transaction each does not.
 * @throws FixativeError INVALID_INPUT that names the way out.
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
    for (let look = 0; look < LOOKS; look++) {
      const mine = await pidOf(first);
      await second.query('BEGIN');
      // The second has a backend for itself by now. Poolers hand out the one that was used last.
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
        `The database does not keep ${wrong.name} as this server sets it: it is ${wrong.setting} in place of ${SETTINGS[wrong.name]}. Let connections of this user change it.`,
      );
    }
  } finally {
    await Promise.allSettled([first.end(), second.end()]);
  }
}

const LOOKS = 3;

function sharedSession(): FixativeError {
  return new FixativeError(
    'INVALID_INPUT',
    'DATABASE_URL leads to a connection pooler that hands connections out for one transaction at a time (PgBouncer: pool_mode = transaction or statement). Locks, LISTEN and prepared statements need a connection of their own: set pool_mode = session for this database, or give the address of PostgreSQL itself.',
  );
}
