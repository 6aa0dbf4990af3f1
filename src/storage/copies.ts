import type { Queryable } from '../database/database.ts';
import type { Blob, Copy } from './blob.ts';
import type { ObjectStat } from './stores/store.ts';

/**
 * What is on record of copies. A copy that is neither STORED nor TOO_LARGE carries the time at which it is to be repaired (`retry_at`); each try that
 * fails puts it off, twice as long as the last time, from half a minute to six hours.
 */

/** A copy whose hash was proven just now. */
export interface ProvenCopy extends ObjectStat {
  readonly store: string;
  readonly key: string;
}

/** Notes that stores hold the blob with its hash proven just now. */
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
 * Notes the same for a copy that was only looked at, without the lock of its blob: a copy that was removed or made anew meanwhile stays as it is.
 */
export async function recordProven(
  db: Queryable,
  blob: Pick<Blob, 'id'>,
  seen: Copy,
  stat: ObjectStat,
): Promise<void> {
  await db.query(
    `UPDATE copies SET state = 'STORED', bytes = $4, fingerprint = $5, verified_at = now(), checked_at = now(), seen_at = now(),
       error = NULL, attempts = 0, updated_at = now()
     WHERE blob_id = $1 AND store = $2 AND fingerprint IS NOT DISTINCT FROM $3 AND key = $6
       AND NOT EXISTS (SELECT 1 FROM retired_keys r WHERE r.store = $2 AND r.key = $6)`,
    [blob.id, seen.store, seen.fingerprint, stat.bytes, stat.fingerprint, seen.key],
  );
}

/** Notes that the store is to hold the blob and does not yet, and under which key; a copy that is there already stays as it is. */
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

/** Notes that the store does not take as many bytes. A copy that it holds all the same stays as it is. */
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
 * Notes that a copy was found missing or corrupt. `seen` is the copy as it was on record when it was looked at: where another
 * process has restored or removed it since, the record has another fingerprint or is gone, and stays so.
 * @returns whether it was noted.
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
     WHERE blob_id = $1 AND store = $2 AND fingerprint IS NOT DISTINCT FROM $3 AND key = $7 AND state <> 'TOO_LARGE' RETURNING blob_id`,
    [blob.id, seen.store, seen.fingerprint, found.state, found.error, repairDelaySeconds, seen.key],
  );
  return noted.length > 0;
}

/** Notes that a copy was looked at without being read, and is there. */
export async function recordSeen(db: Queryable, blob: Pick<Blob, 'id'>, store: string): Promise<void> {
  await db.query('UPDATE copies SET seen_at = now() WHERE blob_id = $1 AND store = $2', [blob.id, store]);
}

/**
 * Notes why a copy could not be made or looked at, and puts the next try off; what is known of its state does not change, for
 * unreachable is not missing.
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
 * Takes blobs whose copies are due for repair, soonest first, and puts them off for as long as a repair may take, so that no other
 * process takes them meanwhile.
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
