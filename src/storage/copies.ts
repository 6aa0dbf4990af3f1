import type { Queryable } from '../database/database.ts';
import type { Blob, Copy } from './blob.ts';
import type { ObjectStat } from './stores/store.ts';

/**
 * The record of copies. A copy that is neither STORED nor TOO_LARGE has a time at which to repair it
 * (`retry_at`). Each failed try doubles the wait, from 30 seconds to 6 hours.
 */

/** A copy whose hash was just proven. */
export interface ProvenCopy extends ObjectStat {
  readonly store: string;
  readonly key: string;
}

/** Records copies whose hash was just proven. */
export async function recordStored(
  db: Queryable,
  blob: Pick<Blob, 'id'>,
  copies: readonly ProvenCopy[],
): Promise<void> {
  await db.query(
    `INSERT INTO copies (blob_id, store, state, key, bytes, fingerprint, verified_at, checked_at, seen_at)
     SELECT $1, store, 'STORED', key, bytes, fingerprint, now(), now(), now()
       FROM unnest($2::text[], $3::text[], $4::bigint[], $5::text[]) AS kept (store, key, bytes, fingerprint)
     ON CONFLICT (blob_id, store) DO UPDATE SET state = 'STORED', key = excluded.key, bytes = excluded.bytes,
       fingerprint = excluded.fingerprint, verified_at = now(), checked_at = now(), seen_at = now(), error = NULL,
       attempts = 0, updated_at = now()`,
    [
      blob.id,
      copies.map(({ store }) => store),
      copies.map(({ key }) => key),
      copies.map(({ bytes }) => bytes),
      copies.map(({ fingerprint }) => fingerprint),
    ],
  );
}

/**
 * Records that the hash of a copy was just proven, without the lock of the blob. A copy that was removed or
 * written again since it was read does not change.
 */
export async function recordProven(
  db: Queryable,
  blob: Pick<Blob, 'id'>,
  seen: Copy,
  stat: ObjectStat,
): Promise<void> {
  await db.query(
    `UPDATE copies SET state = 'STORED', bytes = $4, fingerprint = $5,
       verified_at = now(), checked_at = now(), seen_at = now(), error = NULL, attempts = 0, updated_at = now()
     WHERE blob_id = $1 AND store = $2 AND fingerprint IS NOT DISTINCT FROM $3 AND key = $6
       AND NOT EXISTS (SELECT 1 FROM retired_keys r WHERE r.store = $2 AND r.key = $6)`,
    [blob.id, seen.store, seen.fingerprint, stat.bytes, stat.fingerprint, seen.key],
  );
}

/** Records a copy that has yet to be made, and its key. A stored copy does not change. */
export async function recordPending(
  db: Queryable,
  blob: Pick<Blob, 'id'>,
  copy: { store: string; key: string },
): Promise<void> {
  await db.query(
    `INSERT INTO copies AS c (blob_id, store, state, key) VALUES ($1, $2, 'PENDING', $3)
     ON CONFLICT (blob_id, store) DO UPDATE SET key = excluded.key, retry_at = now(), attempts = 0
       WHERE c.state <> 'STORED' AND c.key <> excluded.key`,
    [blob.id, copy.store, copy.key],
  );
}

/** Records that the blob is too large for the store. A stored copy does not change. */
export async function recordTooLarge(
  db: Queryable,
  blob: Pick<Blob, 'id'>,
  copy: { store: string; key: string },
): Promise<void> {
  await db.query(
    `INSERT INTO copies AS c (blob_id, store, state, key) VALUES ($1, $2, 'TOO_LARGE', $3)
     ON CONFLICT (blob_id, store) DO UPDATE SET state = 'TOO_LARGE', error = NULL, updated_at = now()
       WHERE c.state NOT IN ('STORED', 'TOO_LARGE')`,
    [blob.id, copy.store, copy.key],
  );
}

/**
 * Records that a copy is missing or corrupt. A copy that another process has restored or removed meanwhile
 * does not change.
 * @param seen the copy as it was on record when it was examined.
 * @returns whether the record was changed.
 */
export async function recordBad(
  db: Queryable,
  blob: Pick<Blob, 'id'>,
  seen: Copy,
  found: { state: 'MISSING' | 'CORRUPT'; error: string },
  repairDelaySeconds: number,
): Promise<boolean> {
  const noted = await db.query(
    `UPDATE copies SET state = $4, error = $5, checked_at = now(), seen_at = now(), updated_at = now(),
       retry_at = CASE WHEN state = 'STORED' THEN now() + $6 * interval '1 second' ELSE retry_at END
     WHERE blob_id = $1 AND store = $2 AND fingerprint IS NOT DISTINCT FROM $3 AND key = $7 AND state <> 'TOO_LARGE'
     RETURNING blob_id`,
    [blob.id, seen.store, seen.fingerprint, found.state, found.error, repairDelaySeconds, seen.key],
  );
  return noted.length > 0;
}

/** Records that a copy exists, without a proof of its hash. */
export async function recordSeen(db: Queryable, blob: Pick<Blob, 'id'>, store: string): Promise<void> {
  await db.query('UPDATE copies SET seen_at = now() WHERE blob_id = $1 AND store = $2', [blob.id, store]);
}

/**
 * Records why a copy could not be made or examined, and postpones the next try. The state does not change,
 * because unreachable is not missing.
 */
export async function recordError(
  db: Queryable,
  blob: Pick<Blob, 'id'>,
  store: string,
  error: string,
): Promise<void> {
  await db.query(
    `UPDATE copies SET error = $3, attempts = attempts + 1, seen_at = now(), checked_at = now(), updated_at = now(),
       retry_at = now() + least(30 * 2 ^ least(attempts, 10), 21600) * (0.75 + random() / 2) * interval '1 second'
     WHERE blob_id = $1 AND store = $2`,
    [blob.id, store, error],
  );
}

/**
 * Claims copies that are due for repair, soonest first, by postponing them for ten minutes. Other processes
 * do not claim them meanwhile.
 * @returns the ids of their blobs.
 */
export async function claimRepairs(
  db: Queryable,
  stores: readonly string[],
  limit: number,
): Promise<number[]> {
  const rows = await db.query<{ blobId: number }>(
    `UPDATE copies SET retry_at = now() + interval '10 minutes'
     WHERE (blob_id, store) IN (
       SELECT blob_id, store FROM copies
       WHERE state <> 'STORED' AND state <> 'TOO_LARGE' AND retry_at <= now() AND store = ANY($1::text[])
         AND NOT EXISTS (SELECT 1 FROM blobs b WHERE b.id = copies.blob_id AND b.condemned_at IS NOT NULL)
       ORDER BY retry_at LIMIT $2 FOR UPDATE SKIP LOCKED
     ) RETURNING blob_id AS "blobId"`,
    [stores, limit],
  );
  return [...new Set(rows.map((row) => row.blobId))];
}
