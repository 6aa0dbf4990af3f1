/** Choices for when a token expires. */
export const EXPIRIES = ['week', 'month', 'quarter', 'year', 'never', 'date'] as const;
export type Expiry = (typeof EXPIRIES)[number];

const DAYS = { week: 7, month: 30, quarter: 90, year: 365 } as const;
const DAY_MS = 86_400_000;

/**
 * Returns when a token expires; null: never; undefined: the day is missing or in the past.
 * @param day last day on which it works, as `YYYY-MM-DD` in the time zone of the browser.
 */
export function expiryOf(expiry: Expiry, day: string, now: Date): Date | null | undefined {
  if (expiry === 'never') return null;
  if (expiry !== 'date') return new Date(now.getTime() + DAYS[expiry] * DAY_MS);
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(day);
  if (!parts) return undefined;
  const [year, month, date] = parts.slice(1).map(Number) as [number, number, number];
  const start = new Date(year, month - 1, date);
  // The constructor turns 31 February into a day of March.
  if (start.getMonth() !== month - 1) return undefined;
  const end = new Date(year, month - 1, date + 1);
  return end > now ? end : undefined;
}

export type TokenState = 'active' | 'expired' | 'revoked';

interface TokenTimes {
  readonly revokedAt: string | null;
  readonly expiresAt: string | null;
}

/** Returns whether a token works. */
export function stateOf({ revokedAt, expiresAt }: TokenTimes, now: Date): TokenState {
  if (revokedAt !== null) return 'revoked';
  return expiresAt !== null && new Date(expiresAt) <= now ? 'expired' : 'active';
}
