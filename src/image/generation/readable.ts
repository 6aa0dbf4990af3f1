import { Readable } from 'node:stream';

/** Bytes in one chunk of the stream. */
const CHUNK_BYTES = 256 * 1024;

/**
 * Returns a stream of bytes in memory, in chunks: hashing a whole picture at once would block the event loop.
 */
export function readableOf(bytes: Uint8Array): Readable {
  return Readable.from(chunksOf(bytes), { objectMode: false });
}

function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
}
