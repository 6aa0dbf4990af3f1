/** Makes a variant: reads the original, renders it, and adds the result to the cache. */
import type { Logger } from 'pino';
import { DiskError, FixativeError, StoreError } from '../../errors.ts';
import type { Blob } from '../blob.ts';
import type { OpenBlob } from '../read/open-blob.ts';
import type { Spool, Spooler } from '../spool/spool.ts';
import type { ByteRange } from '../stores/store.ts';
import type { VariantCache } from './cache.ts';
import { renderVariant } from './render.ts';
import type { Plan } from './transform.ts';

/** Part of the storage service that variants need. */
export interface OriginalReader {
  open(blob: Blob, range?: ByteRange, options?: { deep?: boolean }): Promise<OpenBlob>;
  readonly spooler: Spooler;
}

export interface MakeDeps {
  readonly storage: OriginalReader;
  readonly cache: VariantCache;
  readonly maxPixels: number;
  readonly log: Logger;
}

const READ_SECONDS = 30;
const RENDER_SECONDS = 20;

/** @param file name of the variant in the cache. @throws as `Storage.open` and `renderVariant`. */
export async function makeVariant(deps: MakeDeps, blob: Blob, plan: Plan, file: string): Promise<Buffer> {
  const { cache, log, maxPixels } = deps;
  const since = cache.now;
  const spool = await readOriginal(deps.storage, blob);
  try {
    const content = await renderVariant(spool.path, plan, { maxPixels, seconds: RENDER_SECONDS });
    // A variant that cannot be cached is served all the same.
    await cache
      .keep(blob.sha256, file, content, since)
      .catch((error: unknown) => log.warn({ err: error }, 'could not cache a variant'));
    return content;
  } finally {
    await spool.discard();
  }
}

/**
 * Reads the original into a spool. If the copy turns out damaged, every copy is examined once: nothing was
 * sent yet.
 */
async function readOriginal({ open, spooler }: OriginalReader, blob: Blob): Promise<Spool> {
  const signal = AbortSignal.timeout(READ_SECONDS * 1000);
  for (let deep = false; ; deep = true) {
    const { stream, store } = await open(blob, undefined, { deep });
    try {
      return await spooler.receive(stream, { maxBytes: blob.bytes, signal });
    } catch (cause) {
      if (!(cause instanceof FixativeError) || cause instanceof DiskError) throw cause;
      if (!deep && !signal.aborted) continue;
      throw new StoreError(`${store} broke off while giving ${blob.sha256}.`, store, { cause });
    }
  }
}
