/** Speaking with GitHub: one request at a time, its retries, its limits and its refusals. */
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { ReadableStream } from 'node:stream/web';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Octokit } from '@octokit/core';
import type * as Undici from 'undici';

const REQUEST_ATTEMPTS = 4;
/** A limit that passes within this time is waited for; a longer one is the caller's to wait for. */
const PATIENCE_SECONDS = 5;

export interface GithubOptions {
  readonly name: string;
  /** Needs read and write of the repository's contents, and nothing else. */
  readonly token: string;
  /** `owner/name`. */
  readonly repository: string;
  /** Must be there, except in a repository without any commit, where the first put makes it. */
  readonly branch: string;
  /** Where in the repository the keys live. Default `file-library`. */
  readonly directory?: string;
  /** Default `https://api.github.com`; a GitHub Enterprise Server has `https://HOST/api/v3`. */
  readonly apiUrl?: string;
  /** Where public repositories show their files; null where nowhere. Default that of github.com, for its API alone. */
  readonly rawUrl?: string | null;
  /** The longest silence: to connect, for an answer to begin, between two of its pieces. Default 30. */
  readonly timeoutSeconds?: number;
}

/** GitHub said no, or nothing. `status` is 0 when it said nothing. */
export class Refusal extends Error {
  readonly status: number;
  /** GitHub's own words. */
  readonly said: string;
  /** Whether it may go well later. */
  readonly retryable: boolean;
  /** When it may be asked again, where the rate is limited; milliseconds since 1970. */
  readonly limitedUntil: number | null;
  /** Whether to ask again at once. A silence is not asked again, for its caller has waited long enough. */
  readonly again: boolean;

  constructor(
    message: string,
    facts: Partial<Pick<Refusal, 'status' | 'said' | 'retryable' | 'limitedUntil' | 'again' | 'cause'>> = {},
  ) {
    super(message, 'cause' in facts ? { cause: facts.cause } : undefined);
    this.status = facts.status ?? 0;
    this.said = facts.said ?? '';
    this.retryable = facts.retryable ?? false;
    this.limitedUntil = facts.limitedUntil ?? null;
    this.again = facts.again ?? this.retryable;
  }
}

interface Answer<Data> {
  readonly status: number;
  readonly headers: { readonly etag?: string; readonly [header: string]: string | number | undefined };
  readonly data: Data;
}

export interface Client {
  readonly url: URL;
  readonly request: Octokit['request'];
  /** Sends, again where that may help, and reads the answer. @throws Refusal */
  ask<Data>(send: () => Promise<Answer<Data>>): Promise<Answer<Data>>;
  /** The same, with the body as it comes. It must be read to its end or destroyed. */
  stream(send: () => Promise<Answer<unknown>>): Promise<Answer<Readable>>;
  /** A text without the token. */
  clean(text: string): string;
  close(): Promise<void>;
}

export async function openClient({
  apiUrl = 'https://api.github.com',
  ...options
}: GithubOptions): Promise<Client> {
  const { token, timeoutSeconds = 30 } = options;
  // Loaded here, so that a server without such a store does not pay for them.
  const [{ Octokit }, undici] = await Promise.all([import('@octokit/core'), import('undici')]);
  const silence = timeoutSeconds * 1000;
  const agent = new undici.Agent({
    connect: { timeout: silence },
    headersTimeout: silence,
    bodyTimeout: silence,
    allowH2: false,
  });
  const quiet = () => {};
  const octokit = new Octokit({
    baseUrl: apiUrl.replace(/\/+$/, ''),
    auth: token,
    userAgent: 'fixative',
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    request: {
      fetch: (url: string, init: Undici.RequestInit) => undici.fetch(url, { ...init, dispatcher: agent }),
      // A body that was streamed cannot be sent on, and a repository that has moved is for a person to look at.
      redirect: 'manual',
      // Octokit takes an answer that was cut off for an empty text, so answers are read here.
      parseSuccessResponseBody: false,
      log: { warn: quiet },
    },
  });
  const clean = (text: string) => (token ? text.replaceAll(token, '…') : text);
  let limitedUntil = 0;
  let closed = false;

  /** Nothing is asked while a limit lasts: GitHub bars those who go on. */
  async function waitForLimit(): Promise<void> {
    const wait = limitedUntil - Date.now();
    if (wait <= 0) return;
    if (wait > PATIENCE_SECONDS * 1000) {
      const until = new Date(limitedUntil).toISOString().replace(/\.\d+/, '');
      throw new Refusal(`GitHub limits the rate until ${until}`, {
        status: 429,
        retryable: true,
        limitedUntil,
      });
    }
    await sleep(wait + Math.random() * 250);
  }

  async function attempt<Data, Result>(
    send: () => Promise<Answer<Data>>,
    read: (body: ReadableStream) => Promise<Result> | Result,
  ): Promise<Answer<Result>> {
    for (let count = 1; ; count++) {
      await waitForLimit();
      try {
        const { status, headers, data } = await send();
        const body = data as ReadableStream;
        if (status >= 300) {
          await body?.cancel?.();
          const where = 'the repository or its branch was renamed or moved; give the present name';
          throw new Refusal(`GitHub sends on to another address (${status}): ${where}`, { status });
        }
        return { status, headers, data: await read(body) };
      } catch (error) {
        const refusal = refusalOf(error, { clean, timeoutSeconds });
        if (refusal.limitedUntil !== null) limitedUntil = Math.max(limitedUntil, refusal.limitedUntil);
        if (!refusal.again || closed || count === REQUEST_ATTEMPTS) throw refusal;
        if (refusal.limitedUntil === null) await sleep(jitter(count, 4000));
      }
    }
  }

  return {
    url: new URL(apiUrl),
    request: octokit.request,
    ask: <Data>(send: () => Promise<Answer<Data>>) =>
      attempt(send, async (body) => JSON.parse(await text(body)) as Data),
    stream: (send) =>
      attempt(send, (body) => {
        const stream = Readable.fromWeb(body);
        // Whoever reads it is told by the reading; that nobody reads yet must not end the process.
        stream.on('error', quiet);
        return stream;
      }),
    clean,
    async close() {
      closed = true;
      await agent.destroy();
    },
  };
}

/** What a failure of a request means: GitHub's word where it gave one, and the network's else. */
function refusalOf(
  error: unknown,
  { clean, timeoutSeconds }: { clean(text: string): string; timeoutSeconds: number },
): Refusal {
  if (error instanceof Refusal) return error;
  const { response } = error as { response?: Answer<unknown> };
  if (!response) {
    const beneath = causes(error);
    const last = beneath.at(-1);
    if (beneath.some((each) => /TIMEOUT|ETIMEDOUT/.test(`${(each as NodeJS.ErrnoException).code}`))) {
      const message = `GitHub was silent for ${timeoutSeconds} seconds`;
      return new Refusal(message, { retryable: true, again: false, cause: last });
    }
    const reason = clean(last?.message || (last as NodeJS.ErrnoException)?.code || String(error));
    return new Refusal(`GitHub could not be asked: ${reason}`, { retryable: true, cause: last });
  }
  const { status, data } = response;
  const said = clean(sayingOf(data)).slice(0, 300);
  const facts = { status, said };
  const words = `${status}${said && ` ${said.replace(/\.$/, '')}`}`;
  const limitedUntil = limitOf(response, said);
  if (limitedUntil !== null) {
    const until = new Date(limitedUntil).toISOString().replace(/\.\d+/, '');
    const message = `GitHub limits the rate until ${until} (${words})`;
    return new Refusal(message, { ...facts, retryable: true, limitedUntil });
  }
  if (status === 401) return new Refusal(`GitHub does not accept the token (${words})`, facts);
  if (status === 403) return new Refusal(`the token may not do this (${words})`, facts);
  if (status === 404)
    return new Refusal(`the repository is not there, or the token may not use it (${words})`, facts);
  return new Refusal(`GitHub answered ${words}`, { ...facts, retryable: status >= 500 || status === 408 });
}

/** Until when an answer says that it is not to be asked; null when it is no answer of that kind. */
function limitOf({ status, headers }: Answer<unknown>, said: string): number | null {
  if (status !== 403 && status !== 429) return null;
  const [after, reset] = [Number(headers['retry-after']), Number(headers['x-ratelimit-reset'])];
  if (after >= 0) return Date.now() + after * 1000;
  // A reset that is past by our clock is a matter of clocks.
  if (`${headers['x-ratelimit-remaining']}` === '0' && reset > 0)
    return Math.max(reset * 1000, Date.now() + 1000);
  // GitHub's advice where it gives no time: at least a minute.
  return status === 429 || /rate limit|abuse/i.test(said) ? Date.now() + 60_000 : null;
}

function sayingOf(data: unknown): string {
  if (typeof data === 'string') return '';
  const { message, errors } = (data ?? {}) as { message?: unknown; errors?: unknown };
  return [message, Array.isArray(errors) ? JSON.stringify(errors) : null].filter(Boolean).join(' ');
}

export function saysEmpty(refusal: Refusal): boolean {
  return refusal.status === 409 && /empty/i.test(refusal.said);
}

function causes(error: unknown): Error[] {
  const found: Error[] = [];
  for (let each = error; each instanceof Error && found.length < 8; each = each.cause) found.push(each);
  return found;
}

/** Full jitter: anything up to a bound that doubles, so that those who failed together do not come back together. */
export function jitter(attempt: number, mostMs: number): number {
  return Math.random() * Math.min(mostMs, 200 * 2 ** attempt);
}
