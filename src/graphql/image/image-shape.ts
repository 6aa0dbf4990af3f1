import type { Image } from '../../image/image.ts';

/** Columns that every list reads (CARD_COLUMNS in src/image/image.ts). */
type CardColumn =
  | 'id'
  | 'uuid'
  | 'userId'
  | 'toolName'
  | 'prompt'
  | 'status'
  | 'tags'
  | 'storageUrl'
  | 'blobId'
  | 'createdAt'
  | 'visibility'
  | 'deletedAt'
  | 'pinned';

/**
 * An image as the resolvers of `Image` get it: a whole row, or the card columns alone where a list selects no
 * other field (image-list.ts).
 */
export type ImageShape = Pick<Image, CardColumn> &
  Partial<Omit<Image, CardColumn>> & {
    /** Bytes as a data address, of a generated image that the server does not keep. */
    readonly dataUrl?: string;
  };
