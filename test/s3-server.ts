import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildApp } from 'fauxqs';

/**
 * Faults on demand: an error of the server, no response, or a connection that is reset before the response.
 * For the bytes of an object also a response that is cut, or that stalls half way.
 */
export type Fault = '500' | 'slow-down' | 'not-implemented' | 'hang' | 'reset' | 'cut' | 'stall';

export interface S3Server {
  readonly endpoint: string;
  readonly bucket: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Requests in order of arrival. */
  readonly requests: readonly Readonly<ReceivedRequest>[];
  /** Ids of multipart uploads that were neither completed nor aborted. */
  readonly uploads: ReadonlySet<string>;
  /** Returns the number of open connections. */
  connections(): Promise<number>;
  /** Makes the next `count` requests fail, of one method or of any. */
  failNext(fault: Fault, count?: number, method?: string): void;
  /** Cancels all faults that have not happened yet. */
  mend(): void;
  /** Sets the origins whose scripts may PUT (CORS). Default: none, as for a new bucket. */
  allowOrigins(origins: readonly string[]): void;
  /** Runs before the next request of this method is served. */
  beforeNext(method: string, work: () => Promise<void>): void;
  close(): Promise<void>;
}

/**
 * Returns the settings for a server with this store `s3`. Sets the keys in the environment of this process,
 * for the SDK.
 */
export function s3Settings({ bucket, endpoint, credentials }: S3Server) {
  process.env.AWS_ACCESS_KEY_ID = credentials.accessKeyId;
  process.env.AWS_SECRET_ACCESS_KEY = credentials.secretAccessKey;
  return { S3_BUCKET: bucket, S3_ENDPOINT: endpoint, AWS_REGION: 'us-east-1' };
}

export interface ReceivedRequest {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  /** Status of the response; null until it was sent. */
  status: number | null;
}

const REGION = 'us-east-1';
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/**
 * Starts an S3 server in this process, on a port of loopback: fauxqs, which keeps objects in memory and
 * checks nothing. Hooks add what it lacks: they verify signatures (AWS Signature Version 4 in headers, with
 * the hash of the body where it is signed, or in the query) and checksums, support `If-None-Match: *`, and
 * fail on demand.
 */
export async function openS3Server(): Promise<S3Server> {
  const app = buildApp({ logger: false });
  const credentials = {
    accessKeyId: `AK${randomBytes(9).toString('hex').toUpperCase()}`,
    secretAccessKey: randomBytes(20).toString('hex'),
  };
  const bucket = 'images';
  const requests: ReceivedRequest[] = [];
  const uploads = new Set<string>();
  const objects = new Set<string>();
  const faults: { fault: Fault; method: string | undefined }[] = [];
  const works: { method: string; work: () => Promise<void> }[] = [];
  let allowed: readonly string[] = [];

  // Its default limit is below that of S3.
  app.removeContentTypeParser('*');
  app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES }, (_request, body, done) =>
    done(null, body),
  );

  app.addHook('onRequest', async (request, reply) => {
    const { method = '', url = '', headers } = request.raw;
    const received: ReceivedRequest = { method, path: url, headers, status: null };
    requests.push(received);
    reply.raw.once('finish', () => {
      received.status = reply.raw.statusCode;
    });
    const refuse = (status: number, code: string) =>
      reply.code(status).type('application/xml').send(errorOf(code, credentials.accessKeyId));

    // A preflight request has no signature.
    if (method === 'OPTIONS') {
      const { origin = '' } = headers;
      if (!allowed.includes(origin) || headers['access-control-request-method'] !== 'PUT')
        return refuse(403, 'AccessForbidden');
      return reply
        .code(200)
        .headers({
          'access-control-allow-origin': origin,
          'access-control-allow-methods': 'PUT',
          'access-control-allow-headers': headers['access-control-request-headers'] ?? '',
        })
        .send();
    }

    const refusal = refusalOf(request.raw, credentials);
    if (refusal) return refuse(403, refusal);

    const work = works.findIndex((each) => each.method === method);
    if (work >= 0) await works.splice(work, 1)[0]?.work();

    const next = faults.findIndex((each) => !each.method || each.method === method);
    const fault = next >= 0 ? faults.splice(next, 1)[0]?.fault : undefined;
    if (fault === '500') return refuse(500, 'InternalError');
    if (fault === 'slow-down') return refuse(503, 'SlowDown');
    if (fault === 'not-implemented') return refuse(501, 'NotImplemented');
    if (fault === 'hang' || fault === 'reset') {
      reply.hijack();
      if (fault === 'reset') request.raw.socket.resetAndDestroy();
      return;
    }
    if (fault) breakOff(reply.raw, fault);
  });

  app.addHook('preHandler', (request, reply, done) => {
    const { method = '', url = '', headers } = request.raw;
    const refuse = (status: number, code: string) => {
      reply.code(status).type('application/xml').send(errorOf(code, ''));
    };
    const signed = headers['x-amz-content-sha256'] as string;
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    if (/^[0-9a-f]{64}$/.test(signed) && createHash('sha256').update(body).digest('hex') !== signed)
      return refuse(400, 'XAmzContentSHA256Mismatch');
    const checksum = headers['x-amz-checksum-sha256'];
    if (checksum && createHash('sha256').update(body).digest('base64') !== checksum)
      return refuse(400, 'BadDigest');
    const [path = '', query = ''] = url.split('?');
    if (method === 'PUT' && !query.includes('uploadId')) {
      if (headers['if-none-match'] === '*' && objects.has(path)) return refuse(412, 'PreconditionFailed');
      objects.add(path);
    }
    if (method === 'POST' && query.includes('uploadId')) objects.add(path);
    if (method === 'DELETE' && !query.includes('uploadId')) objects.delete(path);
    done();
  });

  // Not async: fauxqs responds before its handlers return, so a hook that waits would come too late.
  app.addHook('onSend', (request, reply, payload, done) => {
    const { method = '', url = '' } = request.raw;
    const upload = /[?&]uploadId=([^&]+)/.exec(url)?.[1];
    if (upload && method !== 'PUT' && reply.statusCode < 300) uploads.delete(upload);
    const begun = /<UploadId>([^<]+)/.exec(typeof payload === 'string' ? payload : '')?.[1];
    if (begun) uploads.add(begun);
    done(null, payload);
  });

  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const made = await app.inject({
    method: 'PUT',
    url: `/${bucket}`,
    headers: sign({ method: 'PUT', path: `/${bucket}`, host: 'localhost' }, credentials),
  });
  if (made.statusCode !== 200) throw new Error(`no bucket: ${made.body}`);
  requests.length = 0;

  return {
    endpoint: `http://127.0.0.1:${port}`,
    bucket,
    credentials,
    requests,
    uploads,
    connections: () =>
      new Promise((resolve, reject) => {
        app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
      }),
    failNext(fault, count = 1, method) {
      for (let left = count; left > 0; left--) faults.push({ fault, method });
    },
    mend() {
      faults.length = 0;
    },
    allowOrigins(origins) {
      allowed = origins;
    },
    beforeNext(method, work) {
      works.push({ method, work });
    },
    async close() {
      app.server.closeAllConnections();
      await app.close();
    },
  };
}

/** Makes a response send half of its bytes and then close the connection or stall. */
function breakOff(response: ServerResponse, fault: Fault): void {
  const end = response.end.bind(response) as (...args: unknown[]) => ServerResponse;
  response.end = ((chunk: unknown, ...rest: unknown[]) => {
    if (!Buffer.isBuffer(chunk)) return end(chunk, ...rest);
    response.write(chunk.subarray(0, chunk.length / 2));
    if (fault === 'cut') setTimeout(() => response.destroy(), 50);
    return response;
  }) as typeof response.end;
}

/** Real servers quote the access key in this response. Our messages must not contain it. */
function errorOf(code: string, accessKeyId: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${code} of ${accessKeyId}.</Message><AWSAccessKeyId>${accessKeyId}</AWSAccessKeyId><StringToSign>AWS4-HMAC-SHA256</StringToSign></Error>`;
}

interface Signable {
  readonly method: string;
  readonly path: string;
  readonly query?: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Hash of the body and time of a signature, where headers do not have them. */
  readonly content?: string;
  readonly date?: string;
}

/** Checks the signature of a request. Returns the error code of S3; null when it is right. */
function refusalOf(request: IncomingMessage, credentials: S3Server['credentials']): string | null {
  if (request.url?.includes('X-Amz-Signature=')) return refusalOfPresigned(request, credentials);
  const parsed =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8}\/[^/]+\/s3\/aws4_request), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? '',
    );
  if (!parsed) return 'AccessDenied';
  const [, accessKeyId = '', scope = '', signedHeaders = '', signature = ''] = parsed;
  if (accessKeyId !== credentials.accessKeyId) return 'InvalidAccessKeyId';
  const names = signedHeaders.split(';');
  if (!['host', 'x-amz-date', 'x-amz-content-sha256'].every((name) => names.includes(name)))
    return 'AccessDenied';
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const headers = Object.fromEntries(names.map((name) => [name, String(request.headers[name] ?? '')]));
  const expected = signatureOf(
    { method: request.method ?? '', path, query, headers },
    scope,
    credentials.secretAccessKey,
  );
  return timingSafeEqual(Buffer.from(expected), Buffer.from(signature)) ? null : 'SignatureDoesNotMatch';
}

/**
 * Checks a signature in the query:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
function refusalOfPresigned(request: IncomingMessage, credentials: S3Server['credentials']): string | null {
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const parameters = new URLSearchParams(query);
  const said = (name: string) => parameters.get(`X-Amz-${name}`) ?? '';
  const [accessKeyId, ...scope] = said('Credential').split('/');
  if (accessKeyId !== credentials.accessKeyId) return 'InvalidAccessKeyId';
  const date = said('Date').replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z');
  if (!(Date.parse(date) + Number(said('Expires')) * 1000 > Date.now())) return 'AccessDenied';
  const names = said('SignedHeaders').split(';');
  if (!names.includes('host')) return 'AccessDenied';
  const headers = Object.fromEntries(names.map((name) => [name, String(request.headers[name] ?? '')]));
  const signed = {
    method: request.method ?? '',
    path,
    query: query
      .split('&')
      .filter((pair) => !pair.startsWith('X-Amz-Signature='))
      .join('&'),
    headers,
    content: 'UNSIGNED-PAYLOAD',
    date: said('Date'),
  };
  const expected = signatureOf(signed, scope.join('/'), credentials.secretAccessKey);
  const given = Buffer.from(said('Signature'));
  return given.length === expected.length && timingSafeEqual(Buffer.from(expected), given)
    ? null
    : 'SignatureDoesNotMatch';
}

/**
 * Computes AWS Signature Version 4:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 */
function signatureOf(signable: Signable, scope: string, secret: string): string {
  const { method, path, query, headers } = signable;
  const names = Object.keys(headers).sort();
  const canonical = [
    method,
    path,
    (query ?? '')
      .split('&')
      .filter(Boolean)
      .map((pair) => (pair.includes('=') ? pair : `${pair}=`))
      .sort()
      .join('&'),
    ...names.map((name) => `${name}:${headers[name]?.trim().replace(/\s+/g, ' ')}`),
    '',
    names.join(';'),
    signable.content ?? headers['x-amz-content-sha256'],
  ].join('\n');
  const hash = createHash('sha256').update(canonical).digest('hex');
  const toSign = ['AWS4-HMAC-SHA256', signable.date ?? headers['x-amz-date'], scope, hash].join('\n');
  const hmac = (key: string | Buffer, data: string) => createHmac('sha256', key).update(data).digest();
  return hmac(scope.split('/').reduce<string | Buffer>(hmac, `AWS4${secret}`), toSign).toString('hex');
}

/** Returns signed headers of a request without a body, for the server's own first request. */
function sign(
  request: { method: string; path: string; host: string },
  credentials: S3Server['credentials'],
): Record<string, string> {
  const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${date.slice(0, 8)}/${REGION}/s3/aws4_request`;
  const headers = {
    host: request.host,
    'x-amz-content-sha256': createHash('sha256').digest('hex'),
    'x-amz-date': date,
  };
  const signature = signatureOf({ ...request, headers }, scope, credentials.secretAccessKey);
  const signed = Object.keys(headers).sort().join(';');
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${signed}, Signature=${signature}`,
  };
}
