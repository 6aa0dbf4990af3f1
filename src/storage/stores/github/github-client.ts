/** Requests to GitHub, with retries, rate limits and error messages. */
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { ReadableStream } from 'node:stream/web';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Octokit } from '@octokit/core';
import type * as Undici from 'undici';
import { type GithubAnswer, GithubRefusal, jitter, refusalOf } from './github-refusal.ts';

const REQUEST_ATTEMPTS = 4;
/**
 * The client waits for a rate limit that ends within this time. The caller gets the error of a longer one.
 */
const MAX_LIMIT_WAIT_SECONDS = 5;

export interface GithubOptions {
  readonly name: string;
  /** Needs permission to read and write the contents of the repository, and nothing else. */
  readonly token: string;
  /** `owner/name`. */
  readonly repository: string;
  /** Must exist, unless the repository has no commit; the first put makes it then. */
  readonly branch: string;
  /** Directory of the keys in the repository. Default: `file-library`. */
  readonly directory?: string;
  /** Default: `https://api.github.com`. A GitHub Enterprise Server has `https://HOST/api/v3`. */
  readonly apiUrl?: string;
  /**
   * Base URL of files of public repositories; null: none. Default: that of github.com, if `apiUrl` is its
   * API.
   */
  readonly rawUrl?: string | null;
  /** Longest silence: to connect, until the response begins, between two pieces of it. Default: 30. */
  readonly timeoutSeconds?: number;
}

export interface GithubClient {
  readonly url: URL;
  readonly request: Octokit['request'];
  /** Sends a request, with retries, and parses the response. @throws GithubRefusal */
  ask<Data>(send: () => Promise<GithubAnswer<Data>>): Promise<GithubAnswer<Data>>;
  /**
   * Sends a request, with retries. The returned body must be read to its end or destroyed.
   * @throws GithubRefusal
   */
  stream(send: () => Promise<GithubAnswer<unknown>>): Promise<GithubAnswer<Readable>>;
  /** Removes the token from a text. */
  clean(text: string): string;
  close(): Promise<void>;
}

export async function openGithubClient({
  apiUrl = 'https://api.github.com',
  ...options
}: GithubOptions): Promise<GithubClient> {
  const { token, timeoutSeconds = 30 } = options;
  // Imported here, so that servers without a GitHub store do not load them.
  const [{ Octokit }, undici] = await Promise.all([import('@octokit/core'), import('undici')]);
  const timeout = timeoutSeconds * 1000;
  const agent = new undici.Agent({
    connect: { timeout },
    headersTimeout: timeout,
    bodyTimeout: timeout,
    allowH2: false,
  });
  const octokit = new Octokit({
    baseUrl: apiUrl.replace(/\/+$/, ''),
    auth: token,
    userAgent: 'fixative',
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    request: {
      fetch: (url: string, init: Undici.RequestInit) => undici.fetch(url, { ...init, dispatcher: agent }),
      // A streamed body cannot be sent again, and an operator must see that the repository has moved.
      redirect: 'manual',
      // Octokit reads a response that was cut off as an empty text, so responses are read here.
      parseSuccessResponseBody: false,
      log: { warn: quiet },
    },
  });
  const clean = (text: string) => (token ? text.replaceAll(token, '…') : text);
  const limit: RateLimit = { until: 0 };
  let isClosed = false;
  const attempt: Attempt = async (send, read) => {
    for (let count = 1; ; count++) {
      await waitForLimit(limit);
      try {
        return await sendOnce(send, read);
      } catch (error) {
        const refusal = refusalOf(error, { clean, timeoutSeconds });
        if (refusal.limitedUntil !== null) limit.until = Math.max(limit.until, refusal.limitedUntil);
        if (!refusal.retriesAtOnce || isClosed || count === REQUEST_ATTEMPTS) throw refusal;
        if (refusal.limitedUntil === null) await sleep(jitter(count, 4000));
      }
    }
  };
  return {
    url: new URL(apiUrl),
    request: octokit.request,
    ask: <Data>(send: () => Promise<GithubAnswer<Data>>) =>
      attempt(send, async (body) => JSON.parse(await text(body)) as Data),
    stream: (send) => attempt(send, streamOf),
    clean,
    async close() {
      isClosed = true;
      await agent.destroy();
    },
  };
}

const quiet = () => {};

type Attempt = <Data, Result>(
  send: () => Promise<GithubAnswer<Data>>,
  read: (body: ReadableStream) => Promise<Result> | Result,
) => Promise<GithubAnswer<Result>>;

/** `until`: end of the rate limit, in milliseconds since 1970. */
interface RateLimit {
  until: number;
}

/**
 * Waits for the end of a rate limit, because GitHub bans clients that ignore it.
 * @throws GithubRefusal if that takes too long.
 */
async function waitForLimit({ until: limitedUntil }: RateLimit): Promise<void> {
  const wait = limitedUntil - Date.now();
  if (wait <= 0) return;
  if (wait > MAX_LIMIT_WAIT_SECONDS * 1000) {
    const until = new Date(limitedUntil).toISOString().replace(/\.\d+/, '');
    throw new GithubRefusal(`GitHub limits the rate until ${until}`, {
      status: 429,
      retryable: true,
      limitedUntil,
    });
  }
  await sleep(wait + Math.random() * 250);
}

const sendOnce: Attempt = async (send, read) => {
  const { status, headers, data } = await send();
  const body = data as ReadableStream;
  if (status >= 300) {
    await body?.cancel?.();
    const remedy = 'the repository or its branch was renamed or moved; give the present name';
    throw new GithubRefusal(`GitHub sends on to another address (${status}): ${remedy}`, { status });
  }
  return { status, headers, data: await read(body) };
};

function streamOf(body: ReadableStream): Readable {
  const stream = Readable.fromWeb(body);
  // Readers get the error from the stream. Without a listener it would end the process while there is no
  // reader.
  stream.on('error', quiet);
  return stream;
}
