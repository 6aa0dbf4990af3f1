import type { Readable } from 'node:stream';

/**
 * The port to a place that holds blobs. An adapter knows keys and bytes only: no hashes, no images, no other
 * stores.
 *
 * Every adapter guarantees the following, and test/storage/store-contract.ts proves it for each:
 * - `put` is atomic: a reader sees the old bytes or the new ones, never a mixture. Putting again replaces.
 *   After `put` has resolved, the bytes survive a loss of power as far as the place can promise that.
 * - Absent objects: `open` throws NotFoundError, `stat` returns null, `delete` does nothing.
 * - Unreachable is not absent: any failure of the place throws StoreError.
 * - Memory use does not grow with the size of a blob.
 */
export interface Store {
  /** Unique among the configured stores; its name in `STORES`. */
  readonly name: string;
  /** Kind of adapter: `filesystem`, `database`, `s3`, `github` or `memory`. */
  readonly kind: string;
  /** Largest blob that it takes, in bytes; Infinity: no limit. */
  readonly maxBytes: number;

  put(key: string, source: BlobSource): Promise<ObjectStat>;
  /** Opens the bytes, or a range of them. The stream must be read to its end or destroyed. */
  open(key: string, range?: ByteRange): Promise<OpenObject>;
  stat(key: string): Promise<ObjectStat | null>;
  delete(key: string): Promise<void>;
  /** Lists every object, in no particular order. */
  list(): AsyncIterable<ListedObject>;

  /**
   * Reads a range into a buffer with enough room, for stores where that is faster than a stream. The returned
   * state was read after the last byte.
   * @returns null if the object is shorter than the range.
   * @throws as `open`.
   */
  readInto?(key: string, range: ByteRange, buffer: Buffer): Promise<ObjectStat | null>;

  /**
   * Reads the whole object, for stores where that costs no more than `stat`. The hash is not checked; the
   * caller must. After an error, do not reuse the buffer: the store may still write to it.
   * @returns the number of bytes; null if the object is absent, incomplete, or longer than the buffer.
   * @throws StoreError
   */
  readWhole?(key: string, buffer: Buffer): Promise<number | null>;
}

/** Bytes of known length and hash that can be read more than once. A Spool is one. */
export interface BlobSource {
  readonly bytes: number;
  /** SHA-256, 64 lower-case hexadecimal digits. */
  readonly sha256: string;
  open(): Readable;
  /**
   * Flushes the file of the bytes and renames it to `file`, once. Streams that are open, and later ones,
   * still work.
   * @returns false if the file cannot be renamed there, for example to another file system; read it by `open`
   *   then.
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
   * Changes whenever the object may have changed, and is cheap to read. Of a file: its size, times and inode.
   * A proof of the hash stays valid while the fingerprint stays the same.
   */
  readonly fingerprint: string;
}

export interface OpenObject {
  /** State of exactly the bytes in `stream`. Describes the whole object, even for a range. */
  readonly stat: ObjectStat;
  readonly stream: Readable;
  /**
   * Set by stores whose objects others can write to. Resolves to whether the open object was unchanged at its
   * last byte, or is unchanged now if the stream is still being read. A reader that computes the hash itself
   * does not need it.
   */
  isUnchanged?(): Promise<boolean>;
}

export interface ListedObject {
  readonly key: string;
  readonly bytes: number;
  /** When it was put, if the store knows. */
  readonly modifiedAt?: Date;
}

/** Ends a stream of `open` when the store itself finds that the object is damaged. */
export class DamagedObjectError extends Error {}
