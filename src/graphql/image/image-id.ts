import { InputError } from '../../errors.ts';
import { type Image, parseUuid } from '../../image/image.ts';
import { decodeId, encodeId } from '../builder/global-id.ts';
import type { GraphqlContext } from '../context.ts';

/** Options of an argument or field that `parseImageId` reads. */
export const IMAGE_ID = {
  required: true,
  description: 'ID of the image: `Image.id` or `Image.uuid`. INVALID_ID for anything else.',
} as const;

export const encodeImageId = (uuid: string) => encodeId({ type: 'Image', key: uuid });

/**
 * Returns the uuid of an image by its global id or its uuid.
 * @throws InputError INVALID_ID
 */
export function parseImageId(id: string, path: readonly string[] = ['id']): string {
  const decoded = decodeId(id);
  const uuid = parseUuid(id) ?? (decoded?.type === 'Image' ? parseUuid(decoded.key) : null);
  if (uuid) return uuid;
  throw new InputError(
    'INVALID_ID',
    `${quote(id)} is not the id of an image. Use \`Image.id\` or \`Image.uuid\`.`,
    { path },
  );
}

/**
 * Returns the image that `input.id` names.
 * @throws InputError NOT_FOUND, INVALID_ID
 */
export async function requireImage(context: GraphqlContext, id: string): Promise<Image> {
  const image = await context.loaders.imageByUuid.load(parseImageId(id, ['input', 'id']));
  if (image) return image;
  throw imageNotFound(id);
}

/** Returns the error for `input.id` that names no image, or none that the caller may see. */
export const imageNotFound = (id: string) =>
  new InputError('NOT_FOUND', `There is no image ${quote(id)}.`, { path: ['input', 'id'] });

const quote = (id: string) => JSON.stringify(id.slice(0, 100));
