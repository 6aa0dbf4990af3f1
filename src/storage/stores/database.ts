import { Readable } from 'node:stream';
import type { Database, Queryable } from '../../database/database.ts';
import { DISK_WORDS, diskFaultOf } from '../../database/pglite/disk-fault.ts';
import { FixativeError, NotFoundError, StoreError } from '../../errors.ts';
import { makeGate } from '../gate.ts';
import {
  type BlobSource,
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
const WHOLE = `
  SELECT c.data AS bytes FROM stored_objects o JOIN stored_chunks c ON c.object_id = o.id WHERE o.key = $1
  ORDER BY c.position LIMIT $2`;
/** How many pieces one statement brings. They are in memory twice then, once as the driver's message. */
const CHUNKS_AT_ONCE = 8;
const BATCH_BYTES = CHUNKS_AT_ONCE * CHUNK_BYTES;
/** How many objects are written at once: what they hold in memory is bounded by it, and other statements find connections. */
const WRITERS = 8;

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

// A parameter for each piece: the driver sends bytes as they are, and PostgreSQL copies a long parameter each time that it cuts one.
const pieces = (count: number, first: number) =>
  Array.from({ length: count }, (_, n) => `(${n}, $${first + n}::bytea)`).join(', ');

// Whole by itself, so it needs no transaction around; says nothing where the key is there already.
const putNew = (count: number) => `WITH object AS (
    INSERT INTO stored_objects (key, bytes) VALUES ($1, $2) ON CONFLICT (key) DO NOTHING RETURNING id
  ), pieces AS (
    INSERT INTO stored_chunks (object_id, position, data)
    SELECT object.id, piece.n, piece.data FROM object, (VALUES ${pieces(count, 3)}) AS piece (n, data)
    RETURNING octet_length(data) AS bytes, xmin
  )
  SELECT o.id, sum(p.bytes)::bigint AS bytes, sum(p.bytes)::bigint AS present,
    concat(o.id, ':', count(*), ':', string_agg(DISTINCT p.xmin::text, ',')) AS versions
  FROM object o, pieces p GROUP BY o.id`;

const putPieces = (count: number) => `INSERT INTO stored_chunks (object_id, position, data)
  SELECT $1::bigint, $2::int + piece.n, piece.data FROM (VALUES ${pieces(count, 3)}) AS piece (n, data)`;

/** By how many pieces they bring. */
const PUT_NEW = Array.from({ length: CHUNKS_AT_ONCE + 1 }, (_, count) => putNew(count));
const PUT_PIECES = Array.from({ length: CHUNKS_AT_ONCE + 1 }, (_, count) => putPieces(count));

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
      const fault = diskFaultOf(cause);
      const reason = fault ? DISK_WORDS[fault] : cause instanceof Error ? cause.message : String(cause);
      throw new StoreError(`${name} could not ${verb} ${key}: ${reason}.`, name, {
        cause,
        ...(fault === 'full' ? { code: 'NO_SPACE' } : {}),
      });
    }
  }

  async function find(db: Queryable, key: string): Promise<ObjectRow | null> {
    return (await db.query<ObjectRow>(STAT, [key]))[0] ?? null;
  }

  const inTurn = makeGate(WRITERS);
  const spare: Buffer[] = [];

  async function putSmall(key: string, bytes: Buffer): Promise<ObjectRow> {
    const chunks = cut(bytes);
    const [fresh] = await database.query<ObjectRow>(PUT_NEW[chunks.length] as string, [
      key,
      bytes.length,
      ...chunks,
    ]);
    return fresh ?? putInBatches(key, bytes.length, () => [bytes]);
  }

  async function putInBatches(
    key: string,
    bytes: number,
    batches: () => Iterable<Buffer> | AsyncIterable<Buffer>,
  ): Promise<ObjectRow> {
    return database.transaction(async (transaction) => {
      // Two that put the same key wait for each other here. An object that is put again keeps its id, for whoever reads it at this
      // moment asks for its pieces by that.
      const [object] = await transaction.query<{ id: number }>(
        `INSERT INTO stored_objects (key, bytes) VALUES ($1, $2)
         ON CONFLICT (key) DO UPDATE SET bytes = excluded.bytes RETURNING id`,
        [key, bytes],
      );
      await transaction.query('DELETE FROM stored_chunks WHERE object_id = $1', [object?.id]);
      let arrived = 0;
      for await (const batch of batches()) {
        const chunks = cut(batch);
        const values = [object?.id, arrived / CHUNK_BYTES, ...chunks];
        await transaction.query(PUT_PIECES[chunks.length] as string, values);
        arrived += batch.length;
      }
      if (arrived !== bytes) throw new Error(`${arrived} bytes arrived of ${bytes}`);
      const kept = await find(transaction, key);
      if (!kept) throw new Error('it is not there after it was written');
      return kept;
    });
  }

  return {
    name,
    kind: 'database',
    maxBytes: Number.POSITIVE_INFINITY,

    put: (key, source) =>
      asked('keep', key, () =>
        inTurn(async () => {
          const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(BATCH_BYTES);
          try {
            return statOf(
              source.bytes <= BATCH_BYTES
                ? await putSmall(key, await readWhole(source, buffer))
                : await putInBatches(key, source.bytes, () => inBatches(source.open(), buffer)),
            );
          } finally {
            spare.push(buffer);
          }
        }),
      ),

    open: (key, range) =>
      asked('open', key, async () => {
        const object = await find(database, key);
        if (!object) throw new NotFoundError(`${name} has no ${key}.`);
        const pieces = readChunks({ database, held }, object, range ?? { start: 0, end: object.bytes - 1 });
        return { stat: statOf(object), stream: Readable.from(pieces, { objectMode: false }) };
      }),

    readWhole: (key, buffer) =>
      asked('read', key, async () => {
        // One more than there is room for shows that there are more.
        const most = Math.ceil(buffer.length / CHUNK_BYTES) + 1;
        const values = await database.queryBytes(WHOLE, [key, most], buffer);
        let bytes = 0;
        for (const value of values) {
          if (!value || bytes + value.length > buffer.length) return null;
          const isThere = value.buffer === buffer.buffer && value.byteOffset === buffer.byteOffset + bytes;
          if (!isThere) buffer.set(value, bytes);
          bytes += value.length;
        }
        return bytes > 0 ? bytes : null;
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

/** Pieces of CHUNK_BYTES, the last one shorter; one of no bytes where there are none. */
function cut(bytes: Buffer): Buffer[] {
  const count = Math.max(1, Math.ceil(bytes.length / CHUNK_BYTES));
  return Array.from({ length: count }, (_, n) => bytes.subarray(n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES));
}

/** The bytes of a source that fit into a buffer, when it has come to its end: one that proves its hash does so there. */
async function readWhole(source: BlobSource, buffer: Buffer): Promise<Buffer> {
  let bytes = 0;
  for await (const data of source.open() as AsyncIterable<Buffer>) {
    if (bytes + data.length > source.bytes) throw new Error(`more than ${source.bytes} bytes arrived`);
    data.copy(buffer, bytes);
    bytes += data.length;
  }
  if (bytes !== source.bytes) throw new Error(`${bytes} bytes arrived of ${source.bytes}`);
  return buffer.subarray(0, bytes);
}

/** Gathers a stream in a buffer, whatever sizes it arrives in, and gives it each time that it is full, and at the end. */
async function* inBatches(stream: Readable, buffer: Buffer): AsyncGenerator<Buffer> {
  let filled = 0;
  for await (const data of stream as AsyncIterable<Buffer>) {
    for (let from = 0; from < data.length; ) {
      const copied = data.copy(buffer, filled, from);
      from += copied;
      filled += copied;
      if (filled < buffer.length) continue;
      yield buffer;
      filled = 0;
    }
  }
  if (filled > 0) yield buffer.subarray(0, filled);
}
