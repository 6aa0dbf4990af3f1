import dns from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { Readable } from 'node:stream';
import type * as Undici from 'undici';
import { FixativeError } from '../errors.ts';
import { type Spool, type Spooler, tooLarge } from '../storage/spool/spool.ts';
import { decodeText } from '../text.ts';
import { forbidden, makeAddressGuard, notPublic } from './address.ts';
import { expiryOf } from './expiry.ts';
import { explainAnswer, sourceFailed } from './refusal.ts';

/**
 * The guarded fetch of a foreign address. What is fetched is named by strangers, so it trusts neither the address, nor what its
 * name resolves to, nor where it redirects, nor what it answers: every connection is checked at the moment when it is made, so
 * that a name which changes its mind between a check and a connection gains nothing; and time, size and hops are limited. It
 * sends no cookies, no credentials and no Referer.
 */
export interface Fetcher {
  /**
   * Takes what is at an address into a spool, which belongs to the caller.
   * @param options.maxBytes a limit other than the spooler's own.
   * @throws InputError INVALID_INPUT; FixativeError SOURCE_FORBIDDEN, SOURCE_FAILED; SourceExpiredError; TooLargeError; InputError EMPTY_FILE.
   */
  fetch(address: string, options?: { maxBytes?: number; signal?: AbortSignal }): Promise<FetchedFile>;
  /** Breaks off what is under way. */
  close(): Promise<void>;
}

export interface FetchedFile {
  readonly spool: Spool;
  /** Where it was in the end, after redirects. */
  readonly url: string;
  /** As the source says it; nothing of it is trusted. */
  readonly contentType: string | null;
  /** What the source calls it, else the end of the path; may be empty. */
  readonly filename: string;
}

export interface FetcherOptions {
  readonly spooler: Spooler;
  /** Host names, addresses and CIDR ranges that may be asked although they are not public. */
  readonly allowPrivate: readonly string[];
  /** For all of a fetch, its redirects included. */
  readonly timeoutSeconds: number;
  /** For tests: what names resolve to. */
  readonly lookup?: LookupFunction;
}

const MAX_REDIRECTS = 5;
const CONNECT_SECONDS = 10;

export function openFetcher(options: FetcherOptions): Fetcher {
  const guard = makeAddressGuard(options.allowPrivate);
  const { spooler } = options;
  const agentOptions: Undici.Agent.Options = {
    // Node calls it for every connection to a name; literal addresses never come here, so `parse` has checked those.
    connect: {
      lookup: guardedLookup(options.lookup ?? dns.lookup, guard.allows),
      timeout: Math.min(CONNECT_SECONDS, options.timeoutSeconds) * 1000,
    },
    headersTimeout: options.timeoutSeconds * 1000,
    bodyTimeout: options.timeoutSeconds * 1000,
    allowH2: false,
  };
  let client: ReturnType<typeof open> | null = null;
  let closed = false;

  /** Loaded at the first fetch: most servers come up long before. */
  async function open() {
    const { Agent, fetch } = await import('undici');
    return { fetch, agent: new Agent(agentOptions) };
  }

  async function request(url: URL, signal: AbortSignal): Promise<Undici.Response> {
    if (closed) throw sourceFailed(`${url.host} is not asked any more: the server stops.`);
    client ??= open();
    const { fetch, agent } = await client.catch((error: unknown) => {
      // The next one tries again.
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
      throw causeOf(error) ?? sourceFailed(`${url.host} could not be reached${time(signal)}.`, error);
    });
  }

  /** Follows redirects, each as warily as the address itself. */
  async function follow(first: URL, signal: AbortSignal): Promise<{ url: URL; response: Undici.Response }> {
    let url = first;
    for (let hops = 0; ; hops++) {
      const response = await request(url, signal);
      const location = response.headers.get('location');
      if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return { url, response };
      await discardBody(response);
      if (hops === MAX_REDIRECTS) {
        throw sourceFailed(`${first.host} redirects more than ${MAX_REDIRECTS} times.`);
      }
      const target = escapeBytes(location);
      const next = guard.parse(URL.parse(target, url)?.href ?? target);
      // Whoever asked for https is not to be answered by whoever sits on the wire.
      if (url.protocol === 'https:' && next.protocol === 'http:') {
        throw forbidden(`${url.host} redirects from https to http.`);
      }
      url = next;
    }
  }

  return {
    async fetch(address, { maxBytes = spooler.maxBytes, signal: given } = {}) {
      const first = guard.parse(address);
      const timeout = AbortSignal.timeout(options.timeoutSeconds * 1000);
      const signal = given ? AbortSignal.any([timeout, given]) : timeout;
      const { url, response } = await follow(first, signal);
      const expiresAt = expiryOf(url) ?? expiryOf(first);
      if (response.status !== 200) throw await explainAnswer(response, { url, expiresAt });
      const subject = `What ${url.host} sends`;
      const announced = Number(response.headers.get('content-length') ?? 0);
      if (announced > maxBytes) {
        await discardBody(response);
        throw tooLarge(subject, maxBytes);
      }
      const body = response.body ? Readable.fromWeb(response.body as never) : Readable.from([]);
      const spool = await spooler.receive(body, { maxBytes, subject, signal }).catch((error: unknown) => {
        if (error instanceof FixativeError && error.code === 'UPLOAD_INTERRUPTED') {
          throw sourceFailed(`${url.host} broke off before the end${time(signal)}.`, error);
        }
        throw error;
      });
      return {
        spool,
        url: url.href,
        contentType: response.headers.get('content-type'),
        filename: filenameOf(response, url),
      };
    },
    async close() {
      closed = true;
      await (await client?.catch(() => null))?.agent.destroy();
    },
  };
}

/** Resolves as `lookup` does, and refuses a name of which any address is not allowed: the next connection might take that one. */
function guardedLookup(
  lookup: LookupFunction,
  allows: (hostname: string, address: string) => boolean,
): LookupFunction {
  return (hostname, lookupOptions, callback) => {
    lookup(hostname, { ...lookupOptions, all: true }, (error, found) => {
      if (error) return callback(error, []);
      const addresses = typeof found === 'string' ? [{ address: found, family: isIP(found) }] : found;
      const [first] = addresses;
      if (!first || !addresses.every(({ address }) => allows(hostname, address))) {
        return callback(notPublic(hostname) as Error, []);
      }
      return lookupOptions.all ? callback(null, addresses) : callback(null, first.address, first.family);
    });
  };
}

/** fetch wraps what went wrong in a TypeError; ours lies within. */
function causeOf(error: unknown): FixativeError | null {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each instanceof FixativeError) return each;
    if (each instanceof AggregateError)
      return each.errors.map(causeOf).find((found) => found !== null) ?? null;
  }
  return null;
}

function time(signal: AbortSignal): string {
  const { reason } = signal as { reason?: unknown };
  return reason instanceof Error && reason.name === 'TimeoutError' ? ' in time (FETCH_TIMEOUT_SECONDS)' : '';
}

async function discardBody(response: Undici.Response): Promise<void> {
  // It may have broken off by itself by now.
  await response.body?.cancel().catch(() => {});
}

/** RFC 6266: `filename*` before `filename`; without either the end of the path. */
function filenameOf(response: Undici.Response, url: URL): string {
  const disposition = response.headers.get('content-disposition') ?? '';
  const [, charset = '', extended] = /filename\*\s*=\s*"?([\w-]+)'[\w-]*'([^;\s"]+)/i.exec(disposition) ?? [];
  if (extended !== undefined) return decodePercent(extended, charset);
  const plain = /filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]+))/i.exec(disposition);
  const name = plain?.[1]?.replaceAll(/\\(.)/g, '$1') ?? plain?.[2];
  return name === undefined
    ? decodePercent(url.pathname.split('/').at(-1) ?? '')
    : decodeText(bytesOfHeader(name));
}

/** fetch gives the bytes of a header as characters up to U+00FF. */
const bytesOfHeader = (text: string) => Buffer.from(text, 'latin1');

/** What is no ASCII in the address of a redirect, as `%XX`, byte by byte: as browsers ask for it, whatever its encoding is. */
function escapeBytes(location: string): string {
  return location.replaceAll(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** @param charset what the text says of itself: a label of the WHATWG Encoding Standard */
function decodePercent(text: string, charset = 'utf-8'): string {
  const characters = text.replaceAll(/%([\da-f]{2})/gi, (_, hex) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  const bytes = bytesOfHeader(characters);
  try {
    return new TextDecoder(charset, { fatal: true }).decode(bytes);
  } catch {
    // Not of this encoding, or none that is known.
    return decodeText(bytes);
  }
}
