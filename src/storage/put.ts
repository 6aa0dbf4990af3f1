import type { HeldLock } from '../database/database.ts';
import { isDatabaseAway } from '../database/driver/errors.ts';
import { TooLargeError } from '../errors.ts';
import { type Blob, copyIn, findBlob } from './blob.ts';
import { type ProvenCopy, recordPending, recordStored, recordTooLarge } from './copies.ts';
import { examine, proven } from './read/examine.ts';
import { deleteUnrecorded, findRetiredKeys, keyFor } from './retired-keys.ts';
import type { Recorder, StorageDeps } from './service.ts';
import { formatBytes, type Spool } from './spool/spool.ts';
import type { Store } from './stores/store.ts';

// One statement, so that nobody's insert comes in between. The facts of a blob that is known stay as they are.
const RECORD_BLOB = `INSERT INTO blobs (sha256, bytes, mime_type, width, height, thumbhash) VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (sha256) DO UPDATE SET condemned_at = NULL
  RETURNING id, sha256, bytes, mime_type AS "mimeType", width, height, thumbhash`;

type PutDeps = StorageDeps & { wakeRepairer(seconds: number): void };

/** See Storage.put. Held under the name of the blob, so that nobody clears away as an orphan what is about to be recorded. */
export function put<Result>(deps: PutDeps, spool: Spool, record: Recorder<Result>): Promise<Result> {
  return deps.database.exclusively(`blob:${spool.sha256}`, (lock) => putAlone(deps, lock, spool, record));
}

async function putAlone<Result>(
  deps: PutDeps,
  lock: HeldLock,
  spool: Spool,
  record: Recorder<Result>,
): Promise<Result> {
  const required = deps.stores.filter((store) => deps.required.has(store.name));
  for (const store of required) requireFit(store, spool);
  await deps.space.require(2 * spool.bytes);
  const [known, retired] = await Promise.all([
    findBlob(deps.database, { sha256: spool.sha256 }),
    findRetiredKeys(deps.database, spool.sha256),
  ]);
  const facts = known ?? {
    ...(await deps.readPicture(spool)),
    sha256: spool.sha256,
    bytes: spool.bytes,
  };
  const keyIn = (store: Store) => keyFor(store, facts, retired);

  const kept = new Map<string, ProvenCopy>();
  const written: Store[] = [];
  // All are waited for, also when one fails: none may go on writing from a spool that its owner has discarded.
  const outcomes = await Promise.allSettled(
    required.map(async (store) => {
      const key = keyIn(store);
      const copy = known ? copyIn(store, known) : undefined;
      // One under another key is to be put anew: a deletion may be on its way to it.
      const isUsable = copy?.state === 'STORED' && copy.key === key;
      const finding = isUsable ? await examine(store, facts, copy) : null;
      if (finding?.state === 'STORED') {
        kept.set(store.name, { store: store.name, key, ...finding.stat });
        return;
      }
      const stat = await store.put(key, { ...proven(spool), moveTo: spool.moveTo });
      kept.set(store.name, { store: store.name, key, ...stat });
      written.push(store);
    }),
  );
  const recordAll = async () => {
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    return lock.transaction(async (transaction) => {
      const [row] = await transaction.query<Omit<Blob, 'copies'>>(RECORD_BLOB, [
        spool.sha256,
        spool.bytes,
        facts.mimeType,
        facts.width,
        facts.height,
        facts.thumbhash,
      ]);
      const blob = row as Omit<Blob, 'copies'>;
      await recordStored(transaction, blob, [...kept.values()]);
      for (const store of deps.stores) {
        if (kept.has(store.name)) continue;
        const note = spool.bytes <= store.maxBytes ? recordPending : recordTooLarge;
        await note(transaction, blob, { store: store.name, key: keyIn(store) });
      }
      const storeName = deps.stores.find((store) => kept.has(store.name))?.name ?? '';
      return record(transaction, blob, storeName);
    });
  };
  const result = await recordAll().catch(async (error) => {
    await Promise.all(written.map((store) => takeBack(deps, lock, store, { key: keyIn(store), spool })));
    throw error;
  });
  await deps.database.flush();
  const taking = deps.stores.filter(({ maxBytes }) => spool.bytes <= maxBytes);
  if (kept.size < taking.length) deps.wakeRepairer(0);
  return result;
}

/**
 * Deletes what was put a moment ago for nothing, so that uploads that are refused one after the other do not fill the store. Where that fails too, or the lock
 * is lost, it stays as an orphan.
 */
async function takeBack(
  { log }: Pick<PutDeps, 'log'>,
  lock: HeldLock,
  store: Store,
  { key, spool }: { key: string; spool: Spool },
): Promise<void> {
  await deleteUnrecorded(lock, store, { key, sha256: spool.sha256 }).catch((error) => {
    // That the database is away is said once, by itself.
    const level = isDatabaseAway(error) ? 'debug' : 'warn';
    log[level]({ store: store.name, key, err: error }, 'could not take back what was put and not recorded');
  });
}

/** @throws TooLargeError for what a store that must hold it does not take. */
function requireFit({ name, maxBytes }: Store, { bytes }: Spool): void {
  if (bytes <= maxBytes) return;
  throw new TooLargeError(
    `The file has ${formatBytes(bytes)}; the store ${name}, which must hold every image (REQUIRED_STORES), takes ${formatBytes(maxBytes)}.`,
    { limit: maxBytes, actual: bytes, unit: 'bytes' },
  );
}
