/**
 * Writes new migrations, for developers. Prisma's schema engine compares schema.prisma with the migrations.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MIGRATIONS_DIRECTORY, PRISMA_DIRECTORY, readMigrations } from './migrations.ts';
import { openSchemaEngine } from './schema-engine.ts';

const NO_FILTERS = { externalTables: [], externalEnums: [] };

/**
 * Writes the difference between schema.prisma and the migrations as the SQL of a new migration. The developer
 * reads it and adds what schema.prisma cannot express.
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
 * Returns the SQL that leads from the migrations to schema.prisma. The migrations run on a temporary
 * database.
 */
export async function diffMigrations(): Promise<string> {
  const scratch = await mkdtemp(path.join(tmpdir(), 'fixative-migration-'));
  const { openPglite } = await import('./pglite/pglite.ts');
  const database = await openPglite({ directory: scratch });
  try {
    return await database.withAdapter(async (adapter) => {
      const schema = await readSchema();
      const engine = await openSchemaEngine(adapter, { path: schema.path, text: schema.content });
      try {
        const { stdout } = await engine.diff({
          from: { tag: 'migrations', ...(await listForEngine()) },
          to: { tag: 'schemaDatamodel', files: [schema] },
          script: true,
          exitCode: null,
          filters: NO_FILTERS,
        });
        return stdout ?? '';
      } finally {
        engine.free();
      }
    });
  } finally {
    await database.close();
    await rm(scratch, { recursive: true, force: true });
  }
}

async function readSchema(): Promise<{ path: string; content: string }> {
  const file = path.join(PRISMA_DIRECTORY, 'schema.prisma');
  return { path: file, content: await readFile(file, 'utf8') };
}

/** Returns the migrations of a directory in the form that Prisma's schema engine takes. */
export async function listForEngine(directory = MIGRATIONS_DIRECTORY) {
  const migrations = await readMigrations(directory);
  return {
    baseDir: directory,
    lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: path.join(name, 'migration.sql'), content: { tag: 'ok' as const, value: sql } },
    })),
  };
}
