import type { RandomReader } from '../files/local-file.ts';

/** Largest spool that is kept in memory beside its file, in bytes, and the limit for all spools together. */
const MAX_SPOOL_BYTES = 2 * 1024 * 1024;
const MAX_TOTAL_BYTES = 32 * 1024 * 1024;

/**
 * Memory that a chunk takes beside its bytes. A client that sends one byte at a time would otherwise use a
 * hundred times the memory that is counted.
 */
export const CHUNK_OVERHEAD_BYTES = 384;

/** Keeps the chunks of a small spool in memory, so that they need not be read back from the disk. */
export interface SpoolMemory {
  /** All chunks in order; null once they exceed a limit. */
  readonly chunks: readonly Buffer[] | null;
  keep(chunk: Buffer): void;
  drop(): void;
}

/** @param total bytes that all spools together keep in memory. */
export function makeSpoolMemory(total: { bytes: number }): SpoolMemory {
  let chunks: Buffer[] | null = [];
  let bytes = 0;
  const drop = () => {
    chunks = null;
    total.bytes -= bytes;
    bytes = 0;
  };
  return {
    get chunks() {
      return chunks;
    },
    keep(chunk) {
      if (chunks === null) return;
      const size = chunk.length + CHUNK_OVERHEAD_BYTES;
      if (bytes + size > MAX_SPOOL_BYTES || total.bytes + size > MAX_TOTAL_BYTES) return drop();
      chunks.push(chunk);
      bytes += size;
      total.bytes += size;
    },
    drop,
  };
}

export function readerOfChunks(chunks: readonly Buffer[]): RandomReader {
  return {
    async read(buffer, offset, length, position) {
      let bytesRead = 0;
      let start = 0;
      for (const chunk of chunks) {
        const from = position + bytesRead - start;
        if (bytesRead < length && from < chunk.length)
          bytesRead += chunk.copy(buffer, offset + bytesRead, from, from + length - bytesRead);
        start += chunk.length;
      }
      return { bytesRead };
    },
  };
}
