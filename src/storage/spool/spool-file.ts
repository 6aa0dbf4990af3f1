import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { CHUNK_OVERHEAD_BYTES } from './spool-memory.ts';

/** Bytes gathered before a write, and bytes per read. */
const WRITE_BYTES = 256 * 1024;
const READ_BYTES = 128 * 1024;

/**
 * Writes a stream to its end. Gathers several chunks for each write, and takes the next chunks during the
 * write.
 * @param onChunk is called with each chunk before it is written; what it throws ends the write.
 * @returns the SHA-256 in hexadecimal.
 */
export async function writeStream(
  stream: Readable,
  handle: FileHandle,
  onChunk: (chunk: Buffer) => void,
): Promise<string> {
  const hash = createHash('sha256');
  let gathered: Buffer[] = [];
  let gatheredBytes = 0;
  let writing: Promise<void> | undefined;
  const flush = async () => {
    await writing;
    const chunks = gathered;
    gathered = [];
    gatheredBytes = 0;
    writing = writeAll(handle, chunks);
    // Its error is thrown by the next flush. The handler prevents an unhandled rejection until then.
    writing.catch(() => {});
  };
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      onChunk(chunk);
      hash.update(chunk);
      gathered.push(chunk);
      gatheredBytes += chunk.length + CHUNK_OVERHEAD_BYTES;
      if (gatheredBytes >= WRITE_BYTES) await flush();
    }
    await flush();
  } finally {
    // No write may run when the caller deletes the file.
    await writing?.catch(() => {});
  }
  await writing;
  return hash.digest('hex');
}

async function writeAll(handle: FileHandle, chunks: Buffer[]): Promise<void> {
  let left = chunks;
  while (left.length > 0) {
    const { bytesWritten } = await handle.writev(left);
    let passed = bytesWritten;
    left = left.flatMap((chunk) => {
      const skipped = Math.min(passed, chunk.length);
      passed -= skipped;
      return skipped < chunk.length ? [chunk.subarray(skipped)] : [];
    });
  }
}

/**
 * Reads a file by positions, so that several readers can share the handle and the file can be renamed
 * meanwhile.
 */
export async function* readFileParts(handle: FileHandle, bytes: number): AsyncGenerator<Buffer> {
  for (let position = 0; position < bytes; ) {
    const { bytesRead, buffer } = await handle.read(
      Buffer.allocUnsafeSlow(Math.min(READ_BYTES, bytes - position)),
      0,
      null,
      position,
    );
    if (bytesRead === 0) throw new Error(`the file ends at byte ${position} of ${bytes}`);
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}
