import { InputError } from '../errors.ts';
import type { Image as ImageModel } from '../image/image.ts';
import { purgeImage } from '../image/purge.ts';
import { deleteImage, undeleteImage } from '../image/trash.ts';
import { builder } from './builder.ts';
import { encodeImageId, requireImage } from './image.ts';
import { answer, type ImagePayload, imagePayload, type Payload } from './payload.ts';
import { UserError } from './user-error.ts';

const ofOne = (name: string) =>
  builder.inputType(name, { fields: (t) => ({ id: t.id({ required: true }) }) });

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
  fields: (t) => ({
    purgedId: t.id({ nullable: true, resolve: ({ purgedId }) => purgedId }),
    userErrors: t.expose('userErrors', { type: [UserError] }),
  }),
});

builder.mutationFields((t) => ({
  deleteImage: t.field({
    type: imagePayload('DeleteImagePayload'),
    description:
      'Puts an image into the trash, and its parts with it: lists leave it out and its address answers 404. It is purged TRASH_DAYS later.',
    args: { input: t.arg({ type: ofOne('DeleteImageInput'), required: true }) },
    resolve: (_root, { input: { id } }, context) =>
      answer<ImagePayload>({ image: null }, async () => {
        const image = await requireImage(context, String(id));
        return changed(String(id), () => deleteImage(context.services, image));
      }),
  }),
  undeleteImage: t.field({
    type: imagePayload('UndeleteImagePayload'),
    description:
      'Takes an image out of the trash, and the parts that went there with it. A part is not taken out while its whole lies there (CONFLICT).',
    args: { input: t.arg({ type: ofOne('UndeleteImageInput'), required: true }) },
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
    args: { input: t.arg({ type: ofOne('PurgeImageInput'), required: true }) },
    resolve: (_root, { input: { id } }, context) =>
      answer<PurgePayload>({ purgedId: null }, async () => {
        const image = await requireImage(context, String(id));
        await purgeImage(context.services, image);
        return { payload: { purgedId: encodeImageId(image.uuid) } };
      }),
  }),
}));
