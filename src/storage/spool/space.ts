import { statfs } from 'node:fs/promises';
import { DiskError } from '../../errors.ts';
import { formatBytes } from './format-bytes.ts';

/** Refuses writes while the disk is nearly full. */
export interface SpaceGuard {
  /** @throws DiskError NO_SPACE if less than the minimum would be free after writing `bytes`. */
  require(bytes: number): Promise<void>;
}

export interface MeasuredSpace extends SpaceGuard {
  /** Returns the free bytes of the fullest file system. */
  free(): Promise<number>;
}

/** Time for which a measurement is used. */
const CACHE_MS = 500;

/**
 * Watches the file systems of some directories. A full disk must be noticed before it is full: the embedded
 * database ends the process when it cannot write its log, and errors could not be recorded either.
 */
export function makeSpaceGuard(options: {
  directories: readonly string[];
  minFreeBytes: number;
}): MeasuredSpace {
  const { directories, minFreeBytes } = options;
  let free = Number.POSITIVE_INFINITY;
  let measuredAt = 0;

  async function measure(): Promise<void> {
    measuredAt = Date.now();
    const found = await Promise.all(
      // A missing directory is not full. Its user reports what is wrong with it.
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
    async free() {
      await measure();
      return free;
    },
    async require(bytes) {
      if (Date.now() - measuredAt > CACHE_MS) await measure();
      if (free - bytes >= minFreeBytes) return;
      throw new DiskError(
        'NO_SPACE',
        `The server has ${formatBytes(Math.max(0, free))} of disk space left and takes nothing in below ${formatBytes(minFreeBytes)} (MIN_FREE_BYTES). Free some space and try again.`,
      );
    },
  };
}
