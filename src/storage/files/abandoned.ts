import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';

/** Seconds without a change after which a temporary file has no writer any more. */
const ABANDONED_AFTER_SECONDS = 10 * 60;

/**
 * Deletes temporary files that killed processes left in `directory`. Other servers may share the directory
 * and write to it now, so a file is deleted by its age.
 * @param afterSeconds age since the last change. Default: 600. 0 is safe only when no other process writes.
 * @returns the number of deleted files.
 */
export async function removeAbandoned(
  directory: string,
  afterSeconds = ABANDONED_AFTER_SECONDS,
): Promise<number> {
  let removed = 0;
  for (const name of await readdir(directory)) {
    const file = path.join(directory, name);
    const stats = await stat(file).catch(() => null);
    if (!stats?.isFile() || Date.now() - stats.mtimeMs < afterSeconds * 1000) continue;
    await rm(file, { force: true });
    removed++;
  }
  return removed;
}
