import fs, { type BigIntStats } from 'node:fs';
import type { ByteRange } from './store.ts';

/** Files that are read again are kept open, at most so many, and for no longer than they are asked for. */
export interface OpenFiles {
  /**
   * Reads the range into a buffer that has room for it, by callbacks: a FileHandle costs as much again, and a stream several times as much.
   * @returns what the file is, looked at after the last byte was read; null where it is shorter.
   * @throws Error as fs.open, fs.read and fs.fstat do.
   */
  read(file: string, range: ByteRange, buffer: Buffer): Promise<BigIntStats | null>;
  /** To be said of a file that is removed or replaced: it is opened anew. One that has changed since it was opened is forgotten by itself. */
  forget(file: string): void;
  /** How many are kept open. */
  readonly count: number;
  close(): void;
}

interface OpenFile {
  readonly descriptor: number;
  /** How many read it now: it is closed after them. */
  readers: number;
  isKept: boolean;
  used: boolean;
  /** When it last became another, as it was first looked at: replaced, removed and written to count. */
  changed: bigint | null;
}

/** What nobody has asked for within one to two of these is closed: a file that is gone gives back its room, a disk can be unmounted. */
const IDLE_SECONDS = 30;

/**
 * @param most how many are kept open; 0: none.
 * @param isLocal whether an open file can be looked at and closed without waiting for another machine: to have that done by another thread costs
 *   more than it takes.
 */
export function makeOpenFiles(most: number, isLocal: boolean): OpenFiles {
  const kept = new Map<string, OpenFile>();
  let timer: NodeJS.Timeout | null = null;
  const look = isLocal ? lookAtOnce : lookBeside;
  const close = isLocal ? closeAtOnce : closeBeside;

  function leave(file: OpenFile): void {
    file.readers--;
    closeIfUnused(file);
  }

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
    // Another may have opened it at the same time.
    if (most === 0 || kept.has(name)) return;
    for (const oldest of kept.keys()) {
      if (kept.size < most) break;
      forget(oldest);
    }
    file.isKept = true;
    kept.set(name, file);
    timer ??= setInterval(closeIdle, IDLE_SECONDS * 1000).unref();
  }

  function closeIdle(): void {
    for (const [name, file] of kept) {
      if (file.used) file.used = false;
      else forget(name);
    }
    if (kept.size > 0 || !timer) return;
    clearInterval(timer);
    timer = null;
  }

  function open(name: string): Promise<OpenFile> {
    return new Promise((resolve, reject) => {
      fs.open(name, 'r', (error, descriptor) => {
        if (error) return reject(error);
        const file: OpenFile = { descriptor, readers: 1, isKept: false, used: true, changed: null };
        keep(name, file);
        resolve(file);
      });
    });
  }

  function readAll(
    { descriptor }: OpenFile,
    { start, end }: ByteRange,
    buffer: Buffer,
  ): Promise<BigIntStats | null> {
    const length = end - start + 1;
    return new Promise((resolve, reject) => {
      const read = (offset: number) =>
        fs.read(descriptor, buffer, offset, length - offset, start + offset, (error, bytes) => {
          if (error) return reject(error);
          if (offset + bytes < length) return bytes > 0 ? read(offset + bytes) : resolve(null);
          look(descriptor, resolve, reject);
        });
      read(0);
    });
  }

  return {
    get count() {
      return kept.size;
    },
    async read(name, range, buffer) {
      let file = kept.get(name);
      if (file) {
        file.used = true;
        file.readers++;
      } else file = await open(name);
      try {
        const stats = await readAll(file, range, buffer);
        file.changed ??= stats?.ctimeNs ?? null;
        if (stats === null || file.changed !== stats.ctimeNs) forget(name);
        return stats;
      } finally {
        leave(file);
      }
    },
    forget,
    close() {
      if (timer) clearInterval(timer);
      timer = null;
      for (const name of [...kept.keys()]) forget(name);
    },
  };
}

function lookAtOnce(
  descriptor: number,
  resolve: (stats: BigIntStats) => void,
  reject: (error: unknown) => void,
): void {
  try {
    resolve(fs.fstatSync(descriptor, { bigint: true }));
  } catch (error) {
    reject(error);
  }
}

function lookBeside(
  descriptor: number,
  resolve: (stats: BigIntStats) => void,
  reject: (error: unknown) => void,
): void {
  fs.fstat(descriptor, { bigint: true }, (error, stats) => (error ? reject(error) : resolve(stats)));
}

// An error of close says nothing of bytes that were only read.
function closeAtOnce(descriptor: number): void {
  try {
    fs.closeSync(descriptor);
  } catch {}
}

const closeBeside = (descriptor: number) => fs.close(descriptor, () => {});
