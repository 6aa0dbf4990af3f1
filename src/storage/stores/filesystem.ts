import { randomUUID } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { createWriteStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DISK_WORDS, diskFaultOf } from '../../database/pglite/disk-fault.ts';
import { NotFoundError, StoreError } from '../../errors.ts';
import { removeAbandoned } from '../spool/abandoned.ts';
import { flush } from '../spool/flush.ts';
import { isAbsent, openMarker, type RecordedIdentity } from './marker.ts';
import { makeOpenFiles } from './open-files.ts';
import type { ByteRange, ListedObject, ObjectStat, Store } from './store.ts';

/** Where files are written until they are whole; on the same filesystem as the rest, so that a rename is all it takes. */
const WRITING = '.writing';

/** How much of a file is read at once. */
const PART_BYTES = 256 * 1024;

export interface FilesystemStore extends Store {
  /** Says that the directory is the store's: makes it, and its marker. */
  claim(): Promise<void>;
  /** Removes what killed writers left and nobody has written to for so long. */
  sweep(afterSeconds: number): Promise<void>;
  /** Closes the files that are kept open. */
  close(): Promise<void>;
}

/**
 * A directory, one file an object, at the path that its key says: `3f/9c/3f9c….png`. The files are plain images that any
 * program can open, and `sha256sum` proves by their names.
 *
 * A file appears whole: it is written under another name, flushed (fsync), renamed, and the directory that now names it is
 * flushed as well, because a rename alone may be forgotten when the power fails (rename(2), fsync(2)). Where the bytes lie in a file
 * already, on the same file system, that one is flushed and renamed, and nothing is written a second time.
 *
 * The root carries a marker file, made when the store is new. Where it is missing, the disk is not mounted or the directory is another
 * one: nothing in it is missing then and nothing is written there, the store is unreachable until its directory is back or
 * an operator says that this one is it (`claim`).
 * @param options.maxOpenFiles how many files that were read are kept open for the next who asks; none without it.
 * @param options.mayClaim whether the marker may be made: only when nothing is on record as being in the store.
 * @param options.identity where it is on record which directory the store is; without it, each with a marker is.
 */
export async function openFilesystemStore(options: {
  name: string;
  directory: string;
  mayClaim: boolean;
  identity?: RecordedIdentity;
  maxOpenFiles?: number;
  /** Hears what the system refused: our own errors go to clients, and name neither paths nor its codes. */
  onDiskFault?: (error: unknown) => void;
}): Promise<FilesystemStore> {
  const { name } = options;
  const root = path.resolve(options.directory);
  const writing = path.join(root, WRITING);

  function refused(what: string, cause: unknown): StoreError {
    options.onDiskFault?.(cause);
    const isFull = diskFaultOf(cause) === 'full';
    return new StoreError(`${name} ${what}: ${reasonOf(cause)}.`, name, {
      cause,
      ...(isFull ? { code: 'NO_SPACE' } : {}),
    });
  }

  const unavailable = (verb: string, key: string, cause: unknown) =>
    refused(`could not ${verb} ${key}`, cause);

  /** An absent file is an answer only where the marker is: behind a mount that is gone everything would be absent. */
  async function absentOrThrow(verb: string, key: string, error: unknown): Promise<void> {
    if (!isAbsent(error)) throw unavailable(verb, key, error);
    await marker.require();
  }

  const marker = await openMarker({
    name,
    root,
    mayClaim: options.mayClaim,
    identity: options.identity ?? null,
    refused,
  });
  // Of the place where a disk is to be mounted, nobody knows what will be there.
  const isOnDisk = marker.isThere && (await isLocal(root));
  const files = makeOpenFiles(options.maxOpenFiles ?? 0, isOnDisk);
  const ignoreAbsent = (error: unknown) => {
    if (!isAbsent(error)) throw refused('cannot use its directory', error);
  };
  // What is left over can stay where nothing can be removed: on a disk that is read-only, what is there can still be read.
  await removeAbandoned(writing).catch((error) => options.onDiskFault?.(error));

  /**
   * Flushes of parents that now name a new directory. Everybody who puts waits for all of them: whoever finds a directory there that another has
   * just made must not say that his file is safe before its way down from the root is.
   */
  const flushing = new Set<Promise<unknown>>();

  /** Makes the directories of a key; their parents are flushed while the file is. Costs one failed mkdir when they are there. */
  async function makeDirectory(directory: string): Promise<void> {
    const first = await mkdir(directory, { recursive: true }).catch(async (error) => {
      // Node takes EIO and EROFS for a parent that is absent; without `recursive` it says which they are.
      for (const each of [path.dirname(directory), directory])
        await mkdir(each).catch((plain: NodeJS.ErrnoException) => {
          if (plain.code !== 'EEXIST') throw plain;
        });
      throw error;
    });
    for (
      let made = directory;
      first && made.length >= first.length && made !== root;
      made = path.dirname(made)
    ) {
      const flushed = flush(path.dirname(made));
      flushing.add(flushed);
      const forget = () => flushing.delete(flushed);
      flushed.then(forget, forget);
    }
  }

  return {
    name,
    kind: 'filesystem',
    maxBytes: Number.POSITIVE_INFINITY,
    claim: marker.claim,
    close: async () => files.close(),
    sweep: async (afterSeconds) => {
      await marker.require();
      await removeAbandoned(writing, afterSeconds).catch(ignoreAbsent);
    },

    async put(key, source) {
      const target = pathOf(root, key);
      const temporary = path.join(writing, randomUUID());
      await marker.require();
      try {
        await makeDirectory(path.dirname(target));
        if (!(await source.moveTo?.(target))) {
          await mkdir(writing, { recursive: true });
          await pipeline(source.open(), createWriteStream(temporary, { flags: 'wx', flush: true }));
          await requireLength(temporary, source.bytes);
          await rename(temporary, target);
        }
        files.forget(target);
        await Promise.all([flush(path.dirname(target)), ...flushing]);
        return statOf(await stat(target, { bigint: true }));
      } catch (cause) {
        await rm(temporary, { force: true }).catch(() => {});
        throw unavailable('keep', key, cause);
      }
    },

    async open(key, range) {
      marker.requireKnown();
      const handle = await open(pathOf(root, key), 'r').catch(async (error) => {
        await absentOrThrow('open', key, error);
        throw new NotFoundError(`${name} has no ${key}.`);
      });
      try {
        const stats = await handle.stat({ bigint: true });
        if (!stats.isFile()) throw new Error('it is not a file');
        const whole = statOf(stats);
        // Not the ctime: it tells of a link to the file, of one less when it is replaced by a mended one, of its rights. What is open stays as it is.
        const isSame = ({ size, mtimeNs }: BigIntStats) => size === stats.size && mtimeNs === stats.mtimeNs;
        const look = async () => isSame(await handle.stat({ bigint: true }));
        let atEnd: boolean | null = null;
        const stream = Readable.from(
          readParts(handle, range ?? { start: 0, end: whole.bytes - 1 }, async () => {
            atEnd = await look().catch(() => false);
          }),
          { objectMode: false },
        );
        stream.once('close', () => void handle.close().catch(() => {}));
        return { stat: whole, stream, isUnchanged: async () => atEnd ?? look().catch(() => false) };
      } catch (cause) {
        await handle.close();
        throw unavailable('open', key, cause);
      }
    },

    async readInto(key, range, buffer) {
      marker.requireKnown();
      const file = pathOf(root, key);
      const stats = await files.read(file, range, buffer).catch(async (error) => {
        files.forget(file);
        await absentOrThrow('read', key, error);
        throw new NotFoundError(`${name} has no ${key}.`);
      });
      return stats?.isFile() ? statOf(stats) : null;
    },

    async stat(key) {
      const file = pathOf(root, key);
      marker.requireKnown();
      try {
        const stats = await stat(file, { bigint: true });
        return stats.isFile() ? statOf(stats) : null;
      } catch (error) {
        await absentOrThrow('look for', key, error);
        return null;
      }
    },

    async delete(key) {
      const file = pathOf(root, key);
      await marker.require();
      await rm(file)
        .finally(() => files.forget(file))
        .catch((error) => absentOrThrow('delete', key, error));
    },

    async *list() {
      await marker.require();
      yield* walk(root, '');
    },
  };

  async function* walk(directory: string, prefix: string): AsyncGenerator<ListedObject> {
    const entries = await readdir(directory, { withFileTypes: true }).catch((cause) => {
      throw unavailable('list', prefix || 'itself', cause);
    });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (entry.name.startsWith('.')) continue;
      const key = prefix + entry.name;
      const entryPath = path.join(directory, entry.name);
      if (entry.isDirectory()) yield* walk(entryPath, `${key}/`);
      // A file that vanishes between the listing and the look is no longer listed, that is all.
      else if (entry.isFile()) {
        const stats = await stat(entryPath).catch(() => null);
        if (stats) yield { key, bytes: stats.size, modifiedAt: stats.mtime };
      }
    }
  }
}

/** The bytes of a range in parts, ending early where the file does. @param atEnd is called after the last byte was read, and where reading fails. */
async function* readParts(
  handle: FileHandle,
  { start, end }: ByteRange,
  atEnd: () => Promise<void>,
): AsyncGenerator<Buffer> {
  try {
    for (let at = start; at <= end; ) {
      const room = Buffer.allocUnsafeSlow(Math.min(PART_BYTES, end - at + 1));
      const { bytesRead } = await handle.read(room, 0, room.length, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      yield room.subarray(0, bytesRead);
    }
  } finally {
    await atEnd();
  }
}

/** Types of file systems on disks and in the memory of this machine, as statfs(2) has them: ext2 to ext4, XFS, Btrfs, F2FS, ZFS, overlayfs, tmpfs. */
const LOCAL_TYPES: readonly number[] = [
  0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x794c7630, 0x01021994,
];

function isLocal(directory: string): Promise<boolean> {
  return statfs(directory).then(
    ({ type }) => LOCAL_TYPES.includes(type),
    () => false,
  );
}

/** The one place where a key becomes a path. Keys are ours, made of a hash; whatever else comes is a defect, and stops here. */
function pathOf(root: string, key: string): string {
  if (!/^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(key)) {
    throw new TypeError(`Not a key: ${JSON.stringify(key)}`);
  }
  return `${root}/${key}`;
}

async function requireLength(file: string, bytes: number): Promise<void> {
  const { size } = await stat(file);
  if (size !== bytes) throw new Error(`${size} bytes arrived of ${bytes}`);
}

/** Size, both times and inode: a write in place changes the times, a replacement the inode, a copy with times kept the ctime. */
function statOf(stats: BigIntStats): ObjectStat {
  return {
    bytes: Number(stats.size),
    fingerprint: `${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}:${stats.ino}`,
  };
}

/** For clients. */
function reasonOf(cause: unknown): string {
  const fault = diskFaultOf(cause);
  if (fault) return DISK_WORDS[fault];
  const { code, syscall } = cause as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') return 'the server lacks the permission';
  if (code === 'EMFILE' || code === 'ENFILE') return 'too many files are open';
  if (syscall) return 'its file system refused it';
  return cause instanceof Error ? cause.message : String(cause);
}
