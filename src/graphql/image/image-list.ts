import type { FieldNode, GraphQLResolveInfo, SelectionSetNode } from 'graphql';
import { visibleFilter } from '../../auth/authorization.ts';
import type { ImageFilter as Filter } from '../../image/list/conditions.ts';
import { countImages, type ImageCount } from '../../image/list/count.ts';
import { type ImagePage, listImagesOrCards as listImages, listNothing } from '../../image/list/list.ts';
import { builder } from '../builder/builder.ts';
import { CopyState } from './copy.ts';
import { Image, ImageOrigin, ImageStatus, Visibility } from './image.ts';

const CopyFilter = builder.inputType('CopyFilter', {
  description: 'Images that have a copy of this kind.',
  fields: (t) => ({
    store: t.string({ description: 'In this store, as `Store.name` says it; in any without it.' }),
    state: t.field({ type: CopyState, description: 'In this state; in any without it.' }),
  }),
});

const TrashFilter = builder.enumType('TrashFilter', {
  description: 'Whether images in the trash are among what is found.',
  values: {
    EXCLUDE: { value: 'exclude', description: 'They are left out.' },
    INCLUDE: { value: 'include', description: 'They are found like all others.' },
    ONLY: { value: 'only', description: 'Nothing else is found.' },
  } as const,
});

const ImageFilter = builder.inputType('ImageFilter', {
  description: 'All of the given conditions hold.',
  fields: (t) => ({
    userId: t.string({
      description:
        "A token for one user finds that user's images with and without it, and may name no other (FORBIDDEN).",
    }),
    tool: t.string({ description: 'Made with this tool, by its whole name.' }),
    tags: t.stringList({ description: 'Has all of these.' }),
    anyTag: t.stringList({ description: 'Has one or more of these.' }),
    status: t.field({ type: [ImageStatus], description: 'Has one of these.' }),
    model: t.string({ description: 'Made with this model, by its whole name.' }),
    provider: t.string({ description: 'Made by this provider, by its whole name.' }),
    origin: t.field({ type: ImageOrigin, description: 'Its bytes came this way: its `origin`.' }),
    requestId: t.string({
      description: "Belongs to this request; several users' images may, for the mark is each caller's own.",
    }),
    messageId: t.string({ description: 'Belongs to this message.' }),
    sha256: t.string({
      description:
        'SHA-256 of the bytes, 64 hexadecimal digits in any case; INVALID_INPUT for anything else.',
    }),
    createdAfter: t.field({ type: 'DateTime', description: 'Created at this time or after it.' }),
    createdBefore: t.field({ type: 'DateTime', description: 'Created before this time.' }),
    search: t.string({
      description:
        'Words of the prompt: `fox -winter "red moon" or owl`, as `websearch_to_tsquery` reads them.',
    }),
    filename: t.string({
      description:
        'Words of the name that its file had (`Image.originalFilename`), all of them, in any case: `übersicht 2026`.',
    }),
    metadata: t.field({
      type: 'JSON',
      description: 'JSON that `metadata` contains: `{ channel: "general" }`.',
    }),
    storageUrl: t.string({ description: 'The path part of `url`: `/images/…`.' }),
    copies: t.field({ type: CopyFilter, description: 'Has a copy of this kind on record; `{}`: has any.' }),
    visibility: t.field({ type: Visibility, description: 'Its `visibility` is this one.' }),
    parts: t.boolean({
      description:
        'Also images that are parts of others, such as the panels of a comic or the original of an avatar; false by default.',
    }),
    trash: t.field({ type: TrashFilter, description: 'EXCLUDE by default.' }),
  }),
});

/** The argument of whatever finds images by a filter. */
export const WHICH_IMAGES = {
  type: ImageFilter,
  description: 'Which images; without it all that the caller sees, but for parts and the trash.',
} as const;

const ImageOrderField = builder.enumType('ImageOrderField', {
  description: 'What images are put in order by.',
  values: {
    CREATED_AT: { value: 'createdAt', description: 'When it was made: `Image.createdAt`.' },
    BYTES: {
      value: 'bytes',
      description: 'How many bytes it has: `Image.bytes`; without any it counts as 0.',
    },
  } as const,
});

const OrderDirection = builder.enumType('OrderDirection', {
  description: 'Which end of an order comes first.',
  values: {
    ASC: { value: 'asc', description: 'The oldest or smallest.' },
    DESC: { value: 'desc', description: 'The newest or largest.' },
  } as const,
});

export const ImageOrder = builder.inputType('ImageOrder', {
  description: 'Images that are equal in `field` follow in the order of their making.',
  fields: (t) => ({
    field: t.field({
      type: ImageOrderField,
      required: true,
      description: 'By what; a cursor is good for the order of this field only.',
      defaultValue: 'createdAt',
    }),
    direction: t.field({
      type: OrderDirection,
      required: true,
      description: 'Which end comes first.',
      defaultValue: 'desc',
    }),
  }),
});

builder.queryField('images', (t) =>
  t.connection(
    {
      type: Image,
      description:
        'A page of images, newest first unless `orderBy` says otherwise; 20 unless `first` or `last` says, at most 100. Paged as Relay has it.',
      args: {
        filter: t.arg(WHICH_IMAGES),
        orderBy: t.arg({ type: ImageOrder, description: 'In which order; newest first without it.' }),
      },
      resolve: async (_root, { filter, orderBy, ...page }, { services, caller }, info) => {
        const conditions: Filter = visibleFilter(caller, filter);
        // Where only the count is asked for, no page is read; its arguments are checked all the same.
        const { list, cards, pageInfo } = wishesOf(info);
        const { database, totalCountLimit } = services;
        const args = { ...page, order: orderBy, cards, pageInfo };
        const found = list ? await listImages(database, conditions, args) : listNothing(args);
        let counted: Promise<ImageCount> | null = null;
        const count = () => (counted ??= countImages(database, conditions, totalCountLimit));
        return { ...found, edges: found.edges as ImagePage['edges'][number][], count };
      },
    },
    {
      name: 'ImageConnection',
      description: 'A page of images: https://relay.dev/graphql/connections.htm',
      fields: (c) => ({
        totalCount: c.int({
          description:
            'How many images the filter finds; counted only when it is asked for. Exact up to a limit, beyond it an estimate: `totalCountIsExact` tells. The limit is TOTAL_COUNT_LIMIT, 100,000 unless the server says otherwise, for all images, those of a user, of a time, of a tag; a tenth of it with any other filter.',
          resolve: async (connection) => (await countOf(connection)).count,
        }),
        totalCountIsExact: c.boolean({
          description: 'Whether `totalCount` was counted to the end; where not, it is an estimate.',
          resolve: async (connection) => (await countOf(connection)).exact,
        }),
      }),
    },
    { name: 'ImageEdge', description: 'One image of a page, and where it stands in the list.' },
  ),
);

const countOf = (connection: unknown) => (connection as { count(): Promise<ImageCount> }).count();

interface Wishes {
  /** Whether anything of the page itself is selected, and not only its count. */
  readonly list: boolean;
  /** Whether what is selected of the images is no more than a card shows. */
  readonly cards: boolean;
  /** The fields of `pageInfo` that are selected. */
  readonly pageInfo: ReadonlySet<string>;
}

const BOTH_ENDS = new Set(['hasNextPage', 'hasPreviousPage']);

/** The fields of Image that need no more than CARD_COLUMNS. */
const CARD_FIELDS = new Set(
  [
    '__typename',
    'id',
    'databaseId',
    'uuid',
    'userId',
    'tool',
    'prompt',
    'status',
    'tags',
    'url',
    'createdAt',
    'deletedAt',
  ].concat(['copies', 'durability', 'provenance']),
);

/** What is answered without a page. */
const COUNT_FIELDS = new Set(['__typename', 'totalCount', 'totalCountIsExact']);

const known = new WeakMap<object, Wishes>();

/** What a document selects of a page, found out once for each. @skip and @include are left aside: to read too much is no fault. */
function wishesOf({ fieldNodes, fragments }: GraphQLResolveInfo): Wishes {
  const [node] = fieldNodes;
  if (!node || fieldNodes.length > 1) return { list: true, cards: false, pageInfo: BOTH_ENDS };
  const found = known.get(node);
  if (found) return found;
  const fields = (set: SelectionSetNode | undefined): FieldNode[] =>
    (set?.selections ?? []).flatMap((each) => {
      if (each.kind === 'Field') return [each];
      return fields(
        each.kind === 'InlineFragment' ? each.selectionSet : fragments[each.name.value]?.selectionSet,
      );
    });
  const within = (of: readonly FieldNode[], name: string) =>
    of.filter((field) => field.name.value === name).flatMap((field) => fields(field.selectionSet));
  const page = fields(node.selectionSet);
  const images = [...within(page, 'nodes'), ...within(within(page, 'edges'), 'node')];
  const wishes = {
    list: page.some(({ name }) => !COUNT_FIELDS.has(name.value)),
    cards: images.every(({ name }) => CARD_FIELDS.has(name.value)),
    pageInfo: new Set(within(page, 'pageInfo').map(({ name }) => name.value)),
  };
  known.set(node, wishes);
  return wishes;
}
