import type { Queryable } from '../../database/database.ts';

/** Condition on `copies`: an earlier try failed and the next is in the future. */
const WAITING = `state NOT IN ('STORED', 'TOO_LARGE') AND attempts > 0 AND retry_at > now()
  AND NOT EXISTS (SELECT 1 FROM blobs b WHERE b.id = copies.blob_id AND b.condemned_at IS NOT NULL)`;

/** Makes all waiting copies of a store due now. @returns their number. */
export async function hastenAll(db: Queryable, store: string): Promise<number> {
  const rows = await db.query(
    `UPDATE copies SET retry_at = now() WHERE store = $1 AND ${WAITING} RETURNING blob_id`,
    [store],
  );
  return rows.length;
}

/**
 * Makes one waiting copy of a store due now, to test whether the store takes it. Chooses a blob with a
 * healthy copy elsewhere.
 * @returns whether a copy was waiting.
 */
export async function hastenOne(db: Queryable, store: string): Promise<boolean> {
  const rows = await db.query(
    `UPDATE copies SET retry_at = now() WHERE store = $1 AND blob_id =
       (SELECT blob_id FROM copies WHERE store = $1 AND ${WAITING}
          AND EXISTS (SELECT 1 FROM copies o WHERE o.blob_id = copies.blob_id AND o.state = 'STORED')
        ORDER BY attempts, retry_at LIMIT 1)
     RETURNING blob_id`,
    [store],
  );
  return rows.length > 0;
}
