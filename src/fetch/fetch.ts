import dns from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Readable } from 'node:stream';
import type * as Undici from 'undici';
import { FixativeError } from '../errors.ts';
import { type Spool, type Spooler, uploadTooLarge } from '../storage/spool/spool.ts';
import { type AddressPolicy, forbiddenAddress, makeAddressPolicy } from './address.ts';
import { expiryOf } from './expiry.ts';
import { escapeBytes, filenameOf } from './filename.ts';
import { errorOfResponse, sourceFailed } from './source-errors.ts';

/**
 * Fetches foreign addresses. Clients name them, so neither the address, nor its DNS answers, redirects or
 * responses are trusted. Each connection is checked when it is made, because a DNS name may resolve
 * differently after a check. Time, size and redirects are limited. No cookies, credentials or Referer are
 * sent.
 */
export interface Fetcher {
  /**
   * Downloads an address into a spool, which belongs to the caller.
   * @param options.maxBytes size limit. Default: the spooler's.
   * @throws InputError INVALID_INPUT, EMPTY_FILE; FixativeError SOURCE_FORBIDDEN, SOURCE_FAILED;
   *   SourceExpiredError; TooLargeError.
   */
  fetch(address: string, options?: { maxBytes?: number; signal?: AbortSignal }): Promise<FetchedFile>;
  /** Aborts the fetches that are under way. */
  close(): Promise<void>;
}

export interface FetchedFile {
  readonly spool: Spool;
  /** Final address, after redirects. */
  readonly url: string;
  /** Content-Type as the source sent it; not trusted. */
  readonly contentType: string | null;
  /** Name from Content-Disposition, else the end of the path; may be empty. */
  readonly filename: string;
}

export interface FetcherOptions {
  readonly spooler: Spooler;
  /** Host names, addresses and CIDR ranges that are allowed although they are not public. */
  readonly allowPrivate: readonly string[];
  /** Seconds for the whole fetch, including redirects. */
  readonly timeoutSeconds: number;
  /** Replaces DNS in tests. */
  readonly lookup?: LookupFunction;
}

const MAX_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];
const CONNECT_SECONDS = 10;

export function openFetcher(options: FetcherOptions): Fetcher {
  const policy = makeAddressPolicy(options.allowPrivate);
  const client = makeClient(options, policy);
  return {
    async fetch(address, { maxBytes = options.spooler.maxBytes, signal: given } = {}) {
      const first = policy.parse(address);
      const timeout = AbortSignal.timeout(options.timeoutSeconds * 1000);
      const signal = given ? AbortSignal.any([timeout, given]) : timeout;
      const { url, response } = await followRedirects(client.request, policy, first, signal);
      if (response.status !== 200) {
        throw await errorOfResponse(response, { url, expiresAt: expiryOf(url) ?? expiryOf(first) });
      }
      const spool = await receive(options.spooler, { url, response }, maxBytes, signal);
      return {
        spool,
        url: url.href,
        contentType: response.headers.get('content-type'),
        filename: filenameOf(response, url),
      };
    },
    close: client.close,
  };
}

type Request = (url: URL, signal: AbortSignal) => Promise<Undici.Response>;

/**
 * Makes an HTTP client that checks each connection. It loads undici at the first request, so that servers
 * start faster.
 */
function makeClient(
  options: FetcherOptions,
  policy: AddressPolicy,
): { request: Request; close(): Promise<void> } {
  const agentOptions: Undici.Agent.Options = {
    // Node calls `lookup` for each connection to a name, but not for literal addresses: `parse` has checked
    // those.
    connect: {
      lookup: checkedLookup(options.lookup ?? dns.lookup, policy),
      timeout: Math.min(CONNECT_SECONDS, options.timeoutSeconds) * 1000,
    },
    headersTimeout: options.timeoutSeconds * 1000,
    bodyTimeout: options.timeoutSeconds * 1000,
    allowH2: false,
  };
  let client: ReturnType<typeof load> | null = null;
  let closed = false;

  async function load() {
    const { Agent, fetch } = await import('undici');
    return { fetch, agent: new Agent(agentOptions) };
  }

  return {
    async request(url, signal) {
      if (closed) throw sourceFailed(`${url.host} was not fetched: the server is stopping. Try again.`);
      client ??= load();
      const { fetch, agent } = await client.catch((error: unknown) => {
        // The next request loads it again.
        client = null;
        throw error;
      });
      return fetch(url, {
        dispatcher: agent,
        redirect: 'manual',
        credentials: 'omit',
        referrerPolicy: 'no-referrer',
        headers: { accept: 'image/*,*/*;q=0.5', 'accept-encoding': 'identity', 'user-agent': 'Fixative' },
        signal,
      }).catch((error: unknown) => {
        throw ownErrorIn(error) ?? sourceFailed(`${url.host} could not be reached${inTime(signal)}.`, error);
      });
    },
    async close() {
      closed = true;
      await (await client?.catch(() => null))?.agent.destroy();
    },
  };
}

/** Requests an address and follows its redirects. Each target is checked like the address itself. */
async function followRedirects(
  request: Request,
  policy: AddressPolicy,
  first: URL,
  signal: AbortSignal,
): Promise<{ url: URL; response: Undici.Response }> {
  let url = first;
  for (let hops = 0; ; hops++) {
    const response = await request(url, signal);
    const location = response.headers.get('location');
    if (!REDIRECTS.includes(response.status) || location === null) return { url, response };
    await discardBody(response);
    if (hops === MAX_REDIRECTS) {
      throw sourceFailed(`${first.host} redirects more than ${MAX_REDIRECTS} times.`);
    }
    const target = escapeBytes(location);
    const next = policy.parse(URL.parse(target, url)?.href ?? target);
    // After https, a response over http could be forged on the network.
    if (url.protocol === 'https:' && next.protocol === 'http:') {
      throw forbiddenAddress(
        `${url.host} redirects from https to http. Give an address that stays on https.`,
      );
    }
    url = next;
  }
}

/** Downloads the body of a response into a spool. */
async function receive(
  spooler: Spooler,
  { url, response }: { url: URL; response: Undici.Response },
  maxBytes: number,
  signal: AbortSignal,
): Promise<Spool> {
  const subject = `The file at ${url.host}`;
  const announced = Number(response.headers.get('content-length') ?? 0);
  if (announced > maxBytes) {
    await discardBody(response);
    throw uploadTooLarge(subject, maxBytes);
  }
  const body = response.body ? Readable.fromWeb(response.body as never) : Readable.from([]);
  return spooler.receive(body, { maxBytes, subject, signal }).catch((error: unknown) => {
    if (error instanceof FixativeError && error.code === 'UPLOAD_INTERRUPTED') {
      throw sourceFailed(`${url.host} did not send the whole file${inTime(signal)}. Try again.`, error);
    }
    throw error;
  });
}

/**
 * Resolves like `lookup`. Rejects a name with any forbidden address, because the next connection might use
 * that one.
 */
export function checkedLookup(lookup: LookupFunction, policy: AddressPolicy): LookupFunction {
  return (hostname, lookupOptions, callback) => {
    lookup(hostname, { ...lookupOptions, all: true }, (error, found) => {
      if (error) return callback(error, []);
      const addresses = typeof found === 'string' ? [{ address: found, family: isIP(found) }] : found;
      const [first] = addresses;
      if (!first || !addresses.every(({ address }) => policy.allows(hostname, address))) {
        return callback(policy.privateAddress(hostname) as Error, []);
      }
      return lookupOptions.all ? callback(null, addresses) : callback(null, first.address, first.family);
    });
  };
}

/** Returns our own error, which fetch wraps in a TypeError; null when it is another. */
export function ownErrorIn(error: unknown): FixativeError | null {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each instanceof FixativeError) return each;
    if (each instanceof AggregateError)
      return each.errors.map(ownErrorIn).find((found) => found !== null) ?? null;
  }
  return null;
}

/** Returns words for the end of a message when the time limit was reached. */
function inTime(signal: AbortSignal): string {
  const { reason } = signal as { reason?: unknown };
  return reason instanceof Error && reason.name === 'TimeoutError' ? ' in time (FETCH_TIMEOUT_SECONDS)' : '';
}

async function discardBody(response: Undici.Response): Promise<void> {
  // The body may have broken off already.
  await response.body?.cancel().catch(() => {});
}
