import { countImages, type ImageCount } from '../../image/list/count.ts';
import { listImagesOrCards, listNothing } from '../../image/list/list.ts';
import { builder } from '../builder/builder.ts';
import { Image } from './image.ts';
import { conditionsOf, ImageOrder, WHICH_IMAGES } from './image-filter.ts';
import { selectionOf } from './image-list-selection.ts';

builder.queryField('images', (t) =>
  t.connection(
    {
      type: Image,
      description:
        'Returns a page of images: 20 unless `first` or `last` is given, at most 100. Pages follow the Relay connection specification.',
      extensions: { scope: 'images:read' },
      args: {
        filter: t.arg(WHICH_IMAGES),
        orderBy: t.arg({ type: ImageOrder, description: 'Order of the images. Default: newest first.' }),
      },
      resolve: async (_root, { filter, orderBy, ...page }, context, info) => {
        const conditions = await conditionsOf(context, filter);
        // A document that selects only the count needs no page, but its arguments must be valid.
        const { list, cards, pageInfo } = selectionOf(info);
        const { totalCountLimit } = context.services;
        const database = await context.services.reads();
        const args = { ...page, order: orderBy, cards, pageInfo };
        const found = list ? await listImagesOrCards(database, conditions, args) : listNothing(args);
        let counted: Promise<ImageCount> | null = null;
        const count = () => (counted ??= countImages(database, conditions, totalCountLimit));
        return { ...found, edges: [...found.edges], count };
      },
    },
    {
      name: 'ImageConnection',
      description: 'A page of images (https://relay.dev/graphql/connections.htm).',
      fields: (c) => ({
        totalCount: c.int({
          description:
            'Number of images that match the filter. Exact up to a limit, above it an estimate: see `totalCountIsExact`. The limit is TOTAL_COUNT_LIMIT (default: 100,000) for a filter by user, time or one tag, or without a filter; a tenth of it for every other filter.',
          extensions: { cost: { extra: 500 } },
          resolve: async (connection) => (await countOf(connection)).count,
        }),
        totalCountIsExact: c.boolean({
          description: 'Whether `totalCount` is exact; false if it is an estimate.',
          extensions: { cost: { extra: 500 } },
          resolve: async (connection) => (await countOf(connection)).exact,
        }),
      }),
    },
    { name: 'ImageEdge', description: 'An image of a page, with its cursor.' },
  ),
);

const countOf = (connection: unknown) => (connection as { count(): Promise<ImageCount> }).count();
