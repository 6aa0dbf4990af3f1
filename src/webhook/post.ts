import dns from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import type { Agent } from 'undici';
import { FixativeError } from '../errors.ts';
import { type AddressPolicy, makeAddressPolicy } from '../fetch/address.ts';
import { checkedLookup, ownErrorIn } from '../fetch/fetch.ts';

/** Answer of an endpoint. */
export interface Answer {
  /** HTTP status; null: no answer came. */
  readonly status: number | null;
  /** Why no answer came; null: one came. */
  readonly error: string | null;
  /** First characters of the body. */
  readonly body: string;
  /** Seconds that `Retry-After` asks to wait; null: it asks for none. */
  readonly retryAfter: number | null;
}

/** Sends requests to endpoints, and to public addresses only. */
export interface Poster {
  /** Parses and resolves an address. @throws InputError INVALID_INPUT; FixativeError SOURCE_FORBIDDEN. */
  check(address: string): Promise<URL>;
  post(address: string, body: string, headers: Readonly<Record<string, string>>): Promise<Answer>;
  close(): Promise<void>;
}

const MAX_ANSWER_BYTES = 1024;
/** Longest wait that `Retry-After` may ask for. */
const MAX_RETRY_AFTER_SECONDS = 86_400;

interface PosterOptions {
  /** Host names, addresses and ranges to allow although they are not public (WEBHOOK_ALLOW_PRIVATE). */
  readonly allowPrivate: readonly string[];
  readonly timeoutSeconds: number;
  /** For tests: resolves names. */
  readonly lookup?: LookupFunction;
}

export function openPoster(options: PosterOptions): Poster {
  const policy = makeAddressPolicy(options.allowPrivate, 'WEBHOOK_ALLOW_PRIVATE');
  const lookup = options.lookup ?? (dns.lookup as LookupFunction);
  const milliseconds = options.timeoutSeconds * 1000;
  let agent: Promise<Agent> | null = null;
  const load = async () => {
    const { Agent } = await import('undici');
    // Each connection is checked, because a name may resolve differently after a check.
    return new Agent({
      connect: { lookup: checkedLookup(lookup, policy), timeout: milliseconds },
      headersTimeout: milliseconds,
      bodyTimeout: milliseconds,
      allowH2: false,
    });
  };
  return {
    check: (address) => checkAddress(policy, lookup, address),
    async post(address, body, headers) {
      try {
        const url = policy.parse(address);
        agent ??= load();
        const response = await (await agent).request({
          origin: url.origin,
          path: url.pathname + url.search,
          method: 'POST',
          headers: { 'content-type': 'application/json', 'user-agent': 'Fixative', ...headers },
          body,
          signal: AbortSignal.timeout(milliseconds),
        });
        return {
          status: response.statusCode,
          error: null,
          body: await readStart(response.body),
          retryAfter: secondsOf(response.headers['retry-after']),
        };
      } catch (error) {
        return { status: null, error: reasonOf(error, options.timeoutSeconds), body: '', retryAfter: null };
      }
    },
    async close() {
      await (await agent?.catch(() => null))?.destroy();
    },
  };
}

async function checkAddress(policy: AddressPolicy, lookup: LookupFunction, address: string): Promise<URL> {
  const url = policy.parse(address);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host)) return url;
  await new Promise<void>((resolve, reject) => {
    checkedLookup(lookup, policy)(host, { all: true }, (error) => {
      // A name that does not resolve now may resolve later; each delivery checks again.
      if (error instanceof FixativeError) reject(error);
      else resolve();
    });
  });
  return url;
}

/** Reads the first bytes of a body, and gives up the rest. */
async function readStart(body: AsyncIterable<Buffer> & { destroy(): unknown }): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= MAX_ANSWER_BYTES) break;
    }
  } catch {
    // The status has come. A body that breaks off changes nothing.
  }
  body.destroy();
  // PostgreSQL stores no NUL.
  return Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES).toString().replaceAll('\0', '');
}

function secondsOf(header: string | string[] | undefined): number | null {
  if (typeof header !== 'string') return null;
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return seconds > 0 ? Math.min(seconds, MAX_RETRY_AFTER_SECONDS) : null;
}

function reasonOf(error: unknown, timeoutSeconds: number): string {
  const own = ownErrorIn(error);
  if (own) return own.message;
  if (!(error instanceof Error)) return 'The request failed.';
  if (error.name === 'TimeoutError' || /Timeout/.test(error.name))
    return `The endpoint did not answer within ${timeoutSeconds} seconds.`;
  const { code } = error as NodeJS.ErrnoException;
  return `The endpoint could not be reached (${code ?? error.name}).`;
}
