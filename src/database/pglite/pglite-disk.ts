import { closeSync, fsyncSync, openSync } from 'node:fs';
import { type FileHandle, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { PGlite, type PGliteOptions } from '@electric-sql/pglite';
import { type FileEvents, nodeFilesOf, watchFiles } from './pglite-files.ts';

/**
 * When PGlite's files are on the disk. PGlite is built to ask the system for nothing: it starts PostgreSQL
 * with `fsync` off (`-F`), and its files have no fsync to call. Here PostgreSQL asks as it always does, and
 * gets an answer of ours: at once while statements run, for whoever acknowledges a write waits for `flush`,
 * which is one for all who wait and does not hold the event loop; by the disk itself during a checkpoint,
 * whose order is what makes the log that lies before it dispensable
 * (https://www.postgresql.org/docs/current/wal-reliability.html).
 */
export interface Disk {
  /**
   * Resolves when the write-ahead log that was written before the call is on the disk. All who ask while a
   * flush runs share the next one.
   */
  flush(): Promise<void>;
  /**
   * What PostgreSQL wants on the disk while `work` runs is there before it goes on; that holds the event
   * loop.
   */
  synced<Result>(work: () => Promise<Result>): Promise<Result>;
}

/**
 * PGlite's own, but for `-F`. Its fdatasync is none, whatever we do; fsync calls what `openDisk` provides.
 */
const START_PARAMS = [
  ...PGlite.defaultStartParams.filter((parameter) => parameter !== '-F'),
  ...['-c', 'wal_sync_method=fsync'],
];

/**
 * Starts PGlite on the files in a directory, of which the caller holds the lock.
 * @param options.isWritten whether the files were written just now, and may not be on the disk yet.
 */
export async function startPglite(
  directory: string,
  { isWritten = false, ...options }: Omit<PGliteOptions, 'dataDir'> & { isWritten?: boolean },
  events: FileEvents,
): Promise<{ pglite: PGlite; disk: Disk }> {
  const isOnDisk = !isWritten && (await wasShutDown(directory));
  // PostgreSQL's own lock keeps nobody out here, and one that the power has left empty would keep us out.
  await rm(path.join(directory, 'postmaster.pid'), { force: true });
  const pglite = await PGlite.create({
    ...options,
    dataDir: directory,
    extensions: { ...options.extensions, files: watchFiles(events) },
    startParams: START_PARAMS,
  });
  return { pglite, disk: openDisk(pglite, directory, { isOnDisk, onEnd: events.onEnd }) };
}

/**
 * @param options.isOnDisk whether what PostgreSQL found at its start is on the disk, and was not changed by
 *   it; else all of it is put there first, which takes a quarter of a second.
 */
function openDisk(
  pglite: PGlite,
  directory: string,
  options: { isOnDisk: boolean; onEnd: FileEvents['onEnd'] },
): Disk {
  const files = nodeFilesOf(pglite.Module);
  let syncing = 0;
  files.stream_ops.fsync = ({ nfd, node }) => {
    if (syncing === 0) return 0;
    try {
      // Directories are opened by Emscripten without the system.
      if (nfd !== undefined) fsyncSync(nfd);
      else syncDirectory(files.realPath(node));
      return 0;
    } catch {
      return EIO;
    }
  };

  // PostgreSQL was started before it could ask. At the least it said in this file that it runs, without which
  // the next start would replay nothing.
  const settled = options.isOnDisk
    ? whileThere(path.join(directory, CONTROL), 'r', (handle) => handle.sync())
    : syncAll(directory);
  // The system forgets what it could not write: a later sync that succeeds would say nothing of it.
  const onFault = (error: unknown) => options.onEnd(`its files cannot be synced (${String(error)})`);
  settled.catch(onFault);
  const flush = makeFlush(path.join(directory, 'pg_wal'), onFault);

  return {
    async flush() {
      await settled;
      await flush();
    },
    async synced(work) {
      await settled;
      syncing++;
      try {
        return await work();
      } finally {
        syncing--;
      }
    },
  };
}

/**
 * Of ControlFileData
 * (https://github.com/postgres/postgres/blob/REL_17_STABLE/src/include/catalog/pg_control.h), in the byte
 * order of WebAssembly.
 */
const CONTROL = path.join('global', 'pg_control');
const STATE_AT = 16;
const SHUT_DOWN = 1;

/**
 * Whether the database in a directory was closed as it should be, so that there is no log to replay; to be
 * asked before it is opened.
 */
export async function wasShutDown(directory: string): Promise<boolean> {
  const control = await readFile(path.join(directory, CONTROL)).catch(absent);
  return control !== null && control.length > STATE_AT + 4 && control.readInt32LE(STATE_AT) === SHUT_DOWN;
}

/** Puts the names in a directory on the disk, and holds the event loop. */
export function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * As WASI numbers it. PostgreSQL ends itself then, as it does everywhere: what is on the disk is not known
 * any more.
 */
const EIO = 29;

const AT_ONCE = 8;

/** Everything below a directory, as PostgreSQL does before it recovers (`recovery_init_sync_method`). */
async function syncAll(directory: string): Promise<void> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const all = entries
    .filter((entry) => entry.isFile() || entry.isDirectory())
    .map((entry) => path.join(entry.parentPath, entry.name));
  const left = [directory, ...all].values();
  const syncEach = async () => {
    for (const file of left) await whileThere(file, 'r', (handle) => handle.sync());
  };
  await Promise.all(Array.from({ length: AT_ONCE }, syncEach));
}

function makeFlush(directory: string, onFault: (error: unknown) => void): () => Promise<void> {
  const flushed = new Map<string, number>();
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  async function flush(): Promise<void> {
    const begun = Date.now();
    for (const name of await readdir(directory)) {
      if (!/^[0-9A-F]{24}$/.test(name)) continue;
      const file = path.join(directory, name);
      // A checkpoint removes segments, and gives others the names of later ones.
      const found = await stat(file).catch(absent);
      // The clock of a file system ticks in milliseconds: what was written just now may have the time of the
      // last flush.
      if (!found || (flushed.get(name) ?? 0) > found.mtimeMs + 1000) continue;
      await whileThere(file, 'r+', (handle) => handle.datasync().catch(onFault));
      if (!flushed.has(name)) await whileThere(directory, 'r', (handle) => handle.sync().catch(onFault));
      flushed.set(name, begun);
    }
  }

  return () => {
    if (!running) {
      running = flush().finally(() => {
        running = null;
      });
      return running;
    }
    next ??= running
      .catch(() => {})
      .then(() => {
        next = null;
        running = flush().finally(() => {
          running = null;
        });
        return running;
      });
    return next;
  };
}

async function whileThere(
  file: string,
  flags: string,
  work: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const handle = await open(file, flags).catch(absent);
  if (handle) await work(handle).finally(() => handle.close());
}

function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
