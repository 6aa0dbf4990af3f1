import { fileURLToPath } from 'node:url';
import type { Authenticator } from '../auth/authenticator.ts';
import type { UploadAddress } from '../auth/upload-address.ts';
import type { Config } from '../config.ts';
import type { Services } from '../graphql/context.ts';
import type { Delivery } from '../http/bytes/delivery.ts';
import { readPersistedOperations } from '../http/operations/persisted-operations.ts';
import type { Workers } from '../http/readiness.ts';
import type { Scrape } from '../http/serve-metrics.ts';
import { type HttpServer, makeHttpServer } from '../http/server.ts';
import type { ImageBytesFinder } from '../image/bytes.ts';
import type { Observers } from '../observers.ts';
import type { DirectoryArrivals } from '../storage/arrivals/directory.ts';
import type { Variants } from '../storage/variants/variants.ts';

/** Directory that `npm run build` writes. */
export const WEB_DIRECTORY = fileURLToPath(new URL('../../dist/web', import.meta.url));

interface ServerDeps {
  readonly services: Services;
  readonly authenticator: Authenticator;
  readonly uploadAddress: UploadAddress;
  readonly directoryArrivals: DirectoryArrivals;
  readonly imageBytes: ImageBytesFinder;
  readonly variants: Variants;
  readonly delivery: Delivery | null;
  readonly workers: Workers;
  /** Directory of the built gallery. */
  readonly webDirectory: string;
  readonly observers: Observers;
  readonly scrape: Scrape;
}

/** Makes the HTTP server. It does not listen yet. */
export async function openServer(config: Config, deps: ServerDeps): Promise<HttpServer> {
  const { services, authenticator, uploadAddress, directoryArrivals, imageBytes, variants } = deps;
  const { database, storage, imageAddress, publicUrl, log } = services;
  return makeHttpServer({
    services,
    authenticator,
    limits: { ...config, persisted: await readPersisted(config) },
    uploads: { database, storage, arrivals: directoryArrivals, uploadAddress },
    workers: deps.workers,
    webDirectory: deps.webDirectory,
    ...deps.observers,
    scrape: deps.scrape,
    dataDirectory: config.dataDirectory,
    bytes: {
      images: imageBytes,
      variants,
      variantSizes: config.variantSizes,
      imageAddress,
      sharing: { ...config, publicUrl },
      delivery: deps.delivery,
    },
    log,
  });
}

/** Returns the operations that clients may name by their hashes; null: none. */
async function readPersisted({ persistedOperations, persistedOperationsFile }: Config) {
  if (persistedOperations === 'off' || persistedOperationsFile === null) return null;
  const documents = await readPersistedOperations(persistedOperationsFile);
  return { documents, only: persistedOperations === 'only' };
}
