import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';

/** A file that is being written changes all the time; after this long without a change, its writer is gone. */
const ABANDONED_AFTER_SECONDS = 10 * 60;

/**
 * Removes temporary files that a killed process left in `directory`. Other processes may be writing there at this moment
 * (several servers can share a directory), so a file goes by its age, not because it is there.
 * @param afterSeconds 0 only when nobody else can be writing.
 * @returns how many were removed.
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
