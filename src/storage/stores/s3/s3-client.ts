import { setTimeout as delay } from 'node:timers/promises';
import { S3Client, type S3ClientConfig, type S3ServiceException } from '@aws-sdk/client-s3';
import { Agent, type Dispatcher } from 'undici';
import { FixativeError, StoreError } from '../../../errors.ts';

/**
 * How an S3 store asks its server: one client over one pool of connections, and `ask`, which bounds, repeats and names.
 *
 * The SDK's own retries are off: they cannot send a stream again, and they count attempts without looking at the time. Its HTTP
 * handler is replaced by undici, because that one leaves a connection behind whenever an answer comes before the body was
 * sent, and does not notice that a body ended in an error or short of its Content-Length. undici takes both as failures.
 */
export interface S3Connection {
  /** The name of the store. */
  readonly name: string;
  readonly client: S3Client;
  /**
   * Does one thing, up to three times (or `attempts`) while its failures may pass and time is left. Silence for `timeoutSeconds` ends an
   * attempt; `turn.alive()` says that it was broken.
   * @throws StoreError; what is a FixativeError already comes through as it is.
   */
  ask<Answer>(
    verb: string,
    key: string,
    attempt: (turn: Turn) => Promise<Answer>,
    attempts?: number,
  ): Promise<Answer>;
  /** What a failure is to the rest of the house; says what to set where settings are at fault, and never a secret. */
  failure(verb: string, key: string, error: unknown): StoreError;
  close(): Promise<void>;
}

export interface Turn {
  readonly signal: AbortSignal;
  alive(): void;
}

export interface S3ConnectionOptions {
  readonly name: string;
  readonly bucket: string;
  /** Without it, AWS. */
  readonly endpoint?: string | null;
  /** Whether the bucket is in the path and not in the host name; by default it is wherever an endpoint is given. */
  readonly forcePathStyle?: boolean;
  /** Without it AWS_REGION and what else the SDK reads; `us-east-1` where nothing says it and an endpoint is given. */
  readonly region?: string;
  /** Without it what the SDK finds: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, profiles, the role of the machine. */
  readonly credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** How long the server may be silent. */
  readonly timeoutSeconds?: number;
  /** How long a connection to it may take, and never longer than it may be silent. */
  readonly connectTimeoutSeconds?: number;
}

const ATTEMPTS = 3;
const FIRST_DELAY_MS = 200;
const TIMEOUT_SECONDS = 15;
const CONNECT_SECONDS = 5;
const MAX_CONNECTIONS = 256;

/** What to do about a refusal, by the code that S3 gives it, or by the status where it gives none (an answer to HEAD has no body). */
const WAYS_OUT: Readonly<Record<string, string>> = {
  AccessDenied:
    'the key may not do this; allow it s3:GetObject, s3:PutObject, s3:DeleteObject, s3:AbortMultipartUpload and s3:ListBucket on the bucket',
  InvalidAccessKeyId: 'the server does not know this access key; set AWS_ACCESS_KEY_ID',
  SignatureDoesNotMatch: 'the secret does not belong to the access key; set AWS_SECRET_ACCESS_KEY',
  ExpiredToken: 'the session has expired; renew AWS_SESSION_TOKEN',
  InvalidToken: 'the session token is not valid; set AWS_SESSION_TOKEN',
  CredentialsProviderError: 'there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  RequestTimeTooSkewed: 'the clocks differ; set the clock of this machine',
  NoSuchBucket: 'there is no such bucket; create it, or correct the name of the bucket',
  InvalidBucketName: 'this cannot be the name of a bucket; correct it',
  AuthorizationHeaderMalformed: 'the bucket is in another region; set AWS_REGION',
  PermanentRedirect: 'the bucket is in another region; set AWS_REGION',
  301: 'the bucket is in another region; set AWS_REGION',
  400: 'the request was refused without a reason; check AWS_REGION and the credentials',
  401: 'the credentials are not accepted; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  403: 'the credentials are not accepted or may not do this; check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and that the key has s3:GetObject and s3:ListBucket',
};

/** Refusals below 500 that pass: a limit of the rate, a connection that was too slow, bytes that were damaged on their way. */
const PASSING = new Set(
  'SlowDown RequestTimeout Throttling ThrottlingException RequestLimitExceeded OperationAborted ConditionalRequestConflict IncompleteBody BadDigest XAmzContentSHA256Mismatch'.split(
    ' ',
  ),
);

const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

export async function openS3Connection(options: S3ConnectionOptions): Promise<S3Connection> {
  const { name } = options;
  const timeoutMs = (options.timeoutSeconds ?? TIMEOUT_SECONDS) * 1000;
  const agent = new Agent({
    allowH2: false,
    connections: MAX_CONNECTIONS,
    connect: { timeout: Math.min((options.connectTimeoutSeconds ?? CONNECT_SECONDS) * 1000, timeoutMs) },
    // Until the headers are there, `ask` watches; from then on only undici sees whether the body still comes.
    headersTimeout: 0,
    bodyTimeout: timeoutMs,
  });
  const settings: S3ClientConfig = {
    maxAttempts: 1,
    expectContinueHeader: false,
    requestHandler: makeRequestHandler(agent),
    // Without one, the SDK writes to the console whenever a stream could not be sent.
    logger: SILENT,
    forcePathStyle: options.forcePathStyle ?? Boolean(options.endpoint),
    // Whoever reads proves the SHA-256. The SDK's own check would put a stream between that hides how the body ended.
    responseChecksumValidation: 'WHEN_REQUIRED',
    // The checksums of what is put are given by hand (s3-put.ts): the SDK's own way needs a coding that not every server knows.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    ...(options.endpoint ? { endpoint: options.endpoint } : {}),
    ...(options.region ? { region: options.region } : {}),
    ...(options.credentials ? { credentials: options.credentials } : {}),
  };
  let client = new S3Client(settings);
  try {
    await client.config.region();
  } catch (cause) {
    if (!options.endpoint) {
      await agent.destroy();
      throw new StoreError(`${name} does not know the region of its bucket: set AWS_REGION.`, name, {
        cause,
        retryable: false,
      });
    }
    // Servers of one's own rarely have regions, but every signature names one.
    client = new S3Client({ ...settings, region: 'us-east-1' });
  }

  function failure(verb: string, key: string, error: unknown): StoreError {
    const code = codeOf(error);
    const wayOut = WAYS_OUT[code] ?? WAYS_OUT[String(statusOf(error))];
    const retryable = mayPass(error);
    // A server's words about a signature may quote what was signed; ours say more anyway.
    const reason = wayOut && !retryable ? `${wayOut} (${code})` : reasonOf(error);
    return new StoreError(
      `${name} could not ${verb} ${key} in the bucket ${options.bucket}: ${reason}.`,
      name,
      {
        cause: withoutSecrets(error),
        retryable,
      },
    );
  }

  return {
    name,
    client,
    failure,

    async ask(verb, key, attempt, maxAttempts = ATTEMPTS) {
      const started = performance.now();
      for (let attempts = 1; ; attempts++) {
        const controller = new AbortController();
        const timer = setTimeout(() => {
          controller.abort(new Error(`it was silent for ${timeoutMs / 1000} seconds`));
        }, timeoutMs);
        try {
          return await attempt({ signal: controller.signal, alive: () => timer.refresh() });
        } catch (error) {
          if (error instanceof FixativeError) throw error;
          const shown = controller.signal.aborted ? controller.signal.reason : error;
          const pause = Math.random() * FIRST_DELAY_MS * 2 ** (attempts - 1);
          const spent = performance.now() - started + pause;
          if (attempts >= maxAttempts || spent > timeoutMs || !mayPass(shown))
            throw failure(verb, key, shown);
          clearTimeout(timer);
          await delay(pause);
        } finally {
          clearTimeout(timer);
        }
      }
    },

    async close() {
      client.destroy();
      await agent.destroy();
    },
  };
}

/** The code that S3 gives a failure, or the name of the error where it is none of S3's. */
export function codeOf(error: unknown): string {
  return error instanceof Error ? error.name : String(error);
}

/** The HTTP status of a refusal; undefined when no answer came. */
export function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } } | undefined)?.$metadata?.httpStatusCode;
}

function mayPass(error: unknown): boolean {
  const status = statusOf(error);
  if (PASSING.has(codeOf(error))) return true;
  // No answer: the network, or settings that let nothing be sent.
  if (status === undefined) return !(codeOf(error) in WAYS_OUT) && !(error instanceof TypeError);
  return status === 408 || status === 429 || (status >= 500 && status !== 501);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const status = statusOf(error);
  if (status !== undefined) {
    const words = error.message && error.message !== error.name ? `: ${error.message.slice(0, 200)}` : '';
    return `the server answered ${status} ${error.name}${words}`.replace(/\.$/, '');
  }
  // An attempt at every address of a host fails with an error that has no message of its own.
  const first = error instanceof AggregateError ? error.errors[0] : undefined;
  return (error.message || (first as Error | undefined)?.message || error.name).replace(/\.$/, '');
}

/** Errors of S3 carry the whole answer, with the access key and what was signed; only what helps is kept of them. */
function withoutSecrets(error: unknown): unknown {
  const status = statusOf(error);
  if (status === undefined) return error;
  const { requestId } = (error as S3ServiceException).$metadata;
  return Object.assign(new Error(`${codeOf(error)} (${status})`), { code: codeOf(error), status, requestId });
}

interface HttpRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | string[] | null>>;
  readonly headers: Record<string, string>;
  readonly body?: Dispatcher.DispatchOptions['body'];
}

/** undici in the place of the SDK's own HTTP handler. */
function makeRequestHandler(agent: Agent) {
  return {
    async handle(request: HttpRequest, { abortSignal }: { abortSignal?: AbortSignal } = {}) {
      const query = queryOf(request.query ?? {});
      const answer = await agent.request({
        origin: `${request.protocol}//${request.hostname}${request.port ? `:${request.port}` : ''}`,
        path: request.path + (query && `?${query}`),
        method: request.method as Dispatcher.HttpMethod,
        headers: request.headers,
        body: request.body ?? null,
        ...(abortSignal ? { signal: abortSignal } : {}),
      });
      const headers: Record<string, string> = {};
      for (const [header, value] of Object.entries(answer.headers)) {
        if (value !== undefined) headers[header] = Array.isArray(value) ? value.join(', ') : value;
      }
      return { response: { statusCode: answer.statusCode, headers, body: answer.body } };
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
    destroy() {},
  };
}

/** Must spell the query as the signature does: RFC 3986, sorted. */
function queryOf(query: NonNullable<HttpRequest['query']>): string {
  const escaped = (text: string) =>
    encodeURIComponent(text).replace(
      /[!'()*]/g,
      (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  return Object.keys(query)
    .sort()
    .flatMap((name) => {
      const value = query[name];
      if (value === null || value === undefined) return [escaped(name)];
      return [value].flat().map((each) => `${escaped(name)}=${escaped(each)}`);
    })
    .join('&');
}
