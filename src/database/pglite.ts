import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PGlite, types } from '@electric-sql/pglite';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { FixativeError } from '../errors.ts';
import type { Database, Queryable } from './database.ts';
import { PrismaClient } from './generated/client/client.ts';
import { makeKeyedLock } from './keyed-lock.ts';
import { TRANSACTION_OPTIONS } from './transaction-options.ts';

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
  const pglite = await create(options.directory, options.template);
  const adapter = new PrismaPGlite(pglite);
  const prisma = new PrismaClient({ adapter, transactionOptions: TRANSACTION_OPTIONS });

  const queryOn = (client: Pick<PGlite, 'query'>): Queryable['query'] =>
    async function query<Row>(text: string, values: readonly unknown[] = []) {
      return (await client.query<Row>(text, values as unknown[])).rows;
    };

  return {
    kind: 'pglite',
    prisma,
    adapter,
    query: queryOn(pglite),
    async queryBytes(text, values) {
      const { rows } = await pglite.query<{ bytes: Uint8Array | null }>(text, [...values]);
      return rows.map(({ bytes }) => bytes);
    },
    transaction: (work) => pglite.transaction((transaction) => work({ query: queryOn(transaction) })),
    prismaTransaction: (work) => prisma.$transaction(work),
    snapshot: (work) =>
      pglite.transaction(async (transaction) => {
        await transaction.query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
        return work({ query: queryOn(transaction) });
      }),
    async executeSql(text, values = []) {
      try {
        if (values.length > 0) return await pglite.query(text, values);
        return { rows: (await pglite.exec(text)).flatMap(({ rows }) => rows) };
      } catch (error) {
        // A script that fails within its transaction leaves it open, and there is one connection for all.
        await pglite.query('ROLLBACK').catch(() => {});
        throw error;
      }
    },
    async listen(channel, onNotification, onGap) {
      const close = await pglite.listen(channel, onNotification);
      onGap();
      return { close };
    },
    // The lock on the directory leaves no other process to exclude.
    exclusively: makeKeyedLock(),
    flush: makeFlush(path.join(options.directory, 'pg_wal')),
    dump: () => pglite.dumpDataDir('none'),
    async close() {
      await prisma.$disconnect();
      await pglite.close();
    },
  };
}

/**
 * PGlite copies a new database into its directory file by file, and opens none that is there in part. So it is on record that one is being made: what a
 * process that was killed left of it has never held anything, and is made again.
 */
async function create(directory: string, template: Blob | undefined): Promise<PGlite> {
  const unfinished = `${directory}.unfinished`;
  if ((await readdir(directory).catch(() => [])).length === 0) {
    await mkdir(path.dirname(directory), { recursive: true });
    await writeFile(unfinished, '');
  }
  const isNew = existsSync(unfinished);
  if (isNew) await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  try {
    const pglite = await PGlite.create({
      dataDir: directory,
      ...(template ? { loadDataDir: template } : {}),
      parsers: { [types.INT8]: Number },
    });
    if (isNew) {
      await rm(unfinished);
      // It must not come back with the power, beside a database that holds something by then.
      await flushDirectory(path.dirname(directory));
    }
    return pglite;
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

/**
 * Flushes the write-ahead log to the disk: PGlite writes it and never asks for that. All who ask while a flush runs share the next
 * one, as PostgreSQL's group commit does. What is not covered: pages that a checkpoint wrote and the system has not yet put on the
 * disk when the power goes (docs/reliability.md).
 */
function makeFlush(directory: string): () => Promise<void> {
  const flushed = new Map<string, number>();
  let running: Promise<void> | null = null;
  let next: Promise<void> | null = null;

  async function flush(): Promise<void> {
    const begun = Date.now();
    for (const name of await readdir(directory)) {
      if (!/^[0-9A-F]{24}$/.test(name)) continue;
      const file = path.join(directory, name);
      const { mtimeMs } = await stat(file);
      // The clock of a file system ticks in milliseconds: what was written just now may have the time of the last flush.
      if ((flushed.get(name) ?? 0) > mtimeMs + 1000) continue;
      const handle = await open(file, 'r+');
      await handle.datasync().finally(() => handle.close());
      if (!flushed.has(name)) await flushDirectory(directory);
      flushed.set(name, begun);
    }
  }

  return () => {
    if (!running) {
      running = flush().finally(() => {
        running = null;
      });
      return running;
    }
    next ??= running
      .catch(() => {})
      .then(() => {
        next = null;
        running = flush().finally(() => {
          running = null;
        });
        return running;
      });
    return next;
  };
}

async function flushDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  await handle.sync().finally(() => handle.close());
}
