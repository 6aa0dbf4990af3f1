import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Database } from './database.ts';
import { openSchemaEngine, type SchemaEngine } from './schema-engine.ts';

const PRISMA_DIRECTORY = fileURLToPath(new URL('../../prisma', import.meta.url));
const MIGRATIONS_DIRECTORY = path.join(PRISMA_DIRECTORY, 'migrations');
const NO_FILTERS = { externalTables: [], externalEnums: [] };

export interface MigrationState {
  /** Names of the migrations that the database has. */
  readonly applied: readonly string[];
  /** Names of those that it lacks, in the order in which they will be applied. */
  readonly pending: readonly string[];
  /** Those that began and did not end; nothing is applied before an operator has looked (`prisma migrate resolve`). */
  readonly failed: readonly string[];
  /** Those whose SQL has changed since it was applied. */
  readonly edited: readonly string[];
}

/** Compares prisma/migrations with Prisma's own table of what was applied, by plain statements: no engine is loaded. */
export async function readMigrationState(database: Database): Promise<MigrationState> {
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
  return {
    applied: applied.map((migration) => migration.name),
    pending: migrations
      .filter((migration) => !checksums.has(migration.name))
      .map((migration) => migration.name),
    failed: rows.filter((row) => !row.finished).map((row) => row.migration_name),
    edited: applied
      .filter((migration) => checksums.get(migration.name) !== sha256(migration.sql))
      .map((migration) => migration.name),
  };
}

/**
 * Applies what is pending, under a lock that the other servers of the database wait for.
 * @returns the names of the migrations that were applied now.
 */
export async function migrate(database: Database): Promise<string[]> {
  const state = await readMigrationState(database);
  if (state.pending.length === 0) return [];
  return database.exclusively('migrate', async () => {
    await createSchema(database);
    return withEngine(database, async (engine) => {
      const { appliedMigrationNames } = await engine.applyMigrations({
        migrationsList: await listForEngine(),
        filters: NO_FILTERS,
      });
      return appliedMigrationNames;
    });
  });
}

/** The schema that the address names. Whether it is there is looked up, because to create it takes a right even where it is. */
async function createSchema(database: Database): Promise<void> {
  const { schema } = database;
  if (schema === null) return;
  const [found] = await database.query<{ there: boolean }>(
    'SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS there',
    [schema],
  );
  // The name has no character that would need quoting (session.ts).
  if (!found?.there) await database.executeSql(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
}

/**
 * Writes what schema.prisma says and the migrations do not as the SQL of a new migration, to be read and completed by hand.
 * @returns the file and its text, or null when there is nothing to write.
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

/** The SQL that leads from the migrations to schema.prisma; they are tried on an embedded database that is thrown away. */
export async function diffMigrations(): Promise<string> {
  const scratch = await mkdtemp(path.join(tmpdir(), 'fixative-migration-'));
  const { openPglite } = await import('./pglite.ts');
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

async function readMigrations(): Promise<{ name: string; sql: string }[]> {
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
