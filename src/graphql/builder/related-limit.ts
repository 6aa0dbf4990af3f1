import { InputError } from '../../errors.ts';
import type { GraphqlContext } from '../context.ts';

export const MAX_RELATED_PER_REQUEST = 10_000;

/**
 * Counts the images of a list within an image against the limit of the request.
 * @throws InputError LIMIT_REACHED
 */
export function takeRelated<Related>(context: GraphqlContext, images: Related[]): Related[] {
  context.relatedLeft -= images.length;
  if (context.relatedLeft >= 0) return images;
  throw new InputError(
    'LIMIT_REACHED',
    `The document asks for more than ${MAX_RELATED_PER_REQUEST} duplicates, parts and edits. Ask for a smaller page, or do not nest them.`,
  );
}
