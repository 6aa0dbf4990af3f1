/**
 * A cache of variants on disk, `<sha256 of the original>/<name>`, with a size limit. The least recently used
 * is evicted. Every variant can be made again, so deleting the directory costs time only. Several processes
 * may share the directory; each counts the files that it knows.
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type ForgottenOwners, makeForgottenOwners } from '../cache/forgotten-owners.ts';
import { removeAbandoned } from '../files/abandoned.ts';
import type { SpaceGuard } from '../spool/space.ts';

export interface VariantCache {
  /** Sum of the sizes of all known files. */
  readonly bytes: number;
  /** Opens a file; null if it is not cached. The caller closes it. */
  open(sha256: string, name: string): Promise<FileHandle | null>;
  /**
   * Adds a file.
   * @param since `now` before the original was read. Nothing is added if the original was forgotten after
   *   that.
   */
  keep(sha256: string, name: string, content: Buffer, since: number): Promise<void>;
  /** Deletes every variant of an original, also those that are being added. */
  forget(sha256: string): Promise<void>;
  /** Number of calls of `forget`; serves as a logical clock. */
  readonly now: number;
}

/** Interval in which the mtime of a file, which orders the cache after a restart, is updated. */
const TOUCH_EVERY_MS = 60_000;
const MAX_FORGOTTEN = 10_000;
const SHA256 = /^[0-9a-f]{64}$/;

export async function openVariantCache(options: {
  directory: string;
  maxBytes: number;
  space: SpaceGuard;
}): Promise<VariantCache> {
  const { directory, maxBytes, space } = options;
  const writing = path.join(directory, '.writing');
  await mkdir(writing, { recursive: true });
  await removeAbandoned(writing);
  const forgotten = makeForgottenOwners(MAX_FORGOTTEN);
  const cache: CacheDirectory = { directory, writing, maxBytes, space, files: makeFileList(), forgotten };
  const countOnce = makeOnce(() => countExistingFiles(cache));
  return {
    get bytes() {
      return cache.files.bytes;
    },
    get now() {
      return forgotten.now;
    },
    open: (sha256, name) => openCachedFile(cache, `${sha256}/${name}`),
    async keep(sha256, name, content, since) {
      const isAdded = await addFile(cache, sha256, `${sha256}/${name}`, content, since);
      // Most processes never add a file, so older files are counted only now. After an error they are counted
      // with the next.
      if (isAdded) await countOnce().finally(() => evict(cache));
    },
    async forget(sha256) {
      if (!SHA256.test(sha256)) return;
      forgotten.add(sha256);
      cache.files.dropBelow(`${sha256}/`);
      // A file that is being added may appear while the directory is deleted, so the deletion is retried.
      const folder = path.join(directory, sha256);
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 10 });
    },
  };
}

interface CacheDirectory {
  readonly directory: string;
  /** Directory of files that are being written. */
  readonly writing: string;
  readonly maxBytes: number;
  readonly space: SpaceGuard;
  readonly files: FileList;
  readonly forgotten: ForgottenOwners;
}

/** Known files, the least recently used first, with their sizes. */
interface FileList {
  readonly bytes: number;
  /** Makes the file the most recently used. */
  note(name: string, bytes: number): void;
  drop(name: string): void;
  /** Drops all files whose names begin with `prefix`. */
  dropBelow(prefix: string): void;
  /** Drops the least recently used file. @returns its name; null if there is none. */
  dropOldest(): string | null;
  /** When a file was last used, in milliseconds since 1970; 0: never. */
  usedAt(name: string): number;
  /** Puts older files before the known ones. */
  addBefore(older: readonly { name: string; bytes: number }[]): void;
}

function makeFileList(): FileList {
  const files = new Map<string, { readonly bytes: number; usedAt: number }>();
  let bytes = 0;

  function note(name: string, size: number): void {
    drop(name);
    files.set(name, { bytes: size, usedAt: Date.now() });
    bytes += size;
  }

  function drop(name: string): void {
    bytes -= files.get(name)?.bytes ?? 0;
    files.delete(name);
  }

  return {
    get bytes() {
      return bytes;
    },
    note,
    drop,
    dropBelow(prefix) {
      for (const name of [...files.keys()].filter((each) => each.startsWith(prefix))) drop(name);
    },
    dropOldest() {
      const [oldest] = files.keys();
      if (oldest === undefined) return null;
      drop(oldest);
      return oldest;
    },
    usedAt: (name) => files.get(name)?.usedAt ?? 0,
    addBefore(older) {
      const known = [...files];
      files.clear();
      bytes = 0;
      for (const file of older) note(file.name, file.bytes);
      for (const [name, file] of known) note(name, file.bytes);
    },
  };
}

async function openCachedFile(
  { directory, files }: CacheDirectory,
  name: string,
): Promise<FileHandle | null> {
  const file = path.join(directory, name);
  const handle = await open(file).catch(nullIfAbsent);
  if (!handle) {
    files.drop(name);
    return null;
  }
  try {
    const { size } = await handle.stat();
    const usedAt = files.usedAt(name);
    files.note(name, size);
    const now = new Date();
    // Another process may have deleted the file meanwhile.
    if (usedAt < now.getTime() - TOUCH_EVERY_MS) await utimes(file, now, now).catch(nullIfAbsent);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** @returns false if the file is too large, or if its original was forgotten meanwhile. */
async function addFile(
  { directory, writing, maxBytes, space, files, forgotten }: CacheDirectory,
  sha256: string,
  name: string,
  content: Buffer,
  since: number,
): Promise<boolean> {
  if (content.length > maxBytes || forgotten.isAfter(sha256, since)) return false;
  await space.require(content.length);
  const temporary = path.join(writing, randomUUID());
  const file = path.join(directory, name);
  try {
    // An operator who empties the cache may have deleted this directory too.
    await mkdir(writing, { recursive: true });
    await writeFile(temporary, content, { flag: 'wx', flush: true });
    await mkdir(path.dirname(file), { recursive: true });
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
  if (forgotten.isAfter(sha256, since)) {
    await rm(file, { force: true });
    return false;
  }
  files.note(name, content.length);
  return true;
}

async function evict({ directory, maxBytes, files }: CacheDirectory): Promise<void> {
  while (files.bytes > maxBytes) {
    const oldest = files.dropOldest();
    if (oldest === null) return;
    await rm(path.join(directory, oldest), { force: true });
  }
}

async function countExistingFiles({ directory, files }: CacheDirectory): Promise<void> {
  files.addBefore(await findFiles(directory));
}

/** Lists the files in the directory, the least recently used first. */
async function findFiles(directory: string): Promise<{ name: string; bytes: number }[]> {
  const found: { name: string; bytes: number; time: number }[] = [];
  for (const folder of await readdir(directory)) {
    if (!SHA256.test(folder)) continue;
    for (const file of await readdir(path.join(directory, folder)).catch(() => [])) {
      const name = `${folder}/${file}`;
      const facts = await stat(path.join(directory, name)).catch(nullIfAbsent);
      if (facts?.isFile()) found.push({ name, bytes: facts.size, time: facts.mtimeMs });
    }
  }
  return found.sort((a, b) => a.time - b.time);
}

/** Returns a function that runs `work` until it has succeeded once. Concurrent calls share a run. */
function makeOnce(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | null = null;
  return () => {
    done ??= work().catch((error) => {
      done = null;
      throw error;
    });
    return done;
  };
}

function nullIfAbsent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
