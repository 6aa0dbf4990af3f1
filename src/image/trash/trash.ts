import { type AuditAction, recordAudit } from '../../audit/audit.ts';
import type { Queryable, Writable } from '../../database/database.ts';
import { InputError } from '../../errors.ts';
import type { ForgetsImages } from '../bytes.ts';
import { IMAGE_COLUMNS, type Image, type ImageRow, imageOf } from '../image.ts';
import { lockTrees, TREE, TREES } from '../related/family.ts';

interface TrashDeps {
  readonly database: Writable;
  readonly imageBytes: ForgetsImages;
}

const TRASHED_WHOLE = `SELECT w.uuid FROM generated_images i JOIN generated_images w ON w.id = i.part_of
  WHERE i.id = $1 AND w.deleted_at IS NOT NULL`;

/** Parts get the time of the whole. What was in the trash before keeps its time. */
const TRASH = `${TREES}
  UPDATE generated_images i SET deleted_at = coalesce(i.deleted_at, w.deleted_at, now()), updated_at = now()
  FROM tree JOIN generated_images w ON w.id = tree.root
  WHERE i.id = tree.id AND (i.id = tree.root OR i.deleted_at IS NULL) RETURNING ${IMAGE_COLUMNS}`;

/**
 * Puts some images and their parts into the trash. The caller has locked them by lockTrees.
 * @returns the images and parts that were changed.
 */
export const trashTrees = (transaction: Queryable, ids: readonly number[]): Promise<ImageRow[]> =>
  transaction.query<ImageRow>(TRASH, [ids]);

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
  return changeTree(deps, 'image.delete', image, trashTrees);
}

/**
 * Takes an image out of the trash, with the parts that were deleted with it. An image that is not in the
 * trash stays as it is.
 * @returns the image; null: it was purged.
 * @throws InputError CONFLICT for a part whose whole is in the trash: it would be purged with that.
 */
export function undeleteImage(deps: TrashDeps, image: Pick<Image, 'id'>): Promise<Image | null> {
  return changeTree(deps, 'image.undelete', image, untrash);
}

/** @throws InputError CONFLICT */
async function untrash(transaction: Queryable, [id]: readonly number[]): Promise<ImageRow[]> {
  const [whole] = await transaction.query<{ uuid: string }>(TRASHED_WHOLE, [id]);
  if (!whole) return transaction.query<ImageRow>(UNDELETE, [id]);
  const message = `The image is a part of image ${whole.uuid}, which is in the trash. Call undeleteImage for that one.`;
  throw new InputError('CONFLICT', message, { path: ['input', 'id'] });
}

async function changeTree(
  { database, imageBytes }: TrashDeps,
  action: AuditAction,
  image: Pick<Image, 'id'>,
  change: (transaction: Queryable, ids: readonly number[]) => Promise<ImageRow[]>,
): Promise<Image | null> {
  const ids = [Number(image.id)];
  const isRoot = ({ id }: ImageRow) => id === ids[0];
  const rows = await database.transaction(async (transaction) => {
    await lockTrees(transaction, ids);
    const changed = await change(transaction, ids);
    const root = changed.find(isRoot);
    if (root)
      await recordAudit(transaction, { action, subject: root.uuid, details: { images: changed.length } });
    return changed;
  });
  imageBytes.forget(rows.map(({ uuid }) => uuid));
  await database.flush();
  const row = rows.find(isRoot);
  return row ? imageOf(row) : null;
}
