/**
 * Variants on disk, `<sha256 of the original>/<name>`, at most so many bytes of them: what was not asked for the longest makes way. They can
 * all be made again, so nothing of this is promised: whoever empties the directory loses time only. Several processes may share it, each
 * counting what it has met of it.
 */
import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { removeAbandoned } from '../spool/abandoned.ts';
import type { SpaceGuard } from '../spool/space.ts';

export interface VariantCache {
  /** In all files that are known of. */
  readonly bytes: number;
  /** Opens a file of the cache, to be closed by whoever asked; null where it is not there. */
  open(sha256: string, name: string): Promise<FileHandle | null>;
  /** @param since what `now` was when its original was read: what was forgotten after that is not kept. */
  keep(sha256: string, name: string, content: Buffer, since: number): Promise<void>;
  /** Removes every variant of an original, also those that are being made. */
  forget(sha256: string): Promise<void>;
  /** Counts what was forgotten. */
  readonly now: number;
}

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
  /** In the order in which they were last asked for. */
  const files = new Map<string, { readonly bytes: number; touched: number }>();
  const forgotten = new Map<string, number>();
  let bytes = 0;
  let now = 0;
  const pathOf = (name: string) => path.join(directory, name);

  function note(name: string, size: number): void {
    drop(name);
    files.set(name, { bytes: size, touched: Date.now() });
    bytes += size;
  }

  function drop(name: string): void {
    bytes -= files.get(name)?.bytes ?? 0;
    files.delete(name);
  }

  async function evict(): Promise<void> {
    while (bytes > maxBytes) {
      const [oldest] = files.keys();
      if (oldest === undefined) return;
      drop(oldest);
      await rm(pathOf(oldest), { force: true });
    }
  }

  /** Counts what is there from before, once, when something is added to it: most processes that open this never do. */
  let counted: Promise<void> | null = null;
  async function count(): Promise<void> {
    const before = await findFiles(directory);
    const since = [...files];
    files.clear();
    bytes = 0;
    for (const { name, size } of before) note(name, size);
    for (const [name, file] of since) note(name, file.bytes);
  }

  return {
    get bytes() {
      return bytes;
    },
    get now() {
      return now;
    },
    async open(sha256, file) {
      const name = `${sha256}/${file}`;
      const handle = await open(pathOf(name)).catch(ifAbsent);
      if (!handle) {
        drop(name);
        return null;
      }
      try {
        const { size } = await handle.stat();
        const touched = files.get(name)?.touched ?? 0;
        note(name, size);
        const time = new Date();
        // What another process has removed meanwhile is none to touch.
        if (touched < time.getTime() - TOUCH_EVERY_MS) await utimes(pathOf(name), time, time).catch(ifAbsent);
        return handle;
      } catch (error) {
        await handle.close();
        throw error;
      }
    },
    async keep(sha256, file, content, since) {
      const isForgotten = () => (forgotten.get(sha256) ?? 0) > since;
      if (content.length > maxBytes || isForgotten()) return;
      await space.require(content.length);
      const temporary = path.join(writing, randomUUID());
      const name = `${sha256}/${file}`;
      try {
        // Whoever empties the directory empties all of it.
        await mkdir(writing, { recursive: true });
        await writeFile(temporary, content, { flag: 'wx', flush: true });
        await mkdir(path.dirname(pathOf(name)), { recursive: true });
        await rename(temporary, pathOf(name));
      } finally {
        await rm(temporary, { force: true });
      }
      if (isForgotten()) return rm(pathOf(name), { force: true });
      note(name, content.length);
      // What could not be counted now is counted with the next.
      counted ??= count().catch((error) => {
        counted = null;
        throw error;
      });
      await counted.finally(evict);
    },
    async forget(sha256) {
      if (!SHA256.test(sha256)) return;
      const [first] = forgotten.keys();
      if (forgotten.size >= MAX_FORGOTTEN && first !== undefined) forgotten.delete(first);
      now += 1;
      forgotten.delete(sha256);
      forgotten.set(sha256, now);
      for (const name of [...files.keys()].filter((each) => each.startsWith(`${sha256}/`))) drop(name);
      // What is being kept at this moment may come into the directory while it is emptied.
      await rm(pathOf(sha256), { recursive: true, force: true, maxRetries: 10, retryDelay: 10 });
    },
  };
}

/** What is there from before, as it was last asked for. */
async function findFiles(directory: string): Promise<{ name: string; size: number }[]> {
  const found: { name: string; size: number; time: number }[] = [];
  for (const folder of await readdir(directory)) {
    if (!SHA256.test(folder)) continue;
    for (const file of await readdir(path.join(directory, folder)).catch(() => [])) {
      const name = `${folder}/${file}`;
      const facts = await stat(path.join(directory, name)).catch(ifAbsent);
      if (facts?.isFile()) found.push({ name, size: facts.size, time: facts.mtimeMs });
    }
  }
  return found.sort((a, b) => a.time - b.time);
}

function ifAbsent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
