import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { FixativeError } from '../../errors.ts';
import { tryLockFile } from './file-lock.ts';

/**
 * The lock on DATA_DIR. Two processes that open one embedded database corrupt it, and both would clear the
 * other's spool, so one process owns the directory at a time.
 */
export interface DataDirectory {
  readonly path: string;
  release(): Promise<void>;
}

/** Where the files of the embedded database are. */
export const databaseDirectoryOf = (directory: string) => path.join(directory, 'database');

/** Is there while the files of a new database are being written. */
export const unfinishedMarkOf = (databaseDirectory: string) => `${databaseDirectory}.unfinished`;

/** Returns whether the embedded database was made; quick, and loads nothing. */
export function hasDatabase(directory: string): boolean {
  const database = databaseDirectoryOf(directory);
  return existsSync(path.join(database, 'PG_VERSION')) && !existsSync(unfinishedMarkOf(database));
}

/** @param processId is told to whoever finds it locked. */
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
      `${directory} is in use by ${owner}. Stop it first, give this one a DATA_DIR of its own, or set DATABASE_URL to a PostgreSQL server, which several processes may share.`,
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
