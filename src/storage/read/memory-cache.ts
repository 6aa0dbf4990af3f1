/**
 * Bytes that are asked for over and over, in memory, at most so many. What is kept is whole and its hash was computed from exactly these bytes, so
 * it stays proven whatever becomes of the place that it was read from. A thing is kept when it is asked for a second time while it is still known
 * that it was asked for once. Once memory is full, that is known of as many things as are kept (2Q, https://www.vldb.org/conf/1994/P439.PDF): a walk
 * over more leaves the memory to what is hot, and costs no hashes. What was not asked for the longest makes way, about (the clock algorithm: a
 * hit sets a mark and moves nothing).
 */
export interface HotBytes {
  /** In what is kept. */
  readonly bytes: number;
  get(key: string): Buffer | null;
  /** Whether it is to be kept when it is read now: it is small enough, and not asked for for the first time. */
  wants(key: string, bytes: number): boolean;
  /**
   * @param owner what `forget` calls it by.
   * @param since what `now` was before it was read: what was forgotten after that is not kept.
   */
  keep(key: string, owner: string, content: Buffer, since: number): void;
  forget(owner: string): void;
  /** Counts what was forgotten. */
  readonly now: number;
}

/** How many are known to have been asked for once, while there is room, and at the least. */
const MAX_SEEN = 20_000;
const MIN_SEEN = 16;
const MAX_FORGOTTEN = 10_000;

interface Kept {
  readonly owner: string;
  readonly content: Buffer;
  used: boolean;
}

/** @param options.maxBytes of everything; 0: nothing is kept. */
export function makeHotBytes(options: { maxBytes: number; maxObjectBytes: number }): HotBytes {
  const maxBytes = options.maxBytes;
  const maxObjectBytes = Math.min(options.maxObjectBytes, maxBytes);
  const all = new Map<string, Kept>();
  const keysOf = new Map<string, Set<string>>();
  const forgotten = new Map<string, number>();
  const seen = new Set<string>();
  let bytes = 0;
  let now = 0;

  function drop(key: string): void {
    const kept = all.get(key);
    if (!kept) return;
    all.delete(key);
    bytes -= kept.content.length;
    const keys = keysOf.get(kept.owner);
    keys?.delete(key);
    if (keys?.size === 0) keysOf.delete(kept.owner);
  }

  function makeRoom(wanted: number): void {
    while (bytes + wanted > maxBytes) {
      const [oldest] = all;
      if (!oldest) return;
      const [key, kept] = oldest;
      if (kept.used) {
        kept.used = false;
        all.delete(key);
        all.set(key, kept);
      } else drop(key);
    }
  }

  return {
    get bytes() {
      return bytes;
    },
    get now() {
      return now;
    },
    get(key) {
      const kept = all.get(key);
      if (!kept) return null;
      kept.used = true;
      return kept.content;
    },
    wants(key, size) {
      if (size > maxObjectBytes) return false;
      if (seen.delete(key)) return true;
      seen.add(key);
      const most = bytes + size <= maxBytes ? MAX_SEEN : Math.max(MIN_SEEN, all.size);
      for (const oldest of seen) {
        if (seen.size <= most) break;
        seen.delete(oldest);
      }
      return false;
    },
    keep(key, owner, content, since) {
      if (content.length > maxObjectBytes || (forgotten.get(owner) ?? 0) > since) return;
      drop(key);
      makeRoom(content.length);
      all.set(key, { owner, content, used: false });
      bytes += content.length;
      const keys = keysOf.get(owner) ?? new Set();
      keysOf.set(owner, keys.add(key));
    },
    forget(owner) {
      now += 1;
      const [first] = forgotten.keys();
      if (forgotten.size >= MAX_FORGOTTEN && first !== undefined) forgotten.delete(first);
      forgotten.delete(owner);
      forgotten.set(owner, now);
      for (const key of [...(keysOf.get(owner) ?? [])]) drop(key);
    },
  };
}
