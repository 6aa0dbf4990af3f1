const MINUTE = 60_000;

/**
 * How many requests a minute each key may make, over a minute that slides: what came in the last full minute counts as far as it still
 * lies within. Two maps that are changed over each minute forget by themselves, without a timer for each key.
 */
export interface RateLimit {
  /** Takes one; in how many seconds there may be another, 0 where this one may be. */
  take(key: string): number;
  /** The same, without taking it. */
  look(key: string): number;
}

/** Of more keys than these in a minute the rest is counted as one. */
const MAX_KEYS = 200_000;

export function makeRateLimit(perMinute: number | null, now: () => number = Date.now): RateLimit {
  if (perMinute === null) return { take: () => 0, look: () => 0 };
  let minute = 0;
  let before = new Map<string, number>();
  let current = new Map<string, number>();
  const most = perMinute;

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
    if (taken + carried + 1 <= most) {
      if (takes) current.set(key, taken + 1);
      return 0;
    }
    // By then enough of the minute before has slid out; where this minute alone is full, when it ends.
    const share = (taken + carried + 1 - most) / (before.get(key) || Number.POSITIVE_INFINITY);
    return Math.max(1, Math.ceil((share > 0 && share <= left ? share : left) * 60));
  }

  return { take: (key) => count(key, true), look: (key) => count(key, false) };
}
