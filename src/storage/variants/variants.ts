/**
 * Smaller pictures of blobs, made when they are asked for. Whoever asks has been let in already: this knows of bytes only.
 *
 * A variant is named by the hash of its original and by what was made of it, so it never goes stale. Many who ask for the same at once wait
 * for one computation; so many computations run at a time, so many more wait, and whoever comes then is refused (LIMIT_REACHED), for
 * each takes memory. What failed is not tried again for a while: a picture that takes too long does so every time.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import { DiskError, FixativeError, StoreError } from '../../errors.ts';
import type { Blob } from '../blob.ts';
import { makeGate } from '../gate.ts';
import type { HotBytes } from '../read/memory-cache.ts';
import type { Storage } from '../service.ts';
import type { Spool } from '../spool/spool.ts';
import type { ByteRange } from '../stores/store.ts';
import type { VariantCache } from './cache.ts';
import { renderVariant } from './render.ts';
import type { Plan } from './transform.ts';

export interface OpenVariant {
  readonly bytes: number;
  /** All of it, where it is in memory. */
  readonly content?: Buffer;
  /** To be read to its end or destroyed. */
  stream(range?: ByteRange): Readable;
  /** To be called where `stream` is not. */
  discard(): Promise<void>;
}

export interface Variants {
  /** Names its bytes (RFC 9110, 8.8.3); known before they are made. */
  etagOf(blob: Blob, plan: Plan): string;
  /** @throws LIMIT_REACHED when too many wait; DAMAGED_IMAGE; what storage.open throws. */
  open(blob: Blob, plan: Plan): Promise<OpenVariant>;
  /** How many were made, and not found. */
  readonly made: number;
  /** Resolves when nothing is being made. */
  settled(): Promise<void>;
}

export interface VariantsDeps {
  readonly storage: Pick<Storage, 'open' | 'spooler'>;
  readonly cache: VariantCache;
  /** Keeps those that are asked for over and over. */
  readonly hot?: HotBytes;
  readonly maxPixels: number;
  readonly concurrency: number;
  /** How many computations may wait besides. */
  readonly maxWaiting: number;
  readonly log: Logger;
}

/** Raised when the same plan gives other bytes, so that nobody keeps the old ones. */
const VERSION = 2;
const READ_SECONDS = 30;
const RENDER_SECONDS = 20;
const FAILED_SECONDS = 60;
const MAX_FAILED = 1000;

export function makeVariants(deps: VariantsDeps): Variants {
  const { cache, storage, log } = deps;
  const making = new Map<string, Promise<Buffer>>();
  const failed = new LRUCache<string, FixativeError>({ max: MAX_FAILED, ttl: FAILED_SECONDS * 1000 });
  let made = 0;

  const nameOf = (blob: Blob, { width, height, fit, format, quality }: Plan) =>
    createHash('sha256')
      .update([VERSION, blob.sha256, width, height, fit, format, quality].join('\n'))
      .digest('hex');

  const inTurn = makeGate(deps.concurrency, {
    maxWaiting: deps.maxWaiting,
    refuse() {
      throw new FixativeError('LIMIT_REACHED', 'Too many variants are being made; ask again in a moment.', {
        retryable: true,
      });
    },
  });

  /** A copy that is damaged while it is read makes way for another: nothing has gone out yet. */
  async function readOriginal(blob: Blob): Promise<Spool> {
    const signal = AbortSignal.timeout(READ_SECONDS * 1000);
    for (let deep = false; ; deep = true) {
      const { stream, store } = await storage.open(blob, undefined, { deep });
      try {
        return await storage.spooler.receive(stream, { maxBytes: blob.bytes, signal });
      } catch (cause) {
        if (!(cause instanceof FixativeError) || cause instanceof DiskError) throw cause;
        if (!deep && !signal.aborted) continue;
        throw new StoreError(`${store} broke off while giving ${blob.sha256}.`, store, { cause });
      }
    }
  }

  async function make(blob: Blob, plan: Plan, file: string): Promise<Buffer> {
    const since = cache.now;
    const spool = await readOriginal(blob);
    try {
      const content = await renderVariant(spool.path, plan, {
        maxPixels: deps.maxPixels,
        seconds: RENDER_SECONDS,
      });
      made += 1;
      // What cannot be kept is answered all the same.
      await cache
        .keep(blob.sha256, file, content, since)
        .catch((error: unknown) => log.warn({ err: error }, 'could not keep a variant'));
      return content;
    } finally {
      await spool.discard();
    }
  }

  function noteFailure(name: string, error: unknown): void {
    if (!(error instanceof FixativeError) || error.code !== 'DAMAGED_IMAGE') return;
    failed.set(name, error);
  }

  return {
    get made() {
      return made;
    },
    etagOf: (blob, plan) => `"${nameOf(blob, plan)}"`,
    async open(blob, plan) {
      const name = nameOf(blob, plan);
      const file = `${name}.${plan.format}`;
      const before = failed.get(name);
      if (before) throw before;
      const since = deps.hot?.now ?? 0;
      const kept = deps.hot?.get(file);
      if (kept) return inMemory(kept);
      const handle = await cache.open(blob.sha256, file);
      if (handle) {
        const { size: bytes } = await handle.stat();
        if (deps.hot?.wants(file, bytes)) {
          const content = await handle.readFile().finally(() => handle.close());
          deps.hot.keep(file, blob.sha256, content, since);
          return inMemory(content);
        }
        return {
          bytes,
          stream: (range) => handle.createReadStream(range ?? {}),
          discard: () => handle.close(),
        };
      }
      let promise = making.get(name);
      if (!promise) {
        promise = inTurn(() => make(blob, plan, file)).finally(() => making.delete(name));
        promise.catch((error: unknown) => noteFailure(name, error));
        making.set(name, promise);
      }
      return inMemory(await promise);
    },
    async settled() {
      while (making.size > 0) await Promise.allSettled(making.values());
    },
  };
}

function inMemory(content: Buffer): OpenVariant {
  return {
    bytes: content.length,
    content,
    stream: (range) =>
      Readable.from([range ? content.subarray(range.start, range.end + 1) : content], { objectMode: false }),
    discard: async () => {},
  };
}
