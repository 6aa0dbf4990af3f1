import { InputError } from '../../errors.ts';
import type { Image } from '../../image/image.ts';
import type { GraphqlContext } from '../context.ts';

export const MAX_RELATED_PER_REQUEST = 10_000;

/**
 * Counts what a list within an image answers against what a request may have of such lists.
 * @throws InputError LIMIT_REACHED
 */
export function takeRelated(context: GraphqlContext, images: Image[]): Image[] {
  context.relatedLeft -= images.length;
  if (context.relatedLeft >= 0) return images;
  throw new InputError(
    'LIMIT_REACHED',
    `The document asks for more than ${MAX_RELATED_PER_REQUEST} duplicates, parts and edits; ask for a smaller page, or do not nest them.`,
  );
}
