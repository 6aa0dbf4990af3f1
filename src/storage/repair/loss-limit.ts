import { FixativeError } from '../../errors.ts';

/** A handful may always be missing; a share of a small number says nothing. */
const ALWAYS_ALLOWED = 10;

export const DEFAULT_MAX_MISSING_PERCENT = 10;

/**
 * Stops a run that finds too much gone: that is rarely a loss, and mostly the wrong directory, the wrong bucket or the wrong database,
 * and whatever a run does on the word of such a finding does harm.
 * @throws FixativeError STOPPED
 */
export function guardAgainstLoss(
  found: { what: string; count: number; of: number; store: string },
  maxPercent: number,
): void {
  const { what, count, of, store } = found;
  if (count <= ALWAYS_ALLOWED || count * 100 <= of * maxPercent) return;
  throw new FixativeError(
    'STOPPED',
    `Stopped: ${count} of ${of} in ${store} are ${what}, more than ${maxPercent} %. Is it the right place? If it is, go on with --max-missing 100.`,
  );
}
