import type { Queryable } from '../../database/database.ts';
import { IMAGE_COLUMNS, type Image, type ImageRow, imageOf, OF_USER } from '../image.ts';

/** Most images to return for one hash. */
export const MAX_DUPLICATES = 100;

const SAME_BYTES = `SELECT s.* FROM unnest($1::bpchar[]) AS h(sha256), LATERAL (
    SELECT ${IMAGE_COLUMNS} FROM generated_images i
    WHERE i.sha256 = h.sha256 AND i.deleted_at IS NULL AND ${OF_USER} ORDER BY i.id LIMIT ${MAX_DUPLICATES + 1}
  ) s`;

/**
 * Finds images by the hash of their bytes.
 * @returns for each hash its images, oldest first, up to one more than MAX_DUPLICATES.
 */
export async function findByHashes(
  db: Queryable,
  hashes: readonly string[],
  visibleTo: string | null,
): Promise<Image[][]> {
  const rows = await db.query<ImageRow>(SAME_BYTES, [hashes, visibleTo]);
  const byHash = Map.groupBy(rows.map(imageOf), (image) => image.sha256 ?? '');
  return hashes.map((sha256) => byHash.get(sha256) ?? []);
}

/** @returns for each image the last time at which its user has purged one of the same bytes; null: never. */
export async function findPurges(
  db: Queryable,
  images: readonly Pick<Image, 'sha256' | 'userId'>[],
): Promise<(Date | null)[]> {
  const rows = await db.query<{ sha256: string; userId: string; at: Date }>(
    `SELECT sha256, user_id AS "userId", max(purged_at) AS at FROM tombstones
     WHERE sha256 = ANY($1::bpchar[]) AND user_id = ANY($2::text[]) GROUP BY 1, 2`,
    [images.map((image) => image.sha256), images.map((image) => image.userId)],
  );
  return images.map(
    ({ sha256, userId }) => rows.find((row) => row.sha256 === sha256 && row.userId === userId)?.at ?? null,
  );
}
