import type { Queryable } from '../database/database.ts';
import type { DiskFault } from '../database/pglite/disk-fault.ts';
import { NotFoundError } from '../errors.ts';
import type { Blob } from './blob.ts';
import type { StorageDeps } from './deps.ts';
import { type BlobsInDanger, countInDanger, readStoreHealth, type StoreHealth } from './health.ts';
import type { ReadPicture } from './picture/picture.ts';
import { putBlob, type Recorder } from './put.ts';
import { makeBuffers } from './read/buffers.ts';
import { type OpenBlob, openBlob } from './read/open-blob.ts';
import { makeBlobServer } from './read/serve-blob.ts';
import type { ServedBlob } from './read/whole-reads.ts';
import { removeBlob, removeCondemned } from './remove.ts';
import { emptyQuarantine, type QuarantineOptions, quarantineOrphans } from './repair/orphans.ts';
import { findQuarantined, type QuarantinedFile } from './repair/quarantined.ts';
import { makeRepairer } from './repair/repairer.ts';
import { type Restoration, type RestoreOptions, restoreBlob } from './repair/restore.ts';
import { type Verification, type VerifyOptions, type VerifyProgress, verifyCopies } from './repair/verify.ts';
import type { Spool, Spooler } from './spool/spool.ts';
import type { FilesystemStore } from './stores/filesystem/filesystem.ts';
import type { ByteRange, Store } from './stores/store.ts';

export type {
  OpenBlob,
  QuarantinedFile,
  Recorder,
  Restoration,
  ServedBlob,
  StoreHealth,
  Verification,
  VerifyOptions,
  VerifyProgress,
};

/**
 * The storage service: blobs and their copies. It knows no users and no prompts. Other rooms use storage only
 * through this interface.
 *
 * It guarantees:
 * - A blob that `put` has acknowledged is in every required store, with its hash proven.
 * - `open` and `serve` never send bytes whose hash is not proven.
 * - A copy is never called missing because its store could not be asked.
 */
export interface Storage {
  /** In read order. */
  readonly stores: readonly Store[];
  /** Names of the stores that must hold a blob before its upload is acknowledged. */
  readonly required: ReadonlySet<string>;
  readonly spooler: Spooler;

  /**
   * Checks that a file is a whole picture of a supported type, and reads its facts. Keeps nothing.
   * @throws as `put`.
   */
  readonly readPicture: ReadPicture;

  /**
   * Puts a spool into every required store, then records the blob, its copies and the rows of `record` in one
   * transaction. Bytes that are already stored are not put again. The caller still discards the spool.
   * @throws UnsupportedTypeError, TooLargeError, FixativeError DAMAGED_IMAGE if it is not a supported
   *   picture.
   * @throws StoreError if a required store cannot take it; nothing is recorded then.
   */
  put<Result>(spool: Spool, record: Recorder<Result>): Promise<Result>;

  /**
   * Opens the bytes of the first healthy copy. Bad copies that are found are recorded, and repaired in the
   * background.
   * @param options.deep reads every copy before it is sent, whatever its fingerprint. Default: false.
   * @throws FixativeError BYTES_LOST if no store has a healthy copy; StoreError if one may but cannot be
   *   asked.
   */
  open(blob: Blob, range?: ByteRange, options?: { deep?: boolean }): Promise<OpenBlob>;

  /**
   * Returns the bytes in the form that is cheapest to send, with the guarantees of `open`.
   * @throws as `open`.
   */
  serve(blob: Blob, range?: ByteRange): Promise<ServedBlob>;
  /** Returns the whole, proven bytes from the memory cache; null if it does not have them. */
  serveFromMemory(blob: Blob): Buffer | null;
  /**
   * Counts bytes of the memory cache that a client has yet to receive. While too many are unsent, the cache
   * serves nothing.
   * @returns ends the count.
   */
  holdUnsent(content: Buffer): () => void;

  /**
   * Examines the copies in stores of a kind. Bad ones are recorded, and repaired in the background.
   * @returns the key of a healthy copy; null if there is none.
   */
  locate(blob: Blob, kind: string): Promise<string | null>;

  /** Makes every store hold a healthy copy again. @throws as `open`. */
  restore(blobId: number, options?: RestoreOptions): Promise<Restoration>;

  /** Examines copies and records what it finds. Repairs nothing. */
  verify(options?: VerifyOptions): Promise<Verification>;

  /** Moves orphans from a store into quarantine, and deletes the temporary files of killed processes. */
  quarantine(
    storeName: string,
    options: Omit<QuarantineOptions, 'directory'>,
  ): Promise<{ moved: number; young: number }>;

  /** Lists files in the quarantine of this server, newest first. */
  quarantined(first: number): Promise<QuarantinedFile[]>;

  /**
   * Removes a reference to a blob: `forget` deletes or changes the rows of the caller, in a transaction. If
   * no reference is left, the bytes are deleted from every store. `removeCondemned` repeats deletions that
   * fail.
   */
  remove(blobId: number, forget: (transaction: Queryable) => Promise<void>): Promise<void>;

  /**
   * Continues removals that a crash or an outage of a store interrupted.
   * @returns the number of blobs that were removed, and of those that are left.
   */
  removeCondemned(signal?: AbortSignal): Promise<{ removed: number; left: number }>;

  health(): Promise<StoreHealth[]>;
  /** Counts blobs that have lost copies and have one healthy copy left, or none. */
  inDanger(): Promise<BlobsInDanger>;

  /** @throws DiskError NO_SPACE if less than MIN_FREE_BYTES is free. */
  requireSpace(): Promise<void>;
  /** Returns the fault of a disk of the server; null: none. */
  diskFault(): Promise<DiskFault | null>;

  /** Starts to look for copies to repair; a server does. */
  startRepairs(): void;
  /** Resolves when no repair runs in the background. */
  settled(): Promise<void>;
  /** Starts no more repairs; resolves when none runs. */
  stopRepairs(): Promise<void>;
}

/** Interval of the repair rounds of a server. It also starts a round when a copy becomes due. */
const REPAIR_EVERY_SECONDS = 30;
/**
 * Limit of bytes that were read whole and that clients have yet to receive. Further requests are streamed in
 * parts of 256 KiB.
 */
const MAX_UNSENT_BYTES = 64 * 1024 * 1024;
/** Limit of the buffers that are kept for reuse. */
const MAX_KEPT_BYTES = 32 * 1024 * 1024;

export function makeStorage(deps: StorageDeps): Storage {
  const repairer = makeRepairer({ ...deps, restore: (blobId) => restoreBlob(deps, blobId) });
  const withRepairer = { ...deps, wakeRepairer: repairer.wake };
  const removing = {
    ...deps,
    async onRemove(sha256: string) {
      deps.memoryCache.forget(sha256);
      await deps.onRemove(sha256);
    },
  };
  const afterOutages = removeAfterOutages(removing);
  const buffers = makeBuffers({ maxOutBytes: MAX_UNSENT_BYTES, maxKeptBytes: MAX_KEPT_BYTES });
  const server = makeBlobServer({ ...withRepairer, buffers });
  return {
    stores: deps.stores,
    required: deps.required,
    spooler: deps.spooler,
    readPicture: deps.readPicture,
    put: (spool, record) => putBlob(withRepairer, spool, record),
    open: (blob, range, options) => openBlob(withRepairer, blob, range, options),
    serve: server.serve,
    serveFromMemory: server.serveFromMemory,
    holdUnsent: server.holdUnsent,
    locate: server.locate,
    restore: (blobId, options) => restoreBlob(deps, blobId, options),
    verify: (options) => verifyCopies(deps, options),
    quarantine: (storeName, options) => sweepAndQuarantine(deps, storeName, options),
    quarantined: (first) => findQuarantined(deps.quarantineDirectory, deps.quarantineDays, first),
    remove: (blobId, forget) => removeBlob(removing, blobId, forget),
    removeCondemned: (signal) => removeCondemned(removing, signal),
    health: () => readStoreHealth(deps),
    inDanger: () => countInDanger(deps.database),
    requireSpace: () => deps.space.require(0),
    diskFault: () =>
      deps.space.require(0).then(
        () => deps.diskHealth.current(),
        () => 'full',
      ),
    startRepairs: () => repairer.start(REPAIR_EVERY_SECONDS),
    async settled() {
      await server.settled();
      await repairer.settled();
      await afterOutages.settled();
    },
    async stopRepairs() {
      await afterOutages.stop();
      await server.stop();
      await repairer.stop();
    },
  };
}

/** Continues interrupted removals when the outage of a store ends. */
function removeAfterOutages(deps: StorageDeps): { settled(): Promise<unknown>; stop(): Promise<unknown> } {
  const stopping = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  deps.outages.onEnd(() => {
    running = running
      .then(() => removeCondemned(deps, stopping.signal))
      .catch((error: unknown) => {
        if (!stopping.signal.aborted)
          deps.log.warn({ err: error }, 'could not continue interrupted removals');
      });
  });
  return {
    settled: () => running,
    stop() {
      stopping.abort();
      return running;
    },
  };
}

/** See Storage.quarantine. */
async function sweepAndQuarantine(
  deps: StorageDeps,
  storeName: string,
  options: Omit<QuarantineOptions, 'directory'>,
): Promise<{ moved: number; young: number }> {
  const { quarantineDirectory: directory } = deps;
  const store = deps.stores.find((each) => each.name === storeName);
  if (!store) throw new NotFoundError(`There is no store ${JSON.stringify(storeName)}.`);
  await emptyQuarantine(directory, deps.quarantineDays);
  if (!options.dryRun) {
    await deps.spooler.sweep(options.graceSeconds);
    if ('sweep' in store) await (store as FilesystemStore).sweep(options.graceSeconds);
  }
  return quarantineOrphans(deps, store, { ...options, directory });
}
