import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type PGlite, types } from '@electric-sql/pglite';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { FixativeError } from '../../errors.ts';
import type { Logger } from '../../log.ts';
import type { Database, Queryable } from '../database.ts';
import { SETTINGS, settingStatement } from '../driver/session.ts';
import { JSON_TEXT, JSONB, TEXT_ARRAY, TIMESTAMPTZ, typeParserOf } from '../driver/type-parsers.ts';
import { PrismaClient } from '../generated/client/client.ts';
import { makeKeyedLock } from '../keyed-lock.ts';
import { autovacuum, checkpoint } from '../maintenance.ts';
import { TRANSACTION_OPTIONS } from '../transaction-options.ts';
import { unfinishedMarkOf } from './data-directory.ts';
import { DISK_WORDS, diskFaultOf } from './disk-fault.ts';
import { type Room, watchRoom } from './disk-space.ts';
import { type Disk, startPglite, syncDirectory } from './pglite-disk.ts';
import { readTemplate } from './template.ts';

export interface PgliteOptions {
  readonly directory: string;
  /** File of a prepared database to begin from when there is none yet (template.ts). */
  readonly template?: string;
  /** Not for a database that is thrown away. */
  readonly watch?: DiskWatch;
}

export interface DiskWatch {
  /** Below so many free bytes every statement that writes is refused (disk_full). */
  readonly floorBytes: number;
  readonly log: Logger | null;
  /** Ends the process, in this very call (pglite-files.ts). */
  readonly onEnd: (reason: string) => never;
  /** The disk refused something. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Opens PostgreSQL embedded in this process, with its files in `directory`. The caller holds the lock on the
 * directory (data-directory.ts): PGlite takes none of its own, and two processes on one directory corrupt it.
 */
export async function openPglite(options: PgliteOptions): Promise<Database> {
  const { pglite, disk, room } = await create(options);
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
      // A script that fails within its transaction leaves it open, and there is one connection for all.
      await pglite.query('ROLLBACK').catch(() => {});
      throw error;
    }
  }
  const executeScript = async (script: string) => void (await executeSql(script));
  const announced = new Set<string>();
  const transaction: Database['transaction'] = (work) =>
    pglite.transaction((transaction) => work({ query: queryOn(transaction) }));
  return {
    kind: 'pglite',
    schema: null,
    prisma,
    isAway: false,
    requireReachable: async () => {},
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
    async maintain(signal) {
      // A vacuum writes to the log; a checkpoint frees what the log takes.
      const vacuumed = room.isLow
        ? []
        : await autovacuum({ query, exec: (statement) => pglite.exec(statement) }, signal);
      const exec = (statement: string) => disk.synced(() => pglite.exec(statement));
      return [...vacuumed, ...(await checkpoint({ query, exec }))];
    },
    // The lock on the directory leaves no other process to tell.
    announce: async (name) => void announced.add(name),
    isAnnounced: async (name) => announced.has(name),
    // The lock on the directory leaves no other process to exclude, so no lock is ever lost.
    exclusively: (name, work) =>
      inProcess(name, () => work({ id: randomUUID(), signal: NEVER, query, transaction, executeScript })),
    flush: disk.flush,
    async close() {
      room.close();
      await prisma.$disconnect();
      await disk.synced(() => pglite.close());
    },
  };
}

const NEVER = new AbortController().signal;

/**
 * Said with each query as well: PGlite replaces those of arrays when it starts, and takes NULL in them for a
 * word.
 */
const PARSERS = Object.fromEntries(
  [types.INT8, JSON_TEXT, JSONB, TIMESTAMPTZ, TEXT_ARRAY].map((oid) => [oid, typeParserOf(oid)]),
);

/**
 * A new database is written into its directory file by file, and PGlite opens none that is there in part. So
 * it is on record that one is being made: what a process that was killed left of it has never held anything,
 * and is made again.
 */
async function create(options: PgliteOptions): Promise<{ pglite: PGlite; disk: Disk; room: Room }> {
  const { directory, template, watch = UNWATCHED } = options;
  const unfinished = unfinishedMarkOf(directory);
  let fault: unknown = null;
  let room: Room | undefined;
  const reasonOf = (what: string) =>
    `The embedded database in ${directory} cannot go on: ${what}${wordsOf(fault)}. What was acknowledged is on the disk. Put the disk right and start again.`;
  try {
    if ((await readdir(directory).catch(() => [])).length === 0) {
      await mkdir(path.dirname(directory), { recursive: true });
      await writeFile(unfinished, '');
    }
    const isNew = existsSync(unfinished);
    if (isNew) await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    if (isNew) await begin(directory, template, watch.log);
    const { pglite, disk } = await startPglite(
      directory,
      { parsers: PARSERS, isWritten: isNew },
      {
        onEnd: (what) => watch.onEnd(reasonOf(what)),
        onFault(error) {
          fault = error;
          watch.onFault(error);
        },
        onWrite: () => room?.look(),
      },
    );
    // PGlite has the time zone of the machine.
    const session = settingStatement(SETTINGS);
    await pglite.query(session.text, session.values);
    if (isNew) {
      await disk.flush();
      await rm(unfinished);
      // It must not come back with the power, beside a database that holds something by then.
      syncDirectory(path.dirname(directory));
    }
    room = await keepRoom(pglite, directory, watch);
    return { pglite, disk, room };
  } catch (error) {
    const found = diskFaultOf(error) ? error : fault;
    const kind = diskFaultOf(found);
    // What its file system and its runtime throw is no Error.
    const why = (error as { message?: string } | null)?.message || 'PGlite does not say why';
    const wayOut =
      kind === null
        ? 'If its files are damaged, put them back from a backup; the files of images are beside it, and `import directory` takes them into a new DATA_DIR.'
        : `Its files are not damaged by that: put the disk right and start again.`;
    throw new FixativeError(
      kind === 'full' ? 'NO_SPACE' : 'STORE_UNAVAILABLE',
      `Cannot open the embedded database in ${directory}: ${kind === null ? why : `${DISK_WORDS[kind]} (${(found as Error).message})`}. ${wayOut}`,
      { cause: error },
    );
  }
}

/**
 * Unpacks the prepared database. Where there is none PGlite makes one itself when it starts, which takes long
 * enough to be said.
 */
async function begin(directory: string, file: string | undefined, log: Logger | null): Promise<void> {
  const template = file === undefined ? 'none was prepared' : await readTemplate(file);
  if (typeof template === 'string') {
    log?.info(`A new database takes 10 to 20 seconds, because ${template}.`);
    return;
  }
  await template.unpack(directory);
}

/** Of what the disk said last, for people. */
function wordsOf(fault: unknown): string {
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

/** PostgreSQL's codes for a statement that writes where none may, and for a disk that is full. */
const READ_ONLY_TRANSACTION = '25006';
const DISK_FULL = '53100';

/** Has PostgreSQL refuse whatever writes while there is too little room, and say why. */
async function keepRoom(pglite: PGlite, directory: string, watch: DiskWatch): Promise<Room> {
  const { floorBytes, log } = watch;
  const refuseWrites = (isLow: boolean) =>
    pglite.exec(`SET default_transaction_read_only = ${isLow ? 'on' : 'off'}`);
  const room = watchRoom({
    directory,
    floorBytes,
    onChange(isLow) {
      const facts = { freeBytes: room.free(), floorBytes, directory };
      if (isLow) log?.error(facts, 'the disk is nearly full: the embedded database takes no writes');
      else log?.warn(facts, 'there is room on the disk again: the embedded database takes writes');
      refuseWrites(isLow).catch((error: unknown) => log?.error({ err: error }, 'could not change it'));
    },
  });
  const explain = (error: unknown): never => {
    const refused = error as { code?: string; message: string };
    if (room.isLow && refused.code === READ_ONLY_TRANSACTION) {
      refused.code = DISK_FULL;
      refused.message = `The disk of the embedded database has less than ${floorBytes} bytes free, so it takes no writes (MIN_FREE_BYTES): ${refused.message}`;
    }
    throw error;
  };
  // Every statement goes by one of these, Prisma's and those of pg-boss too.
  const { execProtocol, execProtocolStream } = pglite;
  pglite.execProtocol = (...given) => execProtocol.apply(pglite, given).catch(explain);
  pglite.execProtocolStream = (...given) => execProtocolStream.apply(pglite, given).catch(explain);
  room.look();
  if (room.isLow) await refuseWrites(true);
  return room;
}
