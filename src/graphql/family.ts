import DataLoader from 'dataloader';
import type { Queryable } from '../database/database.ts';
import {
  DEFAULT_EDITS,
  type EditsKey,
  findByIds,
  findEdits,
  findParts,
  MAX_EDITS,
  MAX_PARTS,
  parseEditsCount,
} from '../image/family.ts';
import type { Image as ImageModel } from '../image/image.ts';
import { builder } from './builder.ts';
import type { GraphqlContext } from './context.ts';
import { Image } from './image.ts';
import { takeRelated } from './related.ts';

builder.prismaObjectFields(Image, (t) => ({
  parts: t.field({
    type: [Image],
    description: `What it is made up of or was made with, such as the panels of a comic or the original of an avatar: by their names, at most ${MAX_PARTS}. Those in the trash only where it lies there itself.`,
    resolve: async ({ id, deletedAt }, _args, context) => {
      const parts = await context.partsOfImage.load(Number(id));
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
    resolve: ({ partOf }, _args, { imageById }) => (partOf === null ? null : imageById.load(Number(partOf))),
  }),
  parent: t.field({
    type: Image,
    nullable: true,
    description: 'The image that it was edited from; null also when that was purged.',
    resolve: ({ parentId }, _args, { imageById }) =>
      parentId === null ? null : imageById.load(Number(parentId)),
  }),
  edits: t.field({
    type: [Image],
    description: 'The images that were edited from it, newest first; none of those in the trash.',
    args: {
      first: t.arg.int({ defaultValue: DEFAULT_EDITS, description: `1 to ${MAX_EDITS}.` }),
    },
    resolve: async ({ id }, { first }, context) =>
      takeRelated(
        context,
        await context.editsOfImage.load({ id: Number(id), first: parseEditsCount(first ?? DEFAULT_EDITS) }),
      ),
  }),
}));

/** Each of them asks by one statement for all images of a level. */
export function makeFamilyLoaders(
  db: Queryable,
  visibleTo: string | null,
): Pick<GraphqlContext, 'imageById' | 'partsOfImage' | 'editsOfImage'> {
  return {
    imageById: new DataLoader((ids: readonly number[]) => findByIds(db, ids, visibleTo)),
    partsOfImage: new DataLoader((ids: readonly number[]) => findParts(db, ids, visibleTo)),
    editsOfImage: new DataLoader<EditsKey, ImageModel[], string>((keys) => findEdits(db, keys, visibleTo), {
      cacheKeyFn: ({ id, first }) => `${id}:${first}`,
    }) as unknown as DataLoader<EditsKey, ImageModel[]>,
  };
}
