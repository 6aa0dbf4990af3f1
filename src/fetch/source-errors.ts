import type { Response } from 'undici';
import { KiB } from '../config.ts';
import { FixativeError, SourceExpiredError } from '../errors.ts';
import { parseTime } from '../time.ts';

/** Statuses of 4xx that are worth a retry (RFC 9110, RFC 6585). */
const RETRYABLE = [408, 425, 429];

/** Statuses that servers send for an expired signature, among other reasons. */
const REJECTED = [400, 401, 403, 404];

/** Most bytes to read of an error's body, which is a few lines of XML. */
const MAX_ERROR_BYTES = 8 * KiB;

/**
 * Matches the messages about expired signatures of Azure, Amazon and Google, and of verifiers of JSON Web
 * Tokens (Supabase: `"exp" claim timestamp check failed`).
 */
const SAYS_EXPIRED = new RegExp(
  [
    /Signature not valid in the specified time frame/,
    /\bexp\W{1,3}claim timestamp check failed/,
    /\b(?:request|token|jwt|signature|link|url|sas|policy)\b[^.<>]{0,30}\bexpired/,
    /\bexpired\W?(?:token|jwt|signature|link|url|request|sas)/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'i',
);

/** Returns the error for a response that is not the file: expired, retryable or permanent. Reads the body. */
export async function errorOfResponse(
  response: Response,
  source: { url: URL; expiresAt: Date | null },
): Promise<FixativeError> {
  const { url, expiresAt } = source;
  const { status } = response;
  const text = await readSome(response);
  const isOver = expiresAt !== null && expiresAt.getTime() <= Date.now();
  if (status === 410 || (REJECTED.includes(status) && (isOver || SAYS_EXPIRED.test(text)))) {
    const expiredAt = isOver ? expiresAt : expiryIn(text);
    const since = expiredAt ? ` It expired at ${expiredAt.toISOString()}.` : '';
    return new SourceExpiredError(
      `${url.host} no longer serves this address (HTTP ${status}).${since}`,
      expiredAt,
    );
  }
  return new FixativeError('SOURCE_FAILED', `${url.host} answered with HTTP ${status}.`, {
    retryable: status >= 500 || RETRYABLE.includes(status),
  });
}

/** Makes a retryable error. @param message names the host, never the query: it may contain a signature. */
export function sourceFailed(message: string, cause?: unknown): FixativeError {
  return new FixativeError('SOURCE_FAILED', message, { retryable: true, ...(cause ? { cause } : {}) });
}

/**
 * Finds `<Expires>2026-11-21T09:35:00Z</Expires>` (Amazon) or `Expiry [Sat, 21 Nov 2026 09:35:00 GMT]`
 * (Azure).
 */
function expiryIn(text: string): Date | null {
  const found = /<Expires>([^<]+)<\/Expires>|Expiry \[([^\]]+)\]/i.exec(text);
  return parseTime(found?.[1] ?? '') ?? parseHttpDate(found?.[2] ?? '');
}

/** Parses an IMF-fixdate (RFC 9110, 5.6.7). */
function parseHttpDate(text: string): Date | null {
  const date = /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/.test(text) ? new Date(text) : null;
  return date === null || Number.isNaN(date.getTime()) ? null : date;
}

async function readSome(response: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  try {
    // Leaving the loop cancels the body.
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      if (text.length >= MAX_ERROR_BYTES) break;
    }
  } catch {
    // The bytes so far are enough: the status says the most.
  }
  return text.slice(0, MAX_ERROR_BYTES);
}
