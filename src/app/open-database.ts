import type { Config } from '../config.ts';
import type { Database } from '../database/database.ts';
import { databaseDirectoryOf, lockDataDirectory } from '../database/pglite/data-directory.ts';
import { TEMPLATE_FILE } from '../database/pglite/template.ts';
import { plainReads, type Reads } from '../database/replica.ts';
import { FixativeError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { DiskHealth } from '../storage/disk-health.ts';

/** Part of MIN_FREE_BYTES below which the database refuses writes: until then, images can be purged. */
const WRITE_FLOOR_PART = 4;

export interface DatabaseOptions {
  readonly log: Logger;
  /** Named in the error of another process that finds the data directory locked. */
  readonly processId: number;
  /** Logs the reason and ends the process before it returns. */
  readonly onEnd: (reason: string) => never;
  readonly diskHealth?: DiskHealth;
}

export interface OpenedDatabase {
  readonly database: Database;
  /** Closes the database and unlocks the data directory. */
  readonly release: () => Promise<void>;
}

/** Opens PostgreSQL when DATABASE_URL is set, otherwise the embedded database. */
export function openDatabase(config: Config, options: DatabaseOptions): Promise<OpenedDatabase> {
  return config.databaseUrl === null
    ? openEmbeddedDatabase(config, options)
    : openPostgresqlDatabase(config.databaseUrl, config, options.log);
}

async function openPostgresqlDatabase(url: string, config: Config, log: Logger): Promise<OpenedDatabase> {
  const { openPostgresql } = await import('../database/postgresql.ts');
  const database = await openPostgresql({
    url,
    poolSize: config.databasePoolSize,
    onError: ({ message }) => log.warn(`a connection to the database broke: ${message}`),
    onAway: ({ message }) => log.error(`the database cannot be reached: ${message}`),
    onBack: (seconds) => log.warn(`the database can be reached again, after ${seconds.toFixed(1)} s`),
  }).catch((error) => {
    throw error instanceof FixativeError ? error : unreachableDatabase(url, error);
  });
  return { database, release: () => database.close() };
}

async function openEmbeddedDatabase(config: Config, options: DatabaseOptions): Promise<OpenedDatabase> {
  const directory = await lockDataDirectory(config.dataDirectory, options.processId);
  try {
    const { openPglite } = await import('../database/pglite/pglite.ts');
    const { finishRestore } = await import('../database/pglite/backup/restore.ts');
    await finishRestore(config.dataDirectory);
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

/** Opens the replica of DATABASE_REPLICA_URL, if any, in the background: a start does not need it. */
export async function openReads(config: Config, database: Database, log: Logger): Promise<Reads> {
  const url = config.databaseReplicaUrl;
  if (url === null) return plainReads(database);
  const [{ openPostgresql }, { makeReplicaReads }] = await Promise.all([
    import('../database/postgresql.ts'),
    import('../database/replica.ts'),
  ]);
  const onError = ({ message }: Error) => log.debug(`a connection to the replica broke: ${message}`);
  const open = () =>
    openPostgresql({
      url,
      poolSize: config.databasePoolSize,
      onError,
      onAway: ({ message }) =>
        log.warn(`the replica of DATABASE_REPLICA_URL cannot be reached, so the primary answers: ${message}`),
      onBack: () => log.warn('the replica of DATABASE_REPLICA_URL can be reached again'),
    });
  return makeReplicaReads(database, open, { log });
}

/** Names the setting and the host, which the driver does not, and leaves out the password. */
function unreachableDatabase(databaseUrl: string, error: unknown): FixativeError {
  const { host, pathname } = new URL(databaseUrl);
  // A host name with several addresses fails once for each, and the error for all has no message.
  const reasons =
    error instanceof AggregateError ? error.errors.map((each: Error) => each.message).join('; ') : '';
  return new FixativeError(
    'STORE_UNAVAILABLE',
    `Cannot open the database of DATABASE_URL (${host}${pathname}): ${reasons || (error as Error).message}. Check that PostgreSQL runs there and that the user, the password and the name of the database are right. Remove DATABASE_URL to use the embedded database.`,
    { cause: error, retryable: true },
  );
}
