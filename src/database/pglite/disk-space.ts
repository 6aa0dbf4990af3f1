import { statfsSync } from 'node:fs';

/** Least milliseconds between two checks, and the interval of checks while the disk is too full. */
const CHECK_MS = 500;

export interface FreeSpace {
  /** Whether too little space is free, so that writes are rejected. */
  readonly isLow: boolean;
  /** Checks the disk, unless it was checked less than 500 ms ago. */
  check(): void;
  /** Returns the free bytes. */
  free(): number;
  close(): void;
}

/**
 * Watches the free space on the disk of the embedded database. PostgreSQL shuts down when it cannot write its
 * log. So writes stop while there is still space for the log of those under way.
 * @param options.onChange called when the space becomes too little or sufficient again; never during `check`.
 */
export function watchFreeSpace(options: {
  directory: string;
  floorBytes: number;
  onChange: (isLow: boolean) => void;
}): FreeSpace {
  const { directory, floorBytes, onChange } = options;
  let isLow = false;
  let checkedAt = Number.NEGATIVE_INFINITY;
  let timer: NodeJS.Timeout | undefined;

  const free = () => {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  };

  function check(): void {
    if (performance.now() - checkedAt < CHECK_MS) return;
    checkedAt = performance.now();
    const wasLow = isLow;
    try {
      isLow = free() < floorBytes;
    } catch {
      // When the disk cannot be checked, its write errors decide.
      return;
    }
    if (isLow === wasLow) return;
    clearInterval(timer);
    if (isLow) timer = setInterval(check, CHECK_MS).unref();
    const now = isLow;
    setImmediate(() => onChange(now));
  }

  return {
    get isLow() {
      return isLow;
    },
    check,
    free,
    close: () => clearInterval(timer),
  };
}
