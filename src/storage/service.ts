import type { Logger } from 'pino';
import type { Database, PrismaTransaction, Queryable } from '../database/database.ts';
import { NotFoundError } from '../errors.ts';
import type { Blob } from './blob.ts';
import { type BlobsInDanger, countInDanger, health, type StoreHealth } from './health.ts';
import { type OpenBlob, open } from './open.ts';
import { emptyQuarantine, type QuarantineOptions, quarantineOrphans } from './orphans.ts';
import type { ReadPicture } from './picture.ts';
import { put } from './put.ts';
import { remove, removeCondemned } from './remove.ts';
import { makeRepairer } from './repairer.ts';
import { type Restoration, type RestoreOptions, restore } from './restore.ts';
import type { SpaceGuard } from './space.ts';
import type { Spool, Spooler } from './spool.ts';
import type { FilesystemStore } from './stores/filesystem.ts';
import type { ByteRange, Store } from './stores/store.ts';
import { type Verification, type VerifyOptions, verify } from './verify.ts';

export type { OpenBlob, Restoration, StoreHealth, Verification, VerifyOptions };

/**
 * The storage service: blobs and copies, nothing of users or prompts. This is all of it that the rest of the house sees.
 *
 * It guarantees that a blob which `put` has acknowledged is in every required store with its hash; that `open` never gives
 * bytes whose hash is not proven; and that nothing is called missing because its store could not be asked.
 */
export interface Storage {
  /** In read order. */
  readonly stores: readonly Store[];
  readonly spooler: Spooler;

  /** Proves that a file is a whole picture of a type that is kept, and reads its facts; keeps nothing. @throws as `put`. */
  readonly readPicture: ReadPicture;

  /**
   * Keeps what was spooled: puts it into every required store, then records blob and copies and whatever `record` adds in one
   * transaction. Known bytes are not put again. The spool still belongs to the caller.
   * @throws UnsupportedTypeError, TooLargeError, FixativeError DAMAGED_IMAGE: it is not a picture that is kept.
   * @throws StoreError when a required store cannot take it; nothing is recorded then.
   */
  put<Result>(spool: Spool, record: Recorder<Result>): Promise<Result>;

  /**
   * Opens the bytes of the first healthy copy. Copies that are found bad on the way are marked, and restored behind the answer.
   * @throws FixativeError BYTES_LOST when no store has a healthy copy; StoreError when one might but cannot be asked.
   */
  open(blob: Blob, range?: ByteRange): Promise<OpenBlob>;

  /** Makes every store hold a healthy copy again. @throws as `open` does. */
  restore(blobId: number, options?: RestoreOptions): Promise<Restoration>;

  /** Reads copies and compares their hashes; records what it finds, and repairs nothing. */
  verify(options?: VerifyOptions): Promise<Verification>;

  /** Moves what is in a store and on no record into quarantine, and removes what killed processes left half written. */
  quarantine(
    storeName: string,
    options: Omit<QuarantineOptions, 'directory'>,
  ): Promise<{ moved: number; young: number }>;

  /**
   * The other way round of put: `forget` ends what the caller keeps of a blob, in a transaction; when nothing refers to the blob then,
   * its bytes leave every store. What a store cannot do now is done by `removeCondemned`.
   */
  remove(blobId: number, forget: (transaction: PrismaTransaction) => Promise<void>): Promise<void>;

  /** Goes on with removals that a crash or a store out of reach interrupted. @returns how many were ended, and how many are left. */
  removeCondemned(signal?: AbortSignal): Promise<{ removed: number; left: number }>;

  health(): Promise<StoreHealth[]>;
  /** How many blobs have one healthy copy left, or none, because others were lost. */
  inDanger(): Promise<BlobsInDanger>;

  /** @throws FixativeError NO_SPACE when there is too little room to take anything in. */
  requireSpace(): Promise<void>;

  /** Looks for copies to repair by itself from now on; a server does. */
  startRepairs(): void;
  /** Resolves when no repair is under way behind an answer. */
  settled(): Promise<void>;
  /** Begins no repair any more, and resolves when none is under way. */
  stopRepairs(): Promise<void>;
}

/** Adds what the caller keeps of a blob in the transaction that records it. `storeName` is the first store in read order that has it. */
export type Recorder<Result> = (
  transaction: Queryable,
  blob: Omit<Blob, 'copies'>,
  storeName: string,
) => Promise<Result>;

export interface StorageDeps {
  readonly database: Database;
  readonly stores: readonly Store[];
  /** Names of the stores that must hold a blob before it is acknowledged. */
  readonly required: ReadonlySet<string>;
  readonly spooler: Spooler;
  readonly space: SpaceGuard;
  /** Where orphans go; emptied of what has been there for `quarantineDays`. */
  readonly quarantineDirectory: string;
  readonly quarantineDays: number;
  /** Hears of each blob whose bytes are about to leave: what was made of them is to go too. */
  readonly onRemove: (sha256: string) => Promise<void>;
  readonly readPicture: ReadPicture;
  /** How long after a bad copy was met it is repaired. */
  readonly healDelaySeconds: number;
  readonly log: Logger;
}

/** How often a server looks for copies that are due for repair, beside the times at which it is woken. */
const REPAIR_EVERY_SECONDS = 30;

export function makeStorage(deps: StorageDeps): Storage {
  const repairer = makeRepairer(deps, (blobId) => restore(deps, blobId));
  const withRepairer = { ...deps, wakeRepairer: repairer.wake };
  return {
    stores: deps.stores,
    spooler: deps.spooler,
    readPicture: deps.readPicture,
    put: (spool, record) => put(withRepairer, spool, record),
    open: (blob, range) => open(withRepairer, blob, range),
    restore: (blobId, options) => restore(deps, blobId, options),
    verify: (options) => verify(deps, options),
    async quarantine(storeName, options) {
      const store = deps.stores.find((each) => each.name === storeName);
      if (!store) throw new NotFoundError(`There is no store ${JSON.stringify(storeName)}.`);
      await emptyQuarantine(deps.quarantineDirectory, deps.quarantineDays);
      if (!options.dryRun) {
        await deps.spooler.sweep(options.graceSeconds);
        if ('sweep' in store) await (store as FilesystemStore).sweep(options.graceSeconds);
      }
      return quarantineOrphans(deps, store, { ...options, directory: deps.quarantineDirectory });
    },
    remove: (blobId, forget) => remove(deps, blobId, forget),
    removeCondemned: (signal) => removeCondemned(deps, signal),
    health: () => health(deps),
    inDanger: () => countInDanger(deps.database),
    requireSpace: () => deps.space.require(0),
    startRepairs: () => repairer.start(REPAIR_EVERY_SECONDS),
    settled: repairer.settled,
    stopRepairs: repairer.stop,
  };
}
