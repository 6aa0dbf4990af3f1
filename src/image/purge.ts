import type { Logger } from 'pino';
import type { PrismaTransaction } from '../database/database.ts';
import { FixativeError, InputError } from '../errors.ts';
import { IMAGE_COLUMNS, type Image, type ImageDeps, type ImageRow, imageOf } from './image.ts';

/**
 * Ends an image for good. Its row makes way for a tombstone in one transaction; its bytes leave the stores when no other image, in or out of
 * the trash, shares them (storage/remove.ts says in which order).
 * @param options.deletedBefore only if it lies in the trash since before that time: somebody may have taken it out.
 * @throws FixativeError CONFLICT while it is being made; NOT_FOUND when it is gone, or no longer as it was read.
 */
export async function purgeImage(
  deps: ImageDeps,
  image: Image,
  options: { deletedBefore?: Date } = {},
): Promise<void> {
  if (image.status === 'pending' || image.status === 'processing') {
    throw new InputError(
      'CONFLICT',
      `Image ${image.uuid} is still being made; cancelGeneration ends that, and it can be purged then.`,
      {
        path: ['input', 'id'],
        retryable: true,
      },
    );
  }
  const { uuid, userId, toolName, filename, sha256, mimeType, bytes, width, height, createdAt } = image;
  const forget = async (transaction: PrismaTransaction) => {
    const { count } = await transaction.image.deleteMany({
      where: {
        id: image.id,
        blobId: image.blobId,
        status: image.status,
        ...(options.deletedBefore ? { deletedAt: { lt: options.deletedBefore } } : {}),
      },
    });
    if (count === 0) throw new InputError('NOT_FOUND', `Image ${uuid} is gone, or was changed meanwhile.`);
    const facts = { sha256, mimeType, bytes, width, height };
    await transaction.tombstone.create({
      data: { uuid, userId, toolName, filename, ...facts, createdAt, deletedAt: image.deletedAt },
    });
  };
  if (image.blobId !== null) return deps.storage.remove(Number(image.blobId), forget);
  await deps.database.prisma.$transaction(forget);
  await deps.database.flush();
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
    const rows = await deps.database.query<ImageRow>(
      `SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.deleted_at < $1 AND i.id > $2 ORDER BY i.id LIMIT 100`,
      [deletedBefore, after],
    );
    for (const row of rows) {
      signal?.throwIfAborted();
      try {
        await purgeImage(deps, imageOf(row), { deletedBefore });
        tally.purged++;
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
