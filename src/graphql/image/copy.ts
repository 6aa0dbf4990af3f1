import DataLoader from 'dataloader';
import { allows } from '../../auth/authorization.ts';
import type { Queryable } from '../../database/database.ts';
import type { CopyState as State } from '../../storage/blob.ts';
import { builder } from '../builder/builder.ts';
import { encodeId } from '../builder/global-id.ts';

export interface CopyRow {
  readonly blobId: number;
  readonly store: string;
  readonly state: State;
  readonly key: string;
  readonly bytes: number | null;
  readonly verifiedAt: Date | null;
  readonly error: string | null;
}

/** A copy as it is told of one image; several images may share the bytes. */
export interface CopyOfImage extends CopyRow {
  readonly imageUuid: string;
  /** Whether the bytes of this image are not for everybody. */
  readonly isPrivate: boolean;
}

/**
 * What identifies a copy in the schema. Not its blob: `url` is null for a private image, and two images of one blob may differ in that. A
 * client that caches by id would show the one for the other.
 */
export const copyKey = ({ imageUuid, store }: Pick<CopyOfImage, 'imageUuid' | 'store'>) =>
  `${imageUuid}:${store}`;

export const CopyState = builder.enumType('CopyState', {
  description: 'What is known of a copy.',
  values: {
    PENDING: { description: 'It is to be made and has not been yet.' },
    STORED: { description: 'It is there, and its hash was right when it was last read.' },
    MISSING: { description: 'The store was asked and does not have it.' },
    CORRUPT: { description: 'It has the wrong length or the wrong hash.' },
    TOO_LARGE: {
      description:
        'The store does not take files of this size. It is not tried, and `durability` does not wait for it.',
    },
  },
});

export const Copy = builder.objectRef<CopyOfImage>('Copy').implement({
  description: "An image's bytes in one store.",
  interfaces: [builder.nodeInterfaceRef() as never],
  isTypeOf: (value) =>
    typeof value === 'object' && value !== null && 'imageUuid' in value && 'store' in value,
  fields: (t) => ({
    id: t.id({
      description:
        'Opaque, and the same for ever. Images that share bytes have copies of their own, with other ids.',
      resolve: (copy) => encodeId({ type: 'Copy', key: copyKey(copy) }),
    }),
    store: t.exposeString('store', {
      description: 'The store, as `Store.name` says it; it may be one that is not configured any more.',
    }),
    state: t.expose('state', {
      type: CopyState,
      description: 'As it is on record; the store is not asked for it now.',
    }),
    key: t.exposeString('key', {
      description: 'What the store calls it; it contains the SHA-256 of the bytes.',
    }),
    bytes: t.exposeInt('bytes', {
      nullable: true,
      description: 'Its length in bytes when its hash was last proven; null where it never was.',
    }),
    verifiedAt: t.expose('verifiedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When its hash was last proven.',
    }),
    url: t.string({
      nullable: true,
      description:
        'Where this copy can be fetched without this server, such as at a CDN; null where it cannot, and for a private image.',
      resolve: ({ store, key, state, isPrivate }, _args, { services }) =>
        state === 'STORED' && !isPrivate ? services.copyUrl(store, key) : null,
    }),
    error: t.string({
      nullable: true,
      description: 'Why it is not as it should be; null without the scope STORES_READ.',
      resolve: ({ error }, _args, { caller }) => (allows(caller, 'stores:read') ? error : null),
    }),
  }),
});

const COPIES_OF_BLOBS = `SELECT blob_id AS "blobId", store, state, key, bytes, verified_at AS "verifiedAt", error
  FROM copies WHERE blob_id = ANY($1::bigint[])`;

/** Loads the copies of all blobs of a page by one statement, each blob's in read order. */
export function makeCopyLoader(db: Queryable, readOrder: readonly string[]): DataLoader<number, CopyRow[]> {
  const place = (row: CopyRow) => (readOrder.indexOf(row.store) + 1 || readOrder.length + 1) as number;
  return new DataLoader(async (blobIds) => {
    const rows = await db.query<CopyRow>(COPIES_OF_BLOBS, [blobIds]);
    const byBlob = Map.groupBy(
      rows.sort((a, b) => place(a) - place(b) || a.store.localeCompare(b.store)),
      (row) => row.blobId,
    );
    return blobIds.map((id) => byBlob.get(id) ?? []);
  });
}
