import type { HeldLock, Queryable } from '../database/database.ts';
import { isDatabaseAway } from '../database/driver/errors.ts';
import { TooLargeError } from '../errors.ts';
import { type Blob, copyIn, findBlob } from './blob.ts';
import { type ProvenCopy, recordPending, recordStored, recordTooLarge } from './copies.ts';
import type { RepairerAlarm, StorageDeps } from './deps.ts';
import { checkedSource, examineCopy } from './read/examine.ts';
import { deleteUnrecorded, findRetiredKeys, keyFor } from './retired-keys.ts';
import { formatBytes } from './spool/format-bytes.ts';
import type { Spool } from './spool/spool.ts';
import type { Store } from './stores/store.ts';

/** A blob as it is recorded; its copies are rows of their own. */
export type BlobRow = Omit<Blob, 'copies'>;

/**
 * Writes the rows that refer to a blob, in the transaction that records the blob.
 * `storeName` is the first store in read order that has the bytes.
 */
export type Recorder<Result> = (transaction: Queryable, blob: BlobRow, storeName: string) => Promise<Result>;

// One statement, so that no other insert can run in between. The facts of a known blob do not change.
const RECORD_BLOB = `INSERT INTO blobs (sha256, bytes, mime_type, width, height, thumbhash) VALUES ($1, $2, $3, $4, $5, $6)
  ON CONFLICT (sha256) DO UPDATE SET condemned_at = NULL
  RETURNING id, sha256, bytes, mime_type AS "mimeType", width, height, thumbhash`;

type PutDeps = StorageDeps & RepairerAlarm;

/** See Storage.put. Holds the lock of the blob, so that no quarantine takes the new objects for orphans. */
export function putBlob<Result>(deps: PutDeps, spool: Spool, record: Recorder<Result>): Promise<Result> {
  return deps.database.exclusively(`blob:${spool.sha256}`, (lock) => putUnderLock(deps, lock, spool, record));
}

async function putUnderLock<Result>(
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
  const facts: BlobFacts = known ?? {
    ...(await deps.readPicture(spool)),
    sha256: spool.sha256,
    bytes: spool.bytes,
  };
  const keyIn = (store: Store) => keyFor(store, facts, retired);

  const kept = new Map<string, ProvenCopy>();
  const written: Store[] = [];
  // Waits for all stores, even when one fails: none may still read from a spool that its owner has discarded.
  const outcomes = await Promise.allSettled(
    required.map(async (store) => {
      const { copy, isNew } = await ensureCopy(store, spool, { facts, known, key: keyIn(store) });
      kept.set(store.name, copy);
      if (isNew) written.push(store);
    }),
  );
  const recordAll = async () => {
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
    return lock.transaction(async (transaction) => {
      const blob = await recordBlob(transaction, facts);
      await recordCopies(transaction, blob, deps.stores, { kept, keyIn });
      const storeName = deps.stores.find((store) => kept.has(store.name))?.name ?? '';
      return record(transaction, blob, storeName);
    });
  };
  const result = await recordAll().catch(async (error) => {
    await Promise.all(written.map((store) => takeBack(deps, lock, store, { key: keyIn(store), spool })));
    throw error;
  });
  await deps.database.flush();
  const eligible = deps.stores.filter(({ maxBytes }) => spool.bytes <= maxBytes);
  if (kept.size < eligible.length) deps.wakeRepairer(0);
  return result;
}

type BlobFacts = Omit<BlobRow, 'id'>;

async function recordBlob(transaction: Queryable, facts: BlobFacts): Promise<BlobRow> {
  const { sha256, bytes, mimeType, width, height, thumbhash } = facts;
  const [row] = await transaction.query<BlobRow>(RECORD_BLOB, [
    sha256,
    bytes,
    mimeType,
    width,
    height,
    thumbhash,
  ]);
  return row as BlobRow;
}

/** Records the copies that were kept; a copy in any other store is pending, or too large for that store. */
async function recordCopies(
  transaction: Queryable,
  blob: BlobRow,
  stores: readonly Store[],
  { kept, keyIn }: { kept: ReadonlyMap<string, ProvenCopy>; keyIn: (store: Store) => string },
): Promise<void> {
  await recordStored(transaction, blob, [...kept.values()]);
  for (const store of stores) {
    if (kept.has(store.name)) continue;
    const note = blob.bytes <= store.maxBytes ? recordPending : recordTooLarge;
    await note(transaction, blob, { store: store.name, key: keyIn(store) });
  }
}

/**
 * Makes a store hold a healthy copy: checks the one on record, or puts the bytes.
 * @returns the copy, and whether its bytes were put now.
 */
async function ensureCopy(
  store: Store,
  spool: Spool,
  { facts, known, key }: { facts: BlobFacts; known: Blob | null; key: string },
): Promise<{ copy: ProvenCopy; isNew: boolean }> {
  const recorded = known ? copyIn(store, known) : undefined;
  // A copy under another key is put again: a deletion may still arrive for it.
  const isUsable = recorded?.state === 'STORED' && recorded.key === key;
  const finding = isUsable ? await examineCopy(store, facts, recorded) : null;
  if (finding?.state === 'STORED') return { copy: { store: store.name, key, ...finding.stat }, isNew: false };
  const stat = await store.put(key, { ...checkedSource(spool), moveTo: spool.moveTo });
  return { copy: { store: store.name, key, ...stat }, isNew: true };
}

/**
 * Deletes an object that was put but not recorded, so that refused uploads do not fill the store. If the
 * deletion fails or the lock is lost, the object stays as an orphan.
 */
async function takeBack(
  { log }: Pick<PutDeps, 'log'>,
  lock: HeldLock,
  store: Store,
  { key, spool }: { key: string; spool: Spool },
): Promise<void> {
  await deleteUnrecorded(lock, store, { key, sha256: spool.sha256 }).catch((error) => {
    // An outage of the database has its own log line.
    const level = isDatabaseAway(error) ? 'debug' : 'warn';
    log[level](
      { store: store.name, key, err: error },
      'could not delete an object that was put but not recorded; quarantine removes it later',
    );
  });
}

/** @throws TooLargeError if the file is larger than a required store takes. */
function requireFit({ name, maxBytes }: Store, { bytes }: Spool): void {
  if (bytes <= maxBytes) return;
  throw new TooLargeError(
    `The file has ${formatBytes(bytes)}; the store ${name}, which must hold every image (REQUIRED_STORES), takes ${formatBytes(maxBytes)}.`,
    { limit: maxBytes, actual: bytes, unit: 'bytes' },
  );
}
