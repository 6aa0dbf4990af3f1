import { InputError } from '../../errors.ts';
import { type Image, type ImageDeps, imageOf } from '../image.ts';
import {
  cancelImages,
  endAttempt,
  type Generation,
  type GenerationQueue,
  pushWaiting,
} from './generation.ts';

const CANCEL = `WITH open AS (
    SELECT g.image_id AS open_id FROM generations g JOIN generated_images i ON i.id = g.image_id WHERE (i.id = $1 OR i.part_of = $1)
      AND g.state IN ('waiting', 'queued', 'asking', 'answered') ORDER BY g.image_id FOR UPDATE OF g
  ) UPDATE generations g SET state = 'cancelled', answer = NULL, updated_at = now() FROM open WHERE g.image_id = open_id
    RETURNING g.image_id AS "imageId", g.attempts`;

const MESSAGE = 'It was cancelled before it was done.';

/**
 * Ends a generation that is not done, with its parts. What a provider has begun may be paid for all the same, and is thrown away.
 * @throws InputError CONFLICT when there is nothing to end.
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
      throw new InputError(
        'CONFLICT',
        `Image ${image.uuid} is not being made, so there is nothing to cancel.`,
        {
          path: ['input', 'id'],
        },
      );
    }
    for (const { imageId, attempts } of generations) {
      if (attempts.at(-1)?.endedAt === null) {
        const ended = endAttempt(attempts, { code: 'CANCELLED', message: MESSAGE, retryAt: null });
        await transaction.query('UPDATE generations SET attempts = $2::text::jsonb WHERE image_id = $1', [
          imageId,
          JSON.stringify(ended),
        ]);
      }
      await pushWaiting(queue, transaction, imageId);
    }
    return cancelImages(transaction, ids, MESSAGE);
  });
  await database.flush();
  const row = cancelled.find(({ id }) => id === Number(image.id));
  // What failed already had parts that were still being made.
  return row ? imageOf(row) : image;
}
