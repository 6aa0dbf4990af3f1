import type { Queryable } from '../database/database.ts';
import { type PictureType, SUPPORTED_TYPES } from './picture/sniff.ts';
import type { Store } from './stores/store.ts';

/** What the storage service knows of a blob: its name, its facts, and where its copies should be. */
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

/** TOO_LARGE: the store does not take as many bytes, and is not tried. */
export type CopyState = 'PENDING' | 'STORED' | 'MISSING' | 'CORRUPT' | 'TOO_LARGE';

export interface Copy {
  readonly store: string;
  readonly state: CopyState;
  readonly key: string;
  readonly fingerprint: string | null;
}

/** What is on record of a blob in a store. */
export function copyIn(
  { name }: Pick<Store, 'name'>,
  { copies }: Partial<Pick<Blob, 'copies'>>,
): Copy | undefined {
  return copies?.find((copy) => copy.store === name);
}

/** A blob as columns; `${BLOB_COLUMNS}` reads as the table `b`. */
export const BLOB_COLUMNS = `b.id, b.sha256, b.bytes, b.mime_type AS "mimeType", b.width, b.height, b.thumbhash,
  coalesce((
    SELECT json_agg(json_build_object('store', c.store, 'state', c.state, 'key', c.key, 'fingerprint', c.fingerprint))
    FROM copies c WHERE c.blob_id = b.id
  ), '[]') AS copies`;

const BY_SHA256 = `SELECT ${BLOB_COLUMNS} FROM blobs b WHERE b.sha256 = $1`;
const BY_ID = `SELECT ${BLOB_COLUMNS} FROM blobs b WHERE b.id = $1 AND b.condemned_at IS NULL`;
const LACKING = `SELECT b.id FROM blobs b
  WHERE b.id > $1 AND b.condemned_at IS NULL AND EXISTS (
    SELECT FROM unnest($2::text[], $3::float8[]) AS s (name, max_bytes)
    LEFT JOIN copies c ON c.blob_id = b.id AND c.store = s.name
    WHERE c.state IS DISTINCT FROM 'STORED'
      AND (b.bytes <= s.max_bytes OR c.state <> 'TOO_LARGE')
  )
  ORDER BY b.id LIMIT $4`;

/** By id none that is being removed; by hash also such a one, which a put pardons. */
export async function findBlob(db: Queryable, by: { id: number } | { sha256: string }): Promise<Blob | null> {
  const rows =
    'id' in by ? await db.query<Blob>(BY_ID, [by.id]) : await db.query<Blob>(BY_SHA256, [by.sha256]);
  return rows[0] ?? null;
}

/** The ids of blobs of which a store that takes them lacks a healthy copy, by the record; a store that was added today lacks all. */
export async function* walkLacking(
  db: Queryable,
  stores: readonly Pick<Store, 'name' | 'maxBytes'>[],
  pageSize = 500,
): AsyncGenerator<number> {
  for (let after = 0; ; ) {
    const page = await db.query<{ id: number }>(LACKING, [
      after,
      stores.map(({ name }) => name),
      stores.map(({ maxBytes }) => maxBytes),
      pageSize,
    ]);
    for (const { id } of page) yield id;
    const last = page.at(-1);
    if (!last || page.length < pageSize) return;
    after = last.id;
  }
}

/**
 * What every store calls a blob: `3f/9c/3f9c….png`. It contains the SHA-256, so that `sha256sum` on a file says whether it
 * is right, and two levels of directories, so that none of them grows past what file systems like.
 * @param n 2 and more: another key for the same bytes, `3f/9c/3f9c…-2.png`, where a deletion may still be on its way to the former ones.
 */
export function keyOf(sha256: string, mimeType: string, n = 1): string {
  const end = n === 1 ? '' : `-${n}`;
  return `${sha256.slice(0, 2)}/${sha256.slice(2, 4)}/${sha256}${end}.${extensionOf(mimeType)}`;
}

/** The usual ending of file names of a supported type, without its dot. */
export function extensionOf(mimeType: string): string {
  return SUPPORTED_TYPES[mimeType as PictureType];
}
