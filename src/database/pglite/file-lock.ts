import { DatabaseSync } from 'node:sqlite';

/**
 * Locks a file for this process, if no other holds it. The lock is the kernel's: an exclusive transaction on
 * an SQLite file, which is a lock on a range of the file. It ends with its process however that ends, so a
 * lock that is found taken belongs to a live owner, and none is ever broken. A file with a process id, the
 * usual way, is fooled by ids that are used again, in containers above all.
 * @returns null when a live process holds it.
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
