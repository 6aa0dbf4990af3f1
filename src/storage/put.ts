import type { PrismaTransaction, Queryable } from '../database/database.ts';
import { type Blob, findBlob, keyOf } from './blob.ts';
import { recordPending, recordStored } from './copies.ts';
import { examine, proven } from './examine.ts';
import type { Recorder, StorageDeps } from './service.ts';
import type { Spool } from './spool.ts';
import type { ObjectStat } from './stores/store.ts';

/** See Storage.put. Held under the name of the blob, so that nobody clears away as an orphan what is about to be recorded. */
export function put<Result>(
  deps: StorageDeps & { wakeRepairer(seconds: number): void },
  spool: Spool,
  record: Recorder<Result>,
): Promise<Result> {
  return deps.database.exclusively(`blob:${spool.sha256}`, () => putAlone(deps, spool, record));
}

async function putAlone<Result>(
  deps: StorageDeps & { wakeRepairer(seconds: number): void },
  spool: Spool,
  record: Recorder<Result>,
): Promise<Result> {
  await deps.space.require(2 * spool.bytes);
  const known = await findBlob(deps.database, { sha256: spool.sha256 });
  const facts = known ?? {
    ...(await deps.readPicture(spool.path)),
    sha256: spool.sha256,
    bytes: spool.bytes,
  };
  const key = keyOf(spool.sha256, facts.mimeType);

  const required = deps.stores.filter((store) => deps.required.has(store.name));
  const stats = new Map<string, ObjectStat>();
  // All are waited for, also when one fails: none may go on writing from a spool that its owner has discarded.
  const outcomes = await Promise.allSettled(
    required.map(async (store) => {
      const copy = known?.copies.find((each) => each.store === store.name && each.state === 'STORED');
      const finding = copy && (await examine(store, facts, copy));
      stats.set(
        store.name,
        finding?.state === 'STORED'
          ? finding.stat
          : await store.put(key, { ...proven(spool), moveTo: spool.moveTo }),
      );
    }),
  );
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;

  const result = await deps.database.prisma.$transaction(async (transaction) => {
    const row = await transaction.blob.upsert({
      where: { sha256: spool.sha256 },
      create: {
        sha256: spool.sha256,
        bytes: BigInt(spool.bytes),
        mimeType: facts.mimeType,
        width: facts.width,
        height: facts.height,
        thumbhash: facts.thumbhash,
      },
      // Never empty: only so is it one statement, INSERT … ON CONFLICT, and nobody's insert comes in between.
      update: { sha256: spool.sha256, condemnedAt: null },
    });
    const blob: Omit<Blob, 'copies'> = { ...row, id: Number(row.id), bytes: Number(row.bytes) };
    const db = queryableOf(transaction);
    for (const store of deps.stores) {
      const stat = stats.get(store.name);
      if (stat) await recordStored(db, blob, { store: store.name, key }, stat);
      else await recordPending(db, blob, { store: store.name, key });
    }
    const storeName = deps.stores.find((store) => stats.has(store.name))?.name ?? '';
    return record(transaction, blob, storeName);
  });
  await deps.database.flush();
  if (stats.size < deps.stores.length) deps.wakeRepairer(0);
  return result;
}

/** The transaction of Prisma's client as a place for plain statements. */
function queryableOf(transaction: PrismaTransaction): Queryable {
  return {
    query: <Row>(text: string, values: readonly unknown[] = []) =>
      transaction.$queryRawUnsafe<Row[]>(text, ...values),
  };
}
