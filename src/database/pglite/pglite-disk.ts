import { closeSync, fsyncSync, openSync } from 'node:fs';
import { type FileHandle, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { PGlite, type PGliteOptions } from '@electric-sql/pglite';
import { shareRuns } from '../shared-run.ts';
import { type FileEvents, nodeFilesOf, watchFiles } from './pglite-files.ts';

/**
 * Makes PGlite's writes durable. PGlite runs PostgreSQL without fsync (`-F`), and its file system has none.
 * Here PostgreSQL runs with fsync, and this file implements it:
 *
 * - while statements run, fsync returns at once. Callers that acknowledge a write wait for `flush`, which
 *   serves all of them together and does not block the event loop;
 * - during a checkpoint, fsync reaches the disk, because the order of its writes is what makes the older log
 *   obsolete (https://www.postgresql.org/docs/current/wal-reliability.html).
 */
export interface Disk {
  /**
   * Resolves when the write-ahead log of all writes before the call is on the disk. Callers during a flush
   * share the next one.
   */
  flush(): Promise<void>;
  /** Runs `work` with fsync to the disk, which blocks the event loop. */
  synced<Result>(work: () => Promise<Result>): Promise<Result>;
}

/**
 * PGlite's default parameters without `-F`. Its fdatasync does nothing, but its fsync can be replaced
 * (`openDisk`).
 */
const START_PARAMS = [
  ...PGlite.defaultStartParams.filter((parameter) => parameter !== '-F'),
  '-c',
  'wal_sync_method=fsync',
];

/**
 * Starts PGlite on the files in a directory. The caller holds the lock on the directory.
 * @param options.isWritten whether the files were just written, and may not be on the disk yet. Default:
 *   false.
 */
export async function startPglite(
  directory: string,
  { isWritten = false, ...options }: Omit<PGliteOptions, 'dataDir'> & { isWritten?: boolean },
  events: FileEvents,
): Promise<{ pglite: PGlite; disk: Disk }> {
  const isOnDisk = !isWritten && (await wasShutDown(directory));
  // PostgreSQL's own lock excludes no process here, and a power loss may leave it empty, which would prevent
  // the start.
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
 * @param options.isOnDisk whether all files that PostgreSQL started with are on the disk and unchanged. If
 *   not, all are synced first, which takes a quarter of a second.
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
      // Emscripten opens directories without the system, so they have no descriptor.
      if (nfd !== undefined) fsyncSync(nfd);
      else syncDirectory(files.realPath(node));
      return 0;
    } catch {
      return EIO;
    }
  };

  // PostgreSQL started before fsync was replaced. Sync at least the control file, where it noted that it
  // runs: without that the next start would not replay the log.
  const settled = options.isOnDisk
    ? withFileIfPresent(path.join(directory, CONTROL), 'r', (handle) => handle.sync())
    : syncAll(directory);
  // After a failed sync the system drops the data, and a later sync succeeds. So the first failure ends the
  // process.
  const onFault = (error: unknown) => options.onEnd(`its files cannot be synced (${String(error)})`);
  settled.catch(onFault);
  const flush = makeLogFlush(path.join(directory, 'pg_wal'), onFault);

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
 * Layout of ControlFileData
 * (https://github.com/postgres/postgres/blob/REL_17_STABLE/src/include/catalog/pg_control.h), in
 * WebAssembly's byte order.
 */
const CONTROL = path.join('global', 'pg_control');
const STATE_AT = 16;
const SHUT_DOWN = 1;

/**
 * Returns whether the database in a directory was closed cleanly, so that there is no log to replay. Call it
 * before opening.
 */
export async function wasShutDown(directory: string): Promise<boolean> {
  const control = await readFile(path.join(directory, CONTROL)).catch(nullIfAbsent);
  return control !== null && control.length > STATE_AT + 4 && control.readInt32LE(STATE_AT) === SHUT_DOWN;
}

/** Syncs the entries of a directory. Blocks the event loop. */
export function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** WASI's number of EIO. PostgreSQL shuts down on it, because the state of the disk is then unknown. */
const EIO = 29;

const CONCURRENT_SYNCS = 8;

/** Syncs everything below a directory, as PostgreSQL does before recovery (`recovery_init_sync_method`). */
async function syncAll(directory: string): Promise<void> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const all = entries
    .filter((entry) => entry.isFile() || entry.isDirectory())
    .map((entry) => path.join(entry.parentPath, entry.name));
  const left = [directory, ...all].values();
  const syncEach = async () => {
    for (const file of left) await withFileIfPresent(file, 'r', (handle) => handle.sync());
  };
  await Promise.all(Array.from({ length: CONCURRENT_SYNCS }, syncEach));
}

function makeLogFlush(directory: string, onFault: (error: unknown) => void): () => Promise<void> {
  const flushed = new Map<string, number>();

  async function flush(): Promise<void> {
    const begun = Date.now();
    for (const name of await readdir(directory)) {
      if (!/^[0-9A-F]{24}$/.test(name)) continue;
      const file = path.join(directory, name);
      // A checkpoint may remove the segment or rename it to a later one.
      const found = await stat(file).catch(nullIfAbsent);
      // Compare with a second of tolerance, because file systems have coarse clocks.
      if (!found || (flushed.get(name) ?? 0) > found.mtimeMs + 1000) continue;
      await withFileIfPresent(file, 'r+', (handle) => handle.datasync().catch(onFault));
      if (!flushed.has(name))
        await withFileIfPresent(directory, 'r', (handle) => handle.sync().catch(onFault));
      flushed.set(name, begun);
    }
  }

  return shareRuns(flush);
}

async function withFileIfPresent(
  file: string,
  flags: string,
  work: (handle: FileHandle) => Promise<void>,
): Promise<void> {
  const handle = await open(file, flags).catch(nullIfAbsent);
  if (handle) await work(handle).finally(() => handle.close());
}

function nullIfAbsent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
