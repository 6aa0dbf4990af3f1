import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NotFoundError, StoreError } from '../../src/errors.ts';
import { keyOf } from '../../src/storage/blob.ts';
import { openS3Store, type S3Store, type S3StoreOptions } from '../../src/storage/stores/s3/s3.ts';
import type { BlobSource } from '../../src/storage/stores/store.ts';
import { eventually } from '../harness.ts';
import { openS3Server, type S3Server } from '../s3-server.ts';
import { describeStore, sourceOf } from './store-contract.ts';

const MiB = 1024 * 1024;

/** A source that generates its bytes while it is read, so that it takes no memory. */
function madeSource(bytes: number): BlobSource {
  const piece = randomBytes(64 * 1024);
  const pieces = function* () {
    for (let left = bytes; left > 0; left -= piece.length) yield piece.subarray(0, left);
  };
  const hash = createHash('sha256');
  for (const each of pieces()) hash.update(each);
  return { bytes, sha256: hash.digest('hex'), open: () => Readable.from(pieces(), { objectMode: false }) };
}

function breaking(source: BlobSource, after: number): BlobSource {
  return {
    ...source,
    open: () =>
      Readable.from(
        (async function* () {
          let bytes = 0;
          for await (const piece of source.open() as AsyncIterable<Buffer>) {
            bytes += piece.length;
            yield piece;
            if (bytes >= after) throw new Error('broke off');
          }
        })(),
      ),
  };
}

async function hashOf(store: S3Store, key: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of (await store.open(key)).stream) hash.update(piece);
  return hash.digest('hex');
}

const refusal = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => null,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(StoreError);
  return error as StoreError;
};

describeStore('S3', async () => {
  const server = await openS3Server();
  const store = await openS3Store({ name: 's3', ...server, prefix: '/some/where/' });
  return {
    store,
    close: async () => {
      await store.close();
      await server.close();
    },
  };
});

describe('the S3 store', () => {
  let server: S3Server;
  let store: S3Store;
  const opened: S3Store[] = [];
  beforeAll(async () => {
    server = await openS3Server();
    store = await openStore();
  });
  afterEach(() => {
    expect([...server.uploads], 'uploads in parts that nobody ended').toEqual([]);
  });
  afterAll(async () => {
    await Promise.all(opened.map((each) => each.close()));
    await server.close();
  });

  async function openStore(options: Partial<S3StoreOptions> = {}): Promise<S3Store> {
    const { endpoint, bucket, credentials } = server;
    const made = await openS3Store({
      name: 's3',
      endpoint,
      bucket,
      credentials,
      timeoutSeconds: 5,
      ...options,
    });
    opened.push(made);
    return made;
  }

  function newSource(bytes = 1000) {
    const source = sourceOf(randomBytes(bytes));
    return { source, key: keyOf(source.sha256, 'image/webp') };
  }

  async function put(bytes = 1000) {
    const made = newSource(bytes);
    const stat = await store.put(made.key, made.source);
    return { ...made, stat };
  }

  /** Returns the requests that `work` made, as `METHOD status`. */
  async function requestsOf(work: () => Promise<unknown>): Promise<string[]> {
    const before = server.requests.length;
    await work();
    await new Promise((resolve) => setTimeout(resolve, 10));
    return server.requests.slice(before).map(({ method, status }) => `${method} ${status}`);
  }

  const client = () =>
    new S3Client({
      endpoint: server.endpoint,
      credentials: server.credentials,
      region: 'us-east-1',
      forcePathStyle: true,
    });

  test('sets type, a year of caching, and the hash', async () => {
    const { source, key } = await put();
    const head = await client().send(
      new HeadObjectCommand({ Bucket: server.bucket, Key: key, ChecksumMode: 'ENABLED' }),
    );
    expect(head).toMatchObject({
      ContentType: 'image/webp',
      CacheControl: 'public, max-age=31536000, immutable',
      ContentLength: 1000,
      Metadata: { sha256: source.sha256 },
      ChecksumSHA256: Buffer.from(source.sha256, 'hex').toString('base64'),
    });
  });

  test('signs the hash of the content and sends its length', async () => {
    const { source } = await put();
    const request = server.requests.findLast(({ method }) => method === 'PUT');
    expect(request?.headers).toMatchObject({
      'content-length': '1000',
      'x-amz-content-sha256': source.sha256,
      'if-none-match': '*',
    });
  });

  test('adds the prefix to keys, and lists only keys with it', async () => {
    const inside = await openStore({ prefix: 'inside' });
    const { source, key } = newSource();
    await inside.put(key, source);
    expect(await store.stat(`inside/${key}`)).not.toBeNull();
    const listed: string[] = [];
    for await (const object of inside.list()) listed.push(object.key);
    expect(listed).toEqual([key]);
  });

  test.each([
    [{ secretAccessKey: 'wrong' }, 'AWS_SECRET_ACCESS_KEY'],
    [{ accessKeyId: 'nobody' }, 'AWS_ACCESS_KEY_ID'],
  ])('says what to set when a request with %o is refused, and tries no more', async (wrong, setting) => {
    const { key, source } = await put();
    const credentials = { ...server.credentials, ...wrong };
    const refused = await openStore({ credentials });
    for (const ask of [
      () => refused.put(key, source),
      () => refused.open(key),
      () => refused.stat(key),
      () => refused.delete(key),
      () => refused.list()[Symbol.asyncIterator]().next(),
    ]) {
      const before = server.requests.length;
      const error = await refusal(ask());
      expect(server.requests.length - before).toBe(1);
      expect(error).toMatchObject({ retryable: false, store: 's3' });
      expect(error.message).toContain(setting);
      const told = `${error.message} ${JSON.stringify(error.cause)} ${String(error.cause)}`;
      expect(told).not.toContain(server.credentials.accessKeyId);
      expect(told).not.toContain(credentials.secretAccessKey);
      expect(told).not.toContain('AWS4-HMAC-SHA256');
    }
    expect(await hashOf(store, key)).toBe(source.sha256);
  });

  test('is unreachable instead of empty without its bucket', async () => {
    const lost = await openStore({ bucket: 'lost' });
    const { key, source } = newSource();
    for (const ask of [
      () => lost.put(key, source),
      () => lost.open(key),
      () => lost.open(key, { start: 0, end: 1 }),
      () => lost.stat(key),
      () => lost.delete(key),
      () => lost.list()[Symbol.asyncIterator]().next(),
    ]) {
      const error = await refusal(ask());
      expect(error.message).toMatch(/^s3 could not .* in the bucket lost: there is no such bucket/);
    }
  });

  test('is unreachable instead of empty when the server is down', async () => {
    const nobody = await openStore({ endpoint: 'http://127.0.0.1:1' });
    const { key, source } = newSource();
    for (const ask of [() => nobody.stat(key), () => nobody.open(key), () => nobody.put(key, source)]) {
      const error = await refusal(ask());
      expect(error).toMatchObject({ retryable: true });
      expect(error.message).toContain('ECONNREFUSED');
    }
  });

  test.each(['500', 'slow-down', 'reset'] as const)(
    'tries again after two failures (%s), with the whole body; but deletes once',
    async (fault) => {
      const { source, key } = newSource(300_000);
      server.failNext(fault, 2, 'HEAD');
      server.failNext(fault, 2, 'PUT');
      expect((await store.put(key, source)).bytes).toBe(300_000);
      server.failNext(fault, 2, 'GET');
      expect(await hashOf(store, key)).toBe(source.sha256);
      // A failed deletion may still arrive, and the success of a second would hide it.
      server.failNext(fault, 1, 'DELETE');
      expect((await refusal(store.delete(key))).retryable).toBe(true);
      await store.delete(key);
      expect(await store.stat(key)).toBeNull();
    },
  );

  test('gives up after three failures, with the error of the server', async () => {
    const { key } = await put();
    server.failNext('slow-down', 3, 'GET');
    const error = await refusal(store.open(key));
    expect(error).toMatchObject({ retryable: true });
    expect(error.message).toContain('503 SlowDown');
    expect(await hashOf(store, key)).toHaveLength(64);
  });

  test('times out when the server is silent', async () => {
    const hasty = await openStore({ timeoutSeconds: 0.3 });
    const { key, source } = await put();
    for (const [method, ask] of [
      ['HEAD', () => hasty.stat(key)],
      ['GET', () => hasty.open(key)],
      ['PUT', () => hasty.put(key, source)],
      ['DELETE', () => hasty.delete(key)],
      ['GET', () => hasty.list()[Symbol.asyncIterator]().next()],
    ] as const) {
      server.failNext('hang', 1, method);
      const started = performance.now();
      const error = await refusal(ask());
      expect(performance.now() - started).toBeLessThan(1500);
      expect(error.message).toContain('silent for 0.3 seconds');
      expect(error.retryable).toBe(true);
    }
  });

  test('ends a stream in an error when the bytes are cut short', async () => {
    const { key } = await put(500_000);
    server.failNext('cut', 1, 'GET');
    const { stream } = await store.open(key);
    const error = await refusal(buffer(stream));
    expect(error.message).toMatch(/^s3 could not go on giving/);
  });

  test('ends a stream in an error when no more bytes arrive', async () => {
    const hasty = await openStore({ timeoutSeconds: 1 });
    const { key } = await put(500_000);
    server.failNext('stall', 1, 'GET');
    const { stream } = await hasty.open(key);
    await refusal(buffer(stream));
  });

  test('frees the connection of a stream that is destroyed', async () => {
    const alone = await openStore();
    const { key } = await put(20 * MiB);
    const before = await server.connections();
    const streams = await Promise.all(Array.from({ length: 5 }, () => alone.open(key)));
    expect(await server.connections()).toBe(before + 5);
    for (const { stream } of streams) stream.destroy();
    await eventually(async () => expect(await server.connections()).toBeLessThanOrEqual(before));
  });

  test('returns the length of an object that ends before the range', async () => {
    const { key } = await put(100);
    const { stat, stream } = await store.open(key, { start: 100, end: 200 });
    expect(stat.bytes).toBe(100);
    expect(await buffer(stream)).toHaveLength(0);
  });

  test('lists many pages', async () => {
    const paged = await openStore({ prefix: 'pages', pageSize: 7 });
    const keys: string[] = [];
    for (let n = 0; n < 40; n++) {
      const { key, source } = newSource(n + 1);
      await paged.put(key, source);
      keys.push(key);
    }
    const listed: string[] = [];
    const requests = await requestsOf(async () => {
      for await (const { key } of paged.list()) listed.push(key);
    });
    expect(listed.sort()).toEqual(keys.sort());
    expect(requests).toEqual(Array(6).fill('GET 200'));
  });

  test('lists more than a thousand objects', async () => {
    const many = await openStore({ prefix: 'many' });
    const direct = client();
    const keys = Array.from({ length: 1005 }, (_, n) => `${n}.png`);
    await Promise.all(
      keys.map((key) =>
        direct.send(new PutObjectCommand({ Bucket: server.bucket, Key: `many/${key}`, Body: 'x' })),
      ),
    );
    const listed: string[] = [];
    for await (const { key } of many.list()) listed.push(key);
    expect(listed.sort()).toEqual(keys.sort());
  });

  test('replaces an existing object, whatever its metadata say', async () => {
    const { source, key } = await put();
    await client().send(
      new PutObjectCommand({
        Bucket: server.bucket,
        Key: key,
        Body: randomBytes(1000),
        Metadata: { sha256: source.sha256 },
      }),
    );
    await store.put(key, source);
    expect(await hashOf(store, key)).toBe(source.sha256);
  });

  test('accepts an object that another writer has put meanwhile, if its hash is the same', async () => {
    const { source, key } = newSource();
    const other = await openStore();
    server.beforeNext('PUT', async () => void (await other.put(key, source)));
    const requests = await requestsOf(() => store.put(key, source));
    expect(requests).toEqual(['HEAD 404', 'PUT 412', 'HEAD 404', 'PUT 200', 'HEAD 200', 'HEAD 200']);
    expect(await hashOf(store, key)).toBe(source.sha256);
  });

  test('replaces an object that another writer has put meanwhile, if its hash is unknown', async () => {
    const { source, key } = newSource();
    server.beforeNext('PUT', async () => {
      await client().send(new PutObjectCommand({ Bucket: server.bucket, Key: key, Body: randomBytes(1000) }));
    });
    await store.put(key, source);
    expect(await hashOf(store, key)).toBe(source.sha256);
  });

  test('puts without a condition if the server supports none', async () => {
    const { source, key } = newSource();
    server.failNext('not-implemented', 1, 'PUT');
    await store.put(key, source);
    const [last] = server.requests.filter(({ method }) => method === 'PUT').slice(-1);
    expect(last?.headers).not.toHaveProperty('if-none-match');
    expect(await hashOf(store, key)).toBe(source.sha256);
  });

  test('reports a broken source as such, without retries', async () => {
    const { source, key } = newSource(300_000);
    const broken = breaking(source, 200_000);
    let opened = 0;
    const counting: BlobSource = {
      ...broken,
      open() {
        opened++;
        return broken.open();
      },
    };
    const error = await refusal(store.put(key, counting));
    expect(error).toMatchObject({ retryable: false, store: 's3' });
    expect(error.message).toContain('the source broke off: broke off');
    expect(opened).toBe(1);
  });

  test('keeps nothing of a source that breaks off after its last byte', async () => {
    const { source, key } = newSource(300_000);
    await refusal(store.put(key, breaking(source, 300_000)));
    expect(await store.stat(key)).toBeNull();
  });

  test('puts 20 MiB in parts, and reads them back', async () => {
    const source = madeSource(20 * MiB + 1);
    const key = keyOf(source.sha256, 'image/png');
    const requests = await requestsOf(() => store.put(key, source));
    expect(requests).toEqual([
      'HEAD 404',
      'POST 200',
      'PUT 200',
      'PUT 200',
      'PUT 200',
      'POST 200',
      'HEAD 200',
    ]);
    expect(await hashOf(store, key)).toBe(source.sha256);
    expect(await store.stat(key)).toMatchObject({ bytes: 20 * MiB + 1 });
    const { Metadata, CacheControl } = await client().send(
      new HeadObjectCommand({ Bucket: server.bucket, Key: key }),
    );
    expect({ Metadata, CacheControl }).toEqual({
      Metadata: { sha256: source.sha256 },
      CacheControl: 'public, max-age=31536000, immutable',
    });
  });

  test('takes no more memory for many parts than for few', async () => {
    // This server stores nothing, because what fauxqs stores is in the memory of this process too.
    const sink = createServer((request, response) => {
      request.resume().once('end', () => {
        if (request.method === 'POST')
          response.end(
            '<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>',
          );
        else if (request.method === 'HEAD') response.writeHead(200, kept).end();
        else response.writeHead(200, { etag: '"1"' }).end();
      });
    }).listen(0, '127.0.0.1');
    await once(sink, 'listening');
    const source = madeSource(200 * MiB);
    const kept = { 'content-length': source.bytes, etag: '"1"' };
    const { port } = sink.address() as AddressInfo;
    const far = await openStore({ endpoint: `http://127.0.0.1:${port}` });
    let peak = 0;
    const before = process.memoryUsage.rss();
    const watch = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss() - before);
    }, 5);
    await far.put(keyOf(source.sha256, 'image/png'), source);
    clearInterval(watch);
    expect(peak).toBeLessThan(120 * MiB);
    sink.closeAllConnections();
    sink.close();
  });

  test('sends only the failed part again', async () => {
    const source = madeSource(24 * MiB);
    const key = keyOf(source.sha256, 'image/png');
    server.failNext('500', 2, 'PUT');
    const requests = await requestsOf(() => store.put(key, source));
    expect(requests.filter((request) => request === 'PUT 500')).toHaveLength(2);
    expect(requests.filter((request) => request === 'PUT 200')).toHaveLength(3);
    expect(await hashOf(store, key)).toBe(source.sha256);
  });

  test.each([
    ['its first part', 1 * MiB],
    ['its second part', 10 * MiB],
    ['its last byte', 20 * MiB],
  ])('leaves no parts of a source that breaks off in %s', async (_where, after) => {
    const source = madeSource(20 * MiB);
    const key = keyOf(source.sha256, 'image/png');
    const error = await refusal(store.put(key, breaking(source, after)));
    expect(error.message).toContain('the source broke off');
    expect(server.uploads.size).toBe(0);
    expect(await store.stat(key)).toBeNull();
  });

  test('aborts the upload when a part is refused', async () => {
    const source = madeSource(20 * MiB);
    const key = keyOf(source.sha256, 'image/png');
    server.failNext('500', 3, 'PUT');
    const error = await refusal(store.put(key, source));
    expect(error.message).toContain('could not keep part 1 of');
    expect(server.uploads.size).toBe(0);
  });

  test('refuses keys that lead out of its bucket', async () => {
    for (const key of ['../x', 'a/../../x', '/etc/passwd', 'a//b', '.hidden', 'a/.b', 'a\0b', '']) {
      await expect(store.stat(key), JSON.stringify(key)).rejects.toThrow(TypeError);
    }
  });

  test('names AWS_REGION when no region is known', async () => {
    const before = { ...process.env };
    process.env.AWS_CONFIG_FILE = process.env.AWS_SHARED_CREDENTIALS_FILE = '/nowhere';
    delete process.env.AWS_REGION;
    try {
      const error = await refusal(openS3Store({ name: 's3', bucket: 'b' }));
      expect(error.message).toContain('set AWS_REGION');
    } finally {
      process.env = before;
    }
  });

  test('reports a key that was never put as absent', async () => {
    const key = keyOf('1'.repeat(64), 'image/gif');
    await expect(store.open(key, { start: 0, end: 1 })).rejects.toThrow(NotFoundError);
  });
});

// test/s3-ceph.ts starts such a server and prints its address.
const { TEST_S3_ENDPOINT: endpoint, TEST_S3_ACCESS_KEY_ID, TEST_S3_SECRET_ACCESS_KEY } = process.env;
if (endpoint) {
  const credentials = {
    accessKeyId: TEST_S3_ACCESS_KEY_ID ?? '',
    secretAccessKey: TEST_S3_SECRET_ACCESS_KEY ?? '',
  };
  const direct = new S3Client({ endpoint, credentials, region: 'us-east-1', forcePathStyle: true });
  const openBucket = async () => {
    const bucket = `fixative-${randomBytes(6).toString('hex')}`;
    await direct.send(new CreateBucketCommand({ Bucket: bucket }));
    const store = await openS3Store({ name: 's3', endpoint, bucket, credentials });
    return {
      bucket,
      store,
      async close() {
        for await (const { key } of store.list())
          await direct.send(new DeleteObjectCommand({ Bucket: bucket, Key: key }));
        await direct.send(new DeleteBucketCommand({ Bucket: bucket }));
        await store.close();
      },
    };
  };

  describeStore('S3, on the server of TEST_S3_ENDPOINT', openBucket);

  describe('the S3 store, on the server of TEST_S3_ENDPOINT', () => {
    let subject: Awaited<ReturnType<typeof openBucket>>;
    beforeAll(async () => {
      subject = await openBucket();
    });
    afterAll(() => subject.close());

    const uploads = async () =>
      (await direct.send(new ListMultipartUploadsCommand({ Bucket: subject.bucket }))).Uploads ?? [];

    test('sets type, a year of caching, and the hash', async () => {
      const source = sourceOf(randomBytes(1000));
      const key = keyOf(source.sha256, 'image/avif');
      await subject.store.put(key, source);
      const head = await direct.send(new HeadObjectCommand({ Bucket: subject.bucket, Key: key }));
      expect(head).toMatchObject({
        ContentType: 'image/avif',
        CacheControl: 'public, max-age=31536000, immutable',
        Metadata: { sha256: source.sha256 },
      });
    });

    test('puts in parts, reads them and ranges of them, and leaves no upload', async () => {
      const source = madeSource(40 * MiB + 1);
      const key = keyOf(source.sha256, 'image/png');
      const stat = await subject.store.put(key, source);
      expect(await subject.store.stat(key)).toEqual(stat);
      expect(await hashOf(subject.store, key)).toBe(source.sha256);
      const { stream } = await subject.store.open(key, { start: 8 * MiB - 1, end: 8 * MiB });
      expect(await buffer(stream)).toHaveLength(2);
      await refusal(subject.store.put(key, breaking(source, 20 * MiB)));
      expect(await uploads()).toEqual([]);
      expect(await hashOf(subject.store, key)).toBe(source.sha256);
    });

    test('makes the server refuse bytes with another hash', async () => {
      const source = { ...sourceOf(randomBytes(1000)), sha256: sourceOf(randomBytes(1000)).sha256 };
      const key = keyOf(source.sha256, 'image/png');
      const error = await refusal(subject.store.put(key, source));
      expect(error.message).toContain('XAmzContentSHA256Mismatch');
      expect(await subject.store.stat(key)).toBeNull();
    });

    test('names the settings when the credentials are refused', async () => {
      for (const wrong of [{ secretAccessKey: 'wrong' }, { accessKeyId: 'nobody' }]) {
        const refused = await openS3Store({
          name: 's3',
          endpoint,
          bucket: subject.bucket,
          credentials: { ...credentials, ...wrong },
        });
        const error = await refusal(refused.open(keyOf('0'.repeat(64), 'image/png')));
        expect(error).toMatchObject({ retryable: false });
        expect(error.message).toMatch(/set AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY)/);
        await refused.close();
      }
    });

    test('is unreachable instead of empty without its bucket', async () => {
      const lost = await openS3Store({ name: 's3', endpoint, bucket: 'fixative-lost', credentials });
      const key = keyOf('0'.repeat(64), 'image/png');
      for (const ask of [() => lost.stat(key), () => lost.open(key)])
        expect((await refusal(ask())).message).toContain('there is no such bucket');
      await lost.close();
    });

    test('accepts exactly the content that a URL is signed for', async () => {
      const content = randomBytes(1000);
      const { sha256 } = sourceOf(content);
      const sign = (key: string, hash: string | null) => {
        const expected = { bytes: content.length, mimeType: 'image/png', sha256: hash };
        return subject.store.presignPut(key, expected, new Date(Date.now() + 60_000));
      };
      const put = ({ url, headers }: { url: string; headers: object }, body: Uint8Array, more = {}) =>
        fetch(url, { method: 'PUT', headers: { ...headers, ...more }, body: body as BodyInit });
      for (const hash of [sha256, null]) {
        const key = `signed-${hash ? 'with' : 'without'}-hash`;
        const address = await sign(key, hash);
        expect((await put(address, content.subarray(1))).status).toBe(403);
        expect((await put(address, content, { 'Content-Type': 'text/html' })).status).toBe(403);
        expect((await put({ ...address, url: address.url.replace(key, 'another') }, content)).status).toBe(
          403,
        );
        expect(await subject.store.stat(key)).toBeNull();
        // A server without checksums accepts other bytes of this length; completeUpload checks the hash.
        if (hash) expect([200, 400]).toContain((await put(address, randomBytes(1000))).status);
        expect((await put(address, content)).status).toBe(200);
        expect(await hashOf(subject.store, key)).toBe(sha256);
      }
    });

    test('supports the condition of a put', async () => {
      const put = (Body: string) =>
        direct.send(new PutObjectCommand({ Bucket: subject.bucket, Key: 'once', Body, IfNoneMatch: '*' }));
      await put('first');
      await expect(put('second')).rejects.toThrow(
        expect.objectContaining({ $metadata: expect.objectContaining({ httpStatusCode: 412 }) }),
      );
      const { Body } = await direct.send(new GetObjectCommand({ Bucket: subject.bucket, Key: 'once' }));
      expect(await Body?.transformToString()).toBe('first');
    });
  });
}
