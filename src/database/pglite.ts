import { mkdir } from 'node:fs/promises';
import { PGlite, types } from '@electric-sql/pglite';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import type { Database, Queryable } from './database.ts';
import { PrismaClient } from './generated/client/client.ts';
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
  });
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
    transaction: (work) => pglite.transaction((transaction) => work({ query: queryOn(transaction) })),
    // The lock on the directory leaves no other process to exclude.
    exclusively: (_name, work) => work(),
    dump: () => pglite.dumpDataDir('none'),
    async close() {
      await prisma.$disconnect();
      await pglite.close();
    },
  };
}
