import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { MIGRATIONS_DIRECTORY, readMigrations } from '../../src/database/migrations.ts';

/**
 * Copies the first migration of this version into a directory that is made, and adds a test's own, by name.
 */
export async function copyFirstMigration(
  directory: string,
  own: Readonly<Record<string, string>> = {},
): Promise<void> {
  const [first] = await readMigrations();
  if (!first) throw new Error(`There is no migration in ${MIGRATIONS_DIRECTORY}.`);
  await cp(path.join(MIGRATIONS_DIRECTORY, first.name), path.join(directory, first.name), {
    recursive: true,
  });
  for (const [name, sql] of Object.entries(own)) {
    await mkdir(path.join(directory, name));
    await writeFile(path.join(directory, name, 'migration.sql'), sql);
  }
}
