import type { Queryable } from '../../database/database.ts';
import type { Blob, Copy } from '../blob.ts';

const PAGE = 200;

export interface CopyToVerify {
  readonly blob: Pick<Blob, 'id' | 'sha256' | 'bytes' | 'mimeType'>;
  readonly copy: Copy;
}

/**
 * Yields every copy that was not examined since the walk began, the one examined longest ago first.
 * @param options.deep goes by the last proof of the hash; otherwise by the last time that the copy was seen.
 */
export async function* walkCopies(
  db: Queryable,
  options: { names: readonly string[]; deep: boolean; signal: AbortSignal | undefined },
): AsyncGenerator<CopyToVerify> {
  const column = `coalesce(c.${options.deep ? 'checked_at' : 'seen_at'}, '-infinity'::timestamptz)`;
  const [now] = await db.query<{ now: string }>('SELECT now()::text AS now');
  let after = { at: '-infinity', id: 0, store: '' };
  for (;;) {
    const rows = await db.query<
      Copy & { id: number; sha256: string; bytes: number; mimeType: string; at: string }
    >(
      `SELECT ${column}::text AS at, b.id, b.sha256, b.bytes, b.mime_type AS "mimeType",
         c.store, c.state, c.key, c.fingerprint
       FROM copies c JOIN blobs b ON b.id = c.blob_id
       WHERE (${column}, c.blob_id, c.store) > ($1::timestamptz, $2::bigint, $3::text) AND ${column} < $4::timestamptz
         AND c.store = ANY($5::text[]) AND c.state <> 'TOO_LARGE' AND b.condemned_at IS NULL
       ORDER BY ${column}, c.blob_id, c.store LIMIT ${PAGE}`,
      [after.at, after.id, after.store, now?.now, options.names],
    );
    for (const { id, sha256, bytes, mimeType, at: _at, ...copy } of rows) {
      options.signal?.throwIfAborted();
      yield { blob: { id, sha256, bytes, mimeType }, copy };
    }
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) return;
    after = { at: last.at, id: last.id, store: last.store };
  }
}
