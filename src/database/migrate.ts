/**
 * Applies migrations, and reports which ones a database has. Applied migrations are recorded in Prisma's
 * table, `_prisma_migrations`, so that an operator may run `prisma migrate deploy` instead.
 */
import { FixativeError } from '../errors.ts';
import type { HeldLock, Queryable } from './database.ts';
import { isDatabaseAway } from './driver/errors.ts';
import { MIGRATIONS_DIRECTORY, type Migration, readMigrations } from './migrations.ts';

export interface MigrationState {
  /** Names of the migrations that the database has. */
  readonly applied: readonly string[];
  /** Names of the migrations that the database lacks, in the order of application. */
  readonly pending: readonly string[];
  /**
   * Migrations that Prisma's engine began and did not record as finished; the next `migrate` completes them.
   */
  readonly failed: readonly string[];
  /**
   * Migrations in the database that this version does not have, oldest first; another version applied them.
   */
  readonly unknown: readonly string[];
  /** Migrations whose SQL has changed since it was applied. */
  readonly edited: readonly string[];
}

/** A database to migrate: an open one, or the template of embedded databases (template.ts). */
export interface Migrated extends Queryable {
  readonly schema: string | null;
  exclusively<Result>(name: string, work: (lock: MigrationLock) => Promise<Result>): Promise<Result>;
}
type MigrationLock = Pick<HeldLock, 'query' | 'executeScript'>;

interface MigrationRecord {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished: boolean;
}

/** Compares the migrations of a directory with the records in the database. Loads no engine. */
export async function readMigrationState(
  database: Queryable,
  directory = MIGRATIONS_DIRECTORY,
): Promise<MigrationState> {
  return compareWithRecords(await readMigrations(directory), await readRecords(database));
}

async function readRecords(database: Queryable): Promise<MigrationRecord[]> {
  const [table] = await database.query<{ there: boolean }>(
    `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS there`,
  );
  if (!table?.there) return [];
  return database.query<MigrationRecord>(
    `SELECT migration_name, checksum, finished_at IS NOT NULL AS finished
     FROM _prisma_migrations WHERE rolled_back_at IS NULL`,
  );
}

function compareWithRecords(
  migrations: readonly Migration[],
  records: readonly MigrationRecord[],
): MigrationState {
  const finished = records.filter((record) => record.finished);
  const checksums = new Map(finished.map((record) => [record.migration_name, record.checksum]));
  const names = new Set(migrations.map(({ name }) => name));
  const recorded = [...new Set(records.map((record) => record.migration_name))];
  const unfinished = records.filter((record) => !record.finished).map((record) => record.migration_name);
  const applied = migrations.filter(({ name }) => checksums.has(name));
  return {
    applied: applied.map(({ name }) => name),
    pending: migrations.filter(({ name }) => !checksums.has(name)).map(({ name }) => name),
    failed: unfinished.filter((name) => names.has(name)),
    unknown: recorded.filter((name) => !names.has(name)).sort(),
    edited: applied.filter(({ name, checksum }) => checksums.get(name) !== checksum).map(({ name }) => name),
  };
}

/**
 * Applies the pending migrations, each in one transaction with its record: a process that is killed leaves
 * all of a migration or nothing of it. Other servers of the database wait meanwhile.
 * @returns the names of the migrations that were applied now.
 * @throws FixativeError CONFLICT when the database has a migration that this version does not have; INTERNAL
 *   with the database's message when a migration fails.
 */
export async function migrate(database: Migrated, directory = MIGRATIONS_DIRECTORY): Promise<string[]> {
  const migrations = await readMigrations(directory);
  const readState = async () => compareWithRecords(migrations, await readRecords(database));
  const state = await readState();
  requireKnown(state, migrations);
  if (state.pending.length === 0) return [];
  return database.exclusively('migrate', async (lock) => {
    await createSchema(database, lock);
    await lock.executeScript(CREATE_RECORDS);
    // Another server may have migrated while this one waited for the lock.
    const now = await readState();
    requireKnown(now, migrations);
    const pending = migrations.filter(({ name }) => now.pending.includes(name));
    for (const migration of pending) {
      await (now.failed.includes(migration.name) ? complete : apply)(lock, migration);
    }
    return pending.map(({ name }) => name);
  });
}

/** @throws FixativeError CONFLICT when the database has a migration that this version does not have. */
function requireKnown({ unknown }: MigrationState, migrations: readonly Migration[]): void {
  const last = unknown.at(-1);
  if (last === undefined) return;
  const first = migrations[0]?.name;
  throw new FixativeError(
    'CONFLICT',
    first !== undefined && last < first
      ? `The database was made before the first release of Fixative: it has the migration ${last}, which is now part of ${first}. Start with an empty database; docs/upgrading.md says how to take the images along.`
      : `The database is of a later version of Fixative: it has the migration ${last}, which this version does not know. Start that version or a later one, or restore a backup that is older than the upgrade.`,
  );
}

/**
 * Prisma's own table:
 * https://github.com/prisma/prisma-engines/blob/main/schema-engine/connectors/sql-schema-connector/src/flavour/postgres.rs
 */
const CREATE_RECORDS = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ, migration_name VARCHAR(255) NOT NULL, logs TEXT,
  rolled_back_at TIMESTAMPTZ, started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0)`;

function apply(lock: MigrationLock, migration: Migration): Promise<void> {
  // Names and checksums have no character that would need quoting.
  return runWithRecord(
    lock,
    migration,
    `INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, applied_steps_count)
       VALUES (gen_random_uuid()::text, '${migration.checksum}', now(), '${migration.name}', 1)`,
  );
}

/**
 * Completes a migration that Prisma's engine began. The engine records the end after the SQL has been
 * committed, so a kill leaves either all of the SQL or nothing of it.
 */
async function complete(lock: MigrationLock, migration: Migration): Promise<void> {
  const { name, checksum } = migration;
  const unfinished = `migration_name = '${name}' AND finished_at IS NULL AND rolled_back_at IS NULL`;
  const record = `UPDATE _prisma_migrations SET finished_at = now(), checksum = '${checksum}', logs = NULL, applied_steps_count = 1 WHERE ${unfinished}`;
  // The engine records the error of a migration that PostgreSQL refused. Nothing of such a migration was
  // kept.
  const [{ refused } = { refused: false }] = await lock.query<{ refused: boolean }>(
    `SELECT bool_or(logs IS NOT NULL) AS refused FROM _prisma_migrations WHERE ${unfinished}`,
  );
  try {
    await runWithRecord(lock, migration, record);
  } catch (error) {
    if (refused || !isAppliedAlready((error as FixativeError).cause)) throw error;
    await lock.executeScript(record);
  }
}

/**
 * Runs a migration and the statement that records it. Statements sent as one simple query are one
 * transaction: https://www.postgresql.org/docs/current/protocol-flow.html
 */
async function runWithRecord(
  lock: MigrationLock,
  { name, sql }: Migration,
  recordSql: string,
): Promise<void> {
  try {
    await lock.executeScript(`${sql}\n;\n${recordSql};`);
  } catch (error) {
    // The migration may have been applied. The next start finds its record.
    if (isDatabaseAway(error)) throw error;
    throw new FixativeError(
      'INTERNAL',
      `The migration ${name} failed, and nothing of it was kept: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/** SQLSTATEs: duplicate_schema, _table, _column, _object, _function; undefined_object, _column, _table. */
const APPLIED_STATES = ['42P06', '42P07', '42701', '42710', '42723', '42704', '42703', '42P01'];

/**
 * Returns whether a migration failed because it was applied before: it creates what exists or drops what does
 * not.
 */
function isAppliedAlready(error: unknown): boolean {
  return APPLIED_STATES.includes(String((error as { code?: unknown } | null)?.code));
}

/**
 * Creates the schema that the address names. Checks first, because CREATE needs a right even when the schema
 * exists.
 */
async function createSchema({ schema }: Migrated, lock: MigrationLock): Promise<void> {
  if (schema === null) return;
  const [found] = await lock.query<{ there: boolean }>(
    'SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS there',
    [schema],
  );
  // The name has no character that would need quoting (driver/session.ts).
  if (!found?.there) await lock.executeScript(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
}
