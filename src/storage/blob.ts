import type { Queryable } from '../database/database.ts';
import { type PictureType, SUPPORTED_TYPES } from './picture/sniff.ts';
import type { Store } from './stores/store.ts';

/** Immutable bytes named by their SHA-256, with their facts and the copies on record. */
export interface Blob {
  readonly id: number;
  /** 64 lower-case hexadecimal digits. */
  readonly sha256: string;
  readonly bytes: number;
  readonly mimeType: string;
  readonly width: number;
  readonly height: number;
  readonly thumbhash: string;
  readonly copies: readonly Copy[];
}

/**
 * State of a copy on record. TOO_LARGE: the blob exceeds the limit of the store, so the copy is never tried.
 */
export type CopyState = 'PENDING' | 'STORED' | 'MISSING' | 'CORRUPT' | 'TOO_LARGE';

export interface Copy {
  readonly store: string;
  readonly state: CopyState;
  readonly key: string;
  readonly fingerprint: string | null;
}

/** Returns the recorded copy of a blob in a store. */
export function copyIn(
  { name }: Pick<Store, 'name'>,
  { copies }: Partial<Pick<Blob, 'copies'>>,
): Copy | undefined {
  return copies?.find((copy) => copy.store === name);
}

/** Columns of a Blob, from the table `blobs` under the alias `b`. */
export const BLOB_COLUMNS = `b.id, b.sha256, b.bytes, b.mime_type AS "mimeType", b.width, b.height, b.thumbhash,
  coalesce((
    SELECT json_agg(json_build_object('store', c.store, 'state', c.state, 'key', c.key, 'fingerprint', c.fingerprint))
    FROM copies c WHERE c.blob_id = b.id
  ), '[]') AS copies`;

const BY_SHA256 = `SELECT ${BLOB_COLUMNS} FROM blobs b WHERE b.sha256 = $1`;
const BY_ID = `SELECT ${BLOB_COLUMNS} FROM blobs b WHERE b.id = $1 AND b.condemned_at IS NULL`;
const LACKS = `b.id > $1 AND b.condemned_at IS NULL AND EXISTS (
    SELECT FROM unnest($2::text[], $3::float8[]) AS s (name, max_bytes)
    LEFT JOIN copies c ON c.blob_id = b.id AND c.store = s.name
    WHERE c.state IS DISTINCT FROM 'STORED'
      AND (b.bytes <= s.max_bytes OR c.state <> 'TOO_LARGE')
  )`;
const LACKING = `SELECT b.id, b.sha256 FROM blobs b WHERE ${LACKS} ORDER BY b.id LIMIT $4`;
const COUNT_LACKING = `SELECT count(*) FROM blobs b WHERE ${LACKS}`;

/**
 * Finds a blob. By id, condemned blobs are left out. By hash they are included, because a put pardons them.
 */
export async function findBlob(db: Queryable, by: { id: number } | { sha256: string }): Promise<Blob | null> {
  const rows =
    'id' in by ? await db.query<Blob>(BY_ID, [by.id]) : await db.query<Blob>(BY_SHA256, [by.sha256]);
  return rows[0] ?? null;
}

/**
 * Yields blobs without a healthy copy on record in one of the stores. Stores in which a blob is
 * too large do not count. A new store lacks all blobs.
 */
export async function* walkLacking(
  db: Queryable,
  stores: readonly Pick<Store, 'name' | 'maxBytes'>[],
  pageSize = 500,
): AsyncGenerator<Pick<Blob, 'id' | 'sha256'>> {
  for (let after = 0; ; ) {
    const page = await db.query<Pick<Blob, 'id' | 'sha256'>>(LACKING, [
      after,
      stores.map(({ name }) => name),
      stores.map(({ maxBytes }) => maxBytes),
      pageSize,
    ]);
    yield* page;
    const last = page.at(-1);
    if (!last || page.length < pageSize) return;
    after = last.id;
  }
}

/** Counts the blobs that `walkLacking` yields. */
export async function countLacking(
  db: Queryable,
  stores: readonly Pick<Store, 'name' | 'maxBytes'>[],
): Promise<number> {
  const values = [0, stores.map(({ name }) => name), stores.map(({ maxBytes }) => maxBytes)];
  const [row] = await db.query<{ count: number }>(COUNT_LACKING, values);
  return row?.count ?? 0;
}

/**
 * Returns the key of a blob, in every store: `3f/9c/3f9c….png`. `sha256sum` verifies a file by its name. Two
 * levels of directories keep each directory small.
 * @param n from 2: another key for the same bytes, `3f/9c/3f9c…-2.png`, for use while the earlier keys are
 *   retired.
 */
export function keyOf(sha256: string, mimeType: string, n = 1): string {
  const end = n === 1 ? '' : `-${n}`;
  return `${sha256.slice(0, 2)}/${sha256.slice(2, 4)}/${sha256}${end}.${extensionOf(mimeType)}`;
}

/** Returns the file extension of a supported type, without the dot. */
export function extensionOf(mimeType: string): string {
  return SUPPORTED_TYPES[mimeType as PictureType];
}
