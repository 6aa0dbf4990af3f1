import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type PGlite, types } from '@electric-sql/pglite';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { FixativeError } from '../errors.ts';
import type { Database, Queryable } from './database.ts';
import { PrismaClient } from './generated/client/client.ts';
import { makeKeyedLock } from './keyed-lock.ts';
import { autovacuum, checkpoint } from './maintenance.ts';
import { type Disk, startPglite, syncDirectory } from './pglite-disk.ts';
import { SETTINGS, settingStatement } from './session.ts';
import { TRANSACTION_OPTIONS } from './transaction-options.ts';
import { JSON_TEXT, JSONB, TEXT_ARRAY, TIMESTAMPTZ, typeParserOf } from './type-parsers.ts';

export interface PgliteDatabase extends Database {
  /** A dump of the directory, to begin another from. */
  dump(): Promise<Blob>;
}

/**
 * Opens PostgreSQL embedded in this process, with its files in `directory`. The caller holds the lock on the directory
 * (data-directory.ts): PGlite takes none of its own, and two processes on one directory corrupt it.
 * @param template a dump of a directory to begin from when there is none yet; tests start four times as fast with it.
 */
export async function openPglite(options: { directory: string; template?: Blob }): Promise<PgliteDatabase> {
  const { pglite, disk } = await create(options.directory, options.template);
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
      const vacuumed = await autovacuum({ query, exec: (statement) => pglite.exec(statement) }, signal);
      const exec = (statement: string) => disk.synced(() => pglite.exec(statement));
      return [...vacuumed, ...(await checkpoint({ query, exec }))];
    },
    // The lock on the directory leaves no other process to exclude, so no lock is ever lost.
    exclusively: (name, work) =>
      inProcess(name, () => work({ id: randomUUID(), signal: NEVER, query, transaction, executeScript })),
    flush: disk.flush,
    dump: () => pglite.dumpDataDir('none'),
    async close() {
      await prisma.$disconnect();
      await disk.synced(() => pglite.close());
    },
  };
}

const NEVER = new AbortController().signal;

/** Said with each query as well: PGlite replaces those of arrays when it starts, and takes NULL in them for a word. */
const PARSERS = Object.fromEntries(
  [types.INT8, JSON_TEXT, JSONB, TIMESTAMPTZ, TEXT_ARRAY].map((oid) => [oid, typeParserOf(oid)]),
);

/**
 * PGlite copies a new database into its directory file by file, and opens none that is there in part. So it is on record that one is being made: what a
 * process that was killed left of it has never held anything, and is made again.
 */
async function create(
  directory: string,
  template: Blob | undefined,
): Promise<{ pglite: PGlite; disk: Disk }> {
  const unfinished = `${directory}.unfinished`;
  if ((await readdir(directory).catch(() => [])).length === 0) {
    await mkdir(path.dirname(directory), { recursive: true });
    await writeFile(unfinished, '');
  }
  const isNew = existsSync(unfinished);
  if (isNew) await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  try {
    const { pglite, disk } = await startPglite(directory, {
      ...(template ? { loadDataDir: template } : {}),
      parsers: PARSERS,
    });
    // PGlite has the time zone of the machine.
    const session = settingStatement(SETTINGS);
    await pglite.query(session.text, session.values);
    if (isNew) {
      await disk.flush();
      await rm(unfinished);
      // It must not come back with the power, beside a database that holds something by then.
      syncDirectory(path.dirname(directory));
    }
    return { pglite, disk };
  } catch (error) {
    // What its file system and its runtime throw is no Error.
    const why = (error as { message?: string } | null)?.message || 'PGlite does not say why';
    throw new FixativeError(
      'STORE_UNAVAILABLE',
      `Cannot open the embedded database in ${directory}: ${why}. If its files are damaged, put them back from a backup; the files of images are beside it, and \`import directory\` takes them into a new DATA_DIR.`,
      { cause: error },
    );
  }
}
