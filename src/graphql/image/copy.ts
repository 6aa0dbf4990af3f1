import { allows } from '../../auth/authorization.ts';
import type { CopyRow } from '../../image/copies.ts';
import { isPublic } from '../../image/image.ts';
import { builder } from '../builder/builder.ts';
import { encodeId } from '../builder/global-id.ts';
import type { GraphqlContext } from '../context.ts';
import type { ImageShape } from './image-shape.ts';

/** A copy as one image shows it; several images may share its bytes. */
export interface CopyOfImage extends CopyRow {
  readonly imageUuid: string;
  /** Whether the image is private, so that `url` is null. */
  readonly isPrivate: boolean;
}

/**
 * Returns the key of a copy in its global id. It names the image and not the blob: two images of one blob may
 * differ in `url`, and a client that caches by id would show one for the other.
 */
export const copyKey = ({ imageUuid, store }: Pick<CopyOfImage, 'imageUuid' | 'store'>) =>
  `${imageUuid}:${store}`;

/** Returns the copies of an image's bytes, in the order in which stores are read. */
export async function copiesOf(
  image: Pick<ImageShape, 'blobId' | 'uuid' | 'visibility'>,
  { loaders }: GraphqlContext,
): Promise<CopyOfImage[]> {
  if (image.blobId === null) return [];
  const copies = await loaders.copiesOfBlob.load(Number(image.blobId));
  const of = { imageUuid: image.uuid, isPrivate: !isPublic(image) };
  return copies.map((copy) => ({ ...copy, ...of }));
}

export const CopyState = builder.enumType('CopyState', {
  description: 'State of a copy, as it is on record.',
  values: {
    PENDING: { description: 'Not made yet.' },
    STORED: { description: 'Stored; its hash was right when it was last read.' },
    MISSING: { description: 'The store does not have it.' },
    CORRUPT: { description: 'Its length or hash is wrong.' },
    TOO_LARGE: {
      description:
        'The store does not accept files of this size. The copy is not made, and `durability` does not count it.',
    },
  },
});

export const Copy = builder.objectRef<CopyOfImage>('Copy').implement({
  description: 'A copy of the bytes of an image in one store.',
  interfaces: [builder.nodeInterfaceRef()],
  fields: (t) => ({
    id: t.id({
      description:
        'Globally unique ID; it never changes. Images that share bytes have copies with different IDs.',
      resolve: (copy) => encodeId({ type: 'Copy', key: copyKey(copy) }),
    }),
    store: t.exposeString('store', {
      description: 'Name of the store (`Store.name`). The store may no longer be configured.',
    }),
    state: t.expose('state', {
      type: CopyState,
      description: 'State of the copy, as it is on record; reading it does not contact the store.',
    }),
    key: t.exposeString('key', {
      description: 'Key of the object in the store; it contains the SHA-256 of the bytes.',
    }),
    bytes: t.exposeInt('bytes', {
      nullable: true,
      description: 'Size of the copy in bytes when its hash was last verified; null if it never was.',
    }),
    verifiedAt: t.expose('verifiedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When the hash of the copy was last verified; null if it never was.',
    }),
    url: t.string({
      nullable: true,
      description:
        'Address of the copy outside this server, such as at a CDN; null if it has none, if it is not STORED, or if the image is private.',
      resolve: ({ store, key, state, isPrivate }, _args, { services }) =>
        state === 'STORED' && !isPrivate ? services.copyUrl(store, key) : null,
    }),
    error: t.string({
      nullable: true,
      description:
        'Why the copy is not healthy; null if it is healthy, or if the token lacks the scope STORES_READ.',
      resolve: ({ error }, _args, { caller }) => (allows(caller, 'stores:read') ? error : null),
    }),
  }),
});
