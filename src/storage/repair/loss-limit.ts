import { FixativeError } from '../../errors.ts';

/** Number of missing copies that is always allowed, because a percentage of few copies means nothing. */
const ALWAYS_ALLOWED = 10;

export const DEFAULT_MAX_MISSING_PERCENT = 10;

/**
 * Stops a run that finds too much missing. The cause is then rarely a loss, but the wrong directory, bucket
 * or database, and a run that acts on such findings does harm.
 * @throws FixativeError STOPPED
 */
export function requireFewMissing(
  found: { what: string; count: number; of: number; store: string },
  maxPercent: number,
): void {
  const { what, count, of, store } = found;
  if (count <= ALWAYS_ALLOWED || count * 100 <= of * maxPercent) return;
  throw new FixativeError(
    'STOPPED',
    `Stopped: ${count} of ${of} in ${store} are ${what}, more than ${maxPercent} %. Is it the right place? If it is, go on with --max-missing 100, or maxMissingPercent: 100 in GraphQL.`,
  );
}
