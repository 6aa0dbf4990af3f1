import { mkdir } from 'node:fs/promises';
import { PGlite, types } from '@electric-sql/pglite';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import type { Database, Queryable } from './database.ts';
import { PrismaClient } from './generated/client/client.ts';
import { makeKeyedLock } from './keyed-lock.ts';
import { autovacuum, checkpoint } from './maintenance.ts';
import { openDisk, START_PARAMS } from './pglite-disk.ts';
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
  await mkdir(options.directory, { recursive: true });
  const pglite = await PGlite.create({
    dataDir: options.directory,
    ...(options.template ? { loadDataDir: options.template } : {}),
    parsers: { [types.INT8]: Number },
    startParams: START_PARAMS,
  });
  const disk = openDisk(pglite, options.directory, { isForgettable: options.template !== undefined });
  const adapter = new PrismaPGlite(pglite);
  const prisma = new PrismaClient({ adapter, transactionOptions: TRANSACTION_OPTIONS });

  const queryOn = (client: Pick<PGlite, 'query'>): Queryable['query'] =>
    async function query<Row>(text: string, values: readonly unknown[] = []) {
      return (await client.query<Row>(text, values as unknown[])).rows;
    };

  const query = queryOn(pglite);
  return {
    kind: 'pglite',
    prisma,
    adapter,
    query,
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
    async maintain(signal) {
      const vacuumed = await autovacuum({ query, exec: (statement) => pglite.exec(statement) }, signal);
      const exec = (statement: string) => disk.synced(() => pglite.exec(statement));
      return [...vacuumed, ...(await checkpoint({ query, exec }))];
    },
    // The lock on the directory leaves no other process to exclude.
    exclusively: makeKeyedLock(),
    flush: disk.flush,
    dump: () => pglite.dumpDataDir('none'),
    async close() {
      await prisma.$disconnect();
      await disk.synced(() => pglite.close());
    },
  };
}
