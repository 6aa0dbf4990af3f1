import { setTimeout as delay } from 'node:timers/promises';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { Agent } from 'undici';
import { FixativeError, StoreError } from '../../../errors.ts';
import { isRetryable, s3Error } from './s3-errors.ts';
import { makeRequestHandler } from './s3-http.ts';

/**
 * The connection of an S3 store to its server: one client over one pool of connections, and `ask`, which adds
 * timeouts, retries and error messages.
 *
 * The retries of the SDK are off: they cannot send a stream again, and they have no time limit. Its HTTP
 * handler is replaced by undici. The SDK's handler leaks a connection when the response comes before the
 * request body was sent, and does not notice a body that ends in an error or too early. undici treats both as
 * failures.
 */
export interface S3Connection {
  /** Name of the store. */
  readonly name: string;
  readonly client: S3Client;
  /**
   * Runs a request, up to `attempts` times (default: 3) while its failures are retryable and time is left. An
   * attempt is aborted after `timeoutSeconds` of silence; `turn.alive()` restarts that time.
   * @throws StoreError; a FixativeError of the attempt passes unchanged.
   */
  ask<Result>(
    verb: string,
    key: string,
    attempt: (turn: Turn) => Promise<Result>,
    attempts?: number,
  ): Promise<Result>;
  /** Makes the error of a failed request. */
  failure(verb: string, key: string, error: unknown): StoreError;
  close(): Promise<void>;
}

/** One attempt of a request. */
export interface Turn {
  readonly signal: AbortSignal;
  /** Restarts the timeout. */
  alive(): void;
}

export interface S3ConnectionOptions {
  readonly name: string;
  readonly bucket: string;
  /** Default: AWS. */
  readonly endpoint?: string | null;
  /** Whether the bucket is in the path instead of the host name. Default: true with an endpoint. */
  readonly forcePathStyle?: boolean;
  /** Default: AWS_REGION and what else the SDK reads; with an endpoint, then `us-east-1`. */
  readonly region?: string;
  /**
   * Default: what the SDK finds, for example AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, the role
   * of the machine.
   */
  readonly credentials?: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
  /** Longest silence of the server. Default: 15. */
  readonly timeoutSeconds?: number;
  /** Timeout of a new connection. Default: 5, and at most `timeoutSeconds`. */
  readonly connectTimeoutSeconds?: number;
}

const ATTEMPTS = 3;
const FIRST_DELAY_MS = 200;
const TIMEOUT_SECONDS = 15;
const CONNECT_SECONDS = 5;
const MAX_CONNECTIONS = 256;

const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

export async function openS3Connection(options: S3ConnectionOptions): Promise<S3Connection> {
  const { name } = options;
  const timeoutMs = (options.timeoutSeconds ?? TIMEOUT_SECONDS) * 1000;
  const agent = new Agent({
    allowH2: false,
    connections: MAX_CONNECTIONS,
    connect: { timeout: Math.min((options.connectTimeoutSeconds ?? CONNECT_SECONDS) * 1000, timeoutMs) },
    // `ask` limits the time until the headers. After that, only undici sees whether the body still arrives.
    headersTimeout: 0,
    bodyTimeout: timeoutMs,
  });
  const client = await openClientWithRegion(options, agent);
  const failure = (verb: string, key: string, error: unknown) => s3Error(options, verb, key, error);
  return {
    name,
    client,
    failure,
    ask: (verb, key, attempt, attempts = ATTEMPTS) =>
      askWithRetries(attempt, { attempts, timeoutMs, failure: (error) => failure(verb, key, error) }),
    async close() {
      client.destroy();
      await agent.destroy();
    },
  };
}

/** @throws StoreError if no region is known for AWS; the agent is destroyed then. */
async function openClientWithRegion(options: S3ConnectionOptions, agent: Agent): Promise<S3Client> {
  const settings = clientSettings(options, agent);
  const client = new S3Client(settings);
  try {
    await client.config.region();
    return client;
  } catch (cause) {
    if (!options.endpoint) {
      await agent.destroy();
      throw new StoreError(
        `${options.name} does not know the region of its bucket: set AWS_REGION.`,
        options.name,
        { cause, retryable: false },
      );
    }
    // Self-hosted servers rarely have regions, but every signature contains one.
    return new S3Client({ ...settings, region: 'us-east-1' });
  }
}

function clientSettings(options: S3ConnectionOptions, agent: Agent): S3ClientConfig {
  return {
    maxAttempts: 1,
    expectContinueHeader: false,
    requestHandler: makeRequestHandler(agent),
    // Without a logger, the SDK writes to the console when a stream could not be sent.
    logger: SILENT,
    forcePathStyle: options.forcePathStyle ?? Boolean(options.endpoint),
    // Readers check the SHA-256. The check of the SDK would hide how the body ended.
    responseChecksumValidation: 'WHEN_REQUIRED',
    // s3-put.ts sets the checksums: the SDK's own way needs an encoding that not every server supports.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    ...(options.endpoint ? { endpoint: options.endpoint } : {}),
    ...(options.region ? { region: options.region } : {}),
    ...(options.credentials ? { credentials: options.credentials } : {}),
  };
}

/** See S3Connection.ask. Waits between attempts with exponential back-off and full jitter. */
async function askWithRetries<Result>(
  attempt: (turn: Turn) => Promise<Result>,
  limits: { attempts: number; timeoutMs: number; failure(error: unknown): StoreError },
): Promise<Result> {
  const { timeoutMs } = limits;
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
      const reason = controller.signal.aborted ? controller.signal.reason : error;
      const pause = Math.random() * FIRST_DELAY_MS * 2 ** (attempts - 1);
      const spent = performance.now() - started + pause;
      if (attempts >= limits.attempts || spent > timeoutMs || !isRetryable(reason))
        throw limits.failure(reason);
      clearTimeout(timer);
      await delay(pause);
    } finally {
      clearTimeout(timer);
    }
  }
}
