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

export const DURABILITIES = ['DURABLE', 'DEGRADED', 'AT_RISK', 'LOST'] as const;
/** How safe the bytes of an image are. The schema describes each value. */
export type Durability = (typeof DURABILITIES)[number];

/**
 * Returns how safe the bytes of a blob are. Statements use `durabilityIn` (list/durability.ts), which must
 * agree.
 * @param stores names of the configured stores.
 */
export function durabilityOf(
  copies: readonly Pick<CopyRow, 'store' | 'state'>[],
  stores: readonly string[],
): Durability {
  const isIn = (store: string, state: CopyState) =>
    copies.some((copy) => copy.store === store && copy.state === state);
  const healthy = stores.filter((store) => isIn(store, 'STORED'));
  const accepting = stores.filter((store) => !isIn(store, 'TOO_LARGE'));
  if (healthy.length === accepting.length && healthy.length > 0) return 'DURABLE';
  if (healthy.length === 0) return 'LOST';
  const lost = copies.some((copy) => copy.state === 'MISSING' || copy.state === 'CORRUPT');
  return healthy.length === 1 && lost ? 'AT_RISK' : 'DEGRADED';
}
