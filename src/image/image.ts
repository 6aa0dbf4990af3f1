import type { Database, Queryable } from '../database/database.ts';
import type { Image } from '../database/generated/client/client.ts';
import type { Storage } from '../storage/service.ts';

export type { Image };

/** Services that the functions of this room need; each takes a part of them. */
export interface ImageDeps {
  readonly database: Database;
  readonly storage: Storage;
}

export const IMAGE_STATUSES = ['pending', 'processing', 'success', 'failed'] as const;
export type ImageStatus = (typeof IMAGE_STATUSES)[number];

export const IMAGE_ORIGINS = ['generated', 'uploaded', 'imported', 'recorded'] as const;
export type ImageOrigin = (typeof IMAGE_ORIGINS)[number];

export const VISIBILITIES = ['public', 'private'] as const;
/** public: everybody who knows the address of an image gets its bytes. */
export type Visibility = (typeof VISIBILITIES)[number];

/**
 * Returns whether an image is public. Any value but `public` counts as private: other services write rows
 * too.
 */
export const isPublic = (image: { readonly visibility: string }) => image.visibility === 'public';

/** Columns of an image for SELECT from `generated_images i`, with the names of Prisma's client. */
export const IMAGE_COLUMNS = `i.id, i.uuid, i.request_id AS "requestId", i.user_id AS "userId", i.username, i.tool_name AS "toolName",
  i.prompt, i.revised_prompt AS "revisedPrompt", i.origin, i.provider, i.model, i.size, i.quality, i.style, i.n, i.filename,
  i.original_filename AS "originalFilename",
  i.storage_url AS "storageUrl", i.storage_provider AS "storageProvider", i.original_url AS "originalUrl",
  i.mime_type AS "mimeType", i.bytes, i.sha256, i.width, i.height, i.thumbhash, i.tags, i.status, i.error,
  i.error_code AS "errorCode", i.error_retryable AS "errorRetryable", i.metadata, i.message_id AS "messageId",
  i.created_at AS "createdAt", i.updated_at AS "updatedAt", i.blob_id AS "blobId",
  i.visibility, i.deleted_at AS "deletedAt", i.parent_id AS "parentId", i.part_of AS "partOf", i.part, i.pinned`;

/**
 * Columns that a list of cards shows, a third of all. The others cost more than finding the rows: PostgreSQL
 * writes each value as text, and the driver parses it.
 */
export const CARD_COLUMNS = `i.id, i.uuid, i.user_id AS "userId", i.tool_name AS "toolName", i.prompt, i.status, i.tags,
  i.storage_url AS "storageUrl", i.blob_id AS "blobId", i.created_at AS "createdAt", i.visibility, i.deleted_at AS "deletedAt", i.pinned`;

/** An image with the properties of CARD_COLUMNS only. */
export type ImageCard = Pick<
  Image,
  | ('id' | 'uuid' | 'userId' | 'toolName' | 'prompt' | 'status' | 'tags')
  | ('storageUrl' | 'blobId' | 'createdAt' | 'visibility' | 'deletedAt' | 'pinned')
>;

type IdColumn = 'id' | 'blobId' | 'parentId' | 'partOf';

/**
 * A row of IMAGE_COLUMNS as the driver returns it. An int8 is a number there. In rows of other services,
 * `tags` may be null or contain null.
 */
export type ImageRow = Omit<Image, IdColumn | 'tags'> & {
  id: number;
  blobId: number | null;
  parentId: number | null;
  partOf: number | null;
  tags: (string | null)[] | null;
};

/** A row of CARD_COLUMNS as the driver returns it. */
export type CardRow = Pick<ImageRow, keyof ImageCard>;

/** Type of a row while `imageOf` converts it: the columns that ImageRow and Image have in common. */
type ConvertedRow = Omit<Image, IdColumn | 'tags'> & {
  id: number | bigint;
  blobId: number | bigint | null;
  parentId: number | bigint | null;
  partOf: number | bigint | null;
  tags: (string | null)[] | null;
};

/**
 * Converts a row into an image, in place: a copy of forty columns would cost as much as finding them. Do not
 * use the row afterwards.
 */
export function imageOf(row: ImageRow): Image {
  const converted: ConvertedRow = row;
  convertCard(converted);
  converted.parentId = bigintOf(row.parentId);
  converted.partOf = bigintOf(row.partOf);
  return converted as Image;
}

/** Converts a row of CARD_COLUMNS into a card, in place. */
export function cardOf(row: CardRow): ImageCard {
  const converted: Pick<ConvertedRow, keyof ImageCard> = row;
  convertCard(converted);
  return converted as ImageCard;
}

function convertCard(row: Pick<ConvertedRow, 'id' | 'blobId' | 'tags'>): void {
  row.id = BigInt(row.id);
  row.blobId = bigintOf(row.blobId);
  row.tags ??= [];
  if (row.tags.includes(null)) row.tags = row.tags.filter((tag) => tag !== null);
}

const bigintOf = (value: number | bigint | null) => (value === null ? null : BigInt(value));

/** Limits images to those of a user ($2); null: no limit. */
export const OF_USER = '($2::text IS NULL OR i.user_id = $2::text)';

const BY_UUID = `SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.uuid = ANY($1::uuid[]) AND ${OF_USER}`;

/**
 * Finds images by uuid.
 * @param visibleTo user id that the images are limited to; null: no limit.
 * @returns an image or null for each uuid, in their order.
 */
export async function findImages(
  db: Queryable,
  uuids: readonly string[],
  visibleTo: string | null = null,
): Promise<(Image | null)[]> {
  if (uuids.length === 0) return [];
  const rows = await db.query<ImageRow>(BY_UUID, [uuids, visibleTo]);
  const images = new Map(rows.map((row) => [row.uuid, imageOf(row)]));
  return uuids.map((uuid) => images.get(uuid) ?? null);
}

const BY_ID = `SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.id = $1`;

/** Finds an image by the id of its row. */
export async function findImageRow(db: Queryable, id: number): Promise<Image | null> {
  const [row] = await db.query<ImageRow>(BY_ID, [id]);
  return row ? imageOf(row) : null;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Returns the canonical spelling of a UUID (RFC 9562, section 4); null: the text is none. */
export function parseUuid(text: string): string | null {
  return UUID.test(text) ? text.toLowerCase() : null;
}
