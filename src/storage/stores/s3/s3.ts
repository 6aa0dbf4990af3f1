import { DeleteObjectCommand } from '@aws-sdk/client-s3';
import { StoreError } from '../../../errors.ts';
import type { BlobSource, ObjectStat, Store } from '../store.ts';
import { openS3Connection, type S3ConnectionOptions } from './s3-client.ts';
import { codeOf } from './s3-errors.ts';
import { type PresignedContent, presignGet, presignPut } from './s3-presign.ts';
import { putInParts, putWhole } from './s3-put.ts';
import { headObject, listObjects, openObject, requireBucket, type S3Location, targetOf } from './s3-read.ts';

export interface S3StoreOptions extends S3ConnectionOptions {
  /** Prefix of every key in the bucket; a slash is added. Default: none. */
  readonly prefix?: string;
  /** Objects per page of the list. Default: the server's. */
  readonly pageSize?: number;
}

export interface S3Store extends Store {
  /**
   * Returns a URL to which a client may PUT exactly this content, and the headers that it must send.
   * @throws StoreError without credentials.
   */
  presignPut(
    key: string,
    content: PresignedContent,
    expiresAt: Date,
  ): Promise<{ url: string; headers: Record<string, string> }>;
  /**
   * Returns a URL from which anybody who has it may GET the object until it expires.
   * @throws StoreError without credentials.
   */
  presignGet(key: string, answer: Parameters<typeof presignGet>[2]): Promise<string>;
  /** Closes every connection; streams that are being read end in an error. */
  close(): Promise<void>;
}

/** Larger objects are put in parts, so that a failure repeats one part only. */
const MAX_WHOLE_BYTES = 16 * 1024 * 1024;
const TERABYTE = 1024 ** 4;

/**
 * Opens a store in a bucket of Amazon S3 or a compatible server. The objects are plain images with their type
 * and a year of caching, so that a CDN can stand in front of the bucket. Their SHA-256 is in the key, in the
 * metadata, and in the checksum if the server keeps one.
 *
 * S3 makes an object appear atomically. This adapter adds:
 * - The last bytes are sent only after the source has ended without an error.
 * - The signature covers the hash of the content, so the server refuses other bytes.
 * - An object is checked by HEAD before its put is acknowledged.
 * - A response that is shorter than its length ends in an error.
 * - A 404 to HEAD means an absent object or an absent bucket, so the bucket is checked too.
 *
 * Parts of an interrupted upload stay in the bucket and cost money until a lifecycle rule aborts them
 * (AbortIncompleteMultipartUpload,
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html).
 *
 * The server is not asked before the first use, so that Fixative starts while it is away.
 * @throws StoreError if no region is known for AWS.
 */
export async function openS3Store(options: S3StoreOptions): Promise<S3Store> {
  const { name, bucket } = options;
  const connection = await openS3Connection(options);
  const location: S3Location = { connection, bucket, prefix: prefixOf(options), bucketSeenUntil: 0 };
  return {
    name,
    kind: 's3',
    maxBytes: 5 * TERABYTE,
    put: (key, source) => putObject(location, key, source),
    open: (key, range) => openObject(location, key, range),
    async stat(key) {
      const head = await headObject(location, 'look for', key);
      if (!head) await requireBucket(location, 'look for', key);
      return head?.stat ?? null;
    },
    delete: (key) => deleteObject(location, key),
    list: () => listObjects(location, options.pageSize),
    presignGet: (key, answer) => presignGet(connection, targetOf(location, key), answer),
    presignPut: (key, content, expiresAt) =>
      presignPut(connection, targetOf(location, key), { content, expiresAt }),
    close: connection.close,
  };
}

function prefixOf({ prefix = '' }: S3StoreOptions): string {
  const trimmed = prefix.replace(/^\/+|\/+$/g, '');
  return trimmed && `${trimmed}/`;
}

async function putObject(location: S3Location, key: string, source: BlobSource): Promise<ObjectStat> {
  const { connection, bucket } = location;
  const { name } = connection;
  const former = await headObject(location, 'look for', key);
  const target = { ...targetOf(location, key), key, extension: key.slice(key.lastIndexOf('.') + 1) };
  if (source.bytes > MAX_WHOLE_BYTES) await putInParts(connection, target, source);
  // An object that exists may be damaged, so it is replaced. Only an absent one is put on the condition that
  // it is absent.
  else if (former) await putWhole(connection, target, source);
  else if (!(await putWhole(connection, target, source, { ifAbsent: true }))) {
    // Another writer was first. Its object is the same if length and hash are.
    const other = await headObject(location, 'look for', key);
    if (other?.stat.bytes === source.bytes && other.sha256 === source.sha256) return other.stat;
    await putWhole(connection, target, source);
  }
  const kept = await headObject(location, 'look at', key);
  if (kept?.stat.bytes === source.bytes) return kept.stat;
  const found = kept ? `has ${kept.stat.bytes} bytes of ${source.bytes}` : 'is not there';
  throw new StoreError(`${name} took ${key}, but it ${found} in the bucket ${bucket}.`, name);
}

/**
 * Deletes once, without retries: a failed request may still arrive, and the success of a second would hide it
 * (retired-keys.ts).
 */
async function deleteObject(location: S3Location, key: string): Promise<void> {
  const { client, ask } = location.connection;
  const command = new DeleteObjectCommand(targetOf(location, key));
  await ask(
    'delete',
    key,
    async ({ signal }) => {
      try {
        await client.send(command, { abortSignal: signal });
      } catch (error) {
        if (codeOf(error) !== 'NoSuchKey') throw error;
      }
    },
    1,
  );
}
