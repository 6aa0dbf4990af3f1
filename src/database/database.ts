import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import type { Prisma, PrismaClient } from './generated/client/client.ts';
import type { Maintained } from './maintenance.ts';

/** Where SQL can be sent: the database, or a transaction of it. */
export interface Queryable {
  /**
   * Sends one statement. On PostgreSQL it is prepared once a connection, so `text` must come from a small set: values belong
   * into `values` (`$1`, `$2`, …). int8 comes back as number, timestamptz as Date, bytea as bytes.
   */
  query<Row>(text: string, values?: readonly unknown[], options?: QueryOptions): Promise<Row[]>;
}

export interface QueryOptions {
  /**
   * Plans the statement for the values at hand. A prepared one is planned for any values from its sixth execution on, which saves some
   * 200 µs and is wrong where the values decide which index is the way: how rare a word is, or how many images a user has.
   */
  readonly planned?: boolean;
}

/**
 * The one database, PostgreSQL or PGlite. Two ways lead into it: Prisma's client for writes, where types are worth more than
 * its 600 µs, and plain statements for the lists and for bytes (docs/architecture.md says why).
 *
 * A database that cannot be reached is waited for, for a moment. Then every call throws DatabaseUnavailableError, and so does one whose connection broke
 * when it may have been done; reads and transactions that were not committed yet are run again.
 *
 * On PGlite there is one connection: inside a transaction use the transaction's handle only, or the call waits for the
 * transaction that waits for it.
 */
export interface Database extends Queryable {
  readonly kind: 'postgresql' | 'pglite';
  /** Schema that the address names for our tables; null: the first of the role's search_path. */
  readonly schema: string | null;
  readonly prisma: PrismaClient;
  /** Whether the database cannot be reached at the moment. */
  readonly isAway: boolean;
  /**
   * Resolves when the database can be reached, at once or after a moment.
   * @throws DatabaseUnavailableError
   */
  requireReachable(): Promise<void>;
  /** Gives Prisma's schema engine its way into the database, on a connection that is closed afterwards. */
  withAdapter<Result>(
    work: (adapter: SqlMigrationAwareDriverAdapterFactory) => Promise<Result>,
  ): Promise<Result>;
  /**
   * Sends one statement whose rows have one column, `bytes`, of bytea: much cheaper than `query` where there are many of them.
   * @param room may be filled with values, one after the other; each of the others has memory of its own. When this throws, something may still be
   *   put there.
   */
  queryBytes(text: string, values: readonly unknown[], room?: Buffer): Promise<(Uint8Array | null)[]>;
  /**
   * A transaction of plain statements; rolled back when `work` throws. `work` is run again where the transaction and another waited for each other
   * (database/driver/deadlock.ts), so it changes nothing but the database.
   */
  transaction<Result>(work: (transaction: Queryable) => Promise<Result>): Promise<Result>;
  /** The same with Prisma's client. */
  prismaTransaction<Result>(work: (transaction: PrismaTransaction) => Promise<Result>): Promise<Result>;
  /** Statements that only read, and all see the same state. */
  snapshot<Result>(work: (state: Queryable) => Promise<Result>): Promise<Result>;
  /** Sends a statement, or without values a script, as it is: for pg-boss, which brings its own. */
  executeSql(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  /**
   * Hears what is notified on a channel, in whichever process. Notifications are hints: those of a time without a connection are lost,
   * and `onGap` says so once it is back, and when it is there for the first time. `onLost` says when nothing is heard from now on.
   */
  listen(
    channel: string,
    onNotification: (payload: string) => void,
    onGap: () => void,
    onLost?: () => void,
  ): Promise<{ close(): Promise<void> }>;
  /**
   * Shows all processes of this database that this one lives, until it closes the database or ends in any other way. While its connection is
   * being made again it is not shown. Resolves also when the database is away: it is shown when it is back.
   */
  announce(name: string): Promise<void>;
  /** Returns whether a living process has announced the name. */
  isAnnounced(name: string): Promise<boolean>;
  /**
   * Runs `work` while nobody else, in this process or in another of this database, runs anything under the same name. What only the holder of
   * the lock may write goes by `lock`: PostgreSQL takes a lock from whoever's connection breaks, and `work` may not have noticed.
   */
  exclusively<Result>(name: string, work: (lock: HeldLock) => Promise<Result>): Promise<Result>;
  /** To be run about once a minute where it is there: PostgreSQL sees to that by itself (database/maintenance.ts). */
  maintain?(signal?: AbortSignal): Promise<readonly Maintained[]>;
  /**
   * Resolves when what was committed before the call survives the loss of power. PostgreSQL sees to that itself at each commit;
   * PGlite does not, and whatever acknowledges a write on it waits for this.
   */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A lock that is held, and the way to write under it: its statements are sent on the connection that holds the lock, so they are committed while it is held
 * or not at all. They are sent one after the other.
 */
export interface HeldLock extends Queryable {
  /** Another for each time that a lock is taken. */
  readonly id: string;
  /** Aborted as soon as this process knows that it has lost the lock. What is not written by the lock itself looks at it first. */
  readonly signal: AbortSignal;
  /** As `Database.transaction`. */
  transaction<Result>(work: (transaction: Queryable) => Promise<Result>): Promise<Result>;
  /** Sends several statements, which are one transaction. */
  executeScript(script: string): Promise<void>;
}

export type PrismaTransaction = Prisma.TransactionClient;

/** Plain statements in a transaction of Prisma's client; int8 comes back as bigint there. */
export function sqlOf(transaction: PrismaTransaction): Queryable {
  return { query: (text, values = []) => transaction.$queryRawUnsafe(text, ...values) };
}
