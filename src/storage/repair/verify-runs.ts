import type { Queryable } from '../../database/database.ts';

/** Counts of copies that a run of verify does not see by reading them. */
export interface RecordCounts {
  /** Copies that were repaired since the last run; since the beginning if there was none. */
  readonly healed: number;
  /** Copies of condemned blobs that are not deleted yet. */
  readonly condemned: number;
}

/** @returns counts by the name of the store. */
export async function readRecordCounts(
  db: Queryable,
  stores: readonly string[],
): Promise<ReadonlyMap<string, RecordCounts>> {
  const rows = await db.query<RecordCounts & { store: string }>(
    `SELECT s.store,
       (SELECT count(*) FROM copies c LEFT JOIN verify_runs r ON r.store = c.store
         WHERE c.store = s.store AND c.healed_at IS NOT NULL AND c.healed_at >= coalesce(r.begun_at, '-infinity')) AS healed,
       (SELECT count(*) FROM blobs b JOIN copies c ON c.blob_id = b.id
         WHERE c.store = s.store AND b.condemned_at IS NOT NULL) AS condemned
     FROM unnest($1::text[]) AS s (store)`,
    [stores],
  );
  return new Map(rows.map(({ store, ...counts }) => [store, counts]));
}

/** Records the start of a run. @param begunAt a time from the database, as its text. */
export async function recordVerifyRun(
  db: Queryable,
  stores: readonly string[],
  begunAt: string,
): Promise<void> {
  await db.query(
    `INSERT INTO verify_runs (store, begun_at) SELECT store, $2::timestamptz FROM unnest($1::text[]) AS s (store)
     ON CONFLICT (store) DO UPDATE SET begun_at = excluded.begun_at`,
    [stores, begunAt],
  );
}
