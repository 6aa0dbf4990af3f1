import type { Database } from '../../../database/database.ts';
import { type ByteRange, DamagedObjectError } from '../store.ts';
import { type ObjectRow, READ_CHUNKS } from './statements.ts';

/**
 * Bytes of a chunk, which is one row. A chunk is in memory several times on its way (as bytes, and as text of
 * the driver), so it is small; but large enough that round trips do not matter.
 */
export const CHUNK_BYTES = 256 * 1024;

/** Chunks per statement. As many again are read ahead while these are consumed. */
const CHUNKS_PER_READ = 4;
/**
 * With more than this in memory, over all readers, each reads one chunk at a time and none ahead. It bounds
 * slow readers.
 */
const MAX_AHEAD_BYTES = 32 * 1024 * 1024;

interface Batch {
  /** Position of its last chunk. */
  readonly end: number;
  readonly chunks: Promise<(Uint8Array | null)[]>;
}

/**
 * Reads a range of an object as fast as it is consumed, and the next chunks ahead.
 * @param held bytes in memory, over all readers.
 * @throws DamagedObjectError if a chunk is gone or has another length.
 */
export async function* readChunks(
  { database, held }: { database: Pick<Database, 'queryBytes'>; held: { bytes: number } },
  object: ObjectRow,
  range: ByteRange,
): AsyncGenerator<Uint8Array> {
  const last = Math.floor(range.end / CHUNK_BYTES);
  /** This reader's part of `held`. */
  let mine = 0;
  const count = (chunks: number) => {
    mine += chunks * CHUNK_BYTES;
    held.bytes += chunks * CHUNK_BYTES;
  };
  const read = (first: number): Batch => {
    const most = held.bytes < MAX_AHEAD_BYTES ? CHUNKS_PER_READ : 1;
    const end = Math.min(first + most - 1, last);
    count(end - first + 1);
    const chunks = database.queryBytes(READ_CHUNKS, [object.id, first, end]);
    // A reader that stops does not wait for the batch; its error must not be unhandled then.
    chunks.catch(() => {});
    return { end, chunks };
  };
  try {
    let position = Math.floor(range.start / CHUNK_BYTES);
    let ahead: Batch | null = null;
    while (position <= last) {
      const current: Batch = ahead ?? read(position);
      const batch = await current.chunks;
      ahead = current.end < last && held.bytes < MAX_AHEAD_BYTES ? read(current.end + 1) : null;
      for (const chunk of batch) {
        const expected = Math.min(CHUNK_BYTES, object.bytes - position * CHUNK_BYTES);
        if (chunk?.length !== expected) {
          const what = chunk ? 'damaged' : 'gone';
          throw new DamagedObjectError(`chunk ${position} of object ${object.id} is ${what}`);
        }
        const start = Math.max(0, range.start - position * CHUNK_BYTES);
        yield chunk.subarray(start, Math.min(expected, range.end - position * CHUNK_BYTES + 1));
        count(-1);
        position++;
      }
    }
  } finally {
    held.bytes -= mine;
  }
}
