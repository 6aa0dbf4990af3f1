import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { FixativeError } from '../errors.ts';
import type { Database, HeldLock, Queryable } from './database.ts';
import { isDatabaseAway } from './driver/errors.ts';
import { openSchemaEngine, type SchemaEngine } from './schema-engine.ts';

const PRISMA_DIRECTORY = fileURLToPath(new URL('../../prisma', import.meta.url));
const MIGRATIONS_DIRECTORY = path.join(PRISMA_DIRECTORY, 'migrations');
const NO_FILTERS = { externalTables: [], externalEnums: [] };

export interface MigrationState {
  /** Names of the migrations that the database has. */
  readonly applied: readonly string[];
  /** Names of the migrations that the database lacks, in the order to apply them. */
  readonly pending: readonly string[];
  /**
   * Migrations that Prisma's engine began and did not record as finished. The next `migrate` completes them.
   */
  readonly failed: readonly string[];
  /**
   * Migrations that this version does not have, oldest first. A later version of Fixative has applied them.
   */
  readonly unknown: readonly string[];
  /** Migrations whose SQL has changed since they were applied. */
  readonly edited: readonly string[];
}

/** A database to migrate, or one that is being made (template.ts). */
export interface Migrated extends Queryable {
  readonly schema: string | null;
  exclusively<Result>(name: string, work: (lock: MigrationLock) => Promise<Result>): Promise<Result>;
}
type MigrationLock = Pick<HeldLock, 'query' | 'executeScript'>;

/** Compares prisma/migrations with Prisma's table of applied migrations. Does not load the engine. */
export async function readMigrationState(database: Queryable): Promise<MigrationState> {
  const migrations = await readMigrations();
  const [table] = await database.query<{ there: boolean }>(
    `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS there`,
  );
  const rows = table?.there
    ? await database.query<{ migration_name: string; checksum: string; finished: boolean }>(
        'SELECT migration_name, checksum, finished_at IS NOT NULL AS finished FROM _prisma_migrations WHERE rolled_back_at IS NULL',
      )
    : [];
  const checksums = new Map(
    rows.filter((row) => row.finished).map((row) => [row.migration_name, row.checksum]),
  );
  const applied = migrations.filter((migration) => checksums.has(migration.name));
  const names = new Set(migrations.map((migration) => migration.name));
  return {
    applied: applied.map((migration) => migration.name),
    pending: migrations
      .filter((migration) => !checksums.has(migration.name))
      .map((migration) => migration.name),
    failed: rows
      .filter((row) => !row.finished && names.has(row.migration_name))
      .map((row) => row.migration_name),
    unknown: [...new Set(rows.map((row) => row.migration_name))].filter((name) => !names.has(name)).sort(),
    edited: applied
      .filter((migration) => checksums.get(migration.name) !== sha256(migration.sql))
      .map((migration) => migration.name),
  };
}

/**
 * Applies the pending migrations, each in one transaction with its record. So a kill leaves all of a
 * migration or nothing of it. Other servers of the database wait meanwhile.
 * @returns the names of the migrations that were applied.
 * @throws FixativeError CONFLICT when a later version has migrated the database; INTERNAL with the database's
 *   message when a migration fails.
 */
export async function migrate(database: Migrated): Promise<string[]> {
  const state = await readMigrationState(database);
  requireKnown(state);
  if (state.pending.length === 0) return [];
  return database.exclusively('migrate', async (lock) => {
    await createSchema(database, lock);
    await lock.executeScript(BOOKKEEPING);
    // Another server may have migrated while this one waited for the lock.
    const now = await readMigrationState(database);
    requireKnown(now);
    const applied: string[] = [];
    for (const migration of await readMigrations()) {
      if (!now.pending.includes(migration.name)) continue;
      await (now.failed.includes(migration.name) ? settle : apply)(lock, migration);
      applied.push(migration.name);
    }
    return applied;
  });
}

function requireKnown({ unknown }: MigrationState): void {
  const last = unknown.at(-1);
  if (last === undefined) return;
  throw new FixativeError(
    'CONFLICT',
    `The database is of a later version of Fixative: it has the migration ${last}, which this version does not know. Start that version or a later one, or restore a backup that is older than the upgrade.`,
  );
}

/**
 * Prisma's own definition of the table:
 * https://github.com/prisma/prisma-engines/blob/main/schema-engine/connectors/sql-schema-connector/src/flavour/postgres.rs
 */
const BOOKKEEPING = `CREATE TABLE IF NOT EXISTS _prisma_migrations (
  id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL, finished_at TIMESTAMPTZ, migration_name VARCHAR(255) NOT NULL, logs TEXT,
  rolled_back_at TIMESTAMPTZ, started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0)`;

function apply(lock: MigrationLock, migration: Migration): Promise<void> {
  // Names and checksums contain no characters that need quoting.
  return run(
    lock,
    migration,
    `INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, applied_steps_count)
       VALUES (gen_random_uuid()::text, '${sha256(migration.sql)}', now(), '${migration.name}', 1)`,
  );
}

/**
 * Completes a migration that Prisma's engine began. The engine commits the SQL before it records the end, so
 * a kill leaves all of the SQL or nothing of it.
 */
async function settle(lock: MigrationLock, migration: Migration): Promise<void> {
  const { name, sql } = migration;
  const unfinished = `migration_name = '${name}' AND finished_at IS NULL AND rolled_back_at IS NULL`;
  const record = `UPDATE _prisma_migrations SET finished_at = now(), checksum = '${sha256(sql)}', logs = NULL, applied_steps_count = 1 WHERE ${unfinished}`;
  // The engine records the error of a failed migration: nothing of it was applied then.
  const [{ refused } = { refused: false }] = await lock.query<{ refused: boolean }>(
    `SELECT bool_or(logs IS NOT NULL) AS refused FROM _prisma_migrations WHERE ${unfinished}`,
  );
  try {
    await run(lock, migration, record);
  } catch (error) {
    if (refused || !isApplied((error as FixativeError).cause)) throw error;
    await lock.executeScript(record);
  }
}

/**
 * Runs a migration and its record as one simple query, which is one transaction:
 * https://www.postgresql.org/docs/current/protocol-flow.html
 */
async function run(lock: MigrationLock, { name, sql }: Migration, record: string): Promise<void> {
  try {
    await lock.executeScript(`${sql}\n;\n${record};`);
  } catch (error) {
    // It may have been applied: the next start reads its record.
    if (isDatabaseAway(error)) throw error;
    throw new FixativeError(
      'INTERNAL',
      `The migration ${name} failed, and nothing of it was kept: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

/**
 * SQLSTATEs duplicate_schema, duplicate_table, duplicate_column, duplicate_object, duplicate_function;
 * undefined_object, undefined_column, undefined_table.
 */
const APPLIED_STATES = ['42P06', '42P07', '42701', '42710', '42723', '42704', '42703', '42P01'];

/**
 * Returns whether a migration failed because it was applied before: what it creates exists, or what it drops
 * does not.
 */
function isApplied(error: unknown): boolean {
  return APPLIED_STATES.includes(String((error as { code?: unknown } | null)?.code));
}

/**
 * Creates the schema that the address names. Looks first, because CREATE SCHEMA needs a privilege even when
 * it exists.
 */
async function createSchema({ schema }: Migrated, lock: MigrationLock): Promise<void> {
  if (schema === null) return;
  const [found] = await lock.query<{ there: boolean }>(
    'SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS there',
    [schema],
  );
  // The name contains no characters that need quoting (session.ts).
  if (!found?.there) await lock.executeScript(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
}

/**
 * Writes the SQL of a new migration: the difference between the migrations and schema.prisma. A developer
 * completes it by hand.
 * @returns the file and its text, or null when there is no difference.
 */
export async function writeMigration(name: string): Promise<{ file: string; sql: string } | null> {
  const sql = await diffMigrations();
  if (sql.trim() === '' || sql.includes('This is an empty migration')) return null;
  const stamp = new Date().toISOString().replaceAll(/[-:T]/g, '').slice(0, 14);
  const file = path.join(MIGRATIONS_DIRECTORY, `${stamp}_${name}`, 'migration.sql');
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, sql);
  return { file, sql };
}

/**
 * Returns the SQL that leads from the migrations to schema.prisma. Applies the migrations to a temporary
 * embedded database.
 */
export async function diffMigrations(): Promise<string> {
  const scratch = await mkdtemp(path.join(tmpdir(), 'fixative-migration-'));
  const { openPglite } = await import('./pglite/pglite.ts');
  const database = await openPglite({ directory: scratch });
  try {
    return await withEngine(database, async (engine) => {
      const { stdout } = await engine.diff({
        from: { tag: 'migrations', ...(await listForEngine()) },
        to: { tag: 'schemaDatamodel', files: [await schemaFile()] },
        script: true,
        exitCode: null,
        filters: NO_FILTERS,
      });
      return stdout ?? '';
    });
  } finally {
    await database.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function withEngine<Result>(
  database: Database,
  work: (engine: SchemaEngine) => Promise<Result>,
): Promise<Result> {
  const { path: file, content: text } = await schemaFile();
  return database.withAdapter(async (adapter) => {
    const engine = await openSchemaEngine(adapter, { path: file, text });
    return work(engine).finally(() => engine.free());
  });
}

async function schemaFile() {
  const file = path.join(PRISMA_DIRECTORY, 'schema.prisma');
  return { path: file, content: await readFile(file, 'utf8') };
}

interface Migration {
  readonly name: string;
  readonly sql: string;
}

/** Returns the migrations of this version, in the order to apply them. */
export async function readMigrations(): Promise<Migration[]> {
  const entries = await readdir(MIGRATIONS_DIRECTORY, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.sort().map(async (name) => ({
      name,
      sql: await readFile(path.join(MIGRATIONS_DIRECTORY, name, 'migration.sql'), 'utf8'),
    })),
  );
}

async function listForEngine() {
  const migrations = await readMigrations();
  return {
    baseDir: MIGRATIONS_DIRECTORY,
    lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: path.join(name, 'migration.sql'), content: { tag: 'ok' as const, value: sql } },
    })),
  };
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
