import path from 'node:path';
import type { Config } from '../config.ts';
import type { Database } from '../database/database.ts';
import { BLOB_REFERENCES } from '../image/blob-references.ts';
import { makeImageBytesFinder } from '../image/bytes.ts';
import type { Logger } from '../log.ts';
import type { Observers } from '../observers.ts';
import { makeMemoryCache } from '../storage/cache/memory-cache.ts';
import type { DiskHealth } from '../storage/disk-health.ts';
import { makeOutages, type Outages } from '../storage/outages.ts';
import { makePictureReader } from '../storage/picture/picture.ts';
import { makeStorage } from '../storage/service.ts';
import { makeSpaceGuard } from '../storage/spool/space.ts';
import { openSpooler } from '../storage/spool/spool.ts';
import type { Store } from '../storage/stores/store.ts';
import { openVariantCache } from '../storage/variants/cache.ts';
import { makeVariants } from '../storage/variants/variants.ts';
import { reportOutages } from '../webhook/outages.ts';
import type { Closing } from './closing.ts';
import { type OpenedStores, openStores } from './open-stores.ts';

interface StorageDeps {
  readonly database: Database;
  readonly diskHealth: DiskHealth;
  readonly closing: Closing;
  readonly log: Logger;
  readonly signal: AbortSignal | undefined;
  readonly observers: Observers;
  /** For tests: stores instead of those of STORES. */
  readonly stores?: ((database: Database) => Promise<Store[]>) | undefined;
  /** For tests: names of the required stores, instead of REQUIRED_STORES. */
  readonly required?: readonly string[] | undefined;
}

/** Opens the stores and everything that reads and writes their bytes. */
export async function openStorage(config: Config, deps: StorageDeps) {
  const { database, diskHealth, closing, log, signal } = deps;
  const space = makeSpaceGuard({
    directories: [config.dataDirectory, config.imageDirectory],
    minFreeBytes: config.minFreeBytes,
  });
  const spooler = await openSpooler({
    directory: path.join(config.dataDirectory, 'spool'),
    maxBytes: config.maxUploadBytes,
    space,
    onDiskFault: (error) => diskHealth.note('spool', error),
    onReceived: (outcome, bytes) => {
      const { files, fileBytes } = deps.observers.metrics;
      files.inc({ outcome });
      if (outcome === 'ok') fileBytes.inc(bytes);
    },
  });
  const outages = makeOutages(log);
  const { stores, copyUrls, presigners, closeStores } = await openNamedStores(config, deps, outages);
  closing.add('stores', closeStores);
  signal?.throwIfAborted();
  const cache = await openVariantCache({
    directory: path.join(config.dataDirectory, 'variants'),
    maxBytes: config.variantCacheBytes,
    space,
  });
  const imageBytes = makeImageBytesFinder(database, { entries: config.imageCacheEntries, log });
  closing.add('cache of rows', () => imageBytes.close());
  const memoryCache = makeMemoryCache({
    maxBytes: config.bytesCacheBytes,
    maxObjectBytes: config.bytesCacheObjectBytes,
    onGet: (found) => deps.observers.metrics.countLookup(found),
  });
  const storage = makeStorage({
    references: BLOB_REFERENCES,
    database,
    stores,
    required: new Set<string>(deps.required ?? config.requiredStores),
    spooler,
    space,
    diskHealth,
    quarantineDirectory: path.join(config.dataDirectory, 'quarantine'),
    quarantineDays: config.quarantineDays,
    healDelaySeconds: config.healDelaySeconds,
    onForget: imageBytes.forgetBlob,
    onRemove: (sha256) => cache.forget(sha256),
    memoryCache,
    outages,
    readPicture: openPictureReader(config),
    log,
  });
  closing.add('repairs', () => storage.stopRepairs());
  const variants = makeVariants({
    storage,
    cache,
    memoryCache,
    maxPixels: config.maxImagePixels,
    concurrency: config.variantConcurrency,
    maxWaiting: config.variantQueue,
    log,
  });
  closing.add('variants', () => variants.settled());
  const reports = reportOutages(database, outages);
  closing.add('reports of outages', () => reports.stop());
  return { storage, variants, imageBytes, copyUrls, presigners, space };
}

async function openNamedStores(
  config: Config,
  { database, diskHealth, stores, observers }: StorageDeps,
  outages: Outages,
): Promise<OpenedStores> {
  if (!stores) return openStores(config, { database, outages, diskHealth, observers });
  return {
    stores: await stores(database),
    copyUrls: new Map(),
    presigners: new Map(),
    closeStores: async () => {},
  };
}

function openPictureReader(config: Config) {
  return makePictureReader({
    maxPixels: config.maxImagePixels,
    maxSide: config.maxImageSide,
    concurrency: config.decodesAtOnce,
    maxWaiting: config.maxDecodesWaiting,
    timeoutSeconds: config.decodeTimeoutSeconds,
  });
}
