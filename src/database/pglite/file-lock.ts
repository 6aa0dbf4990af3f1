import { DatabaseSync } from 'node:sqlite';

/**
 * Locks a file for this process. The lock is an exclusive transaction on an SQLite file, which is a kernel
 * lock on a range of the file. The kernel releases it when the process dies, so a held lock always has a live
 * owner. A file with a process id does not work as a lock: ids are reused, most of all in containers.
 * @returns null when another process holds the lock.
 */
export function tryLockFile(file: string): { release(): void } | null {
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === 5 /* SQLITE_BUSY */) return null;
    throw error;
  }
  return { release: () => lock.close() };
}
