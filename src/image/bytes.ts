import type { Queryable } from '../database/database.ts';
import { BLOB_COLUMNS, type Blob } from '../storage/blob.ts';

/** What it takes to serve the bytes of an image. */
export interface ImageBytes {
  readonly uuid: string;
  readonly filename: string;
  readonly userId: string;
  readonly visibility: string;
  readonly blob: Blob;
}

const COLUMNS = `SELECT i.uuid, i.filename, i.user_id AS "userId", i.visibility, ${BLOB_COLUMNS} FROM generated_images i JOIN blobs b ON b.id = i.blob_id`;
const BY_UUID = `${COLUMNS} WHERE i.uuid = $1 AND i.deleted_at IS NULL`;
const BY_FILENAME = `${COLUMNS} WHERE i.filename = $1 AND i.deleted_at IS NULL`;

type Row = Blob & Omit<ImageBytes, 'blob' | 'filename'> & { filename: string | null };

/** By one statement; null where there is no such image, or none with bytes. */
export async function findImageBytes(
  db: Queryable,
  by: { uuid: string } | { filename: string },
): Promise<ImageBytes | null> {
  const [row] = await ('uuid' in by
    ? db.query<Row>(BY_UUID, [by.uuid])
    : db.query<Row>(BY_FILENAME, [by.filename]));
  if (!row) return null;
  const { uuid, filename, userId, visibility, ...blob } = row;
  return { uuid, filename: filename ?? uuid, userId, visibility, blob };
}
