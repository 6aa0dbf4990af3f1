import type { HeldLock, Queryable } from '../database/database.ts';
import { StoreError } from '../errors.ts';
import { orAfter } from '../time.ts';
import { type Blob, copyIn, keyOf } from './blob.ts';
import type { StorageDeps } from './service.ts';
import type { Store } from './stores/store.ts';

/**
 * How an object is deleted so that a deletion never takes what another puts.
 *
 * A deletion that was sent to a store cannot be called back, and may arrive late: after a time-out, or after the lock of its blob was lost and
 * somebody else keeps the same bytes by now. So before it is sent its key is retired, under the lock: nothing is put under a key that is
 * retired, and the same bytes get another key meanwhile (`keyOf`). A key is no longer retired once its deletion has ended under the lock under which it
 * was retired. If that was not seen, it stays retired for a day, longer than any request takes; then what may still lie there is deleted once more.
 */

/** For as long nothing is put under a key of which nobody knows whether a deletion is still on its way to it. */
const RETIRED_FOR = `interval '1 day'`;

/** A store that is silent for so long is not waited for: that its deletion may arrive late is what keys are retired for. */
const PATIENCE_MILLISECONDS = 5000;

/** The keys of a blob under which nothing may be put now. */
export interface RetiredKeys {
  has(store: string, key: string): boolean;
}

const RETIRED = 'SELECT store, key FROM retired_keys WHERE sha256 = $1';

/** Read under the lock of the blob: until that is lost or given back, nobody retires another. */
export async function findRetiredKeys(db: Queryable, sha256: string): Promise<RetiredKeys> {
  const rows = await db.query<{ store: string; key: string }>(RETIRED, [sha256]);
  return { has: (store, key) => rows.some((row) => row.store === store && row.key === key) };
}

/** Under which key a store is to hold a blob: that of its copy on record, or the first one that is not retired. */
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

// One that was retired before stays whose it was: the other deletion may still be on its way.
const KEEP_RETIRED = 'ON CONFLICT (store, key) DO UPDATE SET retired_at = now()';

/** Before a byte goes the record says no longer that the copy is there: whoever pardons the blob makes it anew. */
const RETIRE_COPY = `WITH condemned AS (
    SELECT b.id, b.sha256 FROM blobs b WHERE b.id = $1 AND b.condemned_at IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM generated_images i WHERE i.blob_id = b.id) FOR UPDATE
  ), copy AS (
    UPDATE copies c SET state = 'PENDING', fingerprint = NULL, updated_at = now()
      FROM condemned WHERE c.blob_id = condemned.id AND c.store = $2 RETURNING c.key
  )
  INSERT INTO retired_keys (store, key, sha256, lock_id)
    SELECT $2, coalesce((SELECT key FROM copy), $3), sha256, $4::uuid FROM condemned
  ${KEEP_RETIRED} RETURNING key`;

const FORGET_COPY = 'DELETE FROM copies WHERE blob_id = $1 AND store = $2 AND key = $3';

/**
 * Deletes the copy of a condemned blob, and what is on record of it.
 * @returns false where the blob is condemned no more: nothing was deleted then.
 * @throws StoreError where the store did not say that it is gone.
 */
export async function deleteCopy(
  lock: HeldLock,
  store: Store,
  blob: Pick<Blob, 'id' | 'sha256' | 'mimeType'>,
): Promise<boolean> {
  const plain = keyOf(blob.sha256, blob.mimeType);
  const [retired] = await lock.query<{ key: string }>(RETIRE_COPY, [blob.id, store.name, plain, lock.id]);
  if (!retired) return false;
  await deleteRetired(lock, store, retired.key);
  await lock.query(FORGET_COPY, [blob.id, store.name, retired.key]);
  return true;
}

/** Of an object that is named `r`. */
const IS_ON_RECORD = `EXISTS (SELECT 1 FROM copies c JOIN blobs b ON b.id = c.blob_id
  WHERE b.sha256 = r.sha256 AND c.store = r.store AND c.key = r.key)`;

const RETIRE_UNRECORDED = `INSERT INTO retired_keys (store, key, sha256, lock_id)
  SELECT r.store, r.key, r.sha256, $4::uuid FROM (VALUES ($1::text, $2::text, $3::bpchar)) AS r (store, key, sha256) WHERE NOT ${IS_ON_RECORD}
  ${KEEP_RETIRED} RETURNING key`;

/**
 * Deletes an object that is on no record.
 * @param lock that of the blob whose bytes it has.
 * @returns false where it is on record: nothing was deleted then. @throws StoreError
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

/** Deletes what lies under a retired key, and lets go of the key where this lock retired it. @throws StoreError; then the key stays retired. */
async function deleteRetired(lock: HeldLock, store: Store, key: string): Promise<void> {
  await orAfter(PATIENCE_MILLISECONDS, store.delete(key), () => {
    const seconds = PATIENCE_MILLISECONDS / 1000;
    throw new StoreError(`${store.name} did not say within ${seconds} s that ${key} is deleted.`, store.name);
  });
  await lock.query('DELETE FROM retired_keys WHERE store = $1 AND key = $2 AND lock_id = $3::uuid', [
    store.name,
    key,
    lock.id,
  ]);
}

const DUE = `SELECT store, key, sha256 FROM retired_keys r
  WHERE retired_at < now() - ${RETIRED_FOR} AND store = ANY($1::text[]) AND NOT ${IS_ON_RECORD} ORDER BY retired_at LIMIT 1000`;
const TAKE_OVER = `UPDATE retired_keys r SET lock_id = $3::uuid, retired_at = now()
  WHERE r.store = $1 AND r.key = $2 AND r.retired_at < now() - ${RETIRED_FOR} AND NOT ${IS_ON_RECORD} RETURNING key`;

/**
 * Deletes what may still lie under keys that were retired so long ago that no former deletion is on its way any more, and lets go of them. What cannot be
 * deleted now is tried again a day later.
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
      // One of a condemned blob is on record, and is left to its removal.
      const taken = await lock.query(TAKE_OVER, [store.name, key, lock.id]);
      if (taken.length === 0) return;
      try {
        await deleteRetired(lock, store, key);
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        deps.log.warn(
          { store: store.name, key, err: error },
          'could not delete what an interrupted removal left',
        );
      }
    });
  }
}
