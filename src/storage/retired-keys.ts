import type { HeldLock, Queryable } from '../database/database.ts';
import { StoreError } from '../errors.ts';
import { withTimeLimit } from '../time.ts';
import { type Blob, copyIn, keyOf } from './blob.ts';
import type { StorageDeps } from './deps.ts';
import { noReference } from './references.ts';
import type { Store } from './stores/store.ts';

/**
 * How an object is deleted without ever deleting what another process has put.
 *
 * A deletion that was sent to a store cannot be called back and may arrive late: after a timeout, or after
 * the lock was lost and another server has put the same bytes. Therefore the key is retired before the
 * deletion is sent, under the lock. Nothing is put under a retired key; the same bytes get another key
 * (`keyOf`). The key is released when the deletion has ended under the lock that retired it. Otherwise it
 * stays retired for a day, longer than any request takes. Then the deletion is repeated.
 */

/** Time that a key stays retired when the end of its deletion is not known. */
const RETIRED_FOR = `interval '1 day'`;

/** Timeout of a deletion. The deletion may still arrive later; the retired key covers that. */
const DELETE_TIMEOUT_MS = 5000;

/** The keys of a blob under which nothing may be put now. */
export interface RetiredKeys {
  has(store: string, key: string): boolean;
}

const RETIRED = 'SELECT store, key FROM retired_keys WHERE sha256 = $1';

/**
 * Reads the retired keys of a blob. Call it under the lock of the blob: while the lock is held, no other key
 * is retired.
 */
export async function findRetiredKeys(db: Queryable, sha256: string): Promise<RetiredKeys> {
  const rows = await db.query<{ store: string; key: string }>(RETIRED, [sha256]);
  return { has: (store, key) => rows.some((row) => row.store === store && row.key === key) };
}

/**
 * Returns the key for a blob in a store: that of the copy on record, or the first one that is not retired.
 */
export function keyFor(
  store: Pick<Store, 'name'>,
  blob: Pick<Blob, 'sha256' | 'mimeType'> & Partial<Pick<Blob, 'copies'>>,
  retired: RetiredKeys,
): string {
  const recorded = copyIn(store, blob)?.key;
  if (recorded !== undefined && !retired.has(store.name, recorded)) return recorded;
  for (let n = 1; ; n++) {
    const key = keyOf(blob.sha256, blob.mimeType, n);
    if (!retired.has(store.name, key)) return key;
  }
}

// A key that another lock has retired keeps that lock's id: its deletion may still arrive.
const KEEP_RETIRED = 'ON CONFLICT (store, key) DO UPDATE SET retired_at = now()';

/**
 * The copy leaves the state STORED before its bytes are deleted. A put that pardons the blob then writes the
 * copy again.
 */
const retireCopy = (references: StorageDeps['references']) => `WITH condemned AS (
    SELECT b.id, b.sha256 FROM blobs b WHERE b.id = $1 AND b.condemned_at IS NOT NULL
      AND ${noReference(references, 'b.id')} FOR UPDATE
  ), copy AS (
    UPDATE copies c SET state = 'PENDING', fingerprint = NULL, updated_at = now()
      FROM condemned WHERE c.blob_id = condemned.id AND c.store = $2 RETURNING c.key
  )
  INSERT INTO retired_keys (store, key, sha256, lock_id)
    SELECT $2, coalesce((SELECT key FROM copy), $3), sha256, $4::uuid FROM condemned
  ${KEEP_RETIRED} RETURNING key`;

const FORGET_COPY = 'DELETE FROM copies WHERE blob_id = $1 AND store = $2 AND key = $3';

/**
 * Deletes the copy of a condemned blob from a store and from the record.
 * @returns false if the blob is no longer condemned; nothing was deleted then.
 * @throws StoreError if the store did not confirm the deletion.
 */
export async function deleteCopy(
  { lock, references }: Pick<StorageDeps, 'references'> & { readonly lock: HeldLock },
  store: Store,
  blob: Pick<Blob, 'id' | 'sha256' | 'mimeType'>,
): Promise<boolean> {
  const firstKey = keyOf(blob.sha256, blob.mimeType);
  const [retired] = await lock.query<{ key: string }>(retireCopy(references), [
    blob.id,
    store.name,
    firstKey,
    lock.id,
  ]);
  if (!retired) return false;
  await deleteRetired(lock, store, retired.key);
  await lock.query(FORGET_COPY, [blob.id, store.name, retired.key]);
  return true;
}

/** Condition on a row `r` with store, key and sha256: a copy of that name is on record. */
const IS_ON_RECORD = `EXISTS (SELECT 1 FROM copies c JOIN blobs b ON b.id = c.blob_id
  WHERE b.sha256 = r.sha256 AND c.store = r.store AND c.key = r.key)`;

const RETIRE_UNRECORDED = `INSERT INTO retired_keys (store, key, sha256, lock_id)
  SELECT r.store, r.key, r.sha256, $4::uuid FROM (VALUES ($1::text, $2::text, $3::bpchar)) AS r (store, key, sha256)
    WHERE NOT ${IS_ON_RECORD}
  ${KEEP_RETIRED} RETURNING key`;

/**
 * Deletes an object that is not on record.
 * @param lock the lock of the blob with the object's SHA-256.
 * @returns false if the object is on record; nothing was deleted then.
 * @throws StoreError if the store did not confirm the deletion.
 */
export async function deleteUnrecorded(
  lock: HeldLock,
  store: Store,
  object: { readonly key: string; readonly sha256: string },
): Promise<boolean> {
  const { key, sha256 } = object;
  const retired = await lock.query(RETIRE_UNRECORDED, [store.name, key, sha256, lock.id]);
  if (retired.length === 0) return false;
  await deleteRetired(lock, store, key);
  return true;
}

/**
 * Deletes the object under a retired key, and releases the key if this lock has retired it.
 * @throws StoreError if the store did not confirm the deletion; the key stays retired then.
 */
async function deleteRetired(lock: HeldLock, store: Store, key: string): Promise<void> {
  await withTimeLimit(DELETE_TIMEOUT_MS, store.delete(key), () => {
    const seconds = DELETE_TIMEOUT_MS / 1000;
    throw new StoreError(
      `${store.name} did not confirm within ${seconds} s that ${key} is deleted.`,
      store.name,
    );
  });
  await lock.query('DELETE FROM retired_keys WHERE store = $1 AND key = $2 AND lock_id = $3::uuid', [
    store.name,
    key,
    lock.id,
  ]);
}

const DUE = `SELECT store, key, sha256 FROM retired_keys r
  WHERE retired_at < now() - ${RETIRED_FOR} AND store = ANY($1::text[]) AND NOT ${IS_ON_RECORD}
  ORDER BY retired_at LIMIT 1000`;
const TAKE_OVER = `UPDATE retired_keys r SET lock_id = $3::uuid, retired_at = now()
  WHERE r.store = $1 AND r.key = $2 AND r.retired_at < now() - ${RETIRED_FOR} AND NOT ${IS_ON_RECORD} RETURNING key`;

/**
 * Repeats the deletion for keys that were retired more than a day ago, and releases them. No earlier deletion
 * can arrive by then. A deletion that fails is repeated a day later.
 */
export async function clearRetiredKeys(
  deps: Pick<StorageDeps, 'database' | 'stores' | 'log'>,
  signal?: AbortSignal,
): Promise<void> {
  const names = deps.stores.map(({ name }) => name);
  const rows = await deps.database.query<{ store: string; key: string; sha256: string }>(DUE, [names]);
  for (const { key, sha256, ...row } of rows) {
    signal?.throwIfAborted();
    const store = deps.stores.find(({ name }) => name === row.store) as Store;
    await deps.database.exclusively(`blob:${sha256}`, async (lock) => {
      // The key of a condemned blob is on record and is left to its removal.
      const taken = await lock.query(TAKE_OVER, [store.name, key, lock.id]);
      if (taken.length === 0) return;
      try {
        await deleteRetired(lock, store, key);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        deps.log.warn(
          { store: store.name, key, err: error },
          'could not delete an object that an interrupted removal left; it is tried again in a day',
        );
      }
    });
  }
}
