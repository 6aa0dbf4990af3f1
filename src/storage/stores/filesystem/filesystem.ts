import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { NotFoundError, type StoreError } from '../../../errors.ts';
import { removeAbandoned } from '../../files/abandoned.ts';
import { flushToDisk } from '../../files/flush.ts';
import { requireKey } from '../key.ts';
import type { BlobSource, ByteRange, ListedObject, ObjectStat, OpenObject, Store } from '../store.ts';
import { type KeyDirectories, makeKeyDirectories } from './directories.ts';
import { fileSystemError, isAbsent } from './errors.ts';
import { type Marker, openMarker, type RecordedIdentity } from './marker.ts';
import { makeOpenFiles, type OpenFiles } from './open-files.ts';
import { openStream, statOf } from './read-file.ts';

/**
 * Directory of files that are being written. It is on the file system of the store, so that a rename moves
 * them into place.
 */
const WRITING = '.writing';

export interface FilesystemStore extends Store {
  /** Declares the directory to be the store: makes it, with its marker. */
  claim(): Promise<void>;
  /** Deletes files of killed writers that have not changed for `afterSeconds`. */
  sweep(afterSeconds: number): Promise<void>;
  /** Closes the files that are kept open. */
  close(): Promise<void>;
}

/**
 * Opens a directory with one file for each object, at the path of its key: `3f/9c/3f9c….png`. Any program can
 * open the files, and `sha256sum` verifies them by their names.
 *
 * A file appears atomically: it is written under another name, flushed (fsync) and renamed. Then its
 * directory is flushed, because a rename alone can be lost with the power (rename(2), fsync(2)). A source
 * with a file on the same file system is renamed instead of copied.
 *
 * A new store gets a marker file in its root. A missing marker means that the disk is not mounted or that the
 * directory is another one. The store is unreachable then; nothing counts as missing and nothing is written.
 * An operator can declare the directory to be the right one (`claim`).
 * @param options.maxOpenFiles most files to keep open after a read. Default: 0.
 * @param options.mayClaim whether the marker may be made: only if no copy in the store is on record.
 * @param options.identity the record of the directory's identity. Default: any directory with a marker is the
 *   store.
 */
export async function openFilesystemStore(options: {
  name: string;
  directory: string;
  mayClaim: boolean;
  identity?: RecordedIdentity;
  maxOpenFiles?: number;
  /** Called with each error of the file system. Errors to clients name neither paths nor error codes. */
  onDiskFault?: (error: unknown) => void;
}): Promise<FilesystemStore> {
  const { name } = options;
  const root = path.resolve(options.directory);
  const writing = path.join(root, WRITING);
  const refused = (what: string, cause: unknown) => {
    options.onDiskFault?.(cause);
    return fileSystemError(name, what, cause);
  };
  const marker = await openMarker({
    name,
    root,
    mayClaim: options.mayClaim,
    identity: options.identity ?? null,
    refused,
  });
  // Without the marker the disk may not be mounted yet, so its type is not known.
  const isOnLocalDisk = marker.isThere && (await isLocal(root));
  const files = makeOpenFiles(options.maxOpenFiles ?? 0, isOnLocalDisk);
  // An error is not fatal: a read-only disk can still be read.
  await removeAbandoned(writing).catch((error) => options.onDiskFault?.(error));
  const directory: StoreDirectory = {
    name,
    root,
    writing,
    marker,
    files,
    directories: makeKeyDirectories(root),
    refused,
  };

  return {
    name,
    kind: 'filesystem',
    maxBytes: Number.POSITIVE_INFINITY,
    claim: marker.claim,
    close: async () => files.close(),
    sweep: (afterSeconds) => sweepWriting(directory, afterSeconds),
    put: (key, source) => putFile(directory, key, source),
    open: (key, range) => openFile(directory, key, range),
    readInto: (key, range, buffer) => readFileInto(directory, key, range, buffer),
    stat: (key) => statFile(directory, key),
    delete: (key) => deleteFile(directory, key),
    async *list() {
      await marker.require();
      yield* listFiles(directory, root, '');
    },
  };
}

interface StoreDirectory {
  readonly name: string;
  readonly root: string;
  readonly writing: string;
  readonly marker: Marker;
  readonly files: OpenFiles;
  readonly directories: KeyDirectories;
  /** Reports an error of the file system and returns the error to throw. */
  refused(what: string, cause: unknown): StoreError;
}

async function putFile(store: StoreDirectory, key: string, source: BlobSource): Promise<ObjectStat> {
  const { writing, directories } = store;
  const target = pathOf(store, key);
  const temporary = path.join(writing, randomUUID());
  await store.marker.require();
  try {
    await directories.make(path.dirname(target));
    if (!(await source.moveTo?.(target))) {
      await mkdir(writing, { recursive: true });
      await pipeline(source.open(), createWriteStream(temporary, { flags: 'wx', flush: true }));
      await requireLength(temporary, source.bytes);
      await rename(temporary, target);
    }
    store.files.forget(target);
    await Promise.all([flushToDisk(path.dirname(target)), directories.flushed()]);
    return statOf(await stat(target, { bigint: true }));
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    throw store.refused(`could not keep ${key}`, cause);
  }
}

async function requireLength(file: string, bytes: number): Promise<void> {
  const { size } = await stat(file);
  if (size !== bytes) throw new Error(`${size} bytes arrived of ${bytes}`);
}

async function openFile(store: StoreDirectory, key: string, range?: ByteRange): Promise<OpenObject> {
  store.marker.requireKnown();
  const handle = await open(pathOf(store, key), 'r').catch(async (error) => {
    await requireAbsence(store, 'open', key, error);
    throw new NotFoundError(`${store.name} has no ${key}.`);
  });
  try {
    return await openStream(handle, range);
  } catch (cause) {
    await handle.close();
    throw store.refused(`could not open ${key}`, cause);
  }
}

async function readFileInto(
  store: StoreDirectory,
  key: string,
  range: ByteRange,
  buffer: Buffer,
): Promise<ObjectStat | null> {
  store.marker.requireKnown();
  const file = pathOf(store, key);
  const stats = await store.files.read(file, range, buffer).catch(async (error) => {
    store.files.forget(file);
    await requireAbsence(store, 'read', key, error);
    throw new NotFoundError(`${store.name} has no ${key}.`);
  });
  return stats?.isFile() ? statOf(stats) : null;
}

async function statFile(store: StoreDirectory, key: string): Promise<ObjectStat | null> {
  const file = pathOf(store, key);
  store.marker.requireKnown();
  try {
    const stats = await stat(file, { bigint: true });
    return stats.isFile() ? statOf(stats) : null;
  } catch (error) {
    await requireAbsence(store, 'look for', key, error);
    return null;
  }
}

async function deleteFile(store: StoreDirectory, key: string): Promise<void> {
  const file = pathOf(store, key);
  await store.marker.require();
  await rm(file)
    .finally(() => store.files.forget(file))
    .catch((error) => requireAbsence(store, 'delete', key, error));
}

async function sweepWriting(store: StoreDirectory, afterSeconds: number): Promise<void> {
  await store.marker.require();
  await removeAbandoned(store.writing, afterSeconds).catch((error) => {
    if (!isAbsent(error)) throw store.refused('cannot use its directory', error);
  });
}

/** @param prefix the path of `directory` below the root, with a slash at its end; empty for the root. */
async function* listFiles(
  store: StoreDirectory,
  directory: string,
  prefix: string,
): AsyncGenerator<ListedObject> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((cause) => {
    throw store.refused(`could not list ${prefix || 'itself'}`, cause);
  });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue;
    const key = prefix + entry.name;
    const entryPath = path.join(directory, entry.name);
    if (entry.isDirectory()) yield* listFiles(store, entryPath, `${key}/`);
    else if (entry.isFile()) {
      // A file that was deleted since readdir is left out.
      const stats = await stat(entryPath).catch(() => null);
      if (stats) yield { key, bytes: stats.size, modifiedAt: stats.mtime };
    }
  }
}

/**
 * Returns if the error means that the file is absent. That needs the marker: behind an unmounted disk every
 * file would be absent.
 * @throws StoreError for any other error, or without the marker.
 */
async function requireAbsence(
  store: StoreDirectory,
  verb: string,
  key: string,
  error: unknown,
): Promise<void> {
  if (!isAbsent(error)) throw store.refused(`could not ${verb} ${key}`, error);
  await store.marker.require();
}

/** The only place where a key becomes a path. */
function pathOf({ root }: StoreDirectory, key: string): string {
  return `${root}/${requireKey(key)}`;
}

/** Types of local file systems, as in statfs(2): ext2 to ext4, XFS, Btrfs, F2FS, ZFS, overlayfs, tmpfs. */
const LOCAL_TYPES: readonly number[] = [
  0xef53, 0x58465342, 0x9123683e, 0xf2f52010, 0x2fc12fc1, 0x794c7630, 0x01021994,
];

function isLocal(directory: string): Promise<boolean> {
  return statfs(directory).then(
    ({ type }) => LOCAL_TYPES.includes(type),
    () => false,
  );
}
