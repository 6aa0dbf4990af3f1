import { pipeline, Readable, Transform } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';
import { NotFoundError, StoreError } from '../../../errors.ts';
import type { ObjectStat, Store } from '../store.ts';
import { codeOf, openS3Connection, type S3ConnectionOptions, statusOf, type Turn } from './s3-client.ts';
import { type PresignedContent, presignGet, presignPut } from './s3-presign.ts';
import { putInParts, putWhole } from './s3-put.ts';

export interface S3StoreOptions extends S3ConnectionOptions {
  /** What every key begins with in the bucket; a slash is added. */
  readonly prefix?: string;
  /** How many objects a page of the list has. */
  readonly pageSize?: number;
}

export interface S3Store extends Store {
  /** An address to which a client may PUT exactly this, and the headers that it has to send. @throws StoreError without credentials. */
  presignPut(
    key: string,
    content: PresignedContent,
    expiresAt: Date,
  ): Promise<{ url: string; headers: Record<string, string> }>;
  /** An address from which whoever has it may GET the object, for so long. @throws StoreError without credentials. */
  presignGet(key: string, answer: Parameters<typeof presignGet>[2]): Promise<string>;
  /** Cuts every connection; whoever still reads gets an error. */
  close(): Promise<void>;
}

/** Beyond this a body goes in parts, so that a failure costs one part and not all. */
const MAX_WHOLE_BYTES = 16 * 1024 * 1024;
const TERABYTE = 1024 ** 4;
/** How long an answer for the bucket stands for the next question. */
const BUCKET_SEEN_MS = 5000;

interface Head {
  readonly stat: ObjectStat;
  /** What whoever put it said it is. */
  readonly sha256: string | undefined;
}

/**
 * A bucket of Amazon S3, or of any server that speaks its language. The objects are plain images with their type and a
 * year's caching, so that a CDN may stand before the bucket; their SHA-256 is in the key, in the metadata, and as checksum where
 * the server keeps one.
 *
 * S3 itself makes an object appear whole or not at all. What is added here: the last bytes are only sent once the source has
 * ended without an error; the signature covers the hash of the content, so that a server refuses other bytes; what was put is looked
 * at before it is acknowledged; and an answer that ends short of its length is an error and not a short image.
 *
 * A 404 to HEAD does not say whether the object is absent or its bucket. "Absent" is only said of a bucket that is there.
 *
 * Parts of an upload that was killed stay in the bucket and cost money until a lifecycle rule aborts them
 * (AbortIncompleteMultipartUpload, https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html).
 *
 * Nothing is asked of the server until the first use: a server that is away must not keep Fixative from starting.
 * @throws StoreError when no region is known for AWS.
 */
export async function openS3Store(options: S3StoreOptions): Promise<S3Store> {
  const { name, bucket } = options;
  const prefix =
    options.prefix
      ?.replace(/^\/+|\/+$/g, '')
      .concat('/')
      .replace(/^\/$/, '') ?? '';
  const connection = await openS3Connection(options);
  const { client, ask } = connection;
  const at = (key: string) => ({ Bucket: bucket, Key: prefix + checked(key) });
  let bucketSeenUntil = 0;

  async function head(verb: string, key: string): Promise<Head | null> {
    const target = at(key);
    return ask(verb, key, async ({ signal }) => {
      try {
        const answer = await client.send(new HeadObjectCommand(target), { abortSignal: signal });
        return { stat: statOf(answer.ContentLength, answer), sha256: answer.Metadata?.sha256 };
      } catch (error) {
        if (statusOf(error) === 404) return null;
        throw error;
      }
    });
  }

  /** Whether there is a bucket that may lack an object. Who may not ask for it was told 403, and of a bucket that is there. */
  async function requireBucket(verb: string, key: string): Promise<void> {
    if (Date.now() < bucketSeenUntil) return;
    await ask(verb, key, async ({ signal }) => {
      try {
        await client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal: signal });
      } catch (error) {
        if (statusOf(error) === 404)
          throw connection.failure(verb, key, Object.assign(new Error(), { name: 'NoSuchBucket' }));
        if (statusOf(error) !== 403) throw error;
      }
    });
    bucketSeenUntil = Date.now() + BUCKET_SEEN_MS;
  }

  return {
    name,
    kind: 's3',
    maxBytes: 5 * TERABYTE,

    async put(key, source) {
      const former = await head('look for', key);
      const target = { ...at(key), key, extension: key.slice(key.lastIndexOf('.') + 1) };
      if (source.bytes > MAX_WHOLE_BYTES) await putInParts(connection, target, source);
      else if (former) await putWhole(connection, target, source);
      // Only what is absent is put on the condition that it is: bytes that are there may be bad, and are replaced. Whoever came
      // first in the meantime has put the same, if the length and the hash that it gave are the same.
      else if (!(await putWhole(connection, target, source, { ifAbsent: true }))) {
        const other = await head('look for', key);
        if (other?.stat.bytes === source.bytes && other.sha256 === source.sha256) return other.stat;
        await putWhole(connection, target, source);
      }
      const kept = await head('look at', key);
      if (kept?.stat.bytes === source.bytes) return kept.stat;
      const found = kept ? `has ${kept.stat.bytes} bytes of ${source.bytes}` : 'is not there';
      throw new StoreError(`${name} took ${key}, but it ${found} in the bucket ${bucket}.`, name);
    },

    async open(key, range) {
      const Range = range && `bytes=${range.start}-${range.end}`;
      const target = { ...at(key), ...(Range && { Range }) };
      const answer = await ask('open', key, async ({ signal }) => {
        try {
          return await client.send(new GetObjectCommand(target), { abortSignal: signal });
        } catch (error) {
          const [code, status] = [codeOf(error), statusOf(error)];
          if (code === 'NoSuchKey' || (status === 404 && code !== 'NoSuchBucket')) return code;
          if (status === 416) return 'InvalidRange';
          throw error;
        }
      });
      if (typeof answer === 'string') {
        // A range beyond the end: the object is shorter than it should be, which its length says.
        const there = answer === 'InvalidRange' ? await head('look for', key) : null;
        if (there) return { stat: there.stat, stream: Readable.from([], { objectMode: false }) };
        if (answer !== 'NoSuchKey') await requireBucket('open', key);
        throw new NotFoundError(`${name} has no ${key}.`);
      }
      const body = answer.Body as Readable;
      const [, start, end, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.ContentRange ?? '') ?? [];
      if (range && Number(start) !== range.start) {
        body.destroy();
        throw new StoreError(
          `${name} did not give the range ${Range} of ${key} but ${answer.ContentRange ?? 'all'}.`,
          name,
        );
      }
      try {
        const stat = statOf(range ? Number(total) : answer.ContentLength, answer);
        const expected = range ? Number(end) - range.start + 1 : stat.bytes;
        const failure = (error: unknown) => connection.failure('go on giving', key, error);
        return { stat, stream: counted(body, expected, failure) };
      } catch (error) {
        body.destroy();
        throw connection.failure('open', key, error);
      }
    },

    async stat(key) {
      const found = await head('look for', key);
      if (!found) await requireBucket('look for', key);
      return found?.stat ?? null;
    },

    async delete(key) {
      const target = at(key);
      const attempt = async ({ signal }: Turn) => {
        try {
          await client.send(new DeleteObjectCommand(target), { abortSignal: signal });
        } catch (error) {
          if (codeOf(error) !== 'NoSuchKey') throw error;
        }
      };
      // Once: of one that failed nobody knows whether it is still on its way, and a second that succeeds would hide it (retired-keys.ts).
      await ask('delete', key, attempt, 1);
    },

    async *list() {
      for (let token: string | undefined; ; ) {
        const page: ListObjectsV2CommandOutput = await ask('list', prefix || 'all objects', ({ signal }) =>
          client.send(
            new ListObjectsV2Command({
              Bucket: bucket,
              MaxKeys: options.pageSize,
              ContinuationToken: token,
              ...(prefix && { Prefix: prefix }),
            }),
            { abortSignal: signal },
          ),
        );
        for (const { Key = '', Size = 0, LastModified } of page.Contents ?? []) {
          // Some tools keep an empty object with a slash at its end for what they show as a directory.
          if (Key.startsWith(prefix) && !Key.endsWith('/'))
            yield {
              key: Key.slice(prefix.length),
              bytes: Size,
              ...(LastModified && { modifiedAt: LastModified }),
            };
        }
        if (!page.IsTruncated) return;
        // A list that ended here in silence would make every object behind it look lost.
        if (!page.NextContinuationToken || page.NextContinuationToken === token)
          throw new StoreError(`${name} does not say how the list of the bucket ${bucket} goes on.`, name);
        token = page.NextContinuationToken;
      }
    },

    presignGet: (key, answer) => presignGet(connection, at(key), answer),
    presignPut: (key, content, expiresAt) => presignPut(connection, at(key), { content, expiresAt }),
    close: connection.close,
  };
}

/** Keys are ours, made of a hash; what else comes is a defect, and `..` would be resolved into another bucket on its way. */
function checked(key: string): string {
  if (!/^(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(key)) {
    throw new TypeError(`Not a key: ${JSON.stringify(key)}`);
  }
  return key;
}

/**
 * Every put changes at least one of them, unless the same bytes are put twice in one second. An answer that lacks them says nothing
 * of the object: taken as it is, it would make the object look empty, or as proven for ever.
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

/** The same bytes; ends in an error unless they are as many as was said. Whoever destroys it frees the connection. */
function counted(body: Readable, expected: number, failure: (error: unknown) => StoreError): Readable {
  let received = 0;
  let failed: StoreError | undefined;
  body.once('error', (error) => {
    failed = failure(error);
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
      done(error && (failed ?? error));
    },
  });
  pipeline(body, counter, () => {});
  return counter;
}
