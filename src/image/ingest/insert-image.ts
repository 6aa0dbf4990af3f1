import { type AuditAction, actorValues } from '../../audit/audit.ts';
import type { Queryable } from '../../database/database.ts';
import { IMAGE_COLUMNS, type Image, type ImageOrigin, type ImageRow, imageOf } from '../image.ts';

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
const INSERT = `WITH inserted AS (
    INSERT INTO generated_images AS i (${Object.values(NEW_COLUMNS).join(', ')}, metadata, created_at)
    VALUES (${NEW_COLUMN_NAMES.map((_, at) => `$${at + 1}`).join(', ')}, $${LAST + 1}::text::jsonb, coalesce($${LAST + 2}::text::timestamptz, now()))
    RETURNING ${IMAGE_COLUMNS}
  ), audited AS (
    INSERT INTO audit_entries (actor_kind, actor_name, action, subject_type, subject_id)
    SELECT $${LAST + 3}::text, $${LAST + 4}::text, $${LAST + 5}::text, 'image', uuid FROM inserted WHERE $${LAST + 5} IS NOT NULL
  ) SELECT * FROM inserted`;

/** Actions that create images, by origin (audit/audit.ts). */
const CREATING: Readonly<Record<ImageOrigin, AuditAction>> = {
  generated: 'image.generate',
  uploaded: 'image.upload',
  imported: 'image.import',
  recorded: 'image.record',
};

/**
 * Inserts an image, and the entry of the audit log. Columns without a value are NULL; `storageUrl` is `''` by
 * default, and `createdAt` now.
 */
export async function insertImage(
  transaction: Queryable,
  image: { readonly [Column in NewColumn]?: unknown } & {
    readonly metadata: Readonly<Record<string, unknown>> | null;
    readonly createdAt?: string | undefined;
  },
): Promise<Image> {
  const { metadata, createdAt, storageUrl = '', origin, partOf } = image;
  // A part is made with its whole.
  const action = partOf == null ? CREATING[origin as ImageOrigin] : null;
  const columns: typeof image = { ...image, storageUrl };
  const [row] = await transaction.query<ImageRow>(INSERT, [
    ...NEW_COLUMN_NAMES.map((name) => columns[name] ?? null),
    metadata === null ? null : JSON.stringify(metadata),
    createdAt ?? null,
    ...actorValues(),
    action,
  ]);
  return imageOf(row as ImageRow);
}
