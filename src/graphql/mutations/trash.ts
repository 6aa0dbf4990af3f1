import { InputError } from '../../errors.ts';
import type { Image as ImageModel } from '../../image/image.ts';
import { purgeImage } from '../../image/trash/purge.ts';
import { deleteImage, undeleteImage } from '../../image/trash/trash.ts';
import { builder } from '../builder/builder.ts';
import { encodeImageId, IMAGE_ID, requireImage } from '../image/image.ts';
import { answer, type ImagePayload, imagePayload, type Payload, USER_ERRORS } from './payload.ts';

const ofOne = (name: string, description: string) =>
  builder.inputType(name, { description, fields: (t) => ({ id: t.id(IMAGE_ID) }) });

/** The payload of an image that was there when it was looked up. */
async function changed(id: string, change: () => Promise<ImageModel | null>) {
  const image = await change();
  if (image) return { payload: { image } };
  throw new InputError('NOT_FOUND', `There is no image ${JSON.stringify(id)}.`, { path: ['input', 'id'] });
}

interface PurgePayload extends Payload {
  readonly purgedId: string | null;
}

const PurgeImagePayload = builder.objectRef<PurgePayload>('PurgeImagePayload').implement({
  description: 'The image that is gone, or why it is not.',
  fields: (t) => ({
    purgedId: t.id({
      nullable: true,
      description: 'The `Image.id` that it had; null where `userErrors` says why.',
      resolve: ({ purgedId }) => purgedId,
    }),
    userErrors: t.expose('userErrors', USER_ERRORS),
  }),
});

builder.mutationFields((t) => ({
  deleteImage: t.field({
    type: imagePayload('DeleteImagePayload', 'The image that lies in the trash now, or why it does not.'),
    description:
      'Puts an image into the trash, and its parts with it: lists leave it out and its address answers 404. It is purged TRASH_DAYS later.',
    args: {
      input: t.arg({
        type: ofOne('DeleteImageInput', 'The image that is to go into the trash.'),
        required: true,
        description: 'Which image; one that lies there already keeps its time.',
      }),
    },
    resolve: (_root, { input: { id } }, context) =>
      answer<ImagePayload>({ image: null }, async () => {
        const image = await requireImage(context, String(id));
        return changed(String(id), () => deleteImage(context.services, image));
      }),
  }),
  undeleteImage: t.field({
    type: imagePayload('UndeleteImagePayload', 'The image that was taken out, or why it was not.'),
    description:
      'Takes an image out of the trash, and the parts that went there with it. A part is not taken out while its whole lies there (CONFLICT).',
    args: {
      input: t.arg({
        type: ofOne('UndeleteImageInput', 'The image that is to leave the trash.'),
        required: true,
        description: 'Which image; one that does not lie there stays as it is.',
      }),
    },
    resolve: (_root, { input: { id } }, context) =>
      answer<ImagePayload>({ image: null }, async () => {
        const image = await requireImage(context, String(id));
        return changed(String(id), () => undeleteImage(context.services, image));
      }),
  }),
  purgeImage: t.field({
    type: PurgeImagePayload,
    description:
      'Ends an image for good, in or out of the trash, and its parts before it. Its bytes leave every store unless another image shares them; its hash stays on record.',
    args: {
      input: t.arg({
        type: ofOne('PurgeImageInput', 'The image that is to end for good.'),
        required: true,
        description: 'Which image; CONFLICT while it or a part of it is being made.',
      }),
    },
    resolve: (_root, { input: { id } }, context) =>
      answer<PurgePayload>({ purgedId: null }, async () => {
        const image = await requireImage(context, String(id));
        await purgeImage(context.services, image);
        return { payload: { purgedId: encodeImageId(image.uuid) } };
      }),
  }),
}));
