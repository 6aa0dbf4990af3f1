import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { FixativeError } from '../errors.ts';

/**
 * The lock on DATA_DIR. Two processes that open one embedded database corrupt it, and both would clear the other's spool,
 * so one process owns the directory at a time.
 *
 * The lock is the kernel's: an exclusive transaction on an SQLite file, which is a lock on a range of the file. It ends with its
 * process however that ends, so a lock that is found taken belongs to a live owner, and none is ever broken. A file with a
 * process id, the usual way, is fooled by ids that are used again, in containers above all.
 */
export interface DataDirectory {
  readonly path: string;
  release(): Promise<void>;
}

/** @param processId is told to whoever finds it locked. */
export async function lockDataDirectory(directory: string, processId: number): Promise<DataDirectory> {
  await mkdir(directory, { recursive: true });
  const ownerPath = path.join(directory, 'owner.json');
  const lock = new DatabaseSync(path.join(directory, 'lock.sqlite'), { timeout: 0 });
  try {
    lock.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (!((error instanceof Error && 'errcode' in error && error.errcode === 5) /* SQLITE_BUSY */))
      throw error;
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
      lock.close();
    },
  };
}
