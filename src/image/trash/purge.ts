import type { Logger } from 'pino';
import type { Queryable } from '../../database/database.ts';
import { FixativeError, InputError } from '../../errors.ts';
import { IMAGE_COLUMNS, type Image, type ImageDeps, type ImageRow, imageOf } from '../image.ts';
import { findAllParts } from '../related/family.ts';

/**
 * Ends an image for good, and its parts before it. A row makes way for a tombstone in one transaction; its bytes leave the stores when no
 * other image, in or out of the trash, shares them (storage/remove.ts says in which order). A purge that breaks off leaves the whole with
 * the parts that are not gone yet, and is gone on with by another.
 * @param options.deletedBefore only if it lies in the trash since before that time: somebody may have taken it out.
 * @returns how many images went.
 * @throws FixativeError CONFLICT while it or a part is being made; NOT_FOUND when it is gone, or no longer as it was read.
 */
export async function purgeImage(
  deps: ImageDeps,
  image: Image,
  options: { deletedBefore?: Date } = {},
): Promise<number> {
  const parts = await findAllParts(deps.database, image);
  // Before anything goes.
  const unfinished = [image, ...parts].find(({ status }) => status === 'pending' || status === 'processing');
  if (unfinished) {
    const subject =
      unfinished === image ? `Image ${image.uuid}` : `Part ${unfinished.part} of image ${image.uuid}`;
    throw new InputError(
      'CONFLICT',
      `${subject} is still being made; cancelGeneration ends that, and it can be purged then.`,
      {
        path: ['input', 'id'],
        retryable: true,
      },
    );
  }
  const root = { id: image.id, deletedBefore: options.deletedBefore ?? null };
  for (const each of [...parts, image]) await purgeOne(deps, each, root);
  return parts.length + 1;
}

/** The root first, then what is of it, as deleteImage does: so nobody waits for another who waits for him. */
const LOCK_ROOT = `SELECT i.id FROM generated_images i
  WHERE i.id = $1::bigint AND ($2::timestamptz IS NULL OR i.deleted_at < $2) FOR UPDATE`;
const LOCK_GENERATION = 'SELECT 1 FROM generations WHERE image_id = $1::bigint FOR UPDATE';
const LOCK = `SELECT i.id FROM generated_images i WHERE i.id = $1::bigint FOR UPDATE`;
/** What was edited from it outlives it, and names it no more: the database changes those as it meets them, so they are locked before. */
const LOCK_EDITS =
  'SELECT 1 FROM generated_images WHERE parent_id = $1::bigint ORDER BY id FOR NO KEY UPDATE';

const FIND_PART = 'SELECT 1 FROM generated_images WHERE part_of = $1::bigint LIMIT 1';
const DELETE_IMAGE = `DELETE FROM generated_images
  WHERE id = $1::bigint AND blob_id IS NOT DISTINCT FROM $2::bigint AND status = $3 RETURNING id`;
const INSERT_TOMBSTONE = `INSERT INTO tombstones
    (uuid, user_id, tool_name, filename, sha256, mime_type, bytes, width, height, created_at, deleted_at)
  VALUES ($1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`;

/** The values of INSERT_TOMBSTONE. */
function tombstoneOf(image: Image): unknown[] {
  const { uuid, userId, toolName, filename, sha256, mimeType, bytes, width, height } = image;
  const { createdAt, deletedAt } = image;
  return [uuid, userId, toolName, filename, sha256, mimeType, bytes, width, height, createdAt, deletedAt];
}

/**
 * Purges one image of a tree. Its root is locked, so that it does not leave the trash meanwhile, and so is the image, so that it gets no
 * more parts.
 */
async function purgeOne(
  deps: ImageDeps,
  image: Image,
  root: { id: bigint; deletedBefore: Date | null },
): Promise<void> {
  const { uuid } = image;
  const forget = async (transaction: Queryable) => {
    // It goes with the image.
    await transaction.query(LOCK_GENERATION, [image.id]);
    const locked = await transaction.query(LOCK_ROOT, [root.id, root.deletedBefore]);
    const isThere = locked.length > 0;
    if (isThere && image.id !== root.id) await transaction.query(LOCK, [image.id]);
    if (isThere && (await transaction.query(FIND_PART, [image.id])).length > 0) {
      throw new InputError('CONFLICT', `Image ${uuid} has got more parts meanwhile; try again.`, {
        path: ['input', 'id'],
        retryable: true,
      });
    }
    if (isThere) await transaction.query(LOCK_EDITS, [image.id]);
    const deleted = isThere
      ? await transaction.query(DELETE_IMAGE, [image.id, image.blobId, image.status])
      : [];
    if (deleted.length === 0)
      throw new InputError('NOT_FOUND', `Image ${uuid} is gone, or was changed meanwhile.`);
    await transaction.query(INSERT_TOMBSTONE, tombstoneOf(image));
  };
  if (image.blobId !== null) return deps.storage.remove(Number(image.blobId), forget);
  await deps.database.transaction(forget);
  await deps.database.flush();
}

/** Parts whose whole lies in the trash go when that goes, all or none. */
const IN_TRASH_SINCE = `SELECT ${IMAGE_COLUMNS} FROM generated_images i
  WHERE i.deleted_at < $1 AND i.id > $2 AND NOT EXISTS (
    SELECT 1 FROM generated_images w WHERE w.id = i.part_of AND w.deleted_at IS NOT NULL
  ) ORDER BY i.id LIMIT 100`;

/** Images that lie in the trash since before a time, a hundred at a time by their ids. */
export function findExpired(db: Queryable, deletedBefore: Date, afterId: number): Promise<ImageRow[]> {
  return db.query<ImageRow>(IN_TRASH_SINCE, [deletedBefore, afterId]);
}

/**
 * Purges what has been in the trash for longer than `days`, longest ago first, and removes the bytes that earlier runs could not.
 * @returns how many images were purged, and how many could not be.
 */
export async function purgeTrash(
  deps: ImageDeps & { log: Logger },
  days: number,
  signal?: AbortSignal,
): Promise<{ purged: number; failed: number }> {
  const tally = { purged: 0, failed: 0 };
  const deletedBefore = new Date(Date.now() - days * 86_400_000);
  for (let after = 0; ; ) {
    const rows = await findExpired(deps.database, deletedBefore, after);
    for (const row of rows) {
      signal?.throwIfAborted();
      try {
        tally.purged += await purgeImage(deps, imageOf(row), { deletedBefore });
      } catch (error) {
        if (!(error instanceof FixativeError)) throw error;
        if (error.code === 'NOT_FOUND') continue;
        tally.failed++;
        deps.log.warn({ image: row.uuid, err: error }, 'could not purge an image');
      }
    }
    const last = rows.at(-1);
    if (!last) break;
    after = last.id;
  }
  await deps.storage.removeCondemned(signal);
  return tally;
}
