import { statfs } from 'node:fs/promises';
import { DiskError } from '../../errors.ts';
import { formatBytes } from './spool.ts';

/** Refuses what would be written while there is too little room for it. */
export interface SpaceGuard {
  /** @throws DiskError NO_SPACE when `bytes` more would leave less than the floor. */
  require(bytes: number): Promise<void>;
}

const REMEMBER_MS = 500;

/**
 * Watches the file systems of some directories. A full disk must be met here and not later: the embedded database ends the process when it cannot
 * write its log, and even the rows that would say what went wrong could not be written.
 */
export function makeSpaceGuard(options: {
  directories: readonly string[];
  minFreeBytes: number;
}): SpaceGuard {
  const { directories, minFreeBytes } = options;
  let free = Number.POSITIVE_INFINITY;
  let lookedAt = 0;

  async function look(): Promise<void> {
    lookedAt = Date.now();
    const found = await Promise.all(
      // A directory that is not there is not full; whoever uses it says what is wrong with it.
      directories.map((directory) =>
        statfs(directory).then(
          ({ bavail, bsize }) => bavail * bsize,
          () => Number.POSITIVE_INFINITY,
        ),
      ),
    );
    free = Math.min(...found);
  }

  return {
    async require(bytes) {
      if (Date.now() - lookedAt > REMEMBER_MS) await look();
      if (free - bytes >= minFreeBytes) return;
      throw new DiskError(
        'NO_SPACE',
        `The server has ${formatBytes(Math.max(0, free))} of disk space left and takes nothing in below ${formatBytes(minFreeBytes)} (MIN_FREE_BYTES). Free some space and try again.`,
      );
    },
  };
}
