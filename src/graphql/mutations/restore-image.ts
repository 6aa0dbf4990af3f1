import { FixativeError } from '../../errors.ts';
import { restoreImage } from '../../image/restore.ts';
import { LIST_COST } from '../builder/costs.ts';
import { Copy, type CopyOfImage, copiesOf } from '../image/copy.ts';
import { Image } from '../image/image.ts';
import { IMAGE_ID, requireImage } from '../image/image-id.ts';
import { type ImageResult, mutation, type PayloadOptions } from './mutation.ts';

interface RestoreResult extends ImageResult {
  readonly restored: readonly CopyOfImage[];
  readonly source: string | null;
}

const EMPTY: RestoreResult = { image: null, restored: [], source: null };

const payload: PayloadOptions<RestoreResult> = {
  description:
    'Payload of `restoreImage`. Each store is restored by itself: copies may be restored even if `userErrors` is not empty.',
  empty: EMPTY,
  fields: (t) => ({
    image: t.expose('image', {
      type: Image,
      nullable: true,
      description: 'The image; null if it was not found.',
    }),
    restored: t.field({
      type: [Copy],
      description: 'Copies that were made by this mutation; empty if all were healthy.',
      extensions: { cost: LIST_COST },
      resolve: ({ restored }) => [...restored],
    }),
    source: t.exposeString('source', {
      nullable: true,
      description: 'Name of the store that the copies were made from; null if none were made.',
    }),
  }),
};

mutation({
  name: 'restoreImage',
  scope: 'images:write',
  description:
    'Reads every copy of an image, and replaces those that are missing or damaged by a healthy one.',
  input: {
    description: 'The image to restore, and in which stores.',
    fields: (t) => ({
      id: t.id(IMAGE_ID),
      stores: t.stringList({ description: 'Names of the stores to restore. Default: all stores.' }),
    }),
  },
  payload,
  async resolve(input, context) {
    const image = await requireImage(context, String(input.id));
    try {
      const { restored, source, failed } = await restoreImage(context.services, image, input);
      const names = restored.map((copy) => copy.store);
      const copies = restored.length > 0 ? await copiesOf(image, context) : [];
      return {
        image,
        restored: copies.filter((copy) => names.includes(copy.store)),
        source,
        errors: failed,
      };
    } catch (error) {
      if (!(error instanceof FixativeError)) throw error;
      return { ...EMPTY, image, errors: [error] };
    }
  },
});
