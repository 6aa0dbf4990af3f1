import type { Queryable } from './database.ts';

export interface Maintained {
  /** `VACUUM public."table"` */
  readonly statement: string;
  readonly milliseconds: number;
}

/** Its `exec` sends a statement outside of any transaction. */
type Embedded = Queryable & { exec(statement: string): Promise<unknown> };

/** Row versions: so many, and this part of those that are there, as autovacuum has it by default. */
const BASE_ROWS = 50;
const ANALYZE_PART = 0.1;
const VACUUM_PART = 0.2;
/** Less than this part of its pages known to be visible to all, an index alone answers little. */
const VISIBLE_PART = 0.8;
const MIN_PAGES = 16;
/** Pieces of 2 KB of large values: the longer the wait, the longer the vacuum. */
const MAX_TOAST_ADDED = 100_000;

const TABLES = `SELECT format('%I.%I', s.schemaname, s.relname) AS name, s.last_analyze IS NULL AND pg_relation_size(c.oid) > 0 AS "isUnknown",
    s.n_live_tup::float8 AS live, s.n_dead_tup::float8 AS dead, s.n_mod_since_analyze::float8 AS changed,
    c.relpages AS pages, c.relallvisible AS visible, coalesce(t.n_ins_since_vacuum, 0)::float8 AS "toastAdded"
  FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid LEFT JOIN pg_stat_all_tables t ON t.relid = c.reltoastrelid ORDER BY 1`;

interface Table {
  readonly name: string;
  /** It has something in it, and was not analyzed since the start. */
  readonly isUnknown: boolean;
  readonly live: number;
  readonly dead: number;
  /** Since it was analyzed. */
  readonly changed: number;
  readonly pages: number;
  readonly visible: number;
  /** Since it was vacuumed. */
  readonly toastAdded: number;
}

const wantsAnalyze = ({ isUnknown, changed, live }: Table) =>
  isUnknown || changed > BASE_ROWS + ANALYZE_PART * live;

const wantsVacuum = ({ dead, live, pages, visible, toastAdded }: Table) =>
  dead > BASE_ROWS + VACUUM_PART * live ||
  (pages >= MIN_PAGES && visible < VISIBLE_PART * pages) ||
  toastAdded > MAX_TOAST_ADDED;

/**
 * Does what PostgreSQL's autovacuum daemon does (https://www.postgresql.org/docs/current/routine-vacuuming.html#AUTOVACUUM), for the embedded database, which
 * has no daemon: without it, the room of what was deleted or changed is never used again, and the planner knows nothing of the tables.
 *
 * PGlite's counters of changes begin at nothing with each start, so a table that was not analyzed since is analyzed first: that reads a sample, and
 * estimates what is dead. Each table has a statement of its own, and whoever else wants the one connection waits for one of these at the most: some
 * 0.5 ms for each MB that was written since.
 * @returns what was done to which tables.
 */
export async function autovacuum(database: Embedded, signal?: AbortSignal): Promise<readonly Maintained[]> {
  const done: Maintained[] = [];
  for (const [command, wants] of [
    ['ANALYZE', wantsAnalyze],
    ['VACUUM', wantsVacuum],
  ] as const) {
    for (const table of await database.query<Table>(TABLES)) {
      if (signal?.aborted) return done;
      if (!wants(table)) continue;
      done.push(await execute(database, `${command} ${table.name}`));
    }
  }
  return done;
}

/** As PostgreSQL's `checkpoint_timeout`; and far less of a log than its `max_wal_size`, for what is in it is replayed at a start after a kill. */
const CHECKPOINT_SECONDS = 300;
const MAX_WAL_BYTES = 64 * 1024 * 1024;
/** A checkpoint writes to the log too, and so does the look at what is to be vacuumed. */
const MIN_WAL_BYTES = 64 * 1024;

const WAL = `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::float8 AS bytes,
  extract(epoch FROM now() - checkpoint_time)::float8 AS seconds FROM pg_control_checkpoint()`;

/**
 * Does what PostgreSQL's checkpointer does, which PGlite has not either: without it the write-ahead log of all that was written since the start would lie on
 * the disk, and be replayed after a kill.
 */
export async function checkpoint(database: Embedded): Promise<readonly Maintained[]> {
  const [wal] = await database.query<{ bytes: number; seconds: number }>(WAL);
  const isDue =
    wal && (wal.bytes > MAX_WAL_BYTES || (wal.bytes > MIN_WAL_BYTES && wal.seconds > CHECKPOINT_SECONDS));
  return isDue ? [await execute(database, 'CHECKPOINT')] : [];
}

async function execute(database: Embedded, statement: string): Promise<Maintained> {
  const start = performance.now();
  await database.exec(statement);
  return { statement, milliseconds: Math.round(performance.now() - start) };
}
