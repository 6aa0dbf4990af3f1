import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import type { Prisma, PrismaClient } from './generated/client/client.ts';

/** Sends SQL: to the database, or within one of its transactions. */
export interface Queryable {
  /**
   * Sends one statement. PostgreSQL prepares it once per connection, so `text` must come from a small set:
   * pass values in `values` (`$1`, `$2`, …). int8 becomes a number, timestamptz a Date, bytea bytes.
   */
  query<Row>(text: string, values?: readonly unknown[], options?: QueryOptions): Promise<Row[]>;
}

export interface QueryOptions {
  /**
   * Plans the statement for these values. Default: false. From its sixth execution on, PostgreSQL plans a
   * prepared statement for any values, which saves some 200 µs. That plan is wrong where the values decide
   * which index to use: how rare a word is, or how many images a user has.
   */
  readonly planned?: boolean;
}

/** Connections of a pool: in use, idle, and requests that wait for one. */
export interface ConnectionCounts {
  readonly used: number;
  readonly idle: number;
  readonly waiting: number;
}

/**
 * The one database, PostgreSQL or PGlite. Use Prisma's client for writes, where its types are worth its 600
 * µs; use plain statements for lists and bytes (docs/architecture.md says why).
 *
 * While the database cannot be reached, calls wait up to 2 seconds, then throw DatabaseUnavailableError. When
 * a connection breaks, reads and transactions before their COMMIT are retried. Any other statement may have
 * been executed: it throws DatabaseUnavailableError.
 *
 * PGlite has one connection. Inside a transaction, use only the transaction's handle: any other call is a
 * deadlock.
 */
export interface Database extends Queryable {
  readonly kind: 'postgresql' | 'pglite';
  /** Schema of our tables as the address names it; null: the first schema of the role's search_path. */
  readonly schema: string | null;
  readonly prisma: PrismaClient;
  /** Whether the database cannot be reached at the moment. */
  readonly isAway: boolean;
  /**
   * Resolves when the database can be reached. Waits up to 2 seconds.
   * @throws DatabaseUnavailableError
   */
  requireReachable(): Promise<void>;
  /** Counts the connections for statements. The embedded database has one. */
  connections(): ConnectionCounts;
  /** Gives Prisma's schema engine a connection of its own, and closes it afterwards. */
  withAdapter<Result>(
    work: (adapter: SqlMigrationAwareDriverAdapterFactory) => Promise<Result>,
  ): Promise<Result>;
  /**
   * Sends one statement that returns one column, `bytes`, of type bytea. With many rows it is much cheaper
   * than `query`.
   * @param buffer memory for the first values, one after the other; values that do not fit get memory of
   *   their own. After an error, do not reuse it: bytes may still arrive.
   */
  queryBytes(text: string, values: readonly unknown[], buffer?: Buffer): Promise<(Uint8Array | null)[]>;
  /**
   * Runs `work` in a transaction, and rolls back when `work` throws. After a deadlock `work` runs again
   * (database/driver/deadlock.ts), so it must change nothing but the database.
   */
  transaction<Result>(work: (transaction: Queryable) => Promise<Result>): Promise<Result>;
  /** Runs `work` in a transaction of Prisma's client, with the retries of `transaction`. */
  prismaTransaction<Result>(work: (transaction: PrismaTransaction) => Promise<Result>): Promise<Result>;
  /** Runs `work` in a read-only transaction (REPEATABLE READ): all its statements see the same state. */
  snapshot<Result>(work: (state: Queryable) => Promise<Result>): Promise<Result>;
  /** Sends a statement unchanged; without values, a script. Used by pg-boss, which brings its own SQL. */
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  /**
   * Subscribes to a channel of NOTIFY, from any process. Notifications are hints: they are lost while the
   * connection is.
   * @param onGap called when the connection is made for the first time, and each time it is made again.
   * @param onLost called when the connection is lost.
   */
  listen(
    channel: string,
    onNotification: (payload: string) => void,
    onGap: () => void,
    onLost?: () => void,
  ): Promise<{ close(): Promise<void> }>;
  /**
   * Shows all processes of this database that this one is alive, until it closes the database or dies. While
   * the connection is lost the name is not shown. Resolves also while the database is away: the name is shown
   * once it is back.
   */
  announce(name: string): Promise<void>;
  /** Returns whether a living process has announced the name. */
  isAnnounced(name: string): Promise<boolean>;
  /**
   * Runs `work` under an exclusive lock of this name, across all processes of this database. PostgreSQL
   * releases the lock when the connection breaks, and `work` may not notice. So send every write that only
   * the holder may make by `lock`.
   */
  exclusively<Result>(name: string, work: (lock: HeldLock) => Promise<Result>): Promise<Result>;
  /**
   * Vacuums, analyzes and checkpoints PGlite; call it about once a minute. PostgreSQL does this itself:
   * undefined.
   */
  maintain?(signal?: AbortSignal): Promise<readonly Maintained[]>;
  /**
   * Begins a backup of the files of PGlite while it is used, and returns them. PostgreSQL has its own tools:
   * undefined.
   * @throws FixativeError CONFLICT while another backup is made.
   */
  backup?(): AsyncIterable<BackupEntry>;
  /**
   * Resolves when everything committed before the call survives a power loss. PostgreSQL ensures that at each
   * commit (driver/session.ts); on PGlite, wait for this before you acknowledge a write.
   */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** File or directory of a backup. */
export interface BackupEntry {
  /** Path with `/`. */
  readonly name: string;
  /** Bytes; null: a directory. */
  readonly size: number | null;
  /** Yields exactly `size` bytes. */
  readonly content: () => AsyncIterable<Uint8Array>;
}

/** One statement of maintenance that was run. */
export interface Maintained {
  /** `VACUUM public."table"` */
  readonly statement: string;
  readonly milliseconds: number;
}

/**
 * A lock that is held, and the way to write under it. Its statements go one after the other over the
 * connection that holds the lock, so they are committed while the lock is held, or not at all.
 */
export interface HeldLock extends Queryable {
  /** UUID of this hold: a new one each time the lock is taken. */
  readonly id: string;
  /**
   * Aborted when this process notices that it has lost the lock. Check it before any write that is not sent
   * by the lock.
   */
  readonly signal: AbortSignal;
  /** Runs `work` in a transaction on the lock's connection, with the retries of `Database.transaction`. */
  transaction<Result>(work: (transaction: Queryable) => Promise<Result>): Promise<Result>;
  /** Sends several statements as one transaction. */
  executeScript(script: string): Promise<void>;
}

/** The part of a database by which rows are changed. */
export type Writable = Pick<Database, 'query' | 'transaction' | 'flush'>;

export type PrismaTransaction = Prisma.TransactionClient;

/**
 * Returns a Queryable that sends plain statements in a transaction of Prisma's client; int8 becomes a bigint
 * there.
 */
export function sqlOf(transaction: PrismaTransaction): Queryable {
  return { query: (text, values = []) => transaction.$queryRawUnsafe(text, ...values) };
}
