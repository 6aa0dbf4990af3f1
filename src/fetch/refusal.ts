import type { Response } from 'undici';
import { KiB } from '../config.ts';
import { FixativeError, SourceExpiredError } from '../errors.ts';
import { parseTime } from '../time.ts';

/** Statuses that may be over soon (RFC 9110, RFC 6585); the rest of 4xx says the same tomorrow. */
const PASSING = [408, 425, 429];

/** With these a server may say that a signature has expired. */
const REFUSING = [400, 401, 403, 404];

/** How much of the body of an error is read; it is XML of a few lines. */
const MAX_ERROR_BYTES = 8 * KiB;

/**
 * What is written when a signature is too old: by the stores of Azure, Amazon and Google, and by what checks JSON Web Tokens (Supabase says
 * `"exp" claim timestamp check failed`).
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

/** Makes an error of an answer that is not the file: expired, failed for now, or failed for good. Takes the body. */
export async function explainAnswer(
  response: Response,
  source: { url: URL; expiresAt: Date | null },
): Promise<FixativeError> {
  const { url, expiresAt } = source;
  const { status } = response;
  const text = await readSome(response);
  const isOver = expiresAt !== null && expiresAt.getTime() <= Date.now();
  if (status === 410 || (REFUSING.includes(status) && (isOver || SAYS_EXPIRED.test(text)))) {
    const expiredAt = isOver ? expiresAt : expiryIn(text);
    const since = expiredAt ? ` It expired at ${expiredAt.toISOString()}.` : '';
    return new SourceExpiredError(`${url.host} gives this address no more (${status}).${since}`, expiredAt);
  }
  return new FixativeError('SOURCE_FAILED', `${url.host} answered with ${status}.`, {
    retryable: status >= 500 || PASSING.includes(status),
  });
}

/** The source did not give the bytes, and may the next time. A message names the host and nothing of the query, which may hold a signature. */
export function sourceFailed(message: string, cause?: unknown): FixativeError {
  return new FixativeError('SOURCE_FAILED', message, { retryable: true, ...(cause ? { cause } : {}) });
}

/** `<Expires>2026-11-21T09:35:00Z</Expires>` of Amazon, `Expiry [Sat, 21 Nov 2026 09:35:00 GMT]` of Azure. */
function expiryIn(text: string): Date | null {
  const found = /<Expires>([^<]+)<\/Expires>|Expiry \[([^\]]+)\]/i.exec(text);
  return parseTime(found?.[1] ?? '') ?? parseHttpDate(found?.[2] ?? '');
}

/** IMF-fixdate, RFC 9110, 5.6.7. */
function parseHttpDate(text: string): Date | null {
  const date = /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/.test(text) ? new Date(text) : null;
  return date === null || Number.isNaN(date.getTime()) ? null : date;
}

async function readSome(response: Response): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  try {
    // Leaving the loop cancels the rest.
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      if (text.length >= MAX_ERROR_BYTES) break;
    }
  } catch {
    // What came is enough, and the status says the most.
  }
  return text.slice(0, MAX_ERROR_BYTES);
}
