import { isDatabaseAway } from '../../database/driver/errors.ts';
import { FixativeError, ProviderError } from '../../errors.ts';
import type { Generation } from './generation.ts';

/** Most automatic calls to the provider for one image. */
const MAX_CALLS = 5;
/**
 * Seconds to retry storing a paid response while a store is down. Then the image fails; the response stays on
 * disk.
 */
const KEEP_TRYING_SECONDS = 12 * 3600;
/** Most retries after an error that is not a FixativeError. */
const MAX_UNEXPECTED_ERRORS = 8;
const MAX_RETRY_AFTER_SECONDS = 3600;
const MAX_DELAY_SECONDS = 300;

/** When an attempt failed: before the call to the provider, in the call, or after its response arrived. */
export type FailurePhase = 'before' | 'asked' | 'answered';

/**
 * Returns the seconds to wait before the next attempt; null: no automatic retry. A call is repeated only when
 * the provider has certainly not done it: a rate limit, an error of its own, a network that did not carry the
 * request. A refusal, a bad request and a moderation block would fail again. A call that may be paid for is
 * not repeated.
 * @param options.now milliseconds since 1970.
 * @param options.random 0 to 1, for the jitter of the back-off.
 */
export function retryDelaySeconds(
  error: unknown,
  { phase, attempts }: Pick<Generation, 'attempts'> & { readonly phase: FailurePhase },
  options: { readonly now: number; readonly random: number },
): number | null {
  const failures = trailingFailures(attempts);
  const delay = backOff(failures.length + 1, options.random);
  if (phase === 'asked') {
    if (!(error instanceof ProviderError) || !error.retryable || error.paid) return null;
    if (failures.length + 1 >= MAX_CALLS) return null;
    if (error.retryAfterSeconds === null) return delay;
    return Math.min(Math.max(error.retryAfterSeconds, 0.1), MAX_RETRY_AFTER_SECONDS);
  }
  if (!isDatabaseAway(error)) {
    if (!(error instanceof FixativeError)) return failures.length < MAX_UNEXPECTED_ERRORS ? delay : null;
    if (!error.retryable) return null;
  }
  const since = failures[0] ? Date.parse(failures[0].startedAt) : options.now;
  return (options.now - since) / 1000 < KEEP_TRYING_SECONDS ? delay : null;
}

/** Returns 1, 2, 4 … seconds, 20 % more or less: generations that failed together must not retry together. */
function backOff(failures: number, random: number): number {
  return Math.min(2 ** (failures - 1), MAX_DELAY_SECONDS) * (0.8 + random * 0.4);
}

/** Returns the last ended attempts that were each followed by an automatic retry. */
function trailingFailures(attempts: Generation['attempts']): Generation['attempts'] {
  const ended = attempts.filter(({ endedAt }) => endedAt !== null);
  return ended.slice(ended.findLastIndex(({ retryAt }) => retryAt === null) + 1);
}
