/** The migrations of this version: prisma/migrations, one folder with a `migration.sql` for each. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const PRISMA_DIRECTORY = fileURLToPath(new URL('../../prisma', import.meta.url));
export const MIGRATIONS_DIRECTORY = path.join(PRISMA_DIRECTORY, 'migrations');

export interface Migration {
  /** Name of the folder; it begins with a time stamp, so names sort in the order of application. */
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the SQL, in hexadecimal, as Prisma records it. */
  readonly checksum: string;
}

/**
 * Reads the migrations of a directory, in the order of application. Returns none when there is no directory.
 */
export async function readMigrations(directory = MIGRATIONS_DIRECTORY): Promise<Migration[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.sort().map(async (name) => {
      const sql = await readFile(path.join(directory, name, 'migration.sql'), 'utf8');
      return { name, sql, checksum: createHash('sha256').update(sql).digest('hex') };
    }),
  );
}
