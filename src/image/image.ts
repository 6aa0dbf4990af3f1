import type { Database, Queryable } from '../database/database.ts';
import type { Image } from '../database/generated/client/client.ts';
import type { Storage } from '../storage/service.ts';

export type { Image };

/** What the verbs of this room need; each takes a part of it. */
export interface ImageDeps {
  readonly database: Database;
  readonly storage: Storage;
}

export const IMAGE_STATUSES = ['pending', 'processing', 'success', 'failed'] as const;
export type ImageStatus = (typeof IMAGE_STATUSES)[number];

export const IMAGE_ORIGINS = ['generated', 'uploaded', 'imported', 'recorded'] as const;
export type ImageOrigin = (typeof IMAGE_ORIGINS)[number];

export const VISIBILITIES = ['public', 'private'] as const;
/** Whether whoever knows the address of an image's bytes is given them. */
export type Visibility = (typeof VISIBILITIES)[number];

/** Other services write rows too: what is not said to be public, in so many letters, is private. */
export const isPublic = (image: { readonly visibility: string }) => image.visibility === 'public';

/** An image as plain SQL selects it, from `generated_images i`, with the names of Prisma's client. */
export const IMAGE_COLUMNS = `i.id, i.uuid, i.request_id AS "requestId", i.user_id AS "userId", i.username, i.tool_name AS "toolName",
  i.prompt, i.revised_prompt AS "revisedPrompt", i.origin, i.provider, i.model, i.size, i.quality, i.style, i.n, i.filename,
  i.original_filename AS "originalFilename",
  i.storage_url AS "storageUrl", i.storage_provider AS "storageProvider", i.original_url AS "originalUrl",
  i.mime_type AS "mimeType", i.bytes, i.sha256, i.width, i.height, i.thumbhash, i.tags, i.status, i.error,
  i.error_code AS "errorCode", i.error_retryable AS "errorRetryable", i.metadata, i.message_id AS "messageId",
  i.created_at AS "createdAt", i.updated_at AS "updatedAt", i.blob_id AS "blobId",
  i.visibility, i.deleted_at AS "deletedAt", i.parent_id AS "parentId", i.part_of AS "partOf", i.part`;

/**
 * What a list of cards shows, a third of the columns. What is left out costs more than finding the rows: PostgreSQL writes each value as
 * text, and the driver parses it.
 */
export const CARD_COLUMNS = `i.id, i.uuid, i.user_id AS "userId", i.tool_name AS "toolName", i.prompt, i.status, i.tags,
  i.storage_url AS "storageUrl", i.blob_id AS "blobId", i.created_at AS "createdAt", i.visibility, i.deleted_at AS "deletedAt"`;

/** A row of IMAGE_COLUMNS as the database gives it: int8 is a number there, and `tags` may be null, or hold null, in rows of other services. */
export type ImageRow = Omit<Image, 'id' | 'blobId' | 'parentId' | 'partOf' | 'tags'> & {
  id: number;
  blobId: number | null;
  parentId: number | null;
  partOf: number | null;
  tags: (string | null)[] | null;
};

/** Makes an image of the row itself, whose caller needs it no more: a copy of forty columns costs as much as finding them. */
export function imageOf(row: ImageRow): Image {
  const image = row as unknown as Image;
  image.id = BigInt(row.id);
  image.blobId = bigintOf(row.blobId);
  image.parentId = bigintOf(row.parentId);
  image.partOf = bigintOf(row.partOf);
  image.tags ??= [];
  if (row.tags?.includes(null)) image.tags = row.tags.filter((tag) => tag !== null);
  return image;
}

// A column that was not read is undefined.
const bigintOf = (value: number | null) => (value == null ? null : BigInt(value));

/** Those of a user ($2); null: of everybody. */
export const OF_USER = '($2::text IS NULL OR i.user_id = $2::text)';

const BY_UUID = `SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.uuid = ANY($1::uuid[]) AND ${OF_USER}`;

/**
 * @param visibleTo whose images are looked for; null: those of everybody.
 * @returns one image or null for each uuid, in their order.
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

/** By the number of its row. */
export async function findImageRow(db: Queryable, id: number): Promise<Image | null> {
  const [row] = await db.query<ImageRow>(BY_ID, [id]);
  return row ? imageOf(row) : null;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The canonical spelling (RFC 9562, 4) of what may be a UUID, or null. */
export function parseUuid(text: string): string | null {
  return UUID.test(text) ? text.toLowerCase() : null;
}
