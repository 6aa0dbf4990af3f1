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
import { codeOf, type S3Connection, statusOf } from './s3-client.ts';

export interface PutTarget {
  readonly Bucket: string;
  readonly Key: string;
  /** As the rest of the house calls it. */
  readonly key: string;
  readonly extension: string;
}

/** One part is in memory at a time. S3 takes 10,000 parts of at least 5 MiB. */
const PART_BYTES = 8 * 1024 * 1024;
const MAX_PARTS = 10_000;
const PIECE_BYTES = 64 * 1024;

/**
 * Puts an object in one request, whose body is read anew from the source for every attempt.
 * @returns false when it was to be put only if absent and is there.
 */
export async function putWhole(
  { name, client, ask }: S3Connection,
  { Bucket, Key, key, extension }: PutTarget,
  source: BlobSource,
  { ifAbsent = false } = {},
): Promise<boolean> {
  let conditional = ifAbsent;
  return ask('keep', key, async ({ signal, alive }) => {
    for (;;) {
      const body = readWhole(name, key, source, alive);
      const command = new PutObjectCommand({
        ...describe(source, extension),
        Bucket,
        Key,
        Body: body.stream,
        ContentLength: source.bytes,
        ChecksumSHA256: Buffer.from(source.sha256, 'hex').toString('base64'),
        ...(conditional && { IfNoneMatch: '*' }),
      });
      command.middlewareStack.add(signContent(source.sha256), { step: 'build' });
      try {
        await client.send(command, { abortSignal: signal });
        return true;
      } catch (error) {
        if (body.failed) throw body.failed;
        if (conditional && statusOf(error) === 412) return false;
        // Some servers know no conditions. What is put is named by its hash, so that to put it twice is only wasteful.
        if (!conditional || codeOf(error) !== 'NotImplemented') throw error;
        conditional = false;
      } finally {
        body.stream.destroy();
      }
    }
  });
}

/** Puts an object in parts, one behind the other, each of which is tried again by itself; on failure no part stays behind. */
export async function putInParts(
  { name, client, ask }: S3Connection,
  { Bucket, Key, key, extension }: PutTarget,
  source: BlobSource,
): Promise<void> {
  const { UploadId } = await ask('begin', key, ({ signal }) =>
    client.send(new CreateMultipartUploadCommand({ ...describe(source, extension), Bucket, Key }), {
      abortSignal: signal,
    }),
  );
  const upload = { Bucket, Key, UploadId };
  const body = readWhole(name, key, source);
  try {
    const parts: { PartNumber: number; ETag: string | undefined }[] = [];
    for await (const part of inParts(body.stream, source.bytes)) {
      const PartNumber = parts.length + 1;
      const sha256 = createHash('sha256').update(part).digest('hex');
      // A bucket that locks its objects takes no part without a checksum, and every server knows this one.
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
    // What cannot be removed now is left to the bucket's lifecycle rule; the failure that led here is the one to tell.
    await ask('abort', key, ({ signal }) =>
      client.send(new AbortMultipartUploadCommand(upload), { abortSignal: signal }),
    ).catch(() => {});
    throw error;
  } finally {
    body.stream.destroy();
  }
}

/** What the object says of itself, for whoever meets it without us. */
function describe(source: BlobSource, extension: string) {
  const type = Object.entries(SUPPORTED_TYPES).find(([, each]) => each === extension)?.[0];
  return {
    ContentType: type ?? 'application/octet-stream',
    CacheControl: 'public, max-age=31536000, immutable',
    Metadata: { sha256: source.sha256 },
  };
}

/**
 * Has the signature cover the hash of a body that is a stream, which takes that the hash is known before. The server then refuses
 * a body that has another one (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
 */
function signContent(sha256: string) {
  return <Step extends { request: unknown }, Output>(next: (step: Step) => Output) =>
    (step: Step): Output => {
      (step.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = sha256;
      return next(step);
    };
}

/**
 * The bytes of a source, of which the last piece is held back until the source has ended as it should: so a server that waits
 * for a length never gets all of a body that turns out wrong at its end. `failed` tells a source that broke from a store that did.
 */
function readWhole(name: string, key: string, source: BlobSource, alive?: () => void) {
  const body = {
    failed: undefined as StoreError | undefined,
    stream: Readable.from(read(), { objectMode: false }),
  };
  // Whoever reads it is told of an error; while nobody does, there is nobody to tell.
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

/** Cuts a stream into parts, all of one length but the last. Each has memory of its own. */
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
