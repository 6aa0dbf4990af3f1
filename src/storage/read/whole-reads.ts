/**
 * Fast paths that read an object, or a range of it, into one buffer with one request to the store. They
 * return null when anything is not as expected; the caller then opens the blob by openBlob, which finds out
 * why.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { Blob } from '../blob.ts';
import type { StorageDeps } from '../deps.ts';
import type { ByteRange } from '../stores/store.ts';
import type { Buffers } from './buffers.ts';
import { firstHealthyCopy } from './copy-checks.ts';

/** Bytes to send: exactly what was requested, in memory or as a stream. */
export type ServedBlob =
  | {
      readonly content: Buffer;
      /**
       * To be called once, after the last use of `content`. `sent`: whether the system has taken all of it.
       * null: no need.
       */
      readonly done: ((sent: boolean) => void) | null;
    }
  | {
      /** To be read to its end or destroyed. */
      readonly stream: Readable;
    };

/** Memory to read into. Exactly one of `served` and `discard` is to be called, once. */
export interface ReadBuffer {
  readonly content: Buffer;
  /** Returns the content to send, and adds it to the memory cache if it was taken for that. */
  served(): ServedBlob;
  /** Gives up the content. @param isFree whether nothing can read or write it any more. */
  discard(isFree: boolean): void;
}

type ReadDeps = Pick<StorageDeps, 'stores' | 'memoryCache'> & { readonly buffers: Buffers };

/**
 * Largest object or range, in bytes, that is read into one buffer. A stream has sent its first part by then.
 */
export const MAX_WHOLE_BYTES = 1024 * 1024;

/**
 * Returns memory for `bytes` of a blob; null when the limit of the buffers is reached.
 * @param caches whether `served` adds the content to the memory cache.
 */
export function takeReadBuffer(
  deps: ReadDeps,
  blob: Blob,
  bytes: number,
  caches: boolean,
): ReadBuffer | null {
  const { memoryCache, buffers } = deps;
  const since = memoryCache.now;
  const buffer = caches ? Buffer.allocUnsafeSlow(bytes) : buffers.take(bytes);
  if (!buffer) return null;
  const content = buffer.subarray(0, bytes);
  const discard = (isFree: boolean) => {
    if (caches) return;
    if (isFree) buffers.give(buffer);
    else buffers.lose(buffer);
  };
  return {
    content,
    discard,
    served() {
      if (caches) memoryCache.keep(blob.sha256, blob.sha256, content, since);
      return { content, done: caches ? null : discard };
    },
  };
}

/**
 * Reads a range from a store with `readInto`. The unchanged fingerprint proves the bytes. If they are to be
 * cached, their hash is checked as well.
 */
export async function readByFingerprint(
  deps: ReadDeps,
  blob: Blob,
  range: ByteRange,
  caches: boolean,
): Promise<ServedBlob | null> {
  const first = firstHealthyCopy(deps.stores, blob);
  const length = range.end - range.start + 1;
  if (!first?.store.readInto || first.copy.fingerprint === null || length > MAX_WHOLE_BYTES) return null;
  const target = takeReadBuffer(deps, blob, length, caches);
  if (!target) return null;
  const stat = await first.store.readInto(first.copy.key, range, target.content).catch(ignore);
  const isUnchanged = stat?.bytes === blob.bytes && stat.fingerprint === first.copy.fingerprint;
  if (isUnchanged && (!caches || hasHashOf(blob, target.content))) return target.served();
  target.discard(true);
  return null;
}

/** Reads a whole blob from a store with `readWhole`, and checks the hash. */
export async function readByHash(deps: ReadDeps, blob: Blob, caches: boolean): Promise<ServedBlob | null> {
  const first = firstHealthyCopy(deps.stores, blob);
  if (!first?.store.readWhole || blob.bytes > MAX_WHOLE_BYTES) return null;
  const target = takeReadBuffer(deps, blob, blob.bytes, caches);
  if (!target) return null;
  const bytes = await first.store.readWhole(first.copy.key, target.content).catch(ignore);
  if (bytes === blob.bytes && hasHashOf(blob, target.content)) return target.served();
  // After an error the store may still write to the buffer.
  target.discard(bytes !== undefined);
  return null;
}

/** Returns whether the bytes have the SHA-256 of the blob. */
export function hasHashOf({ sha256 }: Blob, content: Buffer): boolean {
  return createHash('sha256').update(content).digest('hex') === sha256;
}

/** Drops the error of a fast path: openBlob meets it again and records it. */
const ignore = () => undefined;
