/** Idempotency keys: the same `requestId` of the same user and the same input give the same images. */
import { createHash } from 'node:crypto';
import type { Queryable } from '../../../database/database.ts';
import { InputError } from '../../../errors.ts';
import type { ImageRecord } from '../../input.ts';
import type { PictureSource } from '../references.ts';
import type { GenerateInput } from './generate-input.ts';

/** A row of generation_requests. */
interface RequestRow {
  readonly requestId: string;
  readonly fingerprint: string;
  /** int8, in the form in which the driver returns a list of them. */
  readonly imageIds: readonly unknown[];
}

const FIND = `SELECT request_id AS "requestId", fingerprint, image_ids AS "imageIds" FROM generation_requests
  WHERE user_id = $1 AND request_id = $2`;
const CLAIM = `INSERT INTO generation_requests (user_id, request_id, fingerprint, image_ids) VALUES ($1, $2, $3, '{}')
  ON CONFLICT DO NOTHING RETURNING request_id`;
const RECORD_IMAGES =
  'UPDATE generation_requests SET image_ids = $3::bigint[] WHERE user_id = $1 AND request_id = $2';
const FIND_IMAGES = 'SELECT uuid FROM generated_images WHERE id = ANY($1::bigint[]) ORDER BY id';

type Key = { readonly userId: string; readonly requestId: string };

/**
 * Returns the uuids of the images that a request has made before; null: it is new, or has no key.
 * @throws InputError CONFLICT for another input under the same key; NOT_FOUND when the images were purged.
 */
export async function findRequest(
  database: Queryable,
  { userId, requestId }: Pick<ImageRecord, 'userId' | 'requestId'>,
  fingerprint: string,
): Promise<string[] | null> {
  if (requestId === null) return null;
  const [row] = await database.query<RequestRow>(FIND, [userId, requestId]);
  return row ? imagesOf(database, row, fingerprint) : null;
}

/**
 * Takes the key of a request, or returns the images that an equal request has made meanwhile. Of two at once,
 * the second waits here until the first has committed.
 * @throws InputError like `findRequest`.
 */
export async function claimRequest(
  transaction: Queryable,
  { userId, requestId }: Key,
  fingerprint: string,
): Promise<string[] | null> {
  const claimed = await transaction.query(CLAIM, [userId, requestId, fingerprint]);
  if (claimed.length === 1) return null;
  const [row] = await transaction.query<RequestRow>(FIND, [userId, requestId]);
  if (!row) throw new Error('the row of an earlier request is gone');
  return imagesOf(transaction, row, fingerprint);
}

export async function recordRequestImages(
  transaction: Queryable,
  { userId, requestId }: Key,
  imageIds: readonly number[],
): Promise<void> {
  await transaction.query(RECORD_IMAGES, [userId, requestId, imageIds]);
}

async function imagesOf(db: Queryable, row: RequestRow, fingerprint: string): Promise<string[]> {
  const shown = JSON.stringify(row.requestId);
  const path = ['input', 'requestId'];
  if (row.fingerprint !== fingerprint) {
    const message = `The user has sent the requestId ${shown} before, with another input. Send the same input to get its images, or another requestId.`;
    throw new InputError('CONFLICT', message, { path });
  }
  const images = await db.query<{ uuid: string }>(FIND_IMAGES, [row.imageIds]);
  if (images.length > 0) return images.map(({ uuid }) => uuid);
  const message = `The images of the requestId ${shown} were purged. Send another requestId to generate new ones.`;
  throw new InputError('NOT_FOUND', message, { path });
}

/**
 * Returns a hash of what an input requests. The order of keys, explicit defaults and `waitSeconds` make no
 * difference.
 */
export async function fingerprintOf(input: GenerateInput, record: ImageRecord): Promise<string> {
  const { waitSeconds: _, references, mask, ...rest } = input;
  const nameOf = async (source: PictureSource) =>
    'uuid' in source ? source.uuid : (await source.file).spool.sha256;
  const asked = {
    ...rest,
    ...record,
    tool: record.toolName,
    n: input.n ?? 1,
    references: await Promise.all((references ?? []).map(nameOf)),
    mask: mask ? await nameOf(mask) : null,
  };
  const given = Object.entries(asked).filter(([, value]) => value !== null && value !== undefined);
  return createHash('sha256')
    .update(sortedJsonOf(Object.fromEntries(given)))
    .digest('hex');
}

/** Returns JSON with the keys of every object sorted. */
function sortedJsonOf(value: unknown): string {
  return JSON.stringify(value, (_key, each) => {
    if (typeof each !== 'object' || each === null || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
