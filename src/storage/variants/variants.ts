/**
 * Variants of pictures, made on request. The caller has already checked who may see the picture.
 *
 * The name of a variant is made of the hash of its original and of the plan, so a cached variant is never
 * stale. Requests for the same variant share one computation. Because a computation takes much memory, few
 * run at a time, some wait, and more are refused (LIMIT_REACHED). A failure is remembered for a while,
 * because a picture that takes too long does so every time.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import { FixativeError } from '../../errors.ts';
import type { Blob } from '../blob.ts';
import type { MemoryCache } from '../cache/memory-cache.ts';
import { makeGate } from '../gate.ts';
import type { ByteRange } from '../stores/store.ts';
import { type MakeDeps, makeVariant } from './make-variant.ts';
import type { Plan } from './transform.ts';

export interface OpenVariant {
  readonly bytes: number;
  /** All bytes, if they are in memory. */
  readonly content?: Buffer;
  /** To be read to its end or destroyed. */
  stream(range?: ByteRange): Readable;
  /** To be called if `stream` is not. */
  discard(): Promise<void>;
}

export interface Variants {
  /** Returns the ETag of a variant (RFC 9110, 8.8.3), which is known before its bytes are made. */
  etagOf(blob: Blob, plan: Plan): string;
  /** @throws LIMIT_REACHED if too many computations wait; DAMAGED_IMAGE; as `Storage.open`. */
  open(blob: Blob, plan: Plan): Promise<OpenVariant>;
  /** Number of variants that were made instead of found in a cache. */
  readonly made: number;
  /** Resolves when no computation runs. */
  settled(): Promise<void>;
}

export interface VariantsDeps extends MakeDeps {
  readonly memoryCache?: MemoryCache;
  /** Computations at a time. */
  readonly concurrency: number;
  /** Most computations that may wait. */
  readonly maxWaiting: number;
}

/** Part of every name. Raised when the same plan gives other bytes, so that no cache keeps the old ones. */
const VERSION = 2;
const FAILURE_SECONDS = 60;
const MAX_FAILURES = 1000;

export function makeVariants(deps: VariantsDeps): Variants {
  const running = new Map<string, Promise<Buffer>>();
  const failures = makeFailures();
  let made = 0;
  const inTurn = makeGate(deps.concurrency, { maxWaiting: deps.maxWaiting, refuse: refuseComputation });

  /** Joins the computation of a variant that runs, or starts one. */
  function compute(name: string, blob: Blob, plan: Plan): Promise<Buffer> {
    const known = running.get(name);
    if (known) return known;
    const started = inTurn(async () => {
      const content = await makeVariant(deps, blob, plan, fileOf(name, plan));
      made += 1;
      return content;
    }).finally(() => running.delete(name));
    started.catch((error: unknown) => failures.note(name, error));
    running.set(name, started);
    return started;
  }

  return {
    get made() {
      return made;
    },
    etagOf: (blob, plan) => `"${nameOf(blob, plan)}"`,
    async open(blob, plan) {
      const name = nameOf(blob, plan);
      failures.throwKnown(name);
      const file = fileOf(name, plan);
      const cached = deps.memoryCache?.get(file);
      if (cached) return openContent(cached);
      return (await openFromDisk(deps, blob, file)) ?? openContent(await compute(name, blob, plan));
    },
    async settled() {
      while (running.size > 0) await Promise.allSettled(running.values());
    },
  };
}

function nameOf(blob: Blob, { width, height, fit, format, quality }: Plan): string {
  return createHash('sha256')
    .update([VERSION, blob.sha256, width, height, fit, format, quality].join('\n'))
    .digest('hex');
}

function fileOf(name: string, { format }: Plan): string {
  return `${name}.${format}`;
}

function refuseComputation(): never {
  throw new FixativeError('LIMIT_REACHED', 'Too many variants are being made; ask again in a moment.', {
    retryable: true,
  });
}

/** Opens a variant from the cache on disk, and puts a small one into memory; null if it is not there. */
async function openFromDisk(
  { memoryCache, cache }: VariantsDeps,
  blob: Blob,
  file: string,
): Promise<OpenVariant | null> {
  const since = memoryCache?.now ?? 0;
  const handle = await cache.open(blob.sha256, file);
  if (!handle) return null;
  const { size: bytes } = await handle.stat();
  if (!memoryCache?.wants(file, bytes)) return openHandle(handle, bytes);
  const content = await handle.readFile().finally(() => handle.close());
  memoryCache.keep(file, blob.sha256, content, since);
  return openContent(content);
}

function openHandle(handle: FileHandle, bytes: number): OpenVariant {
  return {
    bytes,
    stream: (range) => handle.createReadStream(range ?? {}),
    discard: () => handle.close(),
  };
}

function openContent(content: Buffer): OpenVariant {
  return {
    bytes: content.length,
    content,
    stream: (range) =>
      Readable.from([range ? content.subarray(range.start, range.end + 1) : content], { objectMode: false }),
    discard: async () => {},
  };
}

interface Failures {
  /** Remembers a failure that would repeat itself: DAMAGED_IMAGE. */
  note(name: string, error: unknown): void;
  /** @throws the error of a failure in the last 60 seconds. */
  throwKnown(name: string): void;
}

function makeFailures(): Failures {
  const failures = new LRUCache<string, FixativeError>({ max: MAX_FAILURES, ttl: FAILURE_SECONDS * 1000 });
  return {
    note(name, error) {
      if (!(error instanceof FixativeError) || error.code !== 'DAMAGED_IMAGE') return;
      failures.set(name, error);
    },
    throwKnown(name) {
      const error = failures.get(name);
      if (error) throw error;
    },
  };
}
