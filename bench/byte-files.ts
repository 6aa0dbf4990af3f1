/** Images of an exact size for the benchmarks of bytes, in the stores and in the database. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import type { Queryable } from '../src/database/database.ts';
import { keyOf } from '../src/storage/blob.ts';
import type { makeDatabaseStore } from '../src/storage/stores/database/database-store.ts';
import { makePngChunk, PNG_SIGNATURE } from '../test/pictures.ts';

/** First id of the blobs, far from those of the seed. */
const FIRST_ID = 100_000_000;

export interface StoredFile {
  readonly uuid: string;
  readonly key: string;
}

/** Stores images of an exact size as an upload would, but not verified: the first download does that. */
export async function storeImages(
  database: Queryable,
  directory: string,
  options: { count: number; bytes: number; keep?: ReturnType<typeof makeDatabaseStore> },
): Promise<StoredFile[]> {
  const rows: { sha256: string; key: string }[] = [];
  for (let i = 0; i < options.count; i++) {
    const content = makePng(options.bytes);
    const sha256 = createHash('sha256').update(content).digest('hex');
    const key = keyOf(sha256, 'image/png');
    const file = path.join(directory, key);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
    await options.keep?.put(key, {
      bytes: content.length,
      sha256,
      open: () => Readable.from([content], { objectMode: false }),
    });
    rows.push({ sha256, key });
  }
  const [{ last } = { last: 0 }] = await database.query<{ last: number }>(
    'SELECT greatest(max(id), $1::bigint) AS last FROM blobs',
    [FIRST_ID],
  );
  await database.query(
    `INSERT INTO blobs (id, sha256, bytes, mime_type, width, height, thumbhash)
     SELECT $1::bigint + place, sha256, $2::bigint, 'image/png', 1, 1, '' FROM unnest($3::text[]) WITH ORDINALITY AS each(sha256, place)`,
    [last, options.bytes, rows.map(({ sha256 }) => sha256)],
  );
  await database.query(
    `INSERT INTO copies (blob_id, store, state, key, bytes)
     SELECT $1::bigint + place, $2::text, 'STORED', key, $3::bigint FROM unnest($4::text[]) WITH ORDINALITY AS each(key, place)`,
    [last, options.keep ? 'database' : 'filesystem', options.bytes, rows.map(({ key }) => key)],
  );
  const images = await database.query<{ uuid: string; sha256: string }>(
    `INSERT INTO generated_images (user_id, prompt, filename, storage_url, mime_type, bytes, sha256, width, height, blob_id)
     SELECT 'user-0001', 'bytes', sha256 || '.png', '/images/' || sha256, 'image/png', $2::bigint, sha256, 1, 1, $1::bigint + place
     FROM unnest($3::text[]) WITH ORDINALITY AS each(sha256, place) RETURNING uuid, sha256`,
    [last, options.bytes, rows.map(({ sha256 }) => sha256)],
  );
  const keys = new Map(rows.map(({ sha256, key }) => [sha256, key]));
  return images.map(({ uuid, sha256 }) => ({ uuid, key: keys.get(sha256) as string }));
}

/** Makes a valid PNG of one pixel and an exact size; all but some seventy bytes are random. */
export function makePng(bytes: number): Buffer {
  const pixel = Buffer.from('789c63600000000200 01e221bc33'.replaceAll(' ', ''), 'hex');
  const header = Buffer.from('00000001000000010800000000', 'hex');
  const parts = [makePngChunk('IHDR', header), makePngChunk('IDAT', pixel), makePngChunk('IEND')];
  const rest = bytes - 8 - 12 - parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([
    PNG_SIGNATURE,
    parts[0] as Buffer,
    makePngChunk('raNd', randomBytes(rest)),
    ...parts.slice(1),
  ]);
}
