import type { Queryable } from '../../database/database.ts';
import { hasProvenance, type Provenance } from '../../provenance/provenance.ts';

/** JSON goes as text: no driver parses and writes it again. */
const KEEP = `INSERT INTO provenance (blob_id, data, content_credentials) VALUES ($1::bigint, $2::text::jsonb, $3::boolean)
  ON CONFLICT (blob_id) DO UPDATE SET data = excluded.data, content_credentials = excluded.content_credentials`;

/** Records the provenance that a blob's bytes contain, if they contain any. */
export async function keepProvenance(
  transaction: Queryable,
  blobId: number,
  provenance: Provenance,
): Promise<void> {
  if (!hasProvenance(provenance)) return;
  const { hasContentCredentials, ...data } = provenance;
  await transaction.query(KEEP, [blobId, JSON.stringify(data), hasContentCredentials]);
}

const LOAD = `SELECT blob_id AS "blobId", data, content_credentials AS "hasContentCredentials" FROM provenance
  WHERE blob_id = ANY($1::bigint[])`;

/** @returns the provenance of each blob, or null, in their order. */
export async function findProvenances(
  db: Queryable,
  blobIds: readonly number[],
): Promise<(Provenance | null)[]> {
  type Row = {
    blobId: number;
    data: Omit<Provenance, 'hasContentCredentials'>;
    hasContentCredentials: boolean;
  };
  const rows = await db.query<Row>(LOAD, [blobIds]);
  const found = new Map(
    rows.map(({ blobId, data, hasContentCredentials }) => [blobId, { ...data, hasContentCredentials }]),
  );
  return blobIds.map((id) => found.get(id) ?? null);
}
