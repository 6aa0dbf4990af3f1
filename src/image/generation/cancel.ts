import { recordAudit } from '../../audit/audit.ts';
import { InputError } from '../../errors.ts';
import { type Image, type ImageDeps, imageOf } from '../image.ts';
import {
  endAttempt,
  type Generation,
  type GenerationQueue,
  queueDependents,
  showCancelled,
} from './generation.ts';

const CANCEL = `WITH open AS (
    SELECT g.image_id AS open_id FROM generations g JOIN generated_images i ON i.id = g.image_id WHERE (i.id = $1 OR i.part_of = $1)
      AND g.state IN ('waiting', 'queued', 'asking', 'answered') ORDER BY g.image_id FOR UPDATE OF g
  ) UPDATE generations g SET state = 'cancelled', answer = NULL, updated_at = now() FROM open WHERE g.image_id = open_id
    RETURNING g.image_id AS "imageId", g.attempts`;

const MESSAGE = 'The generation was cancelled before it was done.';

/**
 * Cancels the unfinished generation of an image, and those of its parts. A call that is under way may still
 * be charged; its response is discarded.
 * @throws InputError CONFLICT when nothing is unfinished.
 */
export async function cancelGeneration(
  { database, queue }: Pick<ImageDeps, 'database'> & { readonly queue: GenerationQueue },
  image: Image,
): Promise<Image> {
  const cancelled = await database.transaction(async (transaction) => {
    const generations = await transaction.query<Pick<Generation, 'imageId' | 'attempts'>>(CANCEL, [
      Number(image.id),
    ]);
    const ids = generations.map(({ imageId }) => imageId);
    if (ids.length === 0) {
      const message = `Image ${image.uuid} is not being generated, so there is nothing to cancel.`;
      throw new InputError('CONFLICT', message, { path: ['input', 'id'] });
    }
    for (const { imageId, attempts } of generations) {
      if (attempts.at(-1)?.endedAt === null) {
        const ended = endAttempt(attempts, { code: 'CANCELLED', message: MESSAGE, retryAt: null });
        await transaction.query('UPDATE generations SET attempts = $2::text::jsonb WHERE image_id = $1', [
          imageId,
          JSON.stringify(ended),
        ]);
      }
      await queueDependents(queue, transaction, imageId);
    }
    await recordAudit(transaction, { action: 'image.cancel', subject: image.uuid });
    return showCancelled(transaction, ids, MESSAGE);
  });
  await database.flush();
  const row = cancelled.find(({ id }) => id === Number(image.id));
  // The image itself may have failed before, while some of its parts were unfinished.
  return row ? imageOf(row) : image;
}
