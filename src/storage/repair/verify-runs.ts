import type { Queryable } from '../../database/database.ts';

/** What became of copies beside what a run of verify sees of them. */
export interface BesideRun {
  /** Copies that had been missing or corrupt and were healthy again, since the run before; since ever, when there was none. */
  readonly healed: number;
  /** Copies of blobs that nothing refers to any more, and whose bytes have not left the store yet. */
  readonly condemned: number;
}

/** @returns by the names of stores. */
export async function countBesideRun(
  db: Queryable,
  stores: readonly string[],
): Promise<ReadonlyMap<string, BesideRun>> {
  const rows = await db.query<BesideRun & { store: string }>(
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

/** @param begunAt by the clock of the database, as it writes times. */
export async function recordRun(db: Queryable, stores: readonly string[], begunAt: string): Promise<void> {
  await db.query(
    `INSERT INTO verify_runs (store, begun_at) SELECT store, $2::timestamptz FROM unnest($1::text[]) AS s (store)
     ON CONFLICT (store) DO UPDATE SET begun_at = excluded.begun_at`,
    [stores, begunAt],
  );
}
