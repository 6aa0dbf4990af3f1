import { FixativeError } from '../../errors.ts';
import { restoreImage } from '../../image/restore.ts';
import { builder } from '../builder/builder.ts';
import { Copy, type CopyOfImage } from '../image/copy.ts';
import { copiesOf, IMAGE_ID, requireImage } from '../image/image.ts';
import { answer, IMAGE, type ImagePayload, USER_ERRORS } from './payload.ts';

const RestoreImageInput = builder.inputType('RestoreImageInput', {
  description: 'The image whose copies are to be healthy, and where.',
  fields: (t) => ({
    id: t.id(IMAGE_ID),
    stores: t.stringList({ description: 'The stores to restore; all without it.' }),
  }),
});

interface RestorePayload extends ImagePayload {
  readonly restored: readonly CopyOfImage[];
  readonly source: string | null;
}

const RestoreImagePayload = builder.objectRef<RestorePayload>('RestoreImagePayload').implement({
  description:
    'What was restored, and what could not be. Both may be in one answer, for each store is restored by itself.',
  fields: (t) => ({
    image: t.expose('image', { ...IMAGE, description: 'The image; null where `id` names none.' }),
    restored: t.field({
      type: [Copy],
      description: 'The copies that were made now; empty when all were right.',
      resolve: ({ restored }) => [...restored],
    }),
    source: t.exposeString('source', { nullable: true, description: 'The store that they were made from.' }),
    userErrors: t.expose('userErrors', USER_ERRORS),
  }),
});

builder.mutationField('restoreImage', (t) =>
  t.field({
    type: RestoreImagePayload,
    description: 'Reads every copy of an image, and makes every store hold a healthy one again.',
    args: {
      input: t.arg({
        type: RestoreImageInput,
        required: true,
        description: 'Which image, and in which stores.',
      }),
    },
    resolve: (_root, { input }, context) =>
      answer<RestorePayload>({ image: null, restored: [], source: null }, async () => {
        const image = await requireImage(context, String(input.id));
        try {
          const { restored, source, failed } = await restoreImage(context.services, image, input);
          const names = restored.map((copy) => copy.store);
          const copies = restored.length > 0 ? await copiesOf(image, context) : [];
          return {
            payload: { image, restored: copies.filter((copy) => names.includes(copy.store)), source },
            errors: failed,
          };
        } catch (error) {
          if (!(error instanceof FixativeError)) throw error;
          return { payload: { image, restored: [], source: null }, errors: [error] };
        }
      }),
  }),
);
