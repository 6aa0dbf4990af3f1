import type { Queryable } from '../../database/database.ts';
import { GENERATION_COLUMNS, type Generation } from './generation.ts';

const OF_IMAGES = `SELECT ${GENERATION_COLUMNS} FROM generations g WHERE g.image_id = ANY($1::bigint[])`;

/**
 * Returns the generation of each image, in the order of the ids; null for images that were not generated
 * here.
 */
export async function findGenerationsOfImages(
  db: Queryable,
  imageIds: readonly number[],
): Promise<(Generation | null)[]> {
  const rows = await db.query<Generation>(OF_IMAGES, [imageIds]);
  const byImage = new Map(rows.map((row) => [row.imageId, row]));
  return imageIds.map((id) => byImage.get(id) ?? null);
}
