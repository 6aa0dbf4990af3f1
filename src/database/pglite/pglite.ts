import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type PGlite, types } from '@electric-sql/pglite';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { FixativeError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { Database, Maintained, Queryable } from '../database.ts';
import { SETTINGS, settingStatement } from '../driver/session.ts';
import { JSON_TEXT, JSONB, TEXT_ARRAY, TIMESTAMPTZ, typeParserOf } from '../driver/type-parsers.ts';
import { PrismaClient } from '../generated/client/client.ts';
import { makeKeyedLock } from '../keyed-lock.ts';
import { autovacuum, checkpoint } from '../maintenance.ts';
import { TRANSACTION_OPTIONS } from '../transaction-options.ts';
import { type Backups, makeBackups } from './backup/base-backup.ts';
import { unfinishedMarkOf } from './data-directory.ts';
import { DISK_WORDS, diskFaultOf } from './disk-fault.ts';
import { type FreeSpace, watchFreeSpace } from './disk-space.ts';
import { type Disk, startPglite, syncDirectory } from './pglite-disk.ts';
import { readTemplate } from './template.ts';

export interface PgliteOptions {
  readonly directory: string;
  /** File of a prepared database (template.ts), for a new database. Default: none. */
  readonly template?: string;
  /** Watches the disk. Default: none, for a temporary database. */
  readonly watch?: DiskWatch;
}

export interface DiskWatch {
  /** Free bytes below which statements that write are rejected (disk_full). */
  readonly floorBytes: number;
  readonly log: Logger | null;
  /** Must end the process within the call (pglite-files.ts). */
  readonly onEnd: (reason: string) => never;
  /** Called when the disk returned an error. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Opens a PostgreSQL embedded in this process, with its files in `directory`. The caller holds the lock on
 * the directory (data-directory.ts): PGlite takes none, and two processes on one directory corrupt it.
 * @throws FixativeError NO_SPACE, STORE_UNAVAILABLE when it cannot be opened.
 */
export async function openPglite(options: PgliteOptions): Promise<Database> {
  const { pglite, disk, space } = await openFiles(options);
  const adapter = new PrismaPGlite(pglite);
  const prisma = new PrismaClient({ adapter, transactionOptions: TRANSACTION_OPTIONS });

  const queryOn = (client: Pick<PGlite, 'query'>): Queryable['query'] =>
    async function query<Row>(text: string, values: readonly unknown[] = []) {
      return (await client.query<Row>(text, values as unknown[], { parsers: PARSERS })).rows;
    };

  const query = queryOn(pglite);
  const inProcess = makeKeyedLock();
  async function executeSql(text: string, values: unknown[] = []): Promise<{ rows: unknown[] }> {
    try {
      if (values.length > 0) return await pglite.query(text, values);
      return { rows: (await pglite.exec(text)).flatMap(({ rows }) => rows) };
    } catch (error) {
      // A script that fails within its own transaction leaves it open, on the one connection that all share.
      await pglite.query('ROLLBACK').catch(() => {});
      throw error;
    }
  }
  const executeScript = async (script: string) => void (await executeSql(script));
  const announced = new Set<string>();
  const backups = makeBackups({ directory: options.directory, query, disk });
  const transaction: Database['transaction'] = (work) =>
    pglite.transaction((transaction) => work({ query: queryOn(transaction) }));
  return {
    kind: 'pglite',
    schema: null,
    prisma,
    isAway: false,
    requireReachable: async () => {},
    connections: () => ({ used: 1, idle: 0, waiting: 0 }),
    withAdapter: (work) => work(adapter),
    query,
    async queryBytes(text, values) {
      const { rows } = await pglite.query<{ bytes: Uint8Array | null }>(text, [...values]);
      return rows.map(({ bytes }) => bytes);
    },
    transaction,
    prismaTransaction: (work) => prisma.$transaction(work),
    snapshot: (work) =>
      pglite.transaction(async (transaction) => {
        await transaction.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
        return work({ query: queryOn(transaction) });
      }),
    executeSql,
    async listen(channel, onNotification, onGap) {
      const close = await pglite.listen(channel, onNotification);
      onGap();
      return { close };
    },
    backup: backups.begin,
    maintain: makeMaintain({ pglite, disk, space, query, backups }),
    // The lock on the directory excludes all other processes.
    announce: async (name) => void announced.add(name),
    isAnnounced: async (name) => announced.has(name),
    // The lock on the directory excludes all other processes, so this lock cannot be lost.
    exclusively: (name, work) =>
      inProcess(name, () =>
        work({ id: randomUUID(), signal: NEVER_ABORTED, query, transaction, executeScript }),
      ),
    flush: disk.flush,
    async close() {
      space.close();
      await prisma.$disconnect();
      await disk.synced(() => pglite.close());
    },
  };
}

interface MaintainDeps {
  readonly pglite: PGlite;
  readonly disk: Disk;
  readonly space: FreeSpace;
  readonly query: Queryable['query'];
  readonly backups: Backups;
}

/** Returns `Database.maintain`. */
function makeMaintain({ pglite, disk, space, query, backups }: MaintainDeps) {
  return async (signal?: AbortSignal): Promise<Maintained[]> => {
    if (backups.isRunning) {
      // A checkpoint would remove the log that the backup needs, and free its space.
      if (space.isLow)
        backups.cancel(
          new FixativeError('NO_SPACE', 'The disk ran short of space, so the backup was cancelled.'),
        );
      return [];
    }
    // VACUUM writes to the log, and a checkpoint frees its space.
    const vacuumed = space.isLow
      ? []
      : await autovacuum({ query, exec: (statement) => pglite.exec(statement) }, signal);
    const exec = (statement: string) => disk.synced(() => pglite.exec(statement));
    return [...vacuumed, ...(backups.isRunning ? [] : await checkpoint({ query, exec }))];
  };
}

const NEVER_ABORTED = new AbortController().signal;

/**
 * Parsers for each query. PGlite replaces those of arrays when it starts, and its own read NULL in an array
 * as a string.
 */
const PARSERS = Object.fromEntries(
  [types.INT8, JSON_TEXT, JSONB, TIMESTAMPTZ, TEXT_ARRAY].map((oid) => [oid, typeParserOf(oid)]),
);

/**
 * Opens or creates the files and starts PGlite. A mark beside the directory shows that a new database is
 * incomplete: PGlite cannot open a part of one. After a kill it is deleted and made again, because it never
 * held any data.
 */
async function openFiles(options: PgliteOptions): Promise<{ pglite: PGlite; disk: Disk; space: FreeSpace }> {
  const { directory, template, watch = UNWATCHED } = options;
  const unfinished = unfinishedMarkOf(directory);
  let fault: unknown = null;
  let space: FreeSpace | undefined;
  const reasonOf = (what: string) =>
    `The embedded database in ${directory} cannot go on: ${what}${describeFault(fault)}. All acknowledged writes are on the disk. Fix the disk and start again.`;
  try {
    if ((await readdir(directory).catch(() => [])).length === 0) {
      await mkdir(path.dirname(directory), { recursive: true });
      await writeFile(unfinished, '');
    }
    const isNew = existsSync(unfinished);
    if (isNew) await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    if (isNew) await unpackTemplate(directory, template, watch.log);
    const { pglite, disk } = await startPglite(
      directory,
      { parsers: PARSERS, isWritten: isNew },
      {
        onEnd: (what) => watch.onEnd(reasonOf(what)),
        onFault(error) {
          fault = error;
          watch.onFault(error);
        },
        onWrite: () => space?.check(),
      },
    );
    // PGlite would use the time zone of the machine.
    const session = settingStatement(SETTINGS);
    await pglite.query(session.text, session.values);
    if (isNew) {
      await disk.flush();
      await rm(unfinished);
      // After a power loss the mark must not reappear beside a database with data.
      syncDirectory(path.dirname(directory));
    }
    space = await rejectWritesWhenFull(pglite, directory, watch);
    return { pglite, disk, space };
  } catch (error) {
    const found = diskFaultOf(error) ? error : fault;
    const kind = diskFaultOf(found);
    // PGlite's file system and runtime throw objects that are not Errors.
    const why = (error as { message?: string } | null)?.message || 'PGlite does not say why';
    const wayOut =
      kind === null
        ? 'If its files are damaged, restore them from a backup. Without one, `import directory` imports the image files beside it into a new DATA_DIR.'
        : 'This does not damage its files. Fix the disk and start again.';
    throw new FixativeError(
      kind === 'full' ? 'NO_SPACE' : 'STORE_UNAVAILABLE',
      `Cannot open the embedded database in ${directory}: ${kind === null ? why : `${DISK_WORDS[kind]} (${(found as Error).message})`}. ${wayOut}`,
      { cause: error },
    );
  }
}

/**
 * Unpacks the prepared database. Without one, PGlite makes a database when it starts, which takes so long
 * that it is logged.
 */
async function unpackTemplate(
  directory: string,
  file: string | undefined,
  log: Logger | null,
): Promise<void> {
  const template = file === undefined ? 'none was prepared' : await readTemplate(file);
  if (typeof template === 'string') {
    log?.info(`A new database takes 10 to 20 seconds, because ${template}.`);
    return;
  }
  await template.unpack(directory);
}

/** Describes the last error of the disk for a message. */
function describeFault(fault: unknown): string {
  const kind = diskFaultOf(fault);
  return kind === null ? '' : `; ${DISK_WORDS[kind]} (${(fault as Error).message})`;
}

const UNWATCHED: DiskWatch = {
  floorBytes: 0,
  log: null,
  onFault: () => {},
  onEnd(reason) {
    throw new Error(reason);
  },
};

/** SQLSTATEs read_only_sql_transaction and disk_full. */
const READ_ONLY_TRANSACTION = '25006';
const DISK_FULL = '53100';

/** Has PostgreSQL reject writes while too little space is free, with an error that says why. */
async function rejectWritesWhenFull(pglite: PGlite, directory: string, watch: DiskWatch): Promise<FreeSpace> {
  const { floorBytes, log } = watch;
  const setReadOnly = (isLow: boolean) =>
    pglite.exec(`SET default_transaction_read_only = ${isLow ? 'on' : 'off'}`);
  const space = watchFreeSpace({
    directory,
    floorBytes,
    onChange(isLow) {
      const facts = { freeBytes: space.free(), floorBytes, directory };
      if (isLow)
        log?.error(
          facts,
          'the disk is nearly full: the embedded database rejects writes until space is freed (MIN_FREE_BYTES)',
        );
      else log?.warn(facts, 'the disk has enough free space again: the embedded database accepts writes');
      setReadOnly(isLow).catch((error: unknown) =>
        log?.error({ err: error }, 'could not switch the embedded database between read-only and writable'),
      );
    },
  });
  const explain = (error: unknown): never => {
    const refused = error as { code?: string; message: string };
    if (space.isLow && refused.code === READ_ONLY_TRANSACTION) {
      refused.code = DISK_FULL;
      refused.message = `The disk of the embedded database has less than ${floorBytes} bytes free, so it rejects writes (MIN_FREE_BYTES): ${refused.message}`;
    }
    throw error;
  };
  // All statements go through these two, also those of Prisma and pg-boss.
  const { execProtocol, execProtocolStream } = pglite;
  pglite.execProtocol = (...given) => execProtocol.apply(pglite, given).catch(explain);
  pglite.execProtocolStream = (...given) => execProtocolStream.apply(pglite, given).catch(explain);
  space.check();
  if (space.isLow) await setReadOnly(true);
  return space;
}
