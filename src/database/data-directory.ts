import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { FixativeError } from '../errors.ts';
import { tryLockFile } from './file-lock.ts';

/**
 * The lock on DATA_DIR. Two processes that open one embedded database corrupt it, and both would clear the other's spool,
 * so one process owns the directory at a time.
 */
export interface DataDirectory {
  readonly path: string;
  release(): Promise<void>;
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
