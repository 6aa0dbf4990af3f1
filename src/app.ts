import path from 'node:path';
import { type Authenticator, makeAuthenticator } from './auth/authenticator.ts';
import { loadRootToken } from './auth/root-token.ts';
import type { Config, StoreKind } from './config.ts';
import { type DataDirectory, lockDataDirectory } from './database/data-directory.ts';
import type { Database } from './database/database.ts';
import { migrate } from './database/migrate.ts';
import { openPglite } from './database/pglite.ts';
import { openPostgresql } from './database/postgresql.ts';
import type { Services } from './graphql/context.ts';
import { type HttpServer, makeHttpServer } from './http/server.ts';
import { makeGenerator } from './image/generate.ts';
import type { Logger } from './log.ts';
import { openOpenAiProvider } from './provider/openai.ts';
import { makeProviders } from './provider/providers.ts';
import { makeSampleProvider } from './provider/sample.ts';
import { makePictureReader } from './storage/picture.ts';
import { makeStorage, type Storage } from './storage/service.ts';
import { openSpooler } from './storage/spool.ts';
import { makeDatabaseStore } from './storage/stores/database.ts';
import { openFilesystemStore } from './storage/stores/filesystem.ts';
import { makeMemoryStore } from './storage/stores/memory.ts';
import type { Store } from './storage/stores/store.ts';

/** How long a stop waits for requests that are being answered, and for generations and repairs that are under way. */
const CLOSE_GRACE_SECONDS = 10;
const SETTLE_SECONDS = 30;

/** What is open between start and stop. The only file that names concrete classes is this one. */
export interface App {
  readonly config: Config;
  readonly database: Database;
  readonly storage: Storage;
  readonly services: Services;
  readonly authenticator: Authenticator;
  readonly rootToken: string;
  readonly server: HttpServer;
  /** Names of the migrations that were applied when it was opened. */
  readonly migrated: readonly string[];
  /** Stops in the reverse order of the start; what was acknowledged is safe, what is under way is finished. */
  close(): Promise<void>;
}

export interface AppOptions {
  readonly log: Logger;
  /** Said to whoever finds the data directory locked. */
  readonly processId: number;
  /** For tests: a dump that the embedded database begins from when it is new. */
  readonly pgliteTemplate?: Blob;
  /** For tests: stores in place of those that the configuration names. */
  readonly stores?: (database: Database) => Promise<Store[]>;
}

/** Opens everything that the configuration names and brings the database up to date; does not listen yet. */
export async function openApp(config: Config, options: AppOptions): Promise<App> {
  const { log } = options;
  const opened: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const each of opened.splice(0).reverse()) await each();
  };
  try {
    const { database, release } = await openDatabase(config, options);
    opened.push(release);
    const migrated = await migrate(database);

    const spooler = await openSpooler({
      directory: path.join(config.dataDirectory, 'spool'),
      maxBytes: config.maxUploadBytes,
    });
    const stores = await (options.stores?.(database) ?? openStores(config, database));
    const storage = makeStorage({
      database,
      stores,
      required: new Set<string>(config.requiredStores),
      spooler,
      healDelaySeconds: config.healDelaySeconds,
      readPicture: makePictureReader({ maxPixels: config.maxImagePixels }),
      log,
    });
    opened.push(() => within(SETTLE_SECONDS, storage.settled()));

    const { providers, closeProviders } = openProviders(config);
    opened.push(closeProviders);
    const generator = makeGenerator({ database, storage, providers, log });
    opened.push(() => within(SETTLE_SECONDS, generator.settled()));

    const rootToken = await loadRootToken(config);
    const authenticator = makeAuthenticator(rootToken);
    const services: Services = {
      database,
      storage,
      generator,
      publicUrl: () => config.publicUrl ?? server.address(),
    };
    const server: HttpServer = makeHttpServer({ services, authenticator, limits: config, log });
    opened.push(() => server.close(CLOSE_GRACE_SECONDS));
    return { config, database, storage, services, authenticator, rootToken, server, migrated, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Opens only the database, for `migrate`. */
export async function openDatabase(
  config: Config,
  options: Pick<AppOptions, 'log' | 'processId' | 'pgliteTemplate'>,
): Promise<{ database: Database; release: () => Promise<void> }> {
  if (config.databaseUrl) {
    const database = await openPostgresql({
      url: config.databaseUrl,
      poolSize: config.databasePoolSize,
      onError: (error) => options.log.error({ err: error }, 'the database broke a connection'),
    });
    return { database, release: () => database.close() };
  }
  const directory: DataDirectory = await lockDataDirectory(config.dataDirectory, options.processId);
  try {
    const database = await openPglite({
      directory: path.join(config.dataDirectory, 'database'),
      ...(options.pgliteTemplate ? { template: options.pgliteTemplate } : {}),
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

async function openStores(config: Config, database: Database): Promise<Store[]> {
  const open: Record<StoreKind, () => Promise<Store> | Store> = {
    filesystem: () => openFilesystemStore({ name: 'filesystem', directory: config.imageDirectory }),
    database: () => makeDatabaseStore({ name: 'database', database }),
    memory: () => makeMemoryStore(),
  };
  return Promise.all(config.stores.map((kind) => open[kind]()));
}

function openProviders(config: Config) {
  const timeoutSeconds = config.providerTimeoutSeconds;
  const openai = config.openai && openOpenAiProvider({ ...config.openai, timeoutSeconds });
  return {
    providers: makeProviders([...(openai ? [openai] : []), makeSampleProvider()], config.defaultModel),
    closeProviders: async () => openai?.close(),
  };
}

/** Waits for work that is under way, but not for ever: a stop must come to an end. */
async function within(seconds: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const time = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, seconds * 1000);
  });
  await Promise.race([work, time]).finally(() => clearTimeout(timer));
}
