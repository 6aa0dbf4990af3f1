import { DEFAULT_EDITS, MAX_EDITS, MAX_PARTS, parseEditsCount } from '../../image/related/family.ts';
import { builder } from '../builder/builder.ts';
import { LIST_COST } from '../builder/costs.ts';
import { takeRelated } from '../builder/related-limit.ts';
import { Image } from './image.ts';

builder.objectFields(Image, (t) => ({
  parts: t.field({
    type: [Image],
    description: `Images that belong to this one, such as the panels of a comic or the original of an avatar; by name, at most ${MAX_PARTS}. Parts in the trash are left out, unless this image is in the trash too.`,
    extensions: { scope: 'images:read', cost: LIST_COST },
    resolve: async ({ id, deletedAt }, _args, context) => {
      const parts = await context.loaders.partsOfImage.load(Number(id));
      return takeRelated(context, deletedAt ? parts : parts.filter((part) => part.deletedAt === null));
    },
  }),
  part: t.exposeString('part', {
    nullable: true,
    description:
      'Name of this part within `whole`, such as `panel-1` or `original`; null if it is not a part.',
  }),
  whole: t.field({
    type: Image,
    nullable: true,
    description: 'Image that this one is a part of; null if it is not a part.',
    extensions: { scope: 'images:read' },
    resolve: ({ partOf }, _args, { loaders }) =>
      partOf == null ? null : loaders.imageById.load(Number(partOf)),
  }),
  parent: t.field({
    type: Image,
    nullable: true,
    description: 'Image that this one was edited from; null if there is none, or it was purged.',
    extensions: { scope: 'images:read' },
    resolve: ({ parentId }, _args, { loaders }) =>
      parentId == null ? null : loaders.imageById.load(Number(parentId)),
  }),
  edits: t.field({
    type: [Image],
    description: 'Images that were edited from this one, newest first. Images in the trash are left out.',
    extensions: { scope: 'images:read', cost: LIST_COST },
    args: {
      first: t.arg.int({
        defaultValue: DEFAULT_EDITS,
        description: `Number of images to return, 0 to ${MAX_EDITS}.`,
      }),
    },
    resolve: async ({ id }, { first }, context) =>
      takeRelated(
        context,
        await context.loaders.editsOfImage.load({
          id: Number(id),
          first: parseEditsCount(first ?? DEFAULT_EDITS),
        }),
      ),
  }),
}));
