import type { Queryable } from '../../database/database.ts';
import { IMAGE_COLUMNS, type Image, type ImageRow, imageOf } from '../image.ts';

/**
 * Columns of a new image, by the names of its properties, in the order of the parameters. Other columns get
 * the database's defaults.
 */
export const NEW_COLUMNS = {
  uuid: 'uuid',
  requestId: 'request_id',
  userId: 'user_id',
  username: 'username',
  toolName: 'tool_name',
  prompt: 'prompt',
  revisedPrompt: 'revised_prompt',
  origin: 'origin',
  provider: 'provider',
  model: 'model',
  size: 'size',
  quality: 'quality',
  style: 'style',
  n: 'n',
  filename: 'filename',
  originalFilename: 'original_filename',
  storageUrl: 'storage_url',
  storageProvider: 'storage_provider',
  originalUrl: 'original_url',
  mimeType: 'mime_type',
  bytes: 'bytes',
  sha256: 'sha256',
  width: 'width',
  height: 'height',
  thumbhash: 'thumbhash',
  tags: 'tags',
  status: 'status',
  messageId: 'message_id',
  blobId: 'blob_id',
  visibility: 'visibility',
  parentId: 'parent_id',
  partOf: 'part_of',
  part: 'part',
} as const;
export type NewColumn = keyof typeof NEW_COLUMNS;
const NEW_COLUMN_NAMES = Object.keys(NEW_COLUMNS) as NewColumn[];
const LAST = NEW_COLUMN_NAMES.length;

// JSON and times go as text. A Date has no microseconds, by which lists are ordered, and JSON.parse rounds
// numbers.
const INSERT = `INSERT INTO generated_images AS i (${Object.values(NEW_COLUMNS).join(', ')}, metadata, created_at)
  VALUES (${NEW_COLUMN_NAMES.map((_, at) => `$${at + 1}`).join(', ')}, $${LAST + 1}::text::jsonb, coalesce($${LAST + 2}::text::timestamptz, now()))
  RETURNING ${IMAGE_COLUMNS}`;

/**
 * Inserts an image. Columns without a value are NULL; `storageUrl` is `''` by default, and `createdAt` now.
 */
export async function insertImage(
  transaction: Queryable,
  image: { readonly [Column in NewColumn]?: unknown } & {
    readonly metadata: Readonly<Record<string, unknown>> | null;
    readonly createdAt?: string | undefined;
  },
): Promise<Image> {
  const { metadata, createdAt, storageUrl = '' } = image;
  const columns: typeof image = { ...image, storageUrl };
  const [row] = await transaction.query<ImageRow>(INSERT, [
    ...NEW_COLUMN_NAMES.map((name) => columns[name] ?? null),
    metadata === null ? null : JSON.stringify(metadata),
    createdAt ?? null,
  ]);
  return imageOf(row as ImageRow);
}
