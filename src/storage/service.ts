import type { Logger } from 'pino';
import type { Database, PrismaTransaction } from '../database/database.ts';
import type { Blob } from './blob.ts';
import { makeHealer } from './heal.ts';
import { health, type StoreHealth } from './health.ts';
import { type OpenBlob, open } from './open.ts';
import type { ReadPicture } from './picture.ts';
import { put } from './put.ts';
import { type Restoration, restore } from './restore.ts';
import type { Spool, Spooler } from './spool.ts';
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
  restore(blobId: number, options?: { stores?: readonly string[]; deep?: boolean }): Promise<Restoration>;

  /** Reads copies and compares their hashes; records what it finds, and repairs nothing. */
  verify(options?: VerifyOptions): Promise<Verification>;

  health(): Promise<StoreHealth[]>;

  /** Resolves when no repair is under way behind an answer. */
  settled(): Promise<void>;
}

/** Adds what the caller keeps of a blob in the transaction that records it. `storeName` is the first store in read order that has it. */
export type Recorder<Result> = (
  transaction: PrismaTransaction,
  blob: Omit<Blob, 'copies'>,
  storeName: string,
) => Promise<Result>;

export interface StorageDeps {
  readonly database: Database;
  readonly stores: readonly Store[];
  /** Names of the stores that must hold a blob before it is acknowledged. */
  readonly required: ReadonlySet<string>;
  readonly spooler: Spooler;
  readonly readPicture: ReadPicture;
  /** How long after a bad copy was met it is restored. */
  readonly healDelaySeconds: number;
  readonly log: Logger;
}

export function makeStorage(deps: StorageDeps): Storage {
  const healer = makeHealer((blobId) => restore(deps, blobId), {
    delaySeconds: deps.healDelaySeconds,
    log: deps.log,
  });
  const withHealer = { ...deps, heal: healer.start };
  return {
    stores: deps.stores,
    spooler: deps.spooler,
    put: (spool, record) => put(withHealer, spool, record),
    open: (blob, range) => open(withHealer, blob, range),
    restore: (blobId, options) => restore(deps, blobId, options),
    verify: (options) => verify(deps, options),
    health: () => health(deps),
    settled: healer.settled,
  };
}
