/** Mutations that move images into the trash, out of it, and purge them. */
import type { Image } from '../../image/image.ts';
import { purgeImage } from '../../image/trash/purge.ts';
import { deleteImage, undeleteImage } from '../../image/trash/trash.ts';
import type { InputFields } from '../builder/builder.ts';
import { encodeImageId, IMAGE_ID, imageNotFound, requireImage } from '../image/image-id.ts';
import { imagePayload, mutation } from './mutation.ts';

const imageIdField = (t: InputFields) => ({ id: t.id(IMAGE_ID) });

mutation({
  name: 'deleteImage',
  scope: 'images:write',
  description:
    'Moves an image and its parts to the trash: lists leave them out and their addresses return 404. They are purged TRASH_DAYS days later (a server setting); until then `undeleteImage` takes them out. An image that is already in the trash keeps its `deletedAt`.',
  input: { description: 'The image to move to the trash.', fields: imageIdField },
  payload: imagePayload('Payload of `deleteImage`.'),
  async resolve({ id }, context) {
    const image = await requireImage(context, String(id));
    return { image: requireFound(await deleteImage(context.services, image), String(id)) };
  },
});

mutation({
  name: 'undeleteImage',
  scope: 'images:write',
  description:
    'Takes an image out of the trash, with the parts that were moved there with it. An image that is not in the trash stays as it is. CONFLICT for a part whose whole is in the trash.',
  input: { description: 'The image to take out of the trash.', fields: imageIdField },
  payload: imagePayload('Payload of `undeleteImage`.'),
  async resolve({ id }, context) {
    const image = await requireImage(context, String(id));
    return { image: requireFound(await undeleteImage(context.services, image), String(id)) };
  },
});

mutation({
  name: 'purgeImage',
  scope: 'images:write',
  description:
    'Deletes an image and its parts permanently, in the trash or not. The bytes are deleted from every store, unless another image shares them; their hash stays on record. CONFLICT while the image or one of its parts is being generated.',
  input: { description: 'The image to delete permanently.', fields: imageIdField },
  payload: {
    description: 'Payload of `purgeImage`.',
    empty: { purgedId: null as string | null },
    fields: (t) => ({
      purgedId: t.id({
        nullable: true,
        description: '`Image.id` of the purged image; null if the mutation failed and `userErrors` says why.',
        resolve: ({ purgedId }) => purgedId,
      }),
    }),
  },
  async resolve({ id }, context) {
    const image = await requireImage(context, String(id));
    await purgeImage(context.services, image);
    return { purgedId: encodeImageId(image.uuid) };
  },
});

/** @throws InputError NOT_FOUND for an image that was purged after it was looked up. */
function requireFound(image: Image | null, id: string): Image {
  if (image) return image;
  throw imageNotFound(id);
}
