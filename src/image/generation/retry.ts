import { isDatabaseAway } from '../../database/driver/errors.ts';
import { FixativeError, ProviderError } from '../../errors.ts';
import type { Generation } from './generation.ts';

/** How often a provider is asked by itself for one image at the most. */
const MAX_CALLS = 5;
/** For how long an answer that is paid is tried to be kept, a store being down, before the image fails; the answer stays. */
const KEEP_TRYING_SECONDS = 12 * 3600;
/** How often a failure that nobody can name is tried again. */
const MAX_UNNAMED_ATTEMPTS = 8;
const MAX_RETRY_AFTER_SECONDS = 3600;
const MAX_DELAY_SECONDS = 300;

/**
 * When to try again what has failed, by its class; null: never by itself. Asked for again is only what the provider surely has not done: a
 * limit on the rate, a fault of its own, a network that did not carry the request. A refusal, a bad request and a moderation block come
 * back the same, and what may be paid is not paid twice.
 */
export function retryDelaySeconds(
  error: unknown,
  generation: Pick<Generation, 'attempts'> & { readonly phase: 'before' | 'asked' | 'answered' },
): number | null {
  const { phase, attempts } = generation;
  const failures = trailingFailures(attempts);
  if (phase === 'asked') {
    if (!(error instanceof ProviderError) || !error.retryable || error.paid) return null;
    if (failures.length + 1 >= MAX_CALLS) return null;
    if (error.retryAfterSeconds !== null)
      return Math.min(Math.max(error.retryAfterSeconds, 0.1), MAX_RETRY_AFTER_SECONDS);
    return backOff(failures.length + 1);
  }
  const delay = backOff(failures.length + 1);
  if (!isDatabaseAway(error)) {
    if (!(error instanceof FixativeError)) return failures.length < MAX_UNNAMED_ATTEMPTS ? delay : null;
    if (!error.retryable) return null;
  }
  const since = failures[0] ? Date.parse(failures[0].startedAt) : Date.now();
  return (Date.now() - since) / 1000 < KEEP_TRYING_SECONDS ? delay : null;
}

/** 1, 2, 4 … seconds, some more or less, so that those that failed together do not come back together. */
function backOff(failures: number): number {
  return Math.min(2 ** (failures - 1), MAX_DELAY_SECONDS) * (0.8 + Math.random() * 0.4);
}

/** Those that were put off, back to one that was not. */
function trailingFailures(attempts: Generation['attempts']): Generation['attempts'] {
  const ended = attempts.filter(({ endedAt }) => endedAt !== null);
  return ended.slice(ended.findLastIndex(({ retryAt }) => retryAt === null) + 1);
}
