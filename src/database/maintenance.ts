import type { Maintained, Queryable } from './database.ts';

/** The embedded database. `exec` sends a statement outside of any transaction. */
type Embedded = Queryable & { exec(statement: string): Promise<unknown> };

/** Thresholds in rows, and as a share of the table's rows: the defaults of autovacuum. */
const BASE_ROWS = 50;
const ANALYZE_SHARE = 0.1;
const VACUUM_SHARE = 0.2;
/**
 * Share of pages that the visibility map marks as all-visible. Below it, index-only scans read too much of
 * the table.
 */
const MIN_VISIBLE_SHARE = 0.8;
const MIN_PAGES = 16;
/** TOAST chunks (2 KB) added since the last vacuum. The limit keeps each vacuum short. */
const MAX_TOAST_ADDED = 100_000;

const TABLES = `SELECT format('%I.%I', s.schemaname, s.relname) AS name, s.last_analyze IS NULL AND pg_relation_size(c.oid) > 0 AS "isUnknown",
    s.n_live_tup::float8 AS live, s.n_dead_tup::float8 AS dead, s.n_mod_since_analyze::float8 AS changed,
    c.relpages AS pages, c.relallvisible AS visible, coalesce(t.n_ins_since_vacuum, 0)::float8 AS "toastAdded"
  FROM pg_stat_user_tables s JOIN pg_class c ON c.oid = s.relid LEFT JOIN pg_stat_all_tables t ON t.relid = c.reltoastrelid ORDER BY 1`;

interface Table {
  readonly name: string;
  /** Whether the table has rows and was not analyzed since the start. */
  readonly isUnknown: boolean;
  readonly live: number;
  readonly dead: number;
  /** Row versions changed since the last ANALYZE. */
  readonly changed: number;
  readonly pages: number;
  readonly visible: number;
  /** TOAST chunks added since the last VACUUM. */
  readonly toastAdded: number;
}

const wantsAnalyze = ({ isUnknown, changed, live }: Table) =>
  isUnknown || changed > BASE_ROWS + ANALYZE_SHARE * live;

const wantsVacuum = ({ dead, live, pages, visible, toastAdded }: Table) =>
  dead > BASE_ROWS + VACUUM_SHARE * live ||
  (pages >= MIN_PAGES && visible < MIN_VISIBLE_SHARE * pages) ||
  toastAdded > MAX_TOAST_ADDED;

/**
 * Vacuums and analyzes the embedded database, as PostgreSQL's autovacuum daemon does
 * (https://www.postgresql.org/docs/current/routine-vacuuming.html#AUTOVACUUM). PGlite has no daemon. Without
 * this, the space of deleted rows is never reused, and the planner has no statistics.
 *
 * PGlite's counters start at zero with each process, so a table without statistics is analyzed first: that
 * reads a sample and estimates its dead rows. Each table has a statement of its own, because other callers
 * wait for the one connection meanwhile: some 0.5 ms per MB written since the last run.
 * @returns the statements that were run.
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

/** PostgreSQL's default `checkpoint_timeout`. */
const CHECKPOINT_SECONDS = 300;
/** Far below the default `max_wal_size`, because a start after a kill replays the log. */
const MAX_WAL_BYTES = 64 * 1024 * 1024;
/**
 * Written by a checkpoint and by the queries of `autovacuum` themselves, so less than this is no reason for a
 * checkpoint.
 */
const MIN_WAL_BYTES = 64 * 1024;

const WAL = `SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), redo_lsn)::float8 AS bytes,
  extract(epoch FROM now() - checkpoint_time)::float8 AS seconds FROM pg_control_checkpoint()`;

/**
 * Runs a checkpoint when one is due, as PostgreSQL's checkpointer does. PGlite has none. Without this, the
 * write-ahead log of the whole run would stay on the disk and be replayed after a kill.
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
