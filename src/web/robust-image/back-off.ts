/** When to try again, and when not to. */

export interface BackOff {
  /** Longest wait before the first retry, in milliseconds. */
  readonly delay: number;
  /** Longest wait before any retry, in milliseconds. */
  readonly maxDelay: number;
}

/**
 * Returns the wait before the next attempt: exponential back-off with full jitter.
 * @param attempt number of attempts that failed, from 1.
 * @param random returns a number from 0 to 1.
 */
export function waitAfter(
  attempt: number,
  { delay, maxDelay }: BackOff,
  random: () => number = Math.random,
): number {
  return Math.round(random() * Math.min(maxDelay, delay * 2 ** Math.min(attempt - 1, 30)));
}

/** Returns the milliseconds that a header Retry-After asks for; null if it is absent or invalid. */
export function retryAfter(header: string | null, now: number): number | null {
  if (header === null) return null;
  if (/^\d{1,6}$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

/** Meaning of a status for an image that did not load. */
export type Verdict = 'retry' | 'missing' | 'forbidden' | 'refused';

/** Returns whether a retry can help. Statuses 408, 425, 429 and 5xx pass by themselves. */
export function judge(status: number | null): Verdict {
  if (status === null || status < 400 || status >= 500) return 'retry';
  if (status === 408 || status === 425 || status === 429) return 'retry';
  if (status === 404 || status === 410) return 'missing';
  return status === 401 || status === 403 ? 'forbidden' : 'refused';
}
