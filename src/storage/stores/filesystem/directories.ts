import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { flushToDisk } from '../../files/flush.ts';

/** Makes the directories of keys so that they survive a loss of power. */
export interface KeyDirectories {
  /**
   * Makes a directory and its parents, and begins to flush the parents. Costs one failed mkdir when it
   * exists.
   */
  make(directory: string): Promise<void>;
  /**
   * Resolves when all flushes that have begun are done, also those of other puts. A put may use a directory
   * that another put has just made, so it must wait for the flush of that directory too.
   */
  flushed(): Promise<void>;
}

export function makeKeyDirectories(root: string): KeyDirectories {
  const flushing = new Set<Promise<unknown>>();
  return {
    async make(directory) {
      const first = await mkdir(directory, { recursive: true }).catch(async (error) => {
        await explainMkdirError(directory);
        throw error;
      });
      if (first === undefined) return;
      for (let made = directory; made.length >= first.length && made !== root; made = path.dirname(made)) {
        const flushed = flushToDisk(path.dirname(made));
        flushing.add(flushed);
        const forget = () => flushing.delete(flushed);
        flushed.then(forget, forget);
      }
    },
    async flushed() {
      await Promise.all(flushing);
    },
  };
}

/**
 * With `recursive`, Node reports EIO and EROFS as a missing parent. Repeats the mkdir without it to throw the
 * true error.
 */
async function explainMkdirError(directory: string): Promise<void> {
  for (const each of [path.dirname(directory), directory])
    await mkdir(each).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
}
