import { makeForgottenOwners } from './forgotten-owners.ts';

/**
 * A cache in memory for bytes that are requested often, limited by their total size. An entry is whole and
 * its hash was computed from exactly these bytes, so later changes of the file do not matter.
 *
 * An object is admitted when it is requested for the second time within a window of known first requests (2Q,
 * https://www.vldb.org/conf/1994/P439.PDF). Once the cache is full, the window has as many entries as the
 * cache. A scan over many objects therefore evicts nothing and costs no hashes. Eviction uses the clock
 * algorithm: a hit sets a mark and moves nothing.
 */
export interface MemoryCache {
  /** Sum of the sizes of all entries. */
  readonly bytes: number;
  get(key: string): Buffer | null;
  /**
   * Returns whether to cache the object after reading it: it is small enough and this is not its first
   * request.
   */
  wants(key: string, bytes: number): boolean;
  /**
   * Adds an entry.
   * @param owner the name that `forget` evicts it by.
   * @param since `now` before the object was read. Nothing is added if the owner was forgotten after that.
   */
  keep(key: string, owner: string, content: Buffer, since: number): void;
  /** Evicts all entries of an owner. */
  forget(owner: string): void;
  /** Number of calls of `forget`; serves as a logical clock. */
  readonly now: number;
}

/** Size of the window of first requests while the cache has room, and its minimum once the cache is full. */
const MAX_SEEN = 20_000;
const MIN_SEEN = 16;
/** Most owners for which the time of `forget` is remembered. */
const MAX_FORGOTTEN = 10_000;

interface Entry {
  readonly owner: string;
  readonly content: Buffer;
  used: boolean;
}

/**
 * @param options.maxBytes limit of the whole cache; 0: cache nothing.
 * @param options.maxObjectBytes limit of one entry.
 * @param options.onGet called with whether `get` found an entry.
 */
export function makeMemoryCache(options: {
  maxBytes: number;
  maxObjectBytes: number;
  onGet?: (found: boolean) => void;
}): MemoryCache {
  const maxBytes = options.maxBytes;
  const maxObjectBytes = Math.min(options.maxObjectBytes, maxBytes);
  const entries = new Map<string, Entry>();
  const keysOf = new Map<string, Set<string>>();
  const forgotten = makeForgottenOwners(MAX_FORGOTTEN);
  const seen = new Set<string>();
  let bytes = 0;

  function drop(key: string): void {
    const entry = entries.get(key);
    if (!entry) return;
    entries.delete(key);
    bytes -= entry.content.length;
    const keys = keysOf.get(entry.owner);
    keys?.delete(key);
    if (keys?.size === 0) keysOf.delete(entry.owner);
  }

  function makeRoom(wanted: number): void {
    while (bytes + wanted > maxBytes) {
      const [oldest] = entries;
      if (!oldest) return;
      const [key, entry] = oldest;
      if (entry.used) {
        entry.used = false;
        entries.delete(key);
        entries.set(key, entry);
      } else drop(key);
    }
  }

  return {
    get bytes() {
      return bytes;
    },
    get now() {
      return forgotten.now;
    },
    get(key) {
      const entry = entries.get(key);
      options.onGet?.(entry !== undefined);
      if (!entry) return null;
      entry.used = true;
      return entry.content;
    },
    wants(key, size) {
      if (size > maxObjectBytes) return false;
      if (seen.delete(key)) return true;
      seen.add(key);
      const most = bytes + size <= maxBytes ? MAX_SEEN : Math.max(MIN_SEEN, entries.size);
      for (const oldest of seen) {
        if (seen.size <= most) break;
        seen.delete(oldest);
      }
      return false;
    },
    keep(key, owner, content, since) {
      if (content.length > maxObjectBytes || forgotten.isAfter(owner, since)) return;
      drop(key);
      makeRoom(content.length);
      entries.set(key, { owner, content, used: false });
      bytes += content.length;
      const keys = keysOf.get(owner) ?? new Set();
      keysOf.set(owner, keys.add(key));
    },
    forget(owner) {
      forgotten.add(owner);
      for (const key of [...(keysOf.get(owner) ?? [])]) drop(key);
    },
  };
}
