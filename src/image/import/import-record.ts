import { createHash } from 'node:crypto';
import type { Queryable } from '../../database/database.ts';
import type { FixativeError } from '../../errors.ts';
import type { Image } from '../image.ts';

/**
 * Key of a record of one imported item. By these records, a later run neither repeats an import nor leaves
 * one out.
 */
export interface ImportKey {
  /** `urls`, `table:<host>/<database>/<table>`. */
  readonly source: string;
  /** Address or row id, as `importKeyOf` makes one of it. */
  readonly key: string;
}

/** Most bytes of a key. PostgreSQL's B-tree takes 2,704, and signed addresses may be longer. */
const MAX_KEY_BYTES = 1000;

/** Returns the text as a key; a long text as its hash. */
export function importKeyOf(text: string): string {
  if (Buffer.byteLength(text) <= MAX_KEY_BYTES) return text;
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/** Another run has imported the same item. */
export class AlreadyImported extends Error {}

/** Another run could not get the bytes, and has recorded a failed image. */
export class FailedMeanwhile extends AlreadyImported {
  readonly imageId: bigint;

  constructor(message: string, imageId: bigint) {
    super(message);
    this.imageId = imageId;
  }
}

/** Condition that keeps an item to one image. */
const HAS_NO_OTHER_IMAGE = `import_records.outcome = 'failed'
      AND (import_records.image_id IS NULL OR excluded.image_id IS NULL OR import_records.image_id = excluded.image_id)`;
const RECORD = `INSERT INTO import_records (source, key, image_id, sha256, outcome)
  VALUES ($1::text, $2::text, $3::bigint, $4::text, 'imported')
  ON CONFLICT (source, key) DO UPDATE
    SET image_id = excluded.image_id, sha256 = excluded.sha256, outcome = 'imported', detail = NULL, imported_at = now()
    WHERE ${HAS_NO_OTHER_IMAGE}
  RETURNING key`;
const FIND_FAILED = `SELECT image_id AS "imageId" FROM import_records
  WHERE source = $1 AND key = $2 AND outcome = 'failed' AND image_id IS NOT NULL`;
const FAILED = `INSERT INTO import_records (source, key, image_id, outcome, detail) VALUES ($1::text, $2::text, $3::bigint, 'failed', $4::text)
  ON CONFLICT (source, key) DO UPDATE
    SET image_id = coalesce(excluded.image_id, import_records.image_id), detail = excluded.detail, imported_at = now()
    WHERE ${HAS_NO_OTHER_IMAGE}
  RETURNING key`;

/**
 * Records an import in the transaction that records the image, so that a killed run leaves both or neither.
 * @throws AlreadyImported, which rolls the image back; FailedMeanwhile when the item has another failed
 *   image.
 */
export async function recordImported(
  transaction: Queryable,
  { source, key }: ImportKey,
  image: Pick<Image, 'id' | 'sha256'>,
): Promise<void> {
  const written = await transaction.query(RECORD, [source, key, image.id, image.sha256]);
  if (written.length > 0) return;
  const [failed] = await transaction.query<{ imageId: number }>(FIND_FAILED, [source, key]);
  if (failed) throw new FailedMeanwhile(`${source} ${key}`, BigInt(failed.imageId));
  throw new AlreadyImported(`${source} ${key}`);
}

/**
 * Records that an item could not be imported.
 * @param imageId failed image of the item; null: none.
 * @throws AlreadyImported, which rolls the image back. Also when the item has another image.
 */
export async function recordFailed(
  transaction: Queryable,
  { source, key }: ImportKey,
  { error, imageId }: { error: FixativeError; imageId: bigint | null },
): Promise<void> {
  const detail = `${error.code}: ${error.message}`;
  const written = await transaction.query(FAILED, [source, key, imageId, detail]);
  if (written.length === 0) throw new AlreadyImported(`${source} ${key}`);
}

export interface ImportRecord {
  readonly key: string;
  readonly outcome: 'imported' | 'failed';
  readonly imageId: number | null;
  /** Our relative address of the image; null: it has no bytes, or is in the trash or purged. */
  readonly storageUrl: string | null;
}

const FIND = `SELECT r.key, r.outcome, r.image_id AS "imageId", nullif(i.storage_url, '') AS "storageUrl"
  FROM import_records r LEFT JOIN generated_images i ON i.id = r.image_id AND i.deleted_at IS NULL WHERE r.source = $1 AND r.key = ANY($2::text[])`;

/** Returns the records of some keys of a source, by key. */
export async function findImportRecords(
  db: Queryable,
  source: string,
  keys: readonly string[],
): Promise<Map<string, ImportRecord>> {
  const rows = await db.query<ImportRecord>(FIND, [source, keys]);
  return new Map(rows.map((row) => [row.key, row]));
}
