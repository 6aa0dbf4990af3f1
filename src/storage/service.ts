import type { Logger } from 'pino';
import type { Database, PrismaTransaction, Queryable } from '../database/database.ts';
import type { DiskFault } from '../database/pglite/disk-fault.ts';
import { NotFoundError } from '../errors.ts';
import type { Blob } from './blob.ts';
import type { DiskHealth } from './disk-health.ts';
import { type BlobsInDanger, countInDanger, health, type StoreHealth } from './health.ts';
import type { Outages } from './outages.ts';
import type { ReadPicture } from './picture/picture.ts';
import { put } from './put.ts';
import { type Buffers, makeBuffers } from './read/buffers.ts';
import type { HotBytes } from './read/memory-cache.ts';
import { type OpenBlob, open } from './read/open.ts';
import { type Given, makeGiver } from './read/serve-blob.ts';
import { remove, removeCondemned } from './remove.ts';
import { emptyQuarantine, type QuarantineOptions, quarantineOrphans } from './repair/orphans.ts';
import { makeRepairer } from './repair/repairer.ts';
import { type Restoration, type RestoreOptions, restore } from './repair/restore.ts';
import { type Verification, type VerifyOptions, verify } from './repair/verify.ts';
import type { SpaceGuard } from './spool/space.ts';
import type { Spool, Spooler } from './spool/spool.ts';
import type { FilesystemStore } from './stores/filesystem.ts';
import type { ByteRange, Store } from './stores/store.ts';

export type { Given, OpenBlob, Restoration, StoreHealth, Verification, VerifyOptions };

/**
 * The storage service: blobs and copies, nothing of users or prompts. This is all of it that the rest of the house sees.
 *
 * It guarantees that a blob which `put` has acknowledged is in every required store with its hash; that `open` never gives
 * bytes whose hash is not proven; and that nothing is called missing because its store could not be asked.
 */
export interface Storage {
  /** In read order. */
  readonly stores: readonly Store[];
  /** Names of those that must hold a blob before it is acknowledged. */
  readonly required: ReadonlySet<string>;
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
   * @param options.deep reads every copy before it is given, whatever its fingerprint says.
   * @throws FixativeError BYTES_LOST when no store has a healthy copy; StoreError when one might but cannot be asked.
   */
  open(blob: Blob, range?: ByteRange, options?: { deep?: boolean }): Promise<OpenBlob>;

  /** The bytes in the form in which they can be sent at the least cost, with the same promises. @throws as `open` does. */
  give(blob: Blob, range?: ByteRange): Promise<Given>;
  /** What is in memory of it, whole and proven, without waiting; null: nothing. */
  recall(blob: Blob): Buffer | null;
  /** Counts bytes from memory that a client has yet to take: with too many of them nothing comes from there. @returns what ends it. */
  hold(content: Buffer): () => void;

  /**
   * The key of a healthy copy in a store of this kind, looked at just now; null where there is none. A copy that is found bad is marked and
   * restored behind the answer.
   */
  locate(blob: Blob, kind: string): Promise<string | null>;

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

  /** @throws DiskError NO_SPACE when there is too little room to take anything in. */
  requireSpace(): Promise<void>;
  /** What is wrong with a disk of the server; null: nothing. */
  diskFault(): Promise<DiskFault | null>;

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
  readonly diskHealth: DiskHealth;
  /** Where orphans go; emptied of what has been there for `quarantineDays`. */
  readonly quarantineDirectory: string;
  readonly quarantineDays: number;
  /** Hears of each blob to which less refers than before, as soon as that is committed. */
  readonly onForget: (blobId: number) => void;
  /** Hears of each blob whose bytes are about to leave: what was made of them is to go too. */
  readonly onRemove: (sha256: string) => Promise<void>;
  readonly readPicture: ReadPicture;
  /** Keeps what is asked for over and over. */
  readonly hot: HotBytes;
  /** How long after a bad copy was met it is repaired. */
  readonly healDelaySeconds: number;
  readonly outages: Outages;
  readonly log: Logger;
}

/** How often a server looks for copies that are due for repair, beside the times at which it is woken. */
const REPAIR_EVERY_SECONDS = 30;
/** Of what was read whole and clients have not taken yet; what is asked for beyond that is streamed, a quarter of a MiB at a time. */
const MAX_UNSENT_BYTES = 64 * 1024 * 1024;
/** How much of that is kept for the next. */
const MAX_KEPT_BYTES = 32 * 1024 * 1024;

export function makeStorage(deps: StorageDeps): Storage {
  const repairer = makeRepairer(deps, (blobId) => restore(deps, blobId));
  const withRepairer = { ...deps, wakeRepairer: repairer.wake };
  const leaving = {
    ...deps,
    async onRemove(sha256: string) {
      deps.hot.forget(sha256);
      await deps.onRemove(sha256);
    },
  };
  // What a store that was away could not delete goes as soon as it is back.
  const stopping = new AbortController();
  let removing: Promise<unknown> = Promise.resolve();
  deps.outages.onEnd(() => {
    removing = removing
      .then(() => removeCondemned(leaving, stopping.signal))
      .catch((error: unknown) => {
        if (!stopping.signal.aborted) deps.log.warn({ err: error }, 'could not go on with removals');
      });
  });
  const buffers: Buffers = makeBuffers({ maxOutBytes: MAX_UNSENT_BYTES, maxKeptBytes: MAX_KEPT_BYTES });
  const giver = makeGiver({ ...withRepairer, buffers });
  return {
    stores: deps.stores,
    required: deps.required,
    spooler: deps.spooler,
    readPicture: deps.readPicture,
    put: (spool, record) => put(withRepairer, spool, record),
    open: (blob, range, options) => open(withRepairer, blob, range, options),
    give: giver.give,
    recall: giver.recall,
    hold: giver.hold,
    locate: giver.locate,
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
    remove: (blobId, forget) => remove(leaving, blobId, forget),
    removeCondemned: (signal) => removeCondemned(leaving, signal),
    health: () => health(deps),
    inDanger: () => countInDanger(deps.database),
    requireSpace: () => deps.space.require(0),
    diskFault: () =>
      deps.space.require(0).then(
        () => deps.diskHealth.current(),
        () => 'full',
      ),
    startRepairs: () => repairer.start(REPAIR_EVERY_SECONDS),
    async settled() {
      await giver.settled();
      await repairer.settled();
      await removing;
    },
    async stopRepairs() {
      stopping.abort();
      await removing;
      await giver.stop();
      await repairer.stop();
    },
  };
}
