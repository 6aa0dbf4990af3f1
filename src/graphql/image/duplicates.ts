import type { DuplicateError } from '../../errors.ts';
import { MAX_DUPLICATES } from '../../image/related/duplicates.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
import { takeRelated } from '../builder/related-limit.ts';
import { type Fault, UserError } from '../user-error.ts';
import { Image } from './image.ts';

builder.objectFields(Image, (t) => ({
  duplicates: t.field({
    type: [Image],
    description: `Other images with the same bytes, oldest first, at most ${MAX_DUPLICATES}. Images in the trash are left out.`,
    extensions: { scope: 'images:read', cost: LIST_COST },
    resolve: async ({ id, sha256 }, _args, context) => {
      const same = sha256 == null ? [] : await context.loaders.imagesByHash.load(sha256);
      const others = same.filter((image) => image.id !== id).slice(0, MAX_DUPLICATES);
      return takeRelated(context, others);
    },
  }),
  purgedBefore: t.field({
    type: 'DateTime',
    nullable: true,
    description: 'When the user last purged an image with the same bytes; null if that never happened.',
    resolve: ({ sha256, userId }, _args, { loaders }) =>
      sha256 == null ? null : loaders.purgeOf.load({ sha256, userId }),
  }),
}));

builder.objectRef<Fault<DuplicateError>>('DuplicateError').implement({
  description: 'The user already has an image with the same bytes, and `onDuplicate` is ERROR.',
  interfaces: [UserError],
  fields: (t) => ({
    image: t.field({
      type: Image,
      nullable: true,
      description: 'The existing image.',
      resolve: ({ fault }, _args, { loaders }) => loaders.imageByUuid.load(fault.uuid),
    }),
  }),
});
