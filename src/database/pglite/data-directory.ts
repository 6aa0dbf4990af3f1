import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { FixativeError } from '../../errors.ts';
import { tryLockFile } from './file-lock.ts';

/**
 * Lock on DATA_DIR. Two processes on one embedded database corrupt it, and both would delete the other's
 * spooled files. So one process owns the directory at a time.
 */
export interface DataDirectory {
  readonly path: string;
  release(): Promise<void>;
}

/** Returns the directory of the embedded database. */
export const databaseDirectoryOf = (directory: string) => path.join(directory, 'database');

/** Returns the path of a file that exists while a new database is being written. */
export const unfinishedMarkOf = (databaseDirectory: string) => `${databaseDirectory}.unfinished`;

/** Returns whether the embedded database exists. Fast: reads no file. */
export function hasDatabase(directory: string): boolean {
  const database = databaseDirectoryOf(directory);
  return existsSync(path.join(database, 'PG_VERSION')) && !existsSync(unfinishedMarkOf(database));
}

/**
 * Locks the data directory until `release`.
 * @param processId process id for the error that other processes get.
 * @throws FixativeError STORE_UNAVAILABLE when another process holds the lock.
 */
export async function lockDataDirectory(directory: string, processId: number): Promise<DataDirectory> {
  await mkdir(directory, { recursive: true });
  const ownerPath = path.join(directory, 'owner.json');
  const lock = tryLockFile(path.join(directory, 'lock.sqlite'));
  if (lock === null) {
    const owner = await readFile(ownerPath, 'utf8')
      .then((text) => `process ${(JSON.parse(text) as { pid: number }).pid}`)
      .catch(() => 'another process');
    throw new FixativeError(
      'STORE_UNAVAILABLE',
      `${directory} is in use by ${owner}. Stop that process, give this one a DATA_DIR of its own, or set DATABASE_URL to a PostgreSQL server, which several processes can share.`,
    );
  }
  await writeFile(ownerPath, `${JSON.stringify({ pid: processId })}\n`);
  return {
    path: directory,
    async release() {
      await rm(ownerPath, { force: true });
      lock.release();
    },
  };
}
