import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { StoreError } from '../../../errors.ts';
import { SUPPORTED_TYPES } from '../../picture/sniff.ts';
import type { BlobSource } from '../store.ts';
import type { S3Connection } from './s3-client.ts';
import { codeOf, statusOf } from './s3-errors.ts';

export interface PutTarget {
  readonly Bucket: string;
  readonly Key: string;
  /** Key of the store, without the prefix. */
  readonly key: string;
  readonly extension: string;
}

/**
 * Size of a part, in bytes. One part is in memory at a time. S3 takes up to 10,000 parts of at least 5 MiB.
 */
const PART_BYTES = 8 * 1024 * 1024;
const MAX_PARTS = 10_000;
const PIECE_BYTES = 64 * 1024;

/**
 * Puts an object in one request. Each attempt reads the source again.
 * @param options.ifAbsent put only if the key is absent. Default: false.
 * @returns false if `ifAbsent` and the key exists.
 */
export async function putWhole(
  { name, client, ask }: S3Connection,
  { Bucket, Key, key, extension }: PutTarget,
  source: BlobSource,
  { ifAbsent = false } = {},
): Promise<boolean> {
  let isConditional = ifAbsent;
  return ask('keep', key, async ({ signal, alive }) => {
    for (;;) {
      const body = streamSource(name, key, source, alive);
      const command = new PutObjectCommand({
        ...describeObject(source, extension),
        Bucket,
        Key,
        Body: body.stream,
        ContentLength: source.bytes,
        ChecksumSHA256: Buffer.from(source.sha256, 'hex').toString('base64'),
        ...(isConditional && { IfNoneMatch: '*' }),
      });
      command.middlewareStack.add(signContent(source.sha256), { step: 'build' });
      try {
        await client.send(command, { abortSignal: signal });
        return true;
      } catch (error) {
        if (body.failed) throw body.failed;
        if (isConditional && statusOf(error) === 412) return false;
        // The server does not support conditions. The key is a hash, so putting twice is only wasteful.
        if (!isConditional || codeOf(error) !== 'NotImplemented') throw error;
        isConditional = false;
      } finally {
        body.stream.destroy();
      }
    }
  });
}

/**
 * Puts an object in parts, one after the other. Each part has retries of its own. A failed upload is aborted.
 */
export async function putInParts(
  { name, client, ask }: S3Connection,
  { Bucket, Key, key, extension }: PutTarget,
  source: BlobSource,
): Promise<void> {
  const { UploadId } = await ask('begin', key, ({ signal }) =>
    client.send(new CreateMultipartUploadCommand({ ...describeObject(source, extension), Bucket, Key }), {
      abortSignal: signal,
    }),
  );
  const upload = { Bucket, Key, UploadId };
  const body = streamSource(name, key, source);
  try {
    const parts: { PartNumber: number; ETag: string | undefined }[] = [];
    for await (const part of inParts(body.stream, source.bytes)) {
      const PartNumber = parts.length + 1;
      const sha256 = createHash('sha256').update(part).digest('hex');
      // A bucket with object lock requires a checksum, and every server supports MD5.
      const ContentMD5 = createHash('md5').update(part).digest('base64');
      const { ETag } = await ask(`keep part ${PartNumber} of`, key, ({ signal, alive }) => {
        const Body = Readable.from(inPieces(part, alive), { objectMode: false });
        const command = new UploadPartCommand({
          ...upload,
          PartNumber,
          Body,
          ContentLength: part.length,
          ContentMD5,
        });
        command.middlewareStack.add(signContent(sha256), { step: 'build' });
        return client.send(command, { abortSignal: signal }).finally(() => Body.destroy());
      });
      parts.push({ PartNumber, ETag });
    }
    await ask('complete', key, ({ signal }) =>
      client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: parts } }), {
        abortSignal: signal,
      }),
    );
  } catch (error) {
    // If the abort fails too, the lifecycle rule of the bucket removes the parts. The first error is thrown.
    await ask('abort', key, ({ signal }) =>
      client.send(new AbortMultipartUploadCommand(upload), { abortSignal: signal }),
    ).catch(() => {});
    throw error;
  } finally {
    body.stream.destroy();
  }
}

/** Returns the headers for readers that do not know Fixative. */
function describeObject(source: BlobSource, extension: string) {
  const type = Object.entries(SUPPORTED_TYPES).find(([, each]) => each === extension)?.[0];
  return {
    ContentType: type ?? 'application/octet-stream',
    CacheControl: 'public, max-age=31536000, immutable',
    Metadata: { sha256: source.sha256 },
  };
}

/**
 * Makes the signature cover the hash of a streamed body, which is known in advance. The server then refuses a
 * body with another hash (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
 */
function signContent(sha256: string) {
  return <Step extends { request: unknown }, Output>(next: (step: Step) => Output) =>
    (step: Step): Output => {
      (step.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = sha256;
      return next(step);
    };
}

/**
 * Streams a source and holds back its last piece until the source has ended without an error. The server
 * therefore never receives the full length of a broken source. `failed` is set if the source broke off, and
 * not the store.
 */
function streamSource(name: string, key: string, source: BlobSource, alive?: () => void) {
  const body = {
    failed: undefined as StoreError | undefined,
    stream: Readable.from(read(), { objectMode: false }),
  };
  // Readers get the error from the stream. The listener prevents an uncaught error while there is no reader.
  body.stream.on('error', () => {});
  return body;

  async function* read(): AsyncGenerator<Buffer> {
    const input = source.open();
    try {
      const pieces: AsyncIterator<Buffer> = input[Symbol.asyncIterator]();
      let held: Buffer | undefined;
      let bytes = 0;
      for (;;) {
        const next = await pieces.next().catch(breakOff);
        if (next.done) break;
        bytes += next.value.length;
        if (bytes > source.bytes) breakOff(new Error(`more than ${source.bytes} bytes came`));
        if (held) yield held;
        alive?.();
        held = next.value;
      }
      if (bytes !== source.bytes) breakOff(new Error(`${bytes} bytes came of ${source.bytes}`));
      if (held) yield held;
    } finally {
      input.destroy();
    }
  }

  function breakOff(cause: Error): never {
    body.failed = new StoreError(
      `${name} did not get all of ${key}: the source broke off: ${cause.message}.`,
      name,
      {
        cause,
        retryable: false,
      },
    );
    throw body.failed;
  }
}

function* inPieces(part: Buffer, alive: () => void): Generator<Buffer> {
  for (let at = 0; at < part.length; at += PIECE_BYTES) {
    alive();
    yield part.subarray(at, at + PIECE_BYTES);
  }
}

/** Cuts a stream into parts of equal length, except for the last. Each has its own memory. */
async function* inParts(stream: Readable, bytes: number): AsyncGenerator<Buffer> {
  const partBytes = Math.max(PART_BYTES, Math.ceil(bytes / MAX_PARTS));
  let part = Buffer.allocUnsafeSlow(Math.min(partBytes, bytes));
  let filled = 0;
  let left = bytes;
  for await (let piece of stream as AsyncIterable<Buffer>) {
    while (piece.length > 0) {
      const copied = piece.copy(part, filled);
      filled += copied;
      piece = piece.subarray(copied);
      if (filled < part.length) continue;
      yield part;
      left -= filled;
      part = Buffer.allocUnsafeSlow(Math.min(partBytes, left));
      filled = 0;
    }
  }
}
