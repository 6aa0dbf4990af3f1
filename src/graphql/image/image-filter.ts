import { visibleFilter } from '../../auth/authorization.ts';
import type { ImageFilter as Conditions } from '../../image/list/conditions.ts';
import { withStores } from '../../image/list/durability.ts';
import { builder } from '../builder/builder.ts';
import type { GraphqlContext } from '../context.ts';
import { CopyState } from './copy.ts';
import { ImageOrigin, ImageStatus, Visibility } from './image.ts';
import { Durability } from './image-copies.ts';

const CopyFilter = builder.inputType('CopyFilter', {
  description: 'Conditions for copies. A copy must match all given fields.',
  fields: (t) => ({
    store: t.string({ description: 'Name of the store (`Store.name`). Default: any store.' }),
    state: t.field({ type: CopyState, description: 'State of the copy. Default: any state.' }),
  }),
});

const TrashFilter = builder.enumType('TrashFilter', {
  description: 'Whether to return images in the trash.',
  values: {
    EXCLUDE: { value: 'exclude', description: 'Return only images that are not in the trash.' },
    INCLUDE: { value: 'include', description: 'Return images in the trash too.' },
    ONLY: { value: 'only', description: 'Return only images in the trash.' },
  } as const,
});

const ImageFilter = builder.inputType('ImageFilter', {
  description: 'Conditions for images. An image must match all given fields.',
  fields: (t) => ({
    userId: t.string({
      description:
        "ID of the owner. Default: the token's user, or every user for a token without one. FORBIDDEN if the token is for another user.",
    }),
    tool: t.string({ description: 'Name of the tool, exactly.' }),
    tags: t.stringList({ description: 'Tags, all of which the image must have.' }),
    anyTag: t.stringList({ description: 'Tags of which the image must have at least one.' }),
    status: t.field({ type: [ImageStatus], description: 'Statuses, one of which the image must have.' }),
    model: t.string({ description: 'Name of the model, exactly.' }),
    provider: t.string({ description: 'Name of the provider, exactly.' }),
    origin: t.field({ type: ImageOrigin, description: 'How the bytes came to this server.' }),
    requestId: t.string({
      description:
        "The client's ID of the request, exactly. Clients choose it, so images of several users may share one.",
    }),
    messageId: t.string({ description: "The client's ID of the message, exactly." }),
    sha256: t.string({
      description:
        'SHA-256 of the bytes, as 64 hexadecimal digits in upper or lower case; INVALID_INPUT for anything else.',
    }),
    createdAfter: t.field({ type: 'DateTime', description: 'Return images created at this time or later.' }),
    createdBefore: t.field({ type: 'DateTime', description: 'Return images created before this time.' }),
    search: t.string({
      description:
        'Words to find in the prompt, in the syntax of `websearch_to_tsquery` of PostgreSQL: `fox -winter "red moon" or owl`.',
    }),
    filename: t.string({
      description:
        'Words, all of which `Image.originalFilename` must contain, in upper or lower case: `übersicht 2026`.',
    }),
    metadata: t.field({
      type: 'JSON',
      description: 'JSON that `Image.metadata` must contain, such as `{ channel: "general" }`.',
    }),
    storageUrl: t.string({ description: 'Path of `Image.url`, exactly: `/images/…`.' }),
    copies: t.field({
      type: CopyFilter,
      description: 'Return images with such a copy; `{}` matches any copy.',
    }),
    durability: t.field({
      type: [Durability],
      description: 'Durabilities, one of which the image must have (`Image.durability`).',
    }),
    visibility: t.field({ type: Visibility, description: 'Visibility that the image must have.' }),
    pinned: t.boolean({ description: 'Whether the image must be pinned (`Image.pinned`), or must not.' }),
    parts: t.boolean({
      description:
        'Whether to return parts of other images too, such as the panels of a comic or the original of an avatar. Default: false.',
    }),
    trash: t.field({
      type: TrashFilter,
      description: 'Whether to return images in the trash. Default: EXCLUDE.',
    }),
  }),
});

/**
 * Returns the conditions of a filter, limited to the images that the caller may see.
 * @throws FixativeError FORBIDDEN if it names another user.
 */
export function conditionsOf(
  { caller, services: { database, storage } }: GraphqlContext,
  filter: Conditions | null | undefined,
): Promise<Conditions> {
  return withStores({ database, stores: storage.stores }, visibleFilter(caller, filter));
}

/** Options of the argument of every field that finds images by a filter. */
export const WHICH_IMAGES = {
  type: ImageFilter,
  description:
    'Which images to include. Default: all that the caller may see, except parts and images in the trash.',
} as const;

const ImageOrderField = builder.enumType('ImageOrderField', {
  description: 'Field to order images by.',
  values: {
    CREATED_AT: { value: 'createdAt', description: '`Image.createdAt`.' },
    BYTES: {
      value: 'bytes',
      description: '`Image.bytes`; an image without bytes counts as 0.',
    },
  } as const,
});

const OrderDirection = builder.enumType('OrderDirection', {
  description: 'Direction of an order.',
  values: {
    ASC: { value: 'asc', description: 'Ascending: oldest or smallest first.' },
    DESC: { value: 'desc', description: 'Descending: newest or largest first.' },
  } as const,
});

export const ImageOrder = builder.inputType('ImageOrder', {
  description:
    'Order of a list of images. Images with equal values are ordered by when their rows were created.',
  fields: (t) => ({
    field: t.field({
      type: ImageOrderField,
      required: true,
      description: 'Field to order by. A cursor is valid only for the field that it was made with.',
      defaultValue: 'createdAt',
    }),
    direction: t.field({
      type: OrderDirection,
      required: true,
      description: 'Direction of the order.',
      defaultValue: 'desc',
    }),
  }),
});
