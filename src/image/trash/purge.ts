import type { Logger } from 'pino';
import { recordAudit } from '../../audit/audit.ts';
import type { Queryable } from '../../database/database.ts';
import { FixativeError, InputError } from '../../errors.ts';
import { IMAGE_COLUMNS, type Image, type ImageDeps, type ImageRow, imageOf } from '../image.ts';
import { findAllParts } from '../related/family.ts';

/**
 * Purges an image for good, its parts first. One transaction replaces a row by a tombstone. The bytes are
 * deleted from the stores when no other image, in or out of the trash, shares them (storage/remove.ts has the
 * order). A purge that breaks off leaves the whole and the rest of its parts; another purge continues it.
 * @param options.deletedBefore purges the image only if it has been in the trash since before this time.
 * @returns how many images were purged.
 * @throws FixativeError CONFLICT while it or a part is being generated; NOT_FOUND when it is gone or was
 *   changed.
 */
export async function purgeImage(
  deps: ImageDeps,
  image: Image,
  options: { deletedBefore?: Date } = {},
): Promise<number> {
  const parts = await requirePurgeable(deps.database, image);
  const root = { id: image.id, deletedBefore: options.deletedBefore ?? null };
  for (const each of [...parts, image]) await purgeOne(deps, each, root);
  return parts.length + 1;
}

/**
 * Returns the parts of an image that can be purged.
 * @throws InputError CONFLICT while it or a part is being generated.
 */
export async function requirePurgeable(db: Queryable, image: Image): Promise<Image[]> {
  const parts = await findAllParts(db, image);
  const unfinished = [image, ...parts].find(({ status }) => status === 'pending' || status === 'processing');
  if (!unfinished) return parts;
  const subject =
    unfinished === image ? `Image ${image.uuid}` : `Part ${unfinished.part} of image ${image.uuid}`;
  throw new InputError(
    'CONFLICT',
    `${subject} is still being generated. Call cancelGeneration, then purge it.`,
    { path: ['input', 'id'], retryable: true },
  );
}

/** To avoid deadlocks, locks the whole before its parts, like deleteImage. */
const LOCK_ROOT = `SELECT i.id FROM generated_images i
  WHERE i.id = $1::bigint AND ($2::timestamptz IS NULL OR i.deleted_at < $2) FOR UPDATE`;
const LOCK_GENERATION = 'SELECT 1 FROM generations WHERE image_id = $1::bigint FOR UPDATE';
const LOCK = `SELECT i.id FROM generated_images i WHERE i.id = $1::bigint FOR UPDATE`;
/** Locks the edits by id. The foreign key sets their parent_id to NULL, in an order of its own. */
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
  // As text in UTC: pg writes a Date in the zone of the process, whose early offsets are not whole minutes.
  const times = [image.createdAt.toISOString(), image.deletedAt?.toISOString() ?? null];
  return [uuid, userId, toolName, filename, sha256, mimeType, bytes, width, height, ...times];
}

/**
 * Purges one image of a tree. Locks the root, which then cannot leave the trash, and the image, which then
 * gets no more parts.
 */
async function purgeOne(
  deps: ImageDeps,
  image: Image,
  root: { id: bigint; deletedBefore: Date | null },
): Promise<void> {
  const { uuid } = image;
  const forget = async (transaction: Queryable) => {
    // Deleted with the image. Generations are locked before images.
    await transaction.query(LOCK_GENERATION, [image.id]);
    const locked = await transaction.query(LOCK_ROOT, [root.id, root.deletedBefore]);
    const isThere = locked.length > 0;
    if (isThere && image.id !== root.id) await transaction.query(LOCK, [image.id]);
    if (isThere && (await transaction.query(FIND_PART, [image.id])).length > 0) {
      throw new InputError('CONFLICT', `Image ${uuid} got another part at the same time. Try again.`, {
        path: ['input', 'id'],
        retryable: true,
      });
    }
    if (isThere) await transaction.query(LOCK_EDITS, [image.id]);
    const deleted = isThere
      ? await transaction.query(DELETE_IMAGE, [image.id, image.blobId, image.status])
      : [];
    if (deleted.length === 0)
      throw new InputError('NOT_FOUND', `Image ${uuid} was purged or changed at the same time.`);
    await transaction.query(INSERT_TOMBSTONE, tombstoneOf(image));
    await recordAudit(transaction, { action: 'image.purge', subject: uuid });
  };
  if (image.blobId !== null) return deps.storage.remove(Number(image.blobId), forget);
  await deps.database.transaction(forget);
  await deps.database.flush();
}

/** Leaves out parts whose whole is in the trash: they are purged with it. */
const IN_TRASH_SINCE = `SELECT ${IMAGE_COLUMNS} FROM generated_images i
  WHERE i.deleted_at < $1 AND i.id > $2 AND NOT EXISTS (
    SELECT 1 FROM generated_images w WHERE w.id = i.part_of AND w.deleted_at IS NOT NULL
  ) ORDER BY i.id LIMIT 100`;

/** Returns up to 100 images that have been in the trash since before a time, by id, after `afterId`. */
export function findExpired(db: Queryable, deletedBefore: Date, afterId: number): Promise<ImageRow[]> {
  return db.query<ImageRow>(IN_TRASH_SINCE, [deletedBefore, afterId]);
}

/**
 * Purges images that have been in the trash for longer than `days`, and deletes bytes that earlier runs could
 * not delete.
 * @returns how many images were purged, and how many could not be purged.
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
    const last = rows.at(-1)?.id;
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
    if (last === undefined) break;
    after = last;
  }
  await deps.storage.removeCondemned(signal);
  return tally;
}
