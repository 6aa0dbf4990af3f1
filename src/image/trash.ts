import type { Database } from '../database/database.ts';
import { IMAGE_COLUMNS, type Image, type ImageRow, imageOf } from './image.ts';

const DELETE = `UPDATE generated_images i SET deleted_at = coalesce(i.deleted_at, now()), updated_at = now()
  WHERE i.id = $1 RETURNING ${IMAGE_COLUMNS}`;
const UNDELETE = `UPDATE generated_images i SET deleted_at = NULL, updated_at = now() WHERE i.id = $1 RETURNING ${IMAGE_COLUMNS}`;

/**
 * Puts an image into the trash: lists leave it out, its address answers 404, its bytes stay and are verified and repaired as before.
 * One that is there already keeps its time.
 * @returns the image, or null when it was purged meanwhile.
 */
export function deleteImage(deps: { database: Database }, image: Pick<Image, 'id'>): Promise<Image | null> {
  return change(deps.database, DELETE, image);
}

/** Takes an image out of the trash; one that is not in it stays as it is. */
export function undeleteImage(deps: { database: Database }, image: Pick<Image, 'id'>): Promise<Image | null> {
  return change(deps.database, UNDELETE, image);
}

async function change(database: Database, sql: string, image: Pick<Image, 'id'>): Promise<Image | null> {
  const [row] = await database.query<ImageRow>(sql, [Number(image.id)]);
  await database.flush();
  return row ? imageOf(row) : null;
}
