import { type AuditAction, recordAudit } from '../../audit/audit.ts';
import type { Database } from '../../database/database.ts';
import { InputError } from '../../errors.ts';
import type { ForgetsImages } from '../bytes.ts';
import { IMAGE_COLUMNS, type Image, type ImageRow, imageOf } from '../image.ts';
import { lockTree, TREE } from '../related/family.ts';

interface TrashDeps {
  readonly database: Database;
  readonly imageBytes: ForgetsImages;
}

const TRASHED_WHOLE = `SELECT w.uuid FROM generated_images i JOIN generated_images w ON w.id = i.part_of
  WHERE i.id = $1 AND w.deleted_at IS NOT NULL`;

/** Parts get the time of the whole. Parts that were in the trash before keep theirs. */
const DELETE = `${TREE}
  UPDATE generated_images i SET deleted_at = coalesce(i.deleted_at, (SELECT w.deleted_at FROM generated_images w WHERE w.id = $1), now()),
    updated_at = now()
  WHERE i.id IN (SELECT id FROM tree) AND (i.id = $1 OR i.deleted_at IS NULL) RETURNING ${IMAGE_COLUMNS}`;

/** Parts that were deleted with the whole have its time. */
const UNDELETE = `${TREE}
  UPDATE generated_images i SET deleted_at = NULL, updated_at = now()
  WHERE i.id IN (SELECT id FROM tree)
    AND (i.id = $1 OR i.deleted_at = (SELECT w.deleted_at FROM generated_images w WHERE w.id = $1)) RETURNING ${IMAGE_COLUMNS}`;

/**
 * Puts an image and its parts into the trash. Lists leave it out, and its address returns 404. Its bytes
 * stay, and are verified and repaired. An image that is in the trash already keeps its time.
 * @returns the image; null: it was purged.
 */
export function deleteImage(deps: TrashDeps, image: Pick<Image, 'id'>): Promise<Image | null> {
  return changeTree(deps, DELETE, 'image.delete', image);
}

/**
 * Takes an image out of the trash, with the parts that were deleted with it. An image that is not in the
 * trash stays as it is.
 * @returns the image; null: it was purged.
 * @throws InputError CONFLICT for a part whose whole is in the trash: it would be purged with that.
 */
export function undeleteImage(deps: TrashDeps, image: Pick<Image, 'id'>): Promise<Image | null> {
  return changeTree(deps, UNDELETE, 'image.undelete', image);
}

async function changeTree(
  { database, imageBytes }: TrashDeps,
  sql: string,
  action: AuditAction,
  image: Pick<Image, 'id'>,
): Promise<Image | null> {
  const id = Number(image.id);
  const rows = await database.transaction(async (transaction) => {
    await lockTree(transaction, image);
    const [whole] = sql === UNDELETE ? await transaction.query<{ uuid: string }>(TRASHED_WHOLE, [id]) : [];
    if (whole) {
      const message = `The image is a part of image ${whole.uuid}, which is in the trash. Call undeleteImage for that one.`;
      throw new InputError('CONFLICT', message, { path: ['input', 'id'] });
    }
    const changed = await transaction.query<ImageRow>(sql, [id]);
    const root = changed.find((each) => each.id === id);
    if (root)
      await recordAudit(transaction, { action, subject: root.uuid, details: { images: changed.length } });
    return changed;
  });
  imageBytes.forget(rows.map(({ uuid }) => uuid));
  await database.flush();
  const row = rows.find((each) => each.id === id);
  return row ? imageOf(row) : null;
}
