import type { BigIntStats } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ByteRange, ObjectStat, OpenObject } from '../store.ts';

/** Bytes per read. */
const PART_BYTES = 256 * 1024;

/**
 * Opens a stream over a file. The stream closes the handle.
 * @throws Error if it is not a regular file, or as `FileHandle.stat`; the caller closes the handle then.
 */
export async function openStream(handle: FileHandle, range: ByteRange | undefined): Promise<OpenObject> {
  const stats = await handle.stat({ bigint: true });
  if (!stats.isFile()) throw new Error('it is not a file');
  const whole = statOf(stats);
  // ctime is ignored: link, unlink and chmod change it without changing the bytes.
  const isSame = ({ size, mtimeNs }: BigIntStats) => size === stats.size && mtimeNs === stats.mtimeNs;
  const isUnchangedNow = async () => isSame(await handle.stat({ bigint: true }));
  let wasUnchangedAtEnd: boolean | null = null;
  const parts = readParts(handle, range ?? { start: 0, end: whole.bytes - 1 }, async () => {
    wasUnchangedAtEnd = await isUnchangedNow().catch(() => false);
  });
  const stream = Readable.from(parts, { objectMode: false });
  stream.once('close', () => void handle.close().catch(() => {}));
  return {
    stat: whole,
    stream,
    isUnchanged: async () => wasUnchangedAtEnd ?? isUnchangedNow().catch(() => false),
  };
}

/**
 * Reads a range in parts; ends early if the file does.
 * @param atEnd is called after the last read, and after an error.
 */
async function* readParts(
  handle: FileHandle,
  { start, end }: ByteRange,
  atEnd: () => Promise<void>,
): AsyncGenerator<Buffer> {
  try {
    for (let at = start; at <= end; ) {
      const part = Buffer.allocUnsafeSlow(Math.min(PART_BYTES, end - at + 1));
      const { bytesRead } = await handle.read(part, 0, part.length, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      yield part.subarray(0, bytesRead);
    }
  } finally {
    await atEnd();
  }
}

/**
 * Makes the fingerprint of size, both times and inode. A write in place changes the times, a replacement
 * changes the inode, and a copy that preserves mtime changes the ctime.
 */
export function statOf(stats: BigIntStats): ObjectStat {
  return {
    bytes: Number(stats.size),
    fingerprint: `${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}:${stats.ino}`,
  };
}
