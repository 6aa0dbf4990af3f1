import fs, { type BigIntStats } from 'node:fs';
import type { ByteRange } from '../store.ts';

/** A cache of open files with a size limit. Files that are not read for 30 to 60 seconds are closed. */
export interface OpenFiles {
  /**
   * Reads a range into a buffer with enough room. Uses callbacks, because a FileHandle costs twice as much
   * and a stream several times as much.
   * @returns the state of the file after the last read; null if it is shorter than the range.
   * @throws Error as fs.open, fs.read and fs.fstat do.
   */
  read(file: string, range: ByteRange, buffer: Buffer): Promise<BigIntStats | null>;
  /**
   * Drops a file that was deleted or replaced. A file that was changed in place is dropped by `read` itself.
   */
  forget(file: string): void;
  /** Number of files that are kept open. */
  readonly count: number;
  close(): void;
}

interface OpenFile {
  readonly descriptor: number;
  /** Number of reads that run. The file is closed after the last of them. */
  readers: number;
  isKept: boolean;
  /** Whether it was read since the last sweep. */
  isUsed: boolean;
  /** ctime after the first read; null before. A replacement, a deletion and a write change it. */
  ctimeNs: bigint | null;
}

/**
 * Interval of the sweep that closes unused files. It frees the space of deleted files and lets a disk be
 * unmounted.
 */
const SWEEP_SECONDS = 30;

/**
 * @param maxFiles most files to keep open; 0: none.
 * @param isLocal whether fstat and close need no network. They are called synchronously then, which is
 *   cheaper than a thread.
 */
export function makeOpenFiles(maxFiles: number, isLocal: boolean): OpenFiles {
  const kept = new Map<string, OpenFile>();
  const fstat = isLocal ? fstatSynchronously : fstatInThread;
  const close = isLocal ? closeSynchronously : closeInThread;
  let timer: NodeJS.Timeout | null = null;

  function closeIfUnused(file: OpenFile): void {
    if (file.readers === 0 && !file.isKept) close(file.descriptor);
  }

  function forget(name: string): void {
    const file = kept.get(name);
    if (!file) return;
    kept.delete(name);
    file.isKept = false;
    closeIfUnused(file);
  }

  function keep(name: string, file: OpenFile): void {
    // A parallel read may have opened and kept the same file.
    if (maxFiles === 0 || kept.has(name)) return;
    for (const oldest of kept.keys()) {
      if (kept.size < maxFiles) break;
      forget(oldest);
    }
    file.isKept = true;
    kept.set(name, file);
    timer ??= setInterval(closeIdle, SWEEP_SECONDS * 1000).unref();
  }

  function closeIdle(): void {
    for (const [name, file] of kept) {
      if (file.isUsed) file.isUsed = false;
      else forget(name);
    }
    if (kept.size === 0) stopTimer();
  }

  function stopTimer(): void {
    if (timer) clearInterval(timer);
    timer = null;
  }

  async function read(name: string, range: ByteRange, buffer: Buffer): Promise<BigIntStats | null> {
    let file = kept.get(name);
    if (file) {
      file.isUsed = true;
      file.readers++;
    } else {
      file = await openForReading(name, keep);
    }
    try {
      const stats = await readRange(file.descriptor, range, buffer, fstat);
      file.ctimeNs ??= stats?.ctimeNs ?? null;
      if (stats === null || file.ctimeNs !== stats.ctimeNs) forget(name);
      return stats;
    } finally {
      file.readers--;
      closeIfUnused(file);
    }
  }

  return {
    get count() {
      return kept.size;
    },
    read,
    forget,
    close() {
      stopTimer();
      for (const name of [...kept.keys()]) forget(name);
    },
  };
}

/** @param onOpen is called in the callback of fs.open, so that no `forget` can run between the two. */
function openForReading(name: string, onOpen: (name: string, file: OpenFile) => void): Promise<OpenFile> {
  return new Promise((resolve, reject) => {
    fs.open(name, 'r', (error, descriptor) => {
      if (error) return reject(error);
      const file: OpenFile = { descriptor, readers: 1, isKept: false, isUsed: true, ctimeNs: null };
      onOpen(name, file);
      resolve(file);
    });
  });
}

type Fstat = (
  descriptor: number,
  resolve: (stats: BigIntStats) => void,
  reject: (error: unknown) => void,
) => void;

/** Reads a range, then the state of the file. Resolves to null if the file is shorter than the range. */
function readRange(
  descriptor: number,
  { start, end }: ByteRange,
  buffer: Buffer,
  fstat: Fstat,
): Promise<BigIntStats | null> {
  const length = end - start + 1;
  return new Promise((resolve, reject) => {
    const read = (offset: number) =>
      fs.read(descriptor, buffer, offset, length - offset, start + offset, (error, bytes) => {
        if (error) return reject(error);
        if (offset + bytes < length) return bytes > 0 ? read(offset + bytes) : resolve(null);
        fstat(descriptor, resolve, reject);
      });
    read(0);
  });
}

const fstatSynchronously: Fstat = (descriptor, resolve, reject) => {
  try {
    resolve(fs.fstatSync(descriptor, { bigint: true }));
  } catch (error) {
    reject(error);
  }
};

const fstatInThread: Fstat = (descriptor, resolve, reject) => {
  fs.fstat(descriptor, { bigint: true }, (error, stats) => (error ? reject(error) : resolve(stats)));
};

// Errors of close are ignored: they say nothing about bytes that were only read.
function closeSynchronously(descriptor: number): void {
  try {
    fs.closeSync(descriptor);
  } catch {}
}

const closeInThread = (descriptor: number) => fs.close(descriptor, () => {});
