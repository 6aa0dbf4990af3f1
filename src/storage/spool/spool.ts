import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { diskErrorOf } from '../../database/pglite/disk-fault.ts';
import { FixativeError, InputError, TooLargeError } from '../../errors.ts';
import type { BlobSource } from '../stores/store.ts';
import { removeAbandoned } from './abandoned.ts';
import type { LocalFile, RandomReader } from './local-file.ts';
import type { SpaceGuard } from './space.ts';

/**
 * Bytes on their way in, in a temporary file. They are counted, limited and hashed while they arrive, in one pass and in
 * constant memory, so that whatever comes later knows their true length and name. A spool belongs to whoever received it,
 * and that one discards it, whatever became of the bytes. The file is kept open: whoever reads by `open` does so also when a store
 * has taken the file over.
 */
export interface Spool extends BlobSource, LocalFile {
  /** Where the file is; in the store, when one has taken it over. */
  readonly path: string;
  /** Whether what is read of it are the very bytes that were hashed, and not those of the file. */
  readonly isInMemory: boolean;
  moveTo(file: string): Promise<boolean>;
  /** Removes the file, unless a store has taken it over; safe to call twice. */
  discard(): Promise<void>;
}

/** How much is gathered before it is written, and how much is read at a time. */
const WRITE_BYTES = 256 * 1024;
const READ_BYTES = 128 * 1024;
/** A file of no more than this stays in memory beside the disk until it is discarded, so that it need not be read back; */
const SMALL_BYTES = 2 * 1024 * 1024;
/** and of all of them together so much. */
const MEMORY_BYTES = 32 * 1024 * 1024;
/** What a chunk takes beside its bytes. Whoever sends one byte at a time must not hold a hundred times what is counted. */
const CHUNK_OVERHEAD_BYTES = 384;

export interface Spooler {
  readonly maxBytes: number;
  /** How many spools are received or being received and not yet discarded. */
  readonly count: number;
  /** Removes what killed processes left and nobody has written to for so long. */
  sweep(afterSeconds: number): Promise<void>;
  /**
   * Takes a stream to its end. It is destroyed as soon as it passes the limit, and nothing of it is left behind.
   * @param options.signal gives up on the stream, as if it had broken off.
   * @param options.maxBytes a limit other than the spooler's own.
   * @throws TooLargeError, InputError EMPTY_FILE, InputError UPLOAD_INTERRUPTED when the stream fails, DiskError when our own disk does.
   */
  receive(
    stream: Readable,
    options?: { maxBytes?: number; subject?: string; signal?: AbortSignal },
  ): Promise<Spool>;
}

export async function openSpooler(options: {
  directory: string;
  maxBytes: number;
  space: SpaceGuard;
  /** Hears what the disk refused. */
  onDiskFault?: (error: unknown) => void;
}): Promise<Spooler> {
  const { directory } = options;
  await mkdir(directory, { recursive: true });
  await removeAbandoned(directory);
  let count = 0;
  const memory = { bytes: 0 };

  return {
    maxBytes: options.maxBytes,
    get count() {
      return count;
    },
    async sweep(afterSeconds) {
      await removeAbandoned(directory, afterSeconds);
    },
    async receive(stream, { maxBytes = options.maxBytes, subject = 'The file', signal } = {}) {
      const file = path.join(directory, randomUUID());
      let taken: string | null = null;
      let handle: FileHandle | null = null;
      let discarded = false;
      const small = makeKeeper(memory);
      const discard = async () => {
        if (discarded) return;
        discarded = true;
        small.drop();
        try {
          await handle?.close();
          if (taken === null) await rm(file, { force: true });
        } finally {
          count--;
        }
      };
      const giveUp = () => stream.destroy(new Error('it is not waited for any longer'));
      const progress = { bytes: 0 };
      count++;
      try {
        // Heard from the beginning: a stream that fails before it is read would otherwise end the process.
        stream.on('error', () => {});
        await options.space.require(0);
        handle = await open(file, 'wx+');
        signal?.addEventListener('abort', giveUp);
        if (signal?.aborted) giveUp();
        const sha256 = await write(stream, handle, { progress, maxBytes, subject, small });
        if (progress.bytes === 0) throw new InputError('EMPTY_FILE', `${subject} has no bytes.`);
        const kept = handle;
        return {
          get path() {
            return taken ?? file;
          },
          bytes: progress.bytes,
          sha256,
          isInMemory: small.chunks !== null,
          reader: small.chunks === null ? kept : readerOf(small.chunks),
          open: () => Readable.from(small.chunks ?? read(kept, progress.bytes), { objectMode: false }),
          async moveTo(target) {
            if (taken !== null || discarded) return false;
            taken = target;
            try {
              await kept.sync();
              await rename(file, target);
              return true;
            } catch (error) {
              taken = null;
              if ((error as NodeJS.ErrnoException).code === 'EXDEV') return false;
              throw error;
            }
          },
          discard,
        };
      } catch (error) {
        // Whoever sends is not left waiting with a stream that nobody reads.
        stream.destroy();
        await discard();
        if (error instanceof FixativeError) throw error;
        if (isOurDisk(error)) {
          options.onDiskFault?.(error);
          throw diskErrorOf('The server', error) ?? error;
        }
        throw new InputError('UPLOAD_INTERRUPTED', `${subject} broke off after ${progress.bytes} bytes.`, {
          cause: error,
          retryable: true,
        });
      } finally {
        signal?.removeEventListener('abort', giveUp);
      }
    },
  };
}

/**
 * Writes a stream to its end, some chunks at a time, and takes the next ones while they are written.
 * @param options.progress how far it came is told here, also when it fails.
 * @returns the SHA-256, in hexadecimal.
 */
async function write(
  stream: Readable,
  handle: FileHandle,
  {
    progress,
    maxBytes,
    subject,
    small,
  }: { progress: { bytes: number }; maxBytes: number; subject: string; small: Keeper },
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
    // Waited for at the next flush; until then nobody else listens.
    writing.catch(() => {});
  };
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      progress.bytes += chunk.length;
      if (progress.bytes > maxBytes) throw tooLarge(subject, maxBytes);
      hash.update(chunk);
      small.keep(chunk);
      gathered.push(chunk);
      gatheredBytes += chunk.length + CHUNK_OVERHEAD_BYTES;
      if (gatheredBytes >= WRITE_BYTES) await flush();
    }
    await flush();
  } finally {
    // Nothing is written any more when the file is removed.
    await writing?.catch(() => {});
  }
  await writing;
  return hash.digest('hex');
}

/** What arrives, as long as it is little. */
interface Keeper {
  /** All that was kept, in order; null when it was too much. */
  readonly chunks: readonly Buffer[] | null;
  keep(chunk: Buffer): void;
  drop(): void;
}

/** @param memory what all of them hold. */
function makeKeeper(memory: { bytes: number }): Keeper {
  let chunks: Buffer[] | null = [];
  let bytes = 0;
  const drop = () => {
    chunks = null;
    memory.bytes -= bytes;
    bytes = 0;
  };
  return {
    get chunks() {
      return chunks;
    },
    keep(chunk) {
      if (chunks === null) return;
      const size = chunk.length + CHUNK_OVERHEAD_BYTES;
      if (bytes + size > SMALL_BYTES || memory.bytes + size > MEMORY_BYTES) return drop();
      chunks.push(chunk);
      bytes += size;
      memory.bytes += size;
    },
    drop,
  };
}

function readerOf(chunks: readonly Buffer[]): RandomReader {
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

/** By positions, so that several may read at once, whatever the file is called meanwhile. */
async function* read(handle: FileHandle, bytes: number): AsyncGenerator<Buffer> {
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

export function tooLarge(subject: string, maxBytes: number): TooLargeError {
  return new TooLargeError(
    `${subject} is larger than the ${formatBytes(maxBytes)} that are allowed (MAX_UPLOAD_BYTES).`,
    { limit: maxBytes, unit: 'bytes' },
  );
}

/** `50 MiB`, `1.5 KiB`, `12 bytes`. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}

/** Whether the fault is of our own temporary file and not of whoever sends. */
function isOurDisk(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return (
    syscall === 'open' ||
    syscall === 'write' ||
    syscall === 'writev' ||
    code === 'ENOSPC' ||
    code === 'EDQUOT'
  );
}
