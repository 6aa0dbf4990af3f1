/** The order in which the parts of the server are opened and closed. The folder app/ composes the parts. */

import { type Closing, endsWithin, makeClosing } from './app/closing.ts';
import { makeDelivery } from './app/delivery.ts';
import { beginGenerating, beginJobs } from './app/jobs.ts';
import { openAccess } from './app/open-access.ts';
import { openArrivals } from './app/open-arrivals.ts';
import { type DatabaseOptions, openDatabase, openReads } from './app/open-database.ts';
import { openGeneration } from './app/open-generation.ts';
import { openMetrics, scrapeOne } from './app/open-metrics.ts';
import { openServer, WEB_DIRECTORY } from './app/open-server.ts';
import { openStorage } from './app/open-storage.ts';
import { openTracing } from './app/open-tracing.ts';
import { readRetentionFile } from './app/retention-file.ts';
import { makeServices } from './app/services.ts';
import { startErrorOf } from './app/start-error.ts';
import { warnAboutDifferences } from './auth/agreement.ts';
import type { Authenticator } from './auth/authenticator.ts';
import { makeUploadAddress } from './auth/upload-address.ts';
import type { Config } from './config.ts';
import type { Database } from './database/database.ts';
import { migrate } from './database/migrate.ts';
import type { Services } from './graphql/context.ts';
import type { Scrape } from './http/serve-metrics.ts';
import type { HttpServer } from './http/server.ts';
import type { Logger } from './log.ts';
import { makeMetrics, type ProcessMetrics } from './metrics.ts';
import type { Observers } from './observers.ts';
import { type DiskHealth, makeDiskHealth } from './storage/disk-health.ts';
import type { Storage } from './storage/service.ts';
import type { MeasuredSpace } from './storage/spool/space.ts';
import type { Store } from './storage/stores/store.ts';
import type { Variants } from './storage/variants/variants.ts';

/** Seconds that a stop may take, apart from calls to providers. Orchestrators kill after 30 s. */
const STOP_SECONDS = 20;
/** Seconds of these that are kept for the other parts when requests in progress are cut. */
const AFTER_REQUESTS_SECONDS = 5;
/** Seconds that a stop waits for jobs that are just beginning. */
const BEGIN_SECONDS = 3;

/** The open parts of the server, between start and stop. */
export interface App {
  readonly config: Config;
  readonly database: Database;
  readonly storage: Storage;
  readonly variants: Variants;
  readonly services: Services;
  readonly defaultVisibility: Config['defaultVisibility'];
  readonly authenticator: Authenticator;
  readonly rootToken: string;
  readonly server: HttpServer;
  /** Metrics of this process alone. */
  readonly processMetrics: ProcessMetrics;
  /** Metrics of all processes of this server, as text. */
  readonly scrape: Scrape;
  /** Names of the migrations that this start applied. */
  readonly migrated: readonly string[];
  /** Begins to take generations from the queue. */
  startGenerating(): Promise<void>;
  /** Begins to generate, repair, purge and verify, as a server does and a command does not. */
  startJobs(): Promise<void>;
  /** Stops in the reverse order of the start. Finishes what is in progress; what was acknowledged is safe. */
  close(): Promise<void>;
}

export interface AppOptions extends Omit<DatabaseOptions, 'diskHealth'> {
  /** Whether this process takes jobs after `startJobs`. Default: false. */
  readonly works?: boolean;
  /** Returns the metrics of all processes. Default: those of this process, the only one. */
  readonly scrape?: Scrape;
  /** Stops the opening between two of its steps. */
  readonly signal?: AbortSignal;
  /** For tests: stores instead of those of STORES. */
  readonly stores?: (database: Database) => Promise<Store[]>;
  /** For tests: names of the required stores, instead of REQUIRED_STORES. */
  readonly required?: readonly string[];
  /** For tests: directory of the built gallery, instead of `dist/web`. */
  readonly webDirectory?: string;
}

/**
 * Opens everything that the configuration names and brings the database up to date. Does not listen yet.
 * @throws the reason of `options.signal` when it is aborted. What was opened is closed before any error is
 *   thrown.
 */
export async function openApp(config: Config, options: AppOptions): Promise<App> {
  const closing = makeClosing({ seconds: STOP_SECONDS, log: options.log });
  let isClosing = false;
  /** Settles when the jobs have begun. They add parts to close. */
  let begun: Promise<void> = Promise.resolve();
  const close = async () => {
    isClosing = true;
    await endsWithin(
      BEGIN_SECONDS,
      begun.catch(() => {}),
    );
    await closing.run();
  };
  try {
    const tracing = await openTracing(config.tracing, { closing, log: options.log });
    const observers = { metrics: makeMetrics(), tracing };
    const { jobs, ...parts } = await openParts(config, { ...options, observers }, closing);
    const jobDeps = {
      services: parts.services,
      jobs,
      tracing,
      closing,
      isClosing: () => isClosing,
      log: options.log,
    };
    const start = (begin: typeof beginJobs) => () => {
      begun = begin(config, jobDeps);
      return begun;
    };
    return { ...parts, startGenerating: start(beginGenerating), startJobs: start(beginJobs), close };
  } catch (error) {
    await close();
    throw startErrorOf(config, error);
  }
}

/** Opens the database and brings it up to date, and opens the replica that reads may go to. */
async function openDatabases(
  config: Config,
  { signal, ...options }: DatabaseOptions & Pick<AppOptions, 'signal'>,
  closing: Closing,
) {
  const { database, release } = await openDatabase(config, options);
  closing.add('database', release);
  signal?.throwIfAborted();
  const migrated = await migrate(database);
  signal?.throwIfAborted();
  const { reads, close } = await openReads(config, database, options.log);
  closing.add('replica', close);
  return { database, reads, migrated };
}

interface EntranceDeps {
  readonly database: Database;
  readonly diskHealth: DiskHealth;
  readonly closing: Closing;
  readonly log: Logger;
  readonly works: boolean;
  readonly publicUrl: () => string;
}

/** Opens what decides who may enter, and the place where uploads arrive. */
async function openEntrances(config: Config, deps: EntranceDeps) {
  const { database, diskHealth, closing, log, works, publicUrl } = deps;
  const { signer, signingKeys, rootToken, ...access } = await openAccess(config, { database, closing, log });
  const uploadAddress = makeUploadAddress(signer, publicUrl);
  const arrivalDeps = { uploadAddress, diskHealth, closing };
  const { arrivals, directory, needsDataDirectory } = await openArrivals(config, arrivalDeps);
  if (works) {
    const { dataDirectory } = config;
    await warnAboutDifferences(database, { signingKeys, rootToken, dataDirectory, needsDataDirectory }, log);
  }
  return { ...access, rootToken, uploadAddress, arrivals, directory };
}

/** Opens the parts in order, and tells `closing` how to close each. */
async function openParts(
  config: Config,
  options: AppOptions & { readonly observers: Observers },
  closing: Closing,
) {
  const { log, signal, observers, works = false } = options;
  const diskHealth = makeDiskHealth(log);
  const { database, reads, migrated } = await openDatabases(config, { ...options, diskHealth }, closing);
  if (works) await readRetentionFile(config, { database, log });

  const { stores, required } = options;
  const storageDeps = { database, diskHealth, closing, log, signal, observers, stores, required };
  const opening = await openStorage(config, storageDeps);
  const { storage, variants, imageBytes, copyUrls, presigners, space } = opening;
  const generationDeps = { database, spooler: storage.spooler, works, closing, log, observers };
  const { fetcher, poster, providers, imageEvents, jobs } = await openGeneration(config, generationDeps);
  signal?.throwIfAborted();

  const publicUrl = () => config.publicUrl ?? server.address();
  const entranceDeps = { database, diskHealth, closing, log, works, publicUrl };
  const { uploadAddress, arrivals, directory, ...access } = await openEntrances(config, entranceDeps);
  signal?.throwIfAborted();
  const { tokens, authenticator, imageAddress, rootToken } = access;
  const opened = { database, reads, storage, providers, fetcher, poster, imageEvents, arrivals, log };
  const services = makeServices(
    config,
    {
      ...opened,
      imageBytes,
      queue: jobs,
      maintenanceQueue: jobs.maintenance,
      tokens,
      imageAddress,
      publicUrl,
    },
    copyUrls,
  );
  const { server, processMetrics, scrape } = await openMeasuredServer(config, {
    services,
    authenticator,
    uploadAddress,
    directoryArrivals: directory,
    imageBytes,
    variants,
    delivery: makeDelivery(config, storage, { copyUrls, presigners }),
    workers: jobs,
    observers,
    webDirectory: options.webDirectory ?? WEB_DIRECTORY,
    scrape: options.scrape,
    space,
  });
  closing.add('requests', (seconds) => server.close(Math.max(0, seconds - AFTER_REQUESTS_SECONDS)));
  const { defaultVisibility } = config;
  return {
    processMetrics,
    scrape,
    config,
    database,
    storage,
    variants,
    services,
    defaultVisibility,
    authenticator,
    rootToken,
    server,
    migrated,
    jobs,
  };
}

/** Opens the server, and the metrics, which need it. */
async function openMeasuredServer(
  config: Config,
  deps: Omit<Parameters<typeof openServer>[1], 'scrape'> & {
    readonly scrape: Scrape | undefined;
    readonly space: MeasuredSpace;
  },
) {
  const { services, workers, space, observers } = deps;
  const scrape: Scrape = deps.scrape ?? (() => scrapeOne(processMetrics));
  const server = await openServer(config, { ...deps, scrape });
  const processMetrics = openMetrics({ metrics: observers.metrics, services, space, workers, server });
  return { server, processMetrics, scrape };
}
