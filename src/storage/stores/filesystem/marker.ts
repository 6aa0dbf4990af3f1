import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { StoreError } from '../../../errors.ts';
import { flushToDisk } from '../../files/flush.ts';
import { isAbsent } from './errors.ts';

/**
 * Name of the file that tells the directory of a store from the mount point of a disk that is not mounted.
 */
const MARKER = '.fixative-store';

/** The record of which directory the store is, shared by all servers of one database. */
export interface RecordedIdentity {
  /** Records the identity if there is none. @returns the identity on record. */
  keep(id: string): Promise<string>;
  replace(id: string): Promise<void>;
}

/**
 * The marker file in the root of a directory. It holds the identity of the directory, a UUID. Two machines
 * may each have a directory for the same store name. Only the one whose identity is on record in the database
 * is the store.
 */
export interface Marker {
  /** Whether the marker exists. */
  readonly isThere: boolean;
  /** @throws StoreError if the directory is not the store, or cannot be read. */
  require(): Promise<void>;
  /**
   * Checks what is known from earlier calls, without reading the disk.
   * @throws StoreError if it is another directory.
   */
  requireKnown(): void;
  /** Makes the marker, and records this directory as the store. */
  claim(): Promise<void>;
}

interface MarkerOptions {
  readonly name: string;
  readonly root: string;
  readonly mayClaim: boolean;
  readonly identity: RecordedIdentity | null;
  /** Makes the error for clients from an error of the file system. */
  readonly refused: (what: string, cause: unknown) => StoreError;
}

export async function openMarker(options: MarkerOptions): Promise<Marker> {
  const { name, root, identity, refused } = options;
  const file = path.join(root, MARKER);
  /** Whether the directory is the one on record; null: not known yet. */
  let isStore: boolean | null = null;

  function requireKnown(): void {
    if (isStore !== false) return;
    throw new StoreError(
      `The directory that GENERATED_IMAGE_DIR names is not the one that ${name} is in this database: another server has that one. Share one directory between the servers, or leave ${name} out of STORES here. If this one takes its place, say so: npm run fixative -- claim ${name}`,
      name,
    );
  }

  async function requireStore(): Promise<void> {
    try {
      await stat(file);
      isStore ??= await isRecordedDirectory(options, file);
    } catch (cause) {
      if (!isAbsent(cause)) throw refused('cannot use its directory', cause);
      throw new StoreError(
        `The directory that GENERATED_IMAGE_DIR names has no ${MARKER}, so it is not the directory of ${name}, or its disk is not mounted. If it is the right one, say so: npm run fixative -- claim ${name}`,
        name,
        { cause },
      );
    }
    requireKnown();
  }

  async function claim(): Promise<void> {
    try {
      if ((await readIdentity(file).catch(() => null)) === null) await writeMarker(options, file);
      const id = await readIdentity(file);
      if (id !== null) await identity?.replace(id);
      isStore = true;
    } catch (cause) {
      throw unusableDirectory(options, cause);
    }
  }

  let isThere = await stat(file).then(
    () => true,
    () => false,
  );
  if (!isThere && options.mayClaim) {
    await writeMarker(options, file).catch((cause) => {
      throw unusableDirectory(options, cause);
    });
    isThere = true;
  }
  // An error stays for `require`, which reports it.
  if (isThere) isStore ??= await isRecordedDirectory(options, file).catch(() => null);
  return { isThere, require: requireStore, requireKnown, claim };
}

async function writeMarker({ name, root }: MarkerOptions, file: string): Promise<void> {
  await mkdir(root, { recursive: true });
  const handle = await open(file, 'a');
  try {
    await handle.appendFile(`${JSON.stringify({ store: name, id: randomUUID(), claimedAt: new Date() })}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await flushToDisk(root);
}

/** Compares the directory with the record. A marker of an older version, without an identity, gets one. */
async function isRecordedDirectory(options: MarkerOptions, file: string): Promise<boolean> {
  const { identity } = options;
  if (identity === null) return true;
  let id = await readIdentity(file);
  if (id === null) {
    // An error is not fatal: a read-only disk still serves what it has.
    await writeMarker(options, file).catch(() => {});
    id = await readIdentity(file);
  }
  return id === null || (await identity.keep(id)) === id;
}

/** Names the path, because only operators see this error: at the start, or after `claim`. */
function unusableDirectory({ name, root }: MarkerOptions, cause: unknown): StoreError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new StoreError(`${name} cannot use ${root}: ${reason}.`, name, { cause });
}

/** Returns the first identity in the file. If two servers write one at once, both use the first. */
async function readIdentity(file: string): Promise<string | null> {
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const id = /"id":"([0-9a-f-]{36})"/.exec(line)?.[1];
    if (id) return id;
  }
  return null;
}
