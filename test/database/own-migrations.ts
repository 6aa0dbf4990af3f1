import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MIGRATIONS_DIRECTORY, readMigrations } from '../../src/database/migrations.ts';

/**
 * Copies the first migration of this version into a directory that is made, and adds a test's own, by name.
 */
export function copyFirstMigration(
  directory: string,
  own: Readonly<Record<string, string>> = {},
): Promise<void> {
  return copyMigrations(directory, own, 1);
}

/**
 * Copies the migrations of this version into a directory that is made, and adds a test's own, by name.
 * @param count number of migrations to copy, the first ones. Default: all.
 */
export async function copyMigrations(
  directory: string,
  own: Readonly<Record<string, string>>,
  count = Number.POSITIVE_INFINITY,
): Promise<void> {
  const migrations = await readMigrations();
  if (migrations.length === 0) throw new Error(`There is no migration in ${MIGRATIONS_DIRECTORY}.`);
  for (const { name } of migrations.slice(0, count))
    await cp(path.join(MIGRATIONS_DIRECTORY, name), path.join(directory, name), { recursive: true });
  for (const [name, sql] of Object.entries(own)) {
    await mkdir(path.join(directory, name));
    await writeFile(path.join(directory, name, 'migration.sql'), sql);
  }
}
