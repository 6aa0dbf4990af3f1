const MINUTE = 60_000;

/**
 * Limits the requests of each key in a sliding minute. Requests of the last full minute count by the share of
 * that minute that still lies within. Two maps that rotate each minute forget keys without a timer for each.
 */
export interface RateLimit {
  /** Counts a request. Returns 0, or the seconds until another is allowed. */
  take(key: string): number;
  /** Returns what `take` would return, and counts nothing. */
  peek(key: string): number;
}

/** Most keys to count in a minute. All further keys share one count. */
const MAX_KEYS = 200_000;

/** @param perMinute null: no limit. */
export function makeRateLimit(perMinute: number | null, now: () => number = Date.now): RateLimit {
  if (perMinute === null) return { take: () => 0, peek: () => 0 };
  let minute = 0;
  let before = new Map<string, number>();
  let current = new Map<string, number>();
  const limit = perMinute;

  function count(asked: string, takes: boolean): number {
    const time = now();
    const index = Math.floor(time / MINUTE);
    if (index !== minute) {
      before = index === minute + 1 ? current : new Map();
      current = new Map();
      minute = index;
    }
    const key = current.size < MAX_KEYS || current.has(asked) ? asked : '';
    const taken = current.get(key) ?? 0;
    const left = 1 - (time % MINUTE) / MINUTE;
    const carried = (before.get(key) ?? 0) * left;
    if (taken + carried + 1 <= limit) {
      if (takes) current.set(key, taken + 1);
      return 0;
    }
    // Wait until enough of the minute before has slid out. If this minute alone is full, wait for its end.
    const share = (taken + carried + 1 - limit) / (before.get(key) || Number.POSITIVE_INFINITY);
    return Math.max(1, Math.ceil((share > 0 && share <= left ? share : left) * 60));
  }

  return { take: (key) => count(key, true), peek: (key) => count(key, false) };
}
