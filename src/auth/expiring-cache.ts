import { LRUCache } from 'lru-cache';

/** A cache whose entries end at a time, such as the expiry time of a token. */
export interface ExpiringCache<Value extends object> {
  get(key: string): Value | undefined;
  /** @param until milliseconds as Date.now() counts; a past time stores nothing. */
  set(key: string, value: Value, until: number): void;
  clear(): void;
}

/** @param max number of entries, above which the least recently used one is evicted. */
export function makeExpiringCache<Value extends object>(max: number): ExpiringCache<Value> {
  // Expiry times are wall-clock times, so the cache must not use its default, a monotonic clock.
  const cache = new LRUCache<string, Value>({ max, ttlResolution: 0, perf: { now: () => Date.now() } });
  return {
    get: (key) => cache.get(key),
    set(key, value, until) {
      const ttl = until - Date.now();
      // To lru-cache a ttl of 0 means no expiry.
      if (ttl > 0) cache.set(key, value, { ttl });
    },
    clear: () => cache.clear(),
  };
}
