import { DEFAULT_EDITS, MAX_EDITS, MAX_PARTS, parseEditsCount } from '../../image/related/family.ts';
import { builder } from '../builder/builder.ts';
import { takeRelated } from '../builder/related-limit.ts';
import { Image } from './image.ts';

builder.prismaObjectFields(Image, (t) => ({
  parts: t.field({
    type: [Image],
    description: `What it is made up of or was made with, such as the panels of a comic or the original of an avatar: by their names, at most ${MAX_PARTS}. Those in the trash only where it lies there itself.`,
    resolve: async ({ id, deletedAt }, _args, context) => {
      const parts = await context.loaders.partsOfImage.load(Number(id));
      return takeRelated(context, deletedAt ? parts : parts.filter((part) => part.deletedAt === null));
    },
  }),
  part: t.exposeString('part', {
    nullable: true,
    description: 'Which part of `whole` it is, such as `panel-1` or `original`; null where it is none.',
  }),
  whole: t.field({
    type: Image,
    nullable: true,
    description: 'The image that it is a part of.',
    resolve: ({ partOf }, _args, { loaders }) =>
      partOf === null ? null : loaders.imageById.load(Number(partOf)),
  }),
  parent: t.field({
    type: Image,
    nullable: true,
    description: 'The image that it was edited from; null also when that was purged.',
    resolve: ({ parentId }, _args, { loaders }) =>
      parentId === null ? null : loaders.imageById.load(Number(parentId)),
  }),
  edits: t.field({
    type: [Image],
    description: 'The images that were edited from it, newest first; none of those in the trash.',
    args: {
      first: t.arg.int({ defaultValue: DEFAULT_EDITS, description: `How many images, 0 to ${MAX_EDITS}.` }),
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
