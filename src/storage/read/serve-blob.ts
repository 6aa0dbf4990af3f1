/**
 * Serves bytes by the cheapest way that works:
 *
 * 1. from the memory cache,
 * 2. by one read into a buffer (whole-reads.ts),
 * 3. by openBlob, which tries all stores, records what it finds and wakes the repairer.
 */
import type { Readable } from 'node:stream';
import { StoreError } from '../../errors.ts';
import { type Blob, copyIn } from '../blob.ts';
import type { RepairerAlarm, StorageDeps } from '../deps.ts';
import { type ByteRange, DamagedObjectError } from '../stores/store.ts';
import type { Buffers } from './buffers.ts';
import { makeCopyChecks } from './copy-checks.ts';
import { isWholeBlob, openBlob } from './open-blob.ts';
import { makeUnsentBytes } from './unsent-bytes.ts';
import {
  hasHashOf,
  MAX_WHOLE_BYTES,
  readByFingerprint,
  readByHash,
  type ServedBlob,
  takeReadBuffer,
} from './whole-reads.ts';

export interface BlobServer {
  /** See Storage.serveFromMemory. */
  serveFromMemory(blob: Blob): Buffer | null;
  /** @throws as Storage.open does. */
  serve(blob: Blob, range?: ByteRange): Promise<ServedBlob>;
  /** See Storage.holdUnsent. */
  holdUnsent(content: Buffer): () => void;
  /** See Storage.locate. */
  locate(blob: Blob, kind: string): Promise<string | null>;
  /** Resolves when no check of a copy runs behind an answer. */
  settled(): Promise<void>;
  /** Cancels the checks of copies; resolves when none runs. */
  stop(): Promise<void>;
}

type ServeDeps = StorageDeps & RepairerAlarm & { readonly buffers: Buffers };

/**
 * While clients have yet to receive more than this from memory, the memory cache serves nothing: it could not
 * be freed.
 */
const MAX_UNSENT_BYTES = 128 * 1024 * 1024;

export function makeBlobServer(deps: ServeDeps): BlobServer {
  const { memoryCache, stores } = deps;
  const checks = makeCopyChecks(deps);
  const unsent = makeUnsentBytes(MAX_UNSENT_BYTES);

  return {
    holdUnsent: unsent.hold,
    settled: checks.settled,
    stop: checks.stop,

    serveFromMemory(blob) {
      const content = unsent.isFull ? null : memoryCache.get(blob.sha256);
      if (content) checks.checkSoon(blob);
      return content;
    },

    async serve(blob, asked) {
      const range = asked && !isWholeBlob(asked, blob) ? asked : undefined;
      const cached = unsent.isFull ? null : memoryCache.get(blob.sha256);
      if (cached) {
        checks.checkSoon(blob);
        return { content: range ? cached.subarray(range.start, range.end + 1) : cached, done: null };
      }
      const caches = !range && !unsent.isFull && memoryCache.wants(blob.sha256, blob.bytes);
      if (!caches) return serveFromStores(deps, blob, range, false);
      unsent.add(blob.bytes);
      return serveFromStores(deps, blob, range, true).finally(() => unsent.add(-blob.bytes));
    },

    async locate(blob, kind) {
      for (const store of stores) {
        const copy = copyIn(store, blob);
        if (store.kind === kind && copy?.state === 'STORED' && (await checks.checkCopy(store, blob, copy)))
          return copy.key;
      }
      return null;
    },
  };
}

/** @param caches whether to add the bytes to the memory cache. */
async function serveFromStores(
  deps: ServeDeps,
  blob: Blob,
  range: ByteRange | undefined,
  caches: boolean,
): Promise<ServedBlob> {
  const whole = range ?? { start: 0, end: blob.bytes - 1 };
  const read =
    (await readByFingerprint(deps, blob, whole, caches)) ??
    (range ? null : await readByHash(deps, blob, caches));
  if (read) return read;
  const opened = await openBlob(deps, blob, range);
  const isSmall = !range && blob.bytes <= MAX_WHOLE_BYTES;
  const target = caches || isSmall ? takeReadBuffer(deps, blob, blob.bytes, caches) : null;
  if (!target) return opened;
  try {
    const isComplete = await readStream(opened.stream, target.content);
    if (isComplete && (!caches || hasHashOf(blob, target.content))) return target.served();
  } catch (error) {
    if (!(error instanceof DamagedObjectError)) {
      target.discard(true);
      throw brokeOff(opened.store, blob, error);
    }
  }
  target.discard(true);
  // Nothing was sent yet, so the other copies can be tried.
  return openBlob(deps, blob, range, { deep: true });
}

/** Reads a stream into `target`. @returns whether the stream has exactly as many bytes as `target`. */
async function readStream(stream: Readable, target: Buffer): Promise<boolean> {
  let at = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    if (at + chunk.length > target.length) return false;
    target.set(chunk, at);
    at += chunk.length;
  }
  return at === target.length;
}

function brokeOff(store: string, blob: Blob, cause: unknown): StoreError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new StoreError(`${store} broke off while giving ${blob.sha256}: ${reason}.`, store, { cause });
}
