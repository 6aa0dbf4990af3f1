/** Reading from a bucket: HEAD, GET and the list. */
import { pipeline, Readable, Transform } from 'node:stream';
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';
import { NotFoundError, StoreError } from '../../../errors.ts';
import { requireKey } from '../key.ts';
import type { ByteRange, ListedObject, ObjectStat, OpenObject } from '../store.ts';
import type { S3Connection } from './s3-client.ts';
import { codeOf, statusOf } from './s3-errors.ts';

/** Time for which the bucket counts as existing after it was seen. */
const BUCKET_SEEN_MS = 5000;

/** Part of a bucket that holds a store. */
export interface S3Location {
  readonly connection: S3Connection;
  readonly bucket: string;
  /** Prefix of every key in the bucket: empty, or with a slash at its end. */
  readonly prefix: string;
  /** Until when the bucket counts as existing, in milliseconds since 1970. */
  bucketSeenUntil: number;
}

export function targetOf({ bucket, prefix }: S3Location, key: string): { Bucket: string; Key: string } {
  return { Bucket: bucket, Key: prefix + requireKey(key) };
}

export interface ObjectHead {
  readonly stat: ObjectStat;
  /** SHA-256 in the metadata; undefined if another program has put the object. */
  readonly sha256: string | undefined;
}

/** Returns null if the server answers 404: the object or its bucket is absent. */
export async function headObject(
  location: S3Location,
  verb: string,
  key: string,
): Promise<ObjectHead | null> {
  const { client, ask } = location.connection;
  const target = targetOf(location, key);
  return ask(verb, key, async ({ signal }) => {
    try {
      const head = await client.send(new HeadObjectCommand(target), { abortSignal: signal });
      return { stat: statOf(head.ContentLength, head), sha256: head.Metadata?.sha256 };
    } catch (error) {
      if (statusOf(error) === 404) return null;
      throw error;
    }
  });
}

/** Checks that the bucket exists. 403 also shows that. @throws StoreError NoSuchBucket */
export async function requireBucket(location: S3Location, verb: string, key: string): Promise<void> {
  if (Date.now() < location.bucketSeenUntil) return;
  const { client, ask, failure } = location.connection;
  await ask(verb, key, async ({ signal }) => {
    try {
      await client.send(new HeadBucketCommand({ Bucket: location.bucket }), { abortSignal: signal });
    } catch (error) {
      if (statusOf(error) === 404)
        throw failure(verb, key, Object.assign(new Error(), { name: 'NoSuchBucket' }));
      if (statusOf(error) !== 403) throw error;
    }
  });
  location.bucketSeenUntil = Date.now() + BUCKET_SEEN_MS;
}

/** See Store.open. */
export async function openObject(location: S3Location, key: string, range?: ByteRange): Promise<OpenObject> {
  const { name } = location.connection;
  const answer = await getObject(location, key, range);
  if (typeof answer !== 'string') return openBody(location, key, range, answer);
  // The range is beyond the end, so the object is shorter than it should be. Its length says so.
  const head = answer === 'InvalidRange' ? await headObject(location, 'look for', key) : null;
  if (head) return { stat: head.stat, stream: Readable.from([], { objectMode: false }) };
  if (answer !== 'NoSuchKey') await requireBucket(location, 'open', key);
  throw new NotFoundError(`${name} has no ${key}.`);
}

/** Returns the response, or the error code if the object is absent or shorter than the range. */
function getObject(
  location: S3Location,
  key: string,
  range: ByteRange | undefined,
): Promise<GetObjectCommandOutput | string> {
  const { client, ask } = location.connection;
  const target = { ...targetOf(location, key), ...(range && { Range: headerOf(range) }) };
  return ask('open', key, async ({ signal }) => {
    try {
      return await client.send(new GetObjectCommand(target), { abortSignal: signal });
    } catch (error) {
      const code = codeOf(error);
      const status = statusOf(error);
      if (code === 'NoSuchKey' || (status === 404 && code !== 'NoSuchBucket')) return code;
      if (status === 416) return 'InvalidRange';
      throw error;
    }
  });
}

function openBody(
  { connection }: S3Location,
  key: string,
  range: ByteRange | undefined,
  answer: GetObjectCommandOutput,
): OpenObject {
  const { name } = connection;
  const body = answer.Body as Readable;
  const [, start, end, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.ContentRange ?? '') ?? [];
  if (range && Number(start) !== range.start) {
    body.destroy();
    throw new StoreError(
      `${name} did not give the range ${headerOf(range)} of ${key} but ${answer.ContentRange ?? 'all'}.`,
      name,
    );
  }
  try {
    const stat = statOf(range ? Number(total) : answer.ContentLength, answer);
    const expected = range ? Number(end) - range.start + 1 : stat.bytes;
    const failure = (error: unknown) => connection.failure('go on giving', key, error);
    return { stat, stream: withLengthChecked(body, expected, failure) };
  } catch (error) {
    body.destroy();
    throw connection.failure('open', key, error);
  }
}

function headerOf({ start, end }: ByteRange): string {
  return `bytes=${start}-${end}`;
}

/** See Store.list. @param pageSize objects per request; undefined: the server's default. */
export async function* listObjects(
  { connection, bucket, prefix }: S3Location,
  pageSize: number | undefined,
): AsyncGenerator<ListedObject> {
  const { name, client, ask } = connection;
  for (let token: string | undefined; ; ) {
    const page: ListObjectsV2CommandOutput = await ask('list', prefix || 'all objects', ({ signal }) =>
      client.send(
        new ListObjectsV2Command({
          Bucket: bucket,
          MaxKeys: pageSize,
          ContinuationToken: token,
          ...(prefix && { Prefix: prefix }),
        }),
        { abortSignal: signal },
      ),
    );
    for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
      // Some tools keep an empty object with a slash at its end to show a directory.
      if (Key.startsWith(prefix) && !Key.endsWith('/'))
        yield {
          key: Key.slice(prefix.length),
          bytes: Size,
          ...(LastModified && { modifiedAt: LastModified }),
        };
    }
    if (!page.IsTruncated) return;
    // If the list ended here without an error, every later object would look lost.
    if (!page.NextContinuationToken || page.NextContinuationToken === token)
      throw new StoreError(`${name} does not say how the list of the bucket ${bucket} goes on.`, name);
    token = page.NextContinuationToken;
  }
}

/**
 * Returns the size and fingerprint of an object. Every put changes the fingerprint, except when the same
 * bytes are put twice within a second.
 * @throws Error if the response lacks the headers. Without them the object would look empty, or verified
 *   permanently.
 */
function statOf(
  bytes: number | undefined,
  answer: { ETag?: string | undefined; LastModified?: Date | undefined; VersionId?: string | undefined },
): ObjectStat {
  const { ETag = '', LastModified, VersionId = '' } = answer;
  if (bytes === undefined || Number.isNaN(bytes) || !(ETag || LastModified))
    throw new Error('the answer lacks Content-Length, or ETag and Last-Modified');
  return {
    bytes,
    fingerprint: `${bytes}:${LastModified?.getTime()}:${ETag.replaceAll('"', '')}:${VersionId}`,
  };
}

/**
 * Returns a stream that ends in an error unless `expected` bytes arrive. Destroying it frees the connection.
 */
function withLengthChecked(
  body: Readable,
  expected: number,
  failure: (error: unknown) => StoreError,
): Readable {
  let received = 0;
  let bodyError: StoreError | undefined;
  body.once('error', (error) => {
    bodyError = failure(error);
  });
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      received += chunk.length;
      done(null, chunk);
    },
    flush(done) {
      done(
        received === expected ? null : failure(new Error(`it ended after ${received} bytes of ${expected}`)),
      );
    },
    destroy(error, done) {
      done(error && (bodyError ?? error));
    },
  });
  pipeline(body, counter, () => {});
  return counter;
}
