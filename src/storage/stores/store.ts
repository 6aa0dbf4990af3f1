import type { Readable } from 'node:stream';

/**
 * The port through which the storage service reaches a place that holds blobs. An adapter knows keys and bytes, nothing else:
 * neither hashes, nor images, nor which other stores exist.
 *
 * What every adapter guarantees, and test/storage/store-contract.ts proves of each:
 * - `put` is whole or not at all: a reader sees the former bytes or the new ones, never a part; putting again replaces.
 *   When it has resolved, the bytes survive the loss of power as far as the place can promise it.
 * - Absent is said one way: `open` throws NotFoundError, `stat` answers null, `delete` of nothing is silent.
 * - Unreachable is not absent: whatever keeps the place from answering is thrown as StoreError.
 * - No memory grows with the size of a blob.
 */
export interface Store {
  /** Unique among the configured stores; what `STORES` calls it. */
  readonly name: string;
  /** The family of the adapter: `filesystem`, `database`, `memory`, … */
  readonly kind: string;
  /** The largest blob that it takes, in bytes; Infinity where there is no limit. */
  readonly maxBytes: number;

  put(key: string, source: BlobSource): Promise<ObjectStat>;
  /** Opens the bytes, or the given range of them. The stream must be read to its end or destroyed. */
  open(key: string, range?: ByteRange): Promise<OpenObject>;
  stat(key: string): Promise<ObjectStat | null>;
  delete(key: string): Promise<void>;
  /** Every object in the store, in no particular order. */
  list(): AsyncIterable<ListedObject>;

  /**
   * Where there is a quicker way than a stream for what is small: reads the range into a buffer that has room for it. The state that is returned
   * was looked at after the last byte was read.
   * @returns null where the object is shorter. @throws as `open`.
   */
  readInto?(key: string, range: ByteRange, buffer: Buffer): Promise<ObjectStat | null>;

  /**
   * The same where all of it is cheaper to have than its state: who gives it proves the hash. When this throws, something may still be put into the buffer.
   * @returns how many bytes it has; null where it is not there, or not whole, or longer than the buffer. @throws StoreError
   */
  readWhole?(key: string, buffer: Buffer): Promise<number | null>;
}

/** Bytes that can be read more than once, whose length and hash are known. A Spool is one. */
export interface BlobSource {
  readonly bytes: number;
  /** SHA-256, 64 lower-case hexadecimal digits. */
  readonly sha256: string;
  open(): Readable;
  /**
   * Flushes the file in which the bytes lie and gives it a place in the same file system, once: it is not written to any more.
   * What `open` gave, and gives, reads on. false: it cannot be had so, and is to be read by `open`; whoever does not know the method reads.
   */
  moveTo?(file: string): Promise<boolean>;
}

/** Both ends are included, as in an HTTP range; 0 ≤ start ≤ end < bytes. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface ObjectStat {
  readonly bytes: number;
  /**
   * Changes whenever the object may have changed, and is cheap to read: for a file its size, times and inode. While it is
   * what it was when the hash was last proven, the proof holds.
   */
  readonly fingerprint: string;
}

export interface OpenObject {
  /** The state of exactly the bytes that `stream` gives, for the whole object even when a range was asked. */
  readonly stat: ObjectStat;
  readonly stream: Readable;
  /**
   * Of a place where others can write: whether nobody had written to what was opened when its last byte was read, or until now, while it is read. Who computes the hash goes by that alone; who gives bytes on the proof of an earlier hash goes by this.
   */
  isUnchanged?(): Promise<boolean>;
}

export interface ListedObject {
  readonly key: string;
  readonly bytes: number;
  /** When it was put, where the place can tell. */
  readonly modifiedAt?: Date;
}

/** What a stream from `open` ends in when the store can say itself that the object is not whole. */
export class DamagedObjectError extends Error {}
