import { createHash, randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { FixativeError, InputError, TooLargeError } from '../errors.ts';
import { removeAbandoned } from './abandoned.ts';
import type { SpaceGuard } from './space.ts';
import type { BlobSource } from './stores/store.ts';

/**
 * Bytes on their way in, in a temporary file. They are counted, limited and hashed while they arrive, in one pass and in
 * constant memory, so that whatever comes later knows their true length and name. A spool belongs to whoever received it,
 * and that one discards it, whatever became of the bytes.
 */
export interface Spool extends BlobSource {
  readonly path: string;
  /** Removes the file; safe to call twice. */
  discard(): Promise<void>;
}

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
   * @throws TooLargeError, InputError EMPTY_FILE, InputError UPLOAD_INTERRUPTED when the stream fails.
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
}): Promise<Spooler> {
  const { directory } = options;
  await mkdir(directory, { recursive: true });
  await removeAbandoned(directory);
  let count = 0;

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
      const hash = createHash('sha256');
      let bytes = 0;
      let discarded = false;
      let sink: WriteStream | null = null;
      const discard = async () => {
        if (discarded) return;
        discarded = true;
        await rm(file, { force: true }).finally(() => {
          count--;
        });
      };
      count++;
      try {
        await options.space.require(0);
        sink = createWriteStream(file, { flags: 'wx', highWaterMark: 256 * 1024 });
        await pipeline(
          stream,
          async function* measure(source: AsyncIterable<Buffer>) {
            for await (const chunk of source) {
              bytes += chunk.length;
              if (bytes > maxBytes) throw tooLarge(subject, maxBytes);
              hash.update(chunk);
              yield chunk;
            }
          },
          sink,
          { ...(signal ? { signal } : {}) },
        );
        if (bytes === 0) throw new InputError('EMPTY_FILE', `${subject} has no bytes.`);
      } catch (error) {
        // Whoever sends is not left waiting with a stream that nobody reads.
        stream.destroy();
        if (sink) await closed(sink);
        await discard();
        if (error instanceof FixativeError) throw error;
        if (isOurDisk(error)) throw error;
        throw new InputError('UPLOAD_INTERRUPTED', `${subject} broke off after ${bytes} bytes.`, {
          cause: error,
          retryable: true,
        });
      }
      return { path: file, bytes, sha256: hash.digest('hex'), open: () => createReadStream(file), discard };
    },
  };
}

/** A file that is still being opened appears after it was removed, and stays. */
function closed(sink: WriteStream): Promise<void> {
  return new Promise((resolve) => {
    if (sink.closed) return resolve();
    sink.once('close', resolve).on('error', () => {});
    sink.destroy();
  });
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
  return syscall === 'open' || syscall === 'write' || code === 'ENOSPC' || code === 'EDQUOT';
}
