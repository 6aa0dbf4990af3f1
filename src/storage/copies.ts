import type { Queryable } from '../database/database.ts';
import type { Blob, Copy, CopyState } from './blob.ts';
import type { ObjectStat } from './stores/store.ts';

/** Notes that the store holds the blob with its hash proven just now. */
export async function recordStored(
  db: Queryable,
  blob: Pick<Blob, 'id'>,
  copy: { store: string; key: string },
  stat: ObjectStat,
): Promise<void> {
  await db.query(
    `INSERT INTO copies (blob_id, store, state, key, bytes, fingerprint, verified_at) VALUES ($1, $2, 'STORED', $3, $4, $5, now())
     ON CONFLICT (blob_id, store) DO UPDATE SET state = 'STORED', key = excluded.key, bytes = excluded.bytes,
       fingerprint = excluded.fingerprint, verified_at = now(), error = NULL, updated_at = now()`,
    [blob.id, copy.store, copy.key, stat.bytes, stat.fingerprint],
  );
}

/** Notes that the store is to hold the blob and does not yet; a copy that is on record already stays as it is. */
export async function recordPending(
  db: Queryable,
  blob: Pick<Blob, 'id'>,
  copy: { store: string; key: string },
): Promise<void> {
  await db.query(
    `INSERT INTO copies (blob_id, store, state, key) VALUES ($1, $2, 'PENDING', $3) ON CONFLICT DO NOTHING`,
    [blob.id, copy.store, copy.key],
  );
}

/**
 * Notes that a copy was found missing or corrupt. `seen` is the copy as it was on record when it was looked at: where another
 * process has restored it since, the record has another fingerprint and stays.
 */
export async function recordBad(
  db: Queryable,
  blob: Pick<Blob, 'id'>,
  seen: Copy,
  found: { state: Exclude<CopyState, 'STORED'>; error: string },
): Promise<void> {
  await db.query(
    `UPDATE copies SET state = $4, error = $5, updated_at = now()
     WHERE blob_id = $1 AND store = $2 AND fingerprint IS NOT DISTINCT FROM $3`,
    [blob.id, seen.store, seen.fingerprint, found.state, found.error],
  );
}

/** Notes why a copy could not be made; what is known of its state does not change, for unreachable is not missing. */
export async function recordError(
  db: Queryable,
  blob: Pick<Blob, 'id'>,
  store: string,
  error: string,
): Promise<void> {
  await db.query('UPDATE copies SET error = $3, updated_at = now() WHERE blob_id = $1 AND store = $2', [
    blob.id,
    store,
    error,
  ]);
}
