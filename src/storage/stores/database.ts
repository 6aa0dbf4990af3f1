import { Readable } from 'node:stream';
import type { Database, Queryable } from '../../database/database.ts';
import { FixativeError, NotFoundError, StoreError } from '../../errors.ts';
import {
  type ByteRange,
  DamagedObjectError,
  type ListedObject,
  type ObjectStat,
  type Store,
} from './store.ts';

/**
 * How many bytes one row holds. A piece is in memory a few times over on its way (as bytes, as the driver's text), so it is
 * small; and large enough that the round trips do not count.
 */
const CHUNK_BYTES = 256 * 1024;

/** How many pieces one statement reads; as many again are read ahead while these are taken. */
const PIECES_AT_ONCE = 4;
/** With more than this in memory, of all readers, each reads one piece at a time and none ahead: so many of them may be slow. */
const MAX_AHEAD_BYTES = 32 * 1024 * 1024;
// One row for each piece that there should be, also for one that is gone.
const PIECES = `
  SELECT c.data AS bytes FROM generate_series($2::integer, $3::integer) place
  LEFT JOIN stored_chunks c ON c.object_id = $1 AND c.position = place ORDER BY place`;

interface ObjectRow {
  id: number;
  /** What was put. */
  bytes: number;
  /** What is there now; less when a piece is gone. */
  present: number;
  versions: string;
}

// The fingerprint is the row versions (xmin) of the pieces: any UPDATE of one changes it, and reading it reads no bytes.
const STAT = `
  SELECT o.id, o.bytes, coalesce(sum(octet_length(c.data)), 0)::bigint AS present,
    concat(o.id, ':', count(c.position), ':', string_agg(DISTINCT c.xmin::text, ',')) AS versions
  FROM stored_objects o LEFT JOIN stored_chunks c ON c.object_id = o.id
  WHERE o.key = $1 GROUP BY o.id`;

/**
 * The database that has the records keeps the bytes too, in pieces, so that they stream both ways and a plain `pg_dump` of it
 * is a whole backup. An object is written in one transaction: it is there whole or not at all.
 */
export function makeDatabaseStore(options: { name: string; database: Database }): Store {
  const { name, database } = options;
  /** In memory, of all readers. */
  const held = { bytes: 0 };

  async function asked<Result>(verb: string, key: string, ask: () => Promise<Result>): Promise<Result> {
    try {
      return await ask();
    } catch (cause) {
      if (cause instanceof FixativeError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new StoreError(`${name} could not ${verb} ${key}: ${reason}.`, name, { cause });
    }
  }

  async function find(db: Queryable, key: string): Promise<ObjectRow | null> {
    return (await db.query<ObjectRow>(STAT, [key]))[0] ?? null;
  }

  return {
    name,
    kind: 'database',
    maxBytes: Number.POSITIVE_INFINITY,

    put: (key, source) =>
      asked('keep', key, () =>
        database.transaction(async (transaction) => {
          // Two that put the same key wait for each other here, rather than one failing on the unique key at the end.
          await transaction.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [key]);
          // An object that is put again keeps its id, for whoever reads it at this moment asks for its pieces by that.
          const [object] = await transaction.query<{ id: number }>(
            `INSERT INTO stored_objects (key, bytes) VALUES ($1, $2)
             ON CONFLICT (key) DO UPDATE SET bytes = excluded.bytes RETURNING id`,
            [key, source.bytes],
          );
          await transaction.query('DELETE FROM stored_chunks WHERE object_id = $1', [object?.id]);
          let position = 0;
          let bytes = 0;
          for await (const chunk of inChunks(source.open())) {
            bytes += chunk.length;
            await transaction.query(
              'INSERT INTO stored_chunks (object_id, position, data) VALUES ($1, $2, $3)',
              [object?.id, position++, chunk],
            );
          }
          if (bytes !== source.bytes) throw new Error(`${bytes} bytes arrived of ${source.bytes}`);
          const kept = await find(transaction, key);
          if (!kept) throw new Error('it is not there after it was written');
          return statOf(kept);
        }),
      ),

    open: (key, range) =>
      asked('open', key, async () => {
        const object = await find(database, key);
        if (!object) throw new NotFoundError(`${name} has no ${key}.`);
        const pieces = readChunks({ database, held }, object, range ?? { start: 0, end: object.bytes - 1 });
        return { stat: statOf(object), stream: Readable.from(pieces, { objectMode: false }) };
      }),

    stat: (key) =>
      asked('look for', key, async () => {
        const object = await find(database, key);
        return object ? statOf(object) : null;
      }),

    delete: (key) =>
      asked('delete', key, async () => {
        await database.query('DELETE FROM stored_objects WHERE key = $1', [key]);
      }),

    async *list() {
      const page = 1000;
      for (let after = ''; ; ) {
        const rows = await asked('list', 'its objects', () =>
          database.query<ListedObject>(
            'SELECT key, bytes, created_at AS "modifiedAt" FROM stored_objects WHERE key > $1 ORDER BY key LIMIT $2',
            [after, page],
          ),
        );
        yield* rows;
        const last = rows.at(-1);
        if (!last || rows.length < page) return;
        after = last.key;
      }
    },
  };
}

function statOf(object: ObjectRow): ObjectStat {
  return { bytes: object.present, fingerprint: `${object.present}:${object.versions}` };
}

interface Batch {
  /** The last of its pieces. */
  readonly end: number;
  readonly pieces: Promise<(Uint8Array | null)[]>;
}

/**
 * Reads an object as fast as it is taken, so many pieces by one statement, and the next ones while these are being taken. A piece that is not there or
 * not as long as it was ends in an error.
 */
async function* readChunks(
  { database, held }: { database: Pick<Database, 'queryBytes'>; held: { bytes: number } },
  object: ObjectRow,
  range: ByteRange,
): AsyncGenerator<Uint8Array> {
  const last = Math.floor(range.end / CHUNK_BYTES);
  /** What this reader is counted with. */
  let mine = 0;
  const count = (pieces: number) => {
    mine += pieces * CHUNK_BYTES;
    held.bytes += pieces * CHUNK_BYTES;
  };
  const read = (first: number): Batch => {
    const most = held.bytes < MAX_AHEAD_BYTES ? PIECES_AT_ONCE : 1;
    const end = Math.min(first + most - 1, last);
    count(end - first + 1);
    const pieces = database.queryBytes(PIECES, [object.id, first, end]);
    // Whoever stops reading does not wait for it.
    pieces.catch(() => {});
    return { end, pieces };
  };
  try {
    let position = Math.floor(range.start / CHUNK_BYTES);
    let ahead: Batch | null = null;
    while (position <= last) {
      const current: Batch = ahead ?? read(position);
      const batch = await current.pieces;
      ahead = current.end < last && held.bytes < MAX_AHEAD_BYTES ? read(current.end + 1) : null;
      for (const piece of batch) {
        const expected = Math.min(CHUNK_BYTES, object.bytes - position * CHUNK_BYTES);
        if (piece?.length !== expected) {
          const what = piece ? 'damaged' : 'gone';
          throw new DamagedObjectError(`piece ${position} of object ${object.id} is ${what}`);
        }
        const start = Math.max(0, range.start - position * CHUNK_BYTES);
        yield piece.subarray(start, Math.min(expected, range.end - position * CHUNK_BYTES + 1));
        count(-1);
        position++;
      }
    }
  } finally {
    held.bytes -= mine;
  }
}

/** Cuts a stream into pieces of CHUNK_BYTES, the last one shorter, whatever sizes it arrives in. */
async function* inChunks(stream: Readable): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let bytes = 0;
  for await (const data of stream as AsyncIterable<Buffer>) {
    held.push(data);
    bytes += data.length;
    while (bytes >= CHUNK_BYTES) {
      const all = held.length === 1 ? (held[0] as Buffer) : Buffer.concat(held, bytes);
      yield all.subarray(0, CHUNK_BYTES);
      held = [all.subarray(CHUNK_BYTES)];
      bytes -= CHUNK_BYTES;
    }
  }
  if (bytes > 0) yield Buffer.concat(held, bytes);
}
