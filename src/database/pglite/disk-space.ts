import { statfsSync } from 'node:fs';

/** How often the disk is looked at while something is written, and while it is too full. */
const LOOK_MS = 500;

export interface Room {
  /** Whether there is too little: what writes is refused. */
  readonly isLow: boolean;
  /** Looks, unless it has just looked. */
  look(): void;
  /** What is free, in bytes. */
  free(): number;
  close(): void;
}

/**
 * Watches how much is free on the disk of the embedded database. PostgreSQL ends itself when it cannot write
 * its log, so nothing is written any more while there is still room for the log of what is under way.
 * @param options.onChange is told when there is too little, and when there is enough again; not within the
 *   call of `look`.
 */
export function watchRoom(options: {
  directory: string;
  floorBytes: number;
  onChange: (isLow: boolean) => void;
}): Room {
  const { directory, floorBytes, onChange } = options;
  let isLow = false;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  const free = () => {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  };

  function look(): void {
    if (performance.now() - lookedAt < LOOK_MS) return;
    lookedAt = performance.now();
    const wasLow = isLow;
    try {
      isLow = free() < floorBytes;
    } catch {
      // Of a disk that cannot be asked, what it says when it is written to counts.
      return;
    }
    if (isLow === wasLow) return;
    clearInterval(timer);
    if (isLow) timer = setInterval(look, LOOK_MS).unref();
    const now = isLow;
    setImmediate(() => onChange(now));
  }

  return {
    get isLow() {
      return isLow;
    },
    look,
    free,
    close: () => clearInterval(timer),
  };
}
