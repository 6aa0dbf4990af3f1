import type { Queryable } from '../database/database.ts';

/** Something that happened, in the form of a row of the outbox. */
export interface Occurrence {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly createdAt: Date;
}

interface BlobState {
  readonly blobId: number;
  readonly healthy: number;
  readonly bad: number;
  /** Last reported state; null: nothing was reported. */
  readonly wasLost: boolean | null;
  readonly copies: readonly { readonly store: string; readonly state: string }[];
}

/** Images of one blob that are reported. */
const MAX_IMAGES = 1000;

const STATES = `SELECT b.id AS "blobId", d.is_lost AS "wasLost",
    count(*) FILTER (WHERE c.state = 'STORED')::int AS healthy,
    count(*) FILTER (WHERE c.state IN ('MISSING', 'CORRUPT'))::int AS bad,
    json_agg(json_build_object('store', c.store, 'state', c.state) ORDER BY c.store) AS copies
  FROM blobs b JOIN copies c ON c.blob_id = b.id AND c.store = ANY($2::text[])
    LEFT JOIN webhook_durability d ON d.blob_id = b.id
  WHERE b.id = ANY($1::bigint[]) AND b.condemned_at IS NULL GROUP BY b.id, d.is_lost`;
const SAVE = `INSERT INTO webhook_durability (blob_id, is_lost) SELECT * FROM unnest($1::bigint[], $2::boolean[])
  ON CONFLICT (blob_id) DO UPDATE SET is_lost = excluded.is_lost`;
const FORGET = `DELETE FROM webhook_durability WHERE blob_id = ANY($1::bigint[])`;
const IMAGES = `SELECT blob.id AS "blobId", image.data FROM unnest($1::bigint[]) AS blob (id) CROSS JOIN LATERAL (
    SELECT fixative_webhook_image(i) AS data FROM generated_images i WHERE i.blob_id = blob.id
    ORDER BY i.id LIMIT ${MAX_IMAGES}) image`;

/**
 * Returns an event for each image whose durability has become worse since the last report: all copies were
 * healthy and one is not, or no copy is healthy any more. Remembers what is reported.
 * @param rows of the outbox, each with the id of a blob of which a copy changed.
 */
export async function findDurabilityChanges(
  transaction: Queryable,
  rows: readonly Occurrence[],
  stores: readonly string[],
): Promise<Occurrence[]> {
  if (rows.length === 0) return [];
  const changedAt = new Map(rows.map(({ data, createdAt }) => [Number(data.blobId), createdAt]));
  // Otherwise one wrong row of the outbox would stop the dispatch of all.
  for (const id of changedAt.keys()) if (!Number.isSafeInteger(id)) changedAt.delete(id);
  const states = await transaction.query<BlobState>(STATES, [[...changedAt.keys()], stores]);
  const known = new Map(states.map((state) => [Number(state.blobId), state]));
  // A purged blob has no row.
  const sound = [...changedAt.keys()].filter((id) => !isUnsound(known.get(id)));
  const unsound = states.filter(isUnsound);
  if (sound.length > 0) await transaction.query(FORGET, [sound]);
  if (unsound.length === 0) return [];
  await transaction.query(SAVE, [unsound.map(({ blobId }) => blobId), unsound.map(isLost)]);
  const worse = unsound.filter((state) => state.wasLost === null || (isLost(state) && !state.wasLost));
  const images = await transaction.query<{ blobId: number; data: Occurrence['data'] }>(IMAGES, [
    worse.map(({ blobId }) => blobId),
  ]);
  return images.flatMap(({ blobId, data }) => {
    const state = known.get(Number(blobId));
    const createdAt = changedAt.get(Number(blobId));
    if (!state || !createdAt) return [];
    const type = isLost(state) ? 'image.lost' : 'image.degraded';
    return [{ type, data: { ...data, copies: state.copies }, createdAt }];
  });
}

const isLost = ({ healthy }: BlobState) => healthy === 0;
const isUnsound = (state: BlobState | undefined) => state !== undefined && state.bad > 0;
