import type { Queryable } from '../database/database.ts';
import type { CopyState } from '../storage/blob.ts';

/** A copy of a blob in one store, as it is on record. */
export interface CopyRow {
  readonly blobId: number;
  readonly store: string;
  readonly state: CopyState;
  readonly key: string;
  readonly bytes: number | null;
  readonly verifiedAt: Date | null;
  readonly error: string | null;
}

const COPIES_OF_BLOBS = `SELECT blob_id AS "blobId", store, state, key, bytes, verified_at AS "verifiedAt", error
  FROM copies WHERE blob_id = ANY($1::bigint[])`;

/**
 * Returns the copies of each blob, in the order of the ids.
 * @param readOrder names of the configured stores; copies in other stores come last, by name.
 */
export async function findCopiesOfBlobs(
  db: Queryable,
  blobIds: readonly number[],
  readOrder: readonly string[],
): Promise<CopyRow[][]> {
  const position = (row: CopyRow) => readOrder.indexOf(row.store) + 1 || readOrder.length + 1;
  const rows = await db.query<CopyRow>(COPIES_OF_BLOBS, [blobIds]);
  const byBlob = Map.groupBy(
    rows.sort((a, b) => position(a) - position(b) || a.store.localeCompare(b.store)),
    (row) => row.blobId,
  );
  return blobIds.map((id) => byBlob.get(id) ?? []);
}
