import path from 'node:path';
import { endsWithin, makeClosing } from './app/closing.ts';
import { sayDisagreements } from './auth/agreement.ts';
import { type Authenticator, makeAuthenticator } from './auth/authenticator.ts';
import { makeImageAddress } from './auth/image-address.ts';
import { loadRootToken } from './auth/root-token.ts';
import { loadSigningKeys, makeSigner } from './auth/signature.ts';
import { openTokens } from './auth/tokens.ts';
import { makeUploadAddress } from './auth/upload-address.ts';
import type { Config, GithubConfig, ProviderName, S3Config, StoreKind } from './config.ts';
import type { Database } from './database/database.ts';
import { migrate } from './database/migrate.ts';
import {
  type DataDirectory,
  databaseDirectoryOf,
  lockDataDirectory,
} from './database/pglite/data-directory.ts';
import { DISK_WORDS, diskFaultOf } from './database/pglite/disk-fault.ts';
import { TEMPLATE_FILE } from './database/pglite/template.ts';
import { sharedValue } from './database/shared-value.ts';
import { FixativeError } from './errors.ts';
import { openFetcher } from './fetch/fetch.ts';
import type { Services } from './graphql/context.ts';
import {
  type Delivery,
  makeAccelDelivery,
  makeRedirectDelivery,
  type PresignedAnswer,
} from './http/bytes/delivery.ts';
import { readPersistedOperations } from './http/operations/persisted-operations.ts';
import { type HttpServer, makeHttpServer } from './http/server.ts';
import { makeImageBytesFinder } from './image/bytes.ts';
import { makeImageEvents } from './image/events/events.ts';
import { makePlaces } from './image/generation/provider-concurrency.ts';
import { openAnswers } from './image/generation/provider-responses.ts';
import { makeGenerationRunner } from './image/generation/worker.ts';
import { makeQuotas } from './image/ingest/quota.ts';
import { openGenerationJobs } from './job/generations.ts';
import { runScheduledPurge } from './job/purge.ts';
import { type Schedule, startSchedule } from './job/schedule.ts';
import { clearUploads } from './job/uploads.ts';
import { runScheduledVerify } from './job/verify.ts';
import type { Logger } from './log.ts';
import type { SdkProvider } from './provider/ai-sdk.ts';
import { openAzureProvider } from './provider/azure.ts';
import { openBflProvider } from './provider/bfl.ts';
import { openFalProvider } from './provider/fal.ts';
import { openGoogleProvider } from './provider/google.ts';
import { knownModels } from './provider/known-models.ts';
import { openOpenAiProvider } from './provider/openai.ts';
import { openOpenAiCompatibleProvider } from './provider/openai-compatible.ts';
import { makeProviders } from './provider/providers.ts';
import { openReplicateProvider } from './provider/replicate.ts';
import { makeSampleProvider } from './provider/sample/sample.ts';
import { openXaiProvider } from './provider/xai.ts';
import type { Arrivals } from './storage/arrivals/arrivals.ts';
import { openDirectoryArrivals } from './storage/arrivals/directory.ts';
import { type DiskHealth, makeDiskHealth } from './storage/disk-health.ts';
import { makeOutages, type Outages } from './storage/outages.ts';
import { makePictureReader } from './storage/picture/picture.ts';
import { makeHotBytes } from './storage/read/memory-cache.ts';
import { makeStorage, type Storage } from './storage/service.ts';
import { makeSpaceGuard } from './storage/spool/space.ts';
import { openSpooler } from './storage/spool/spool.ts';
import { withCircuit } from './storage/stores/circuit.ts';
import { makeDatabaseStore } from './storage/stores/database.ts';
import { openFilesystemStore } from './storage/stores/filesystem.ts';
import { makeMemoryStore } from './storage/stores/memory.ts';
import type { Store } from './storage/stores/store.ts';
import { openVariantCache } from './storage/variants/cache.ts';
import { makeVariants, type Variants } from './storage/variants/variants.ts';

/** How long a stop may take, beside calls to providers: orchestrators kill after 30 s. */
const STOP_SECONDS = 20;
/** How much of that is left to other parts when the requests that are still under way are cut. */
const AFTER_REQUESTS_SECONDS = 5;
/** How long a stop waits for a run of a job: what it did not come to, the next run does. */
const JOB_SECONDS = 5;
/** How long a stop waits for jobs that are only just being begun. */
const BEGIN_SECONDS = 3;
/** When the trash is emptied of what has been in it for TRASH_DAYS; five fields of cron, in UTC. */
const PURGE_SCHEDULE = '23 * * * *';
/** When what was never completed is cleared away. */
const CLEAR_UPLOADS_SCHEDULE = '17 * * * *';
/** Of MIN_FREE_BYTES: what is left to purge images and to cancel by, after nothing is taken in any more and before nothing is written at all. */
const WRITE_FLOOR_PART = 4;
/** As often as autovacuum looks (`autovacuum_naptime`). */
const MAINTAIN_SCHEDULE = '* * * * *';

/** What is open between start and stop. The only file that names concrete classes is this one. */
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
  /** Names of the migrations that were applied when it was opened. */
  readonly migrated: readonly string[];
  /** Begins to take generations from the queue. */
  startGenerating(): Promise<void>;
  /** The same, and begins to repair, to purge and to verify by itself, as a server does and a command does not. */
  startJobs(): Promise<void>;
  /** Stops in the reverse order of the start; what was acknowledged is safe, what is under way is finished. */
  close(): Promise<void>;
}

export interface AppOptions {
  readonly log: Logger;
  /** Said to whoever finds the data directory locked. */
  readonly processId: number;
  /** Says why and ends the process, in this very call. */
  readonly onEnd: (reason: string) => never;
  /** Whether it takes jobs, once `startJobs` is called. */
  readonly works?: boolean;
  /** Ends the opening between two of its steps. */
  readonly signal?: AbortSignal;
  /** For tests: stores in place of those that the configuration names. */
  readonly stores?: (database: Database) => Promise<Store[]>;
  /** For tests: which of those must hold an image before it is acknowledged. */
  readonly required?: readonly string[];
}

/**
 * Opens everything that the configuration names and brings the database up to date; does not listen yet.
 * @throws the reason of `options.signal` when that is aborted meanwhile; what was opened is closed by then.
 */
export async function openApp(config: Config, options: AppOptions): Promise<App> {
  const { log, signal } = options;
  const closing = makeClosing({ seconds: STOP_SECONDS, log });
  /** Settles when the jobs have begun; they add to what is opened. */
  let beginning: Promise<void> = Promise.resolve();
  let isClosing = false;
  const close = async () => {
    isClosing = true;
    await endsWithin(
      BEGIN_SECONDS,
      beginning.catch(() => {}),
    );
    await closing.run();
  };
  try {
    const diskHealth = makeDiskHealth(log);
    const { database, release } = await openDatabase(config, { ...options, diskHealth });
    closing.add('database', release);
    signal?.throwIfAborted();
    const migrated = await migrate(database);
    signal?.throwIfAborted();

    const space = makeSpaceGuard({
      directories: [config.dataDirectory, config.imageDirectory],
      minFreeBytes: config.minFreeBytes,
    });
    const spooler = await openSpooler({
      directory: path.join(config.dataDirectory, 'spool'),
      maxBytes: config.maxUploadBytes,
      space,
      onDiskFault: (error) => diskHealth.note('spool', error),
    });
    const outages = makeOutages(log);
    const { stores, copyUrls, presigners, closeStores } = options.stores
      ? {
          stores: await options.stores(database),
          copyUrls: new Map() as CopyUrls,
          presigners: new Map() as Presigners,
          closeStores: async () => {},
        }
      : await openStores(config, { database, outages, diskHealth });
    closing.add('stores', closeStores);
    signal?.throwIfAborted();
    const variantCache = await openVariantCache({
      directory: path.join(config.dataDirectory, 'variants'),
      maxBytes: config.variantCacheBytes,
      space,
    });
    const imageBytes = makeImageBytesFinder(database, { entries: config.imageCacheEntries, log });
    closing.add('cache of rows', () => imageBytes.close());
    const hot = makeHotBytes({
      maxBytes: config.bytesCacheBytes,
      maxObjectBytes: config.bytesCacheObjectBytes,
    });
    const storage = makeStorage({
      database,
      stores,
      required: new Set<string>(options.required ?? config.requiredStores),
      spooler,
      space,
      diskHealth,
      quarantineDirectory: path.join(config.dataDirectory, 'quarantine'),
      quarantineDays: config.quarantineDays,
      healDelaySeconds: config.healDelaySeconds,
      onForget: imageBytes.forgetBlob,
      onRemove: (sha256) => variantCache.forget(sha256),
      hot,
      outages,
      readPicture: makePictureReader({
        maxPixels: config.maxImagePixels,
        maxSide: config.maxImageSide,
        concurrency: config.decodesAtOnce,
        maxWaiting: config.maxDecodesWaiting,
        timeoutSeconds: config.decodeTimeoutSeconds,
      }),
      log,
    });
    closing.add('repairs', () => storage.stopRepairs());

    const variants = makeVariants({
      storage,
      cache: variantCache,
      hot,
      maxPixels: config.maxImagePixels,
      concurrency: config.variantConcurrency,
      maxWaiting: config.variantQueue,
      log,
    });
    closing.add('variants', () => variants.settled());

    const fetcher = openFetcher({
      spooler,
      allowPrivate: config.allowPrivateSources,
      timeoutSeconds: config.fetchTimeoutSeconds,
    });
    closing.add('fetcher', () => fetcher.close());

    const { providers, closeProviders } = openProviders(config);
    closing.add('providers', closeProviders);
    const imageEvents = makeImageEvents(database, log);
    closing.add('image events', () => imageEvents.close());
    const lanes = providers.all.map(({ name }) => name);
    const jobs = await openGenerationJobs(database, {
      providers: lanes,
      works: options.works ?? false,
      log,
    });
    closing.add('queue', () => jobs.stop());
    signal?.throwIfAborted();

    const rootToken = await loadRootToken(config);
    const tokens = openTokens(database, log);
    closing.add('tokens', () => tokens.close());
    const authenticator = makeAuthenticator(rootToken, {
      isSecure: config.publicUrl?.startsWith('https:') ?? false,
      tokens,
      jwt: await openJwtVerifier(config, log),
    });
    const publicUrl = () => config.publicUrl ?? server.address();
    const signingKeys = await loadSigningKeys(config);
    const signer = makeSigner(signingKeys);
    const uploadAddress = makeUploadAddress(signer, publicUrl);
    const imageAddress = makeImageAddress(signer);
    const place = await openDirectoryArrivals({
      directory: path.join(config.dataDirectory, 'uploads'),
      urlOf: uploadAddress.urlOf,
      onDiskFault: (error) => diskHealth.note('uploads', error),
    });
    const { s3Arrivals, closeS3Arrivals } = await openS3Arrivals(config);
    closing.add('arrivals', closeS3Arrivals);
    signal?.throwIfAborted();
    const arrivals: [Arrivals, ...Arrivals[]] = s3Arrivals ? [s3Arrivals, place] : [place];
    if (options.works) {
      const { dataDirectory } = config;
      const own = { signingKeys, rootToken, dataDirectory, needsDataDirectory: s3Arrivals === null };
      await sayDisagreements(database, own, log);
    }
    const services: Services = {
      database,
      storage,
      tokens,
      arrivals,
      uploadTargetSeconds: config.uploadTargetSeconds,
      defaultVisibility: config.defaultVisibility,
      imageAddress,
      imageBytes,
      variantSizes: config.variantSizes,
      signedUrlMaxSeconds: config.signedUrlMaxSeconds,
      totalCountLimit: config.totalCountLimit,
      providers,
      queue: jobs,
      imageEvents,
      defaultFormat: config.generatedImageFormat,
      saveImages: config.saveGeneratedImages,
      transientPlaces: makePlaces(config.generationsPerProvider),
      quotas: makeQuotas(database, config),
      log,
      publicUrl,
      fetcher,
      copyUrl: (store, key) => copyUrls.get(store)?.(key) ?? null,
    };
    const server: HttpServer = makeHttpServer({
      services,
      authenticator,
      limits: { ...config, persisted: await readPersisted(config) },
      uploads: { database, storage, place, uploadAddress },
      workers: jobs,
      bytes: {
        images: imageBytes,
        variants,
        variantSizes: config.variantSizes,
        imageAddress,
        sharing: { ...config, publicUrl },
        delivery: deliveryOf(config, storage, { copyUrls, presigners }),
      },
      log,
    });
    closing.add('requests', (seconds) => server.close(Math.max(0, seconds - AFTER_REQUESTS_SECONDS)));
    const beginGenerating = async () => {
      const answers = await openAnswers(path.join(config.dataDirectory, 'answers'));
      const perUser = config.generationsPerUser;
      const runner = makeGenerationRunner({ ...services, answers, perUser });
      closing.add('generations', async (seconds) => {
        await endsWithin(seconds / 2, runner.settled());
        await runner.stop();
      });
      // What a provider is working on is paid: it is waited for, as long as the provider may take.
      closing.addPatient('calls to providers', async () => {
        await endsWithin(BEGIN_SECONDS, jobs.pause());
        await runner.answered();
      });
      await runner.adopt().catch((error: unknown) => {
        // What can be read is served from a full disk; what is overdue is looked for again each minute.
        if (diskFaultOf(error) === null) throw error;
        log.warn({ err: error }, 'generations are not taken up: the disk takes no writes');
      });
      if (isClosing) return;
      await jobs.work(runner, { perProvider: config.generationsPerProvider, perUser });
    };
    const beginJobs = async () => {
      await beginGenerating();
      if (isClosing) return;
      storage.startRepairs();
      const schedules: Schedule[] = [];
      closing.add('jobs', () =>
        endsWithin(JOB_SECONDS, Promise.all(schedules.map((schedule) => schedule.stop()))),
      );
      const deps = { database, storage, log };
      const repeat = (
        when: { expression: string; atStart?: boolean },
        run: (signal: AbortSignal) => Promise<void>,
      ) => {
        schedules.push(startSchedule(when, run, log));
      };
      repeat({ expression: PURGE_SCHEDULE, atStart: true }, (signal) =>
        runScheduledPurge(deps, config.trashDays, signal),
      );
      repeat({ expression: CLEAR_UPLOADS_SCHEDULE }, (signal) => clearUploads({ ...deps, arrivals }, signal));
      const { maintain } = database;
      if (maintain) {
        repeat({ expression: MAINTAIN_SCHEDULE }, async (signal) => {
          for (const done of await maintain(signal)) log.debug(done, 'maintained the embedded database');
        });
      }
      if (config.verifySchedule === null) return;
      const limits = { seconds: config.verifySeconds, maxBytesPerSecond: config.verifyBytesPerSecond };
      repeat({ expression: config.verifySchedule }, (signal) => runScheduledVerify(deps, limits, signal));
    };
    const start = (begin: () => Promise<void>) => () => {
      beginning = begin();
      return beginning;
    };
    return {
      config,
      database,
      storage,
      variants,
      services,
      defaultVisibility: config.defaultVisibility,
      authenticator,
      rootToken,
      server,
      migrated,
      startGenerating: start(beginGenerating),
      startJobs: start(beginJobs),
      close,
    };
  } catch (error) {
    await close();
    throw startFault(config, error);
  }
}

/** What stops a start, with what is to be done about a disk: the system names a file at best. */
function startFault({ dataDirectory }: Config, error: unknown): unknown {
  const fault = error instanceof FixativeError ? null : diskFaultOf(error);
  if (fault === null) return error;
  return new FixativeError(
    fault === 'full' ? 'NO_SPACE' : 'STORE_UNAVAILABLE',
    `Cannot start in DATA_DIR (${dataDirectory}): ${DISK_WORDS[fault]} (${(error as Error).message}). Put the disk right and start again; nothing in it is damaged by that.`,
    { cause: error },
  );
}

/** Opens only the database, for `migrate`. */
export async function openDatabase(
  config: Config,
  options: Pick<AppOptions, 'log' | 'processId' | 'onEnd'> & {
    readonly diskHealth?: DiskHealth;
  },
): Promise<{ database: Database; release: () => Promise<void> }> {
  if (config.databaseUrl) {
    const { openPostgresql } = await import('./database/postgresql.ts');
    const { databaseUrl } = config;
    const database = await openPostgresql({
      url: databaseUrl,
      poolSize: config.databasePoolSize,
      onError: ({ message }) => options.log.warn(`a connection to the database broke: ${message}`),
      onAway: ({ message }) => options.log.error(`the database cannot be reached: ${message}`),
      onBack: (seconds) =>
        options.log.warn(`the database can be reached again, after ${seconds.toFixed(1)} s`),
    }).catch((error) => {
      throw error instanceof FixativeError ? error : unreachable(databaseUrl, error);
    });
    return { database, release: () => database.close() };
  }
  const directory: DataDirectory = await lockDataDirectory(config.dataDirectory, options.processId);
  try {
    const { openPglite } = await import('./database/pglite/pglite.ts');
    const database = await openPglite({
      directory: databaseDirectoryOf(config.dataDirectory),
      watch: {
        floorBytes: Math.floor(config.minFreeBytes / WRITE_FLOOR_PART),
        log: options.log,
        onEnd: options.onEnd,
        onFault: (error) => options.diskHealth?.note('the embedded database', error),
      },
      template: TEMPLATE_FILE,
    });
    return {
      database,
      release: async () => {
        await database.close();
        await directory.release();
      },
    };
  } catch (error) {
    await directory.release();
    throw error;
  }
}

/** The driver names an address or a user at best, and not the setting. What says where must not say the password. */
function unreachable(databaseUrl: string, error: unknown): FixativeError {
  const { host, pathname } = new URL(databaseUrl);
  // Of a name with several addresses each has failed for itself, and the whole says nothing.
  const why =
    error instanceof AggregateError ? error.errors.map((each: Error) => each.message).join('; ') : '';
  return new FixativeError(
    'STORE_UNAVAILABLE',
    `Cannot open the database that DATABASE_URL names (${host}${pathname}): ${why || (error as Error).message}. See that PostgreSQL runs there and that the user, the password and the name of the database are right, or leave DATABASE_URL out for the embedded one.`,
    { cause: error, retryable: true },
  );
}

/** By the names of stores: where a copy can be fetched without us, as far as that is known. */
type CopyUrls = Map<string, (key: string) => string | null>;

/** By the names of stores: addresses of copies that expire. */
type Presigners = Map<string, (key: string, answer: PresignedAnswer) => Promise<string>>;

function deliveryOf(
  config: Config,
  storage: Storage,
  { copyUrls, presigners }: { copyUrls: CopyUrls; presigners: Presigners },
): Delivery | null {
  if (config.delivery === 'direct') return null;
  if (config.delivery === 'x-accel') return makeAccelDelivery(storage, config.xAccelPrefix);
  return makeRedirectDelivery(
    {
      publicUrl: (store, key) => copyUrls.get(store)?.(key) ?? null,
      // Without credentials to sign with there is no address, and we send it ourselves.
      presign: async (store, key, answer) =>
        (await presigners
          .get(store)?.(key, answer)
          .catch(() => null)) ?? null,
    },
    storage.stores.map(({ name }) => name),
  );
}

async function openStores(
  config: Config,
  { database, outages, diskHealth }: { database: Database; outages: Outages; diskHealth: DiskHealth },
): Promise<{
  stores: Store[];
  copyUrls: CopyUrls;
  presigners: Presigners;
  closeStores: () => Promise<void>;
}> {
  const copyUrls: CopyUrls = new Map();
  const presigners: Presigners = new Map();
  const closers: (() => Promise<void>)[] = [];
  const closing = <Opened extends Store & { close(): Promise<void> }>(store: Opened): Store => {
    closers.push(() => store.close());
    return withCircuit(store, { onOpen: (error) => outages.failed(store.name, error) });
  };
  const open: Record<StoreKind, () => Promise<Store> | Store> = {
    filesystem: async () => {
      // What is on record as being in the store was put into a directory with a marker; one without it is not the same directory.
      const known = await database.query(
        `SELECT 1 FROM copies WHERE store = 'filesystem' AND state <> 'PENDING' LIMIT 1`,
      );
      const store = await openFilesystemStore({
        name: 'filesystem',
        directory: config.imageDirectory,
        mayClaim: known.length === 0,
        identity: sharedValue(database, 'directory of filesystem'),
        maxOpenFiles: config.maxOpenFiles,
        onDiskFault: (error) => diskHealth.note('filesystem', error),
      });
      closers.push(() => store.close());
      return store;
    },
    database: () => makeDatabaseStore({ name: 'database', database }),
    // What speaks to a service is loaded only when it is configured: the S3 client alone takes a quarter of a second.
    s3: async () => {
      const { openS3Store } = await import('./storage/stores/s3/s3.ts');
      const { publicUrl, ...settings } = config.s3 as S3Config;
      if (publicUrl) {
        const base = [publicUrl, settings.prefix.replace(/\/+$/, '')].filter(Boolean).join('/');
        copyUrls.set('s3', (key) => `${base}/${key}`);
      }
      const s3 = await openS3Store({ name: 's3', ...settings });
      presigners.set('s3', s3.presignGet);
      return closing(s3);
    },
    github: async () => {
      const { openGithubStore } = await import('./storage/stores/github/github.ts');
      const github = await openGithubStore({ name: 'github', ...(config.github as GithubConfig) });
      copyUrls.set('github', github.rawUrl);
      return closing(github);
    },
    memory: () => makeMemoryStore(),
  };
  const stores: Store[] = [];
  for (const kind of config.stores) stores.push(await open[kind]());
  return {
    stores,
    copyUrls,
    presigners,
    closeStores: async () => {
      for (const close of closers.reverse()) await close();
    },
  };
}

/** Bytes arrive at S3 itself where it is a store. */
async function openS3Arrivals(config: Config) {
  if (!config.stores.includes('s3')) return { s3Arrivals: null, closeS3Arrivals: async () => {} };
  const { openS3Store } = await import('./storage/stores/s3/s3.ts');
  const { ARRIVALS_PREFIX, makeS3Arrivals } = await import('./storage/arrivals/s3.ts');
  const { publicUrl: _, ...settings } = config.s3 as S3Config;
  const prefix = `${settings.prefix.replace(/\/+$/, '')}/${ARRIVALS_PREFIX}`;
  const store = await openS3Store({ name: 's3', ...settings, prefix });
  return { s3Arrivals: makeS3Arrivals(store), closeS3Arrivals: () => store.close() };
}

/** In order of preference: where two serve a model of the same name, the first does. `sample` is always there. */
function openProviders(config: Config) {
  const opened: SdkProvider[] = [];
  const open = <Settings>(
    name: ProviderName,
    settings: Settings | null,
    openOne: (options: Settings & { timeoutSeconds: number }) => SdkProvider,
  ) => {
    const timeoutSeconds = config.providerTimeouts[name] ?? config.providerTimeoutSeconds;
    if (settings !== null) opened.push(openOne({ ...settings, timeoutSeconds }));
  };
  open('openai', config.openai, openOpenAiProvider);
  open('google', config.google, openGoogleProvider);
  open('xai', config.xai, openXaiProvider);
  open('bfl', config.bfl, openBflProvider);
  open('fal', config.fal, openFalProvider);
  open('replicate', config.replicate, openReplicateProvider);
  open('azure', config.azure, openAzureProvider);
  open('openai-compatible', config.openaiCompatible, openOpenAiCompatibleProvider);
  const providers = [...opened, makeSampleProvider()];
  return {
    providers: makeProviders(providers, config.defaultModel, knownModels(new Date())),
    closeProviders: async () => {
      await Promise.all(opened.map((provider) => provider.close()));
    },
  };
}

/** Loaded where it is configured, with what it needs to ask for keys. */
async function openJwtVerifier({ jwt }: Config, log: Logger) {
  if (jwt === null) return null;
  const { makeJwtVerifier } = await import('./auth/jwt.ts');
  return makeJwtVerifier(jwt, log);
}

/** The documents that clients may name by their hashes; null where they may not. */
async function readPersisted({ persistedOperations, persistedOperationsFile }: Config) {
  if (persistedOperations === 'off' || persistedOperationsFile === null) return null;
  const documents = await readPersistedOperations(persistedOperationsFile);
  return { documents, only: persistedOperations === 'only' };
}
