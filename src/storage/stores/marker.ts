import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { StoreError } from '../../errors.ts';
import { flush } from '../spool/flush.ts';

/** Says that a directory is the store, and not the empty place where its disk is to be mounted. */
const MARKER = '.fixative-store';

/** Where it is on record which directory the store is, for all servers of one database. */
export interface RecordedIdentity {
  /** @returns the identity that is on record, which is this one where there was none. */
  keep(id: string): Promise<string>;
  replace(id: string): Promise<void>;
}

/**
 * The marker in the root of a directory, and in it the identity of the directory: a UUID. Two machines may each have a directory of their own under one
 * name; only the one whose identity is on record in the database is the store.
 */
export interface Marker {
  /** Whether there was one, or one may be made. */
  readonly isThere: boolean;
  /** @throws StoreError where the directory is not the store, or cannot be looked at. */
  require(): Promise<void>;
  /** The same where it is known already that it is another directory; looks at nothing. */
  requireKnown(): void;
  /** Makes it, and says that from now on this directory is the store. */
  claim(): Promise<void>;
}

export async function openMarker(options: {
  name: string;
  root: string;
  mayClaim: boolean;
  identity: RecordedIdentity | null;
  /** Makes the error of what the system refused, as a client may read it. */
  refused: (what: string, cause: unknown) => StoreError;
}): Promise<Marker> {
  const { name, root, identity, refused } = options;
  const file = path.join(root, MARKER);
  /** Whether the directory is the one on record; null: not known yet, because it could not be looked at. */
  let isStore: boolean | null = null;

  /** Only a start and `claim` come here, and are told which directory. */
  const unusable = (cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new StoreError(`${name} cannot use ${root}: ${reason}.`, name, { cause });
  };

  async function write(): Promise<void> {
    await mkdir(root, { recursive: true });
    const handle = await open(file, 'a');
    try {
      await handle.appendFile(
        `${JSON.stringify({ store: name, id: randomUUID(), claimedAt: new Date() })}\n`,
      );
      await handle.sync();
    } finally {
      await handle.close();
    }
    await flush(root);
  }

  /** Looks once whether it is the directory that is on record; one with a marker of an older version gets an identity. */
  async function identify(): Promise<boolean> {
    if (identity === null) return true;
    let id = await readIdentity(file);
    if (id === null) {
      // A disk that is read-only serves what it has.
      await write().catch(() => {});
      id = await readIdentity(file);
    }
    return id === null || (await identity.keep(id)) === id;
  }

  function requireKnown(): void {
    if (isStore !== false) return;
    throw new StoreError(
      `The directory that GENERATED_IMAGE_DIR names is not the one that ${name} is in this database: another server has that one. Share one directory between the servers, or leave ${name} out of STORES here. If this one takes its place, say so: npm run fixative -- claim ${name}`,
      name,
    );
  }

  async function check(): Promise<void> {
    try {
      await stat(file);
      isStore ??= await identify();
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
      if ((await readIdentity(file).catch(() => null)) === null) await write();
      const id = await readIdentity(file);
      if (id !== null) await identity?.replace(id);
      isStore = true;
    } catch (cause) {
      throw unusable(cause);
    }
  }

  let isThere = await stat(file).then(
    () => true,
    () => false,
  );
  if (!isThere && options.mayClaim) {
    await write().catch((cause) => {
      throw unusable(cause);
    });
    isThere = true;
  }
  // Where it cannot be looked at, whoever needs it says why.
  if (isThere) isStore ??= await identify().catch(() => null);
  return { isThere, require: check, requireKnown, claim };
}

/** The first that was written: of two servers that write one at once, both take the same. */
async function readIdentity(file: string): Promise<string | null> {
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const id = /"id":"([0-9a-f-]{36})"/.exec(line)?.[1];
    if (id) return id;
  }
  return null;
}

export function isAbsent(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
