import type { Readable } from 'node:stream';
import type { Database, Queryable } from '../../../database/database.ts';
import { makeGate } from '../../gate.ts';
import type { BlobSource } from '../store.ts';
import { CHUNK_BYTES } from './read-chunks.ts';
import {
  CHUNKS_PER_INSERT,
  INSERT_CHUNKS,
  INSERT_OBJECT,
  type ObjectRow,
  STAT_OBJECT,
  UPSERT_OBJECT,
} from './statements.ts';

const BATCH_BYTES = CHUNKS_PER_INSERT * CHUNK_BYTES;
/** Objects written at once. It bounds the memory, and leaves connections to other statements. */
const MAX_WRITERS = 8;

/** Writes objects, each in one transaction. */
export function makeObjectWriter(
  database: Database,
): (key: string, source: BlobSource) => Promise<ObjectRow> {
  const inTurn = makeGate(MAX_WRITERS);
  const spare: Buffer[] = [];
  return (key, source) =>
    inTurn(async () => {
      const buffer = spare.pop() ?? Buffer.allocUnsafeSlow(BATCH_BYTES);
      try {
        if (source.bytes > BATCH_BYTES)
          return await putInBatches(database, key, source.bytes, () => inBatches(source.open(), buffer));
        return await putInOneStatement(database, key, await readSource(source, buffer));
      } finally {
        spare.push(buffer);
      }
    });
}

export async function statObject(db: Queryable, key: string): Promise<ObjectRow | null> {
  return (await db.query<ObjectRow>(STAT_OBJECT, [key]))[0] ?? null;
}

async function putInOneStatement(database: Database, key: string, bytes: Buffer): Promise<ObjectRow> {
  const chunks = cutIntoChunks(bytes);
  const [inserted] = await database.query<ObjectRow>(INSERT_OBJECT[chunks.length] as string, [
    key,
    bytes.length,
    ...chunks,
  ]);
  return inserted ?? putInBatches(database, key, bytes.length, () => [bytes]);
}

/** Writes an object in one transaction, replacing the chunks of an older one. */
function putInBatches(
  database: Database,
  key: string,
  bytes: number,
  batches: () => Iterable<Buffer> | AsyncIterable<Buffer>,
): Promise<ObjectRow> {
  return database.transaction(async (transaction) => {
    const [object] = await transaction.query<{ id: number }>(UPSERT_OBJECT, [key, bytes]);
    await transaction.query('DELETE FROM stored_chunks WHERE object_id = $1', [object?.id]);
    let arrived = 0;
    for await (const batch of batches()) {
      const chunks = cutIntoChunks(batch);
      const values = [object?.id, arrived / CHUNK_BYTES, ...chunks];
      await transaction.query(INSERT_CHUNKS[chunks.length] as string, values);
      arrived += batch.length;
    }
    if (arrived !== bytes) throw new Error(`${arrived} bytes arrived of ${bytes}`);
    const kept = await statObject(transaction, key);
    if (!kept) throw new Error('it is not there after it was written');
    return kept;
  });
}

/** Cuts bytes into chunks of CHUNK_BYTES, the last one shorter. Returns one empty chunk for no bytes. */
function cutIntoChunks(bytes: Buffer): Buffer[] {
  const count = Math.max(1, Math.ceil(bytes.length / CHUNK_BYTES));
  return Array.from({ length: count }, (_, n) => bytes.subarray(n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES));
}

/** Reads a source to its end into a buffer. The end matters: a source that checks its hash throws there. */
async function readSource(source: BlobSource, buffer: Buffer): Promise<Buffer> {
  let bytes = 0;
  for await (const data of source.open() as AsyncIterable<Buffer>) {
    if (bytes + data.length > source.bytes) throw new Error(`more than ${source.bytes} bytes arrived`);
    data.copy(buffer, bytes);
    bytes += data.length;
  }
  if (bytes !== source.bytes) throw new Error(`${bytes} bytes arrived of ${source.bytes}`);
  return buffer.subarray(0, bytes);
}

/** Gathers a stream in a buffer, and yields the buffer each time that it is full, and at the end. */
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
