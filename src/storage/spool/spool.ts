import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { diskErrorOf } from '../../database/pglite/disk-fault.ts';
import { type ErrorCode, FixativeError, InputError, TooLargeError } from '../../errors.ts';
import { removeAbandoned } from '../files/abandoned.ts';
import type { LocalFile } from '../files/local-file.ts';
import type { BlobSource } from '../stores/store.ts';
import { formatBytes } from './format-bytes.ts';
import type { SpaceGuard } from './space.ts';
import { readFileParts, writeStream } from './spool-file.ts';
import { makeSpoolMemory, readerOfChunks, type SpoolMemory } from './spool-memory.ts';

/**
 * Received bytes in a temporary file. They were counted, limited and hashed in one pass and in constant
 * memory. The receiver owns the spool and must discard it. The file stays open, so `open` works even after a
 * store has taken the file over.
 */
export interface Spool extends BlobSource, LocalFile {
  /** Path of the file; its path in the store after a store has taken it over. */
  readonly path: string;
  /** Whether reads come from memory, that is from the very bytes that were hashed, and not from the file. */
  readonly isInMemory: boolean;
  moveTo(file: string): Promise<boolean>;
  /** Deletes the file, unless a store has taken it over. Safe to call twice. */
  discard(): Promise<void>;
}

export interface ReceiveOptions {
  /** Default: the limit of the spooler. */
  readonly maxBytes?: number;
  /** Subject of error messages. Default: `The file`. */
  readonly subject?: string;
  /** Aborts the transfer, as if the stream had broken off. */
  readonly signal?: AbortSignal;
}

export interface Spooler {
  /** Largest file that it receives, in bytes. */
  readonly maxBytes: number;
  /** Number of spools that are being received or are not discarded yet. */
  readonly count: number;
  /** Deletes files of killed processes that have not changed for `afterSeconds`. */
  sweep(afterSeconds: number): Promise<void>;
  /**
   * Receives a stream to its end. On an error the stream is destroyed and the file deleted.
   * @throws TooLargeError above `maxBytes`; InputError EMPTY_FILE; InputError UPLOAD_INTERRUPTED if the
   *   stream fails; DiskError if the disk of the server fails.
   */
  receive(stream: Readable, options?: ReceiveOptions): Promise<Spool>;
}

interface SpoolerState {
  readonly directory: string;
  readonly maxBytes: number;
  readonly space: SpaceGuard;
  readonly onDiskFault: ((error: unknown) => void) | undefined;
  /** See Spooler.count. */
  count: number;
  /** Bytes that all spools keep in memory. */
  readonly memory: { bytes: number };
}

export async function openSpooler(options: {
  directory: string;
  maxBytes: number;
  space: SpaceGuard;
  /** Called with each error of the disk. */
  onDiskFault?: (error: unknown) => void;
  /** Called for each file, with `ok` or the code of the error. */
  onReceived?: (outcome: 'ok' | ErrorCode, bytes: number) => void;
}): Promise<Spooler> {
  const { directory, maxBytes, space, onDiskFault, onReceived } = options;
  await mkdir(directory, { recursive: true });
  await removeAbandoned(directory);
  const state: SpoolerState = { directory, maxBytes, space, onDiskFault, count: 0, memory: { bytes: 0 } };
  return {
    maxBytes,
    get count() {
      return state.count;
    },
    async sweep(afterSeconds) {
      await removeAbandoned(directory, afterSeconds);
    },
    async receive(stream, receiveOptions = {}) {
      try {
        const spool = await receiveSpool(state, stream, receiveOptions);
        onReceived?.('ok', spool.bytes);
        return spool;
      } catch (error) {
        onReceived?.(error instanceof FixativeError ? error.code : 'INTERNAL', 0);
        throw error;
      }
    },
  };
}

async function receiveSpool(
  state: SpoolerState,
  stream: Readable,
  { maxBytes = state.maxBytes, subject = 'The file', signal }: ReceiveOptions,
): Promise<Spool> {
  const memory = makeSpoolMemory(state.memory);
  const file = makeSpoolFile(path.join(state.directory, randomUUID()), {
    onDiscard: () => memory.drop(),
    onDiscarded: () => state.count--,
  });
  const abort = () => stream.destroy(new Error('the transfer was aborted'));
  let bytes = 0;
  state.count++;
  try {
    // Without a listener, a stream that fails before it is read would end the process.
    stream.on('error', () => {});
    await state.space.require(0);
    const handle = await file.create();
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) abort();
    const sha256 = await writeStream(stream, handle, (chunk) => {
      bytes += chunk.length;
      if (bytes > maxBytes) throw uploadTooLarge(subject, maxBytes);
      memory.keep(chunk);
    });
    if (bytes === 0) throw new InputError('EMPTY_FILE', `${subject} has no bytes.`);
    return spoolOf(file, handle, { bytes, sha256, memory });
  } catch (error) {
    // The sender must not wait for a reader that is gone.
    stream.destroy();
    await file.discard();
    throw receiveError(error, { subject, bytes, onDiskFault: state.onDiskFault });
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

interface SpoolFile {
  readonly path: string;
  create(): Promise<FileHandle>;
  /** See BlobSource.moveTo. */
  moveTo(target: string): Promise<boolean>;
  /** Closes the file, and deletes it unless it was moved. */
  discard(): Promise<void>;
}

/** @param on is called once: `onDiscard` before the file is closed, `onDiscarded` after it is deleted. */
function makeSpoolFile(file: string, on: { onDiscard(): void; onDiscarded(): void }): SpoolFile {
  let handle: FileHandle | null = null;
  let movedTo: string | null = null;
  let isDiscarded = false;
  return {
    get path() {
      return movedTo ?? file;
    },
    async create() {
      handle = await open(file, 'wx+');
      return handle;
    },
    async moveTo(target) {
      if (movedTo !== null || isDiscarded || handle === null) return false;
      movedTo = target;
      try {
        await handle.sync();
        await rename(file, target);
        return true;
      } catch (error) {
        movedTo = null;
        if ((error as NodeJS.ErrnoException).code === 'EXDEV') return false;
        throw error;
      }
    },
    async discard() {
      if (isDiscarded) return;
      isDiscarded = true;
      on.onDiscard();
      try {
        await handle?.close();
        if (movedTo === null) await rm(file, { force: true });
      } finally {
        on.onDiscarded();
      }
    },
  };
}

function spoolOf(
  file: SpoolFile,
  handle: FileHandle,
  { bytes, sha256, memory }: { bytes: number; sha256: string; memory: SpoolMemory },
): Spool {
  return {
    get path() {
      return file.path;
    },
    bytes,
    sha256,
    isInMemory: memory.chunks !== null,
    reader: memory.chunks === null ? handle : readerOfChunks(memory.chunks),
    open: () => Readable.from(memory.chunks ?? readFileParts(handle, bytes), { objectMode: false }),
    moveTo: file.moveTo,
    discard: file.discard,
  };
}

function receiveError(
  error: unknown,
  context: { subject: string; bytes: number; onDiskFault: SpoolerState['onDiskFault'] },
): unknown {
  if (error instanceof FixativeError) return error;
  if (isDiskError(error)) {
    context.onDiskFault?.(error);
    return diskErrorOf('The server', error) ?? error;
  }
  return new InputError('UPLOAD_INTERRUPTED', `${context.subject} broke off after ${context.bytes} bytes.`, {
    cause: error,
    retryable: true,
  });
}

export function uploadTooLarge(subject: string, maxBytes: number): TooLargeError {
  return new TooLargeError(
    `${subject} is larger than the ${formatBytes(maxBytes)} that are allowed (MAX_UPLOAD_BYTES).`,
    { limit: maxBytes, unit: 'bytes' },
  );
}

/** Returns whether the error is of the temporary file, and not of the stream. */
function isDiskError(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return (
    syscall === 'open' ||
    syscall === 'write' ||
    syscall === 'writev' ||
    code === 'ENOSPC' ||
    code === 'EDQUOT'
  );
}
