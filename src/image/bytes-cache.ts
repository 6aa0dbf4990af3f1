/**
 * Cache of the facts that are needed to send the bytes of public images. Private images are never cached: a
 * client must not learn from the response time that one exists. See bytes.ts for when an entry may be used.
 */
import type { Database } from '../database/database.ts';
import type { Blob } from '../storage/blob.ts';
import { isPublic } from './image.ts';

export interface ImageBytes {
  readonly uuid: string;
  readonly filename: string;
  /** Name of the file as its sender wrote it; null: none is known. */
  readonly originalFilename: string | null;
  readonly userId: string;
  readonly visibility: string;
  readonly blob: Blob;
}

/** Exactly one of the two. The uuid must be in its canonical spelling. */
export type BytesKey = { readonly uuid: string } | { readonly filename: string };

/**
 * Seconds for which an entry is used. So late can a change be noticed when the listening connection has died
 * silently.
 */
export const REMEMBER_SECONDS = 10;

/**
 * Seconds for which entries are used while the database is away. This server cannot change images then.
 * Another server that still reaches the database may have made one private.
 */
export const AWAY_SECONDS = 60;

interface Entry {
  readonly image: ImageBytes;
  /** Shared by the images of a blob; false once the record of its copies has changed. */
  readonly blob: { valid: boolean };
  readonly until: number;
  /** Whether the entry was used since the eviction last passed it. */
  used: boolean;
}

/** Changes that were heard while a statement was under way. Its rows may be older. */
export interface ConcurrentChanges {
  all: boolean;
  readonly uuids: Set<string>;
  readonly blobs: Set<number>;
}

/** Channels of the database that this process listens to. The cache is used only while it hears both. */
export interface Hearing {
  images: boolean;
  copies: boolean;
}

export interface BytesCache {
  recall(key: BytesKey): ImageBytes | null;
  /** Begins to collect changes, for the rows of a statement. */
  beginRead(): ConcurrentChanges;
  endRead(changes: ConcurrentChanges): void;
  /**
   * Adds an image, unless it is private or has changed since `beginRead`.
   * @param isNamed whether its row has a filename.
   */
  add(image: ImageBytes, isNamed: boolean, changes: ConcurrentChanges): void;
  drop(key: BytesKey): void;
  /** @param uuids null: all images. */
  forget(uuids: readonly string[] | null): void;
  forgetBlob(id: number): void;
  /** Notes that no changes are heard from now on. */
  stopHearing(channel: keyof Hearing): void;
  /** Forgets all images and adds no more. */
  close(): void;
}

interface CacheOptions {
  /** Most images to cache; 0: none. */
  readonly entries: number;
  readonly database: Pick<Database, 'isAway'>;
  readonly heard: Hearing;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

export function makeBytesCache({ entries, database, heard, now }: CacheOptions): BytesCache {
  const cached = new CachedImages();
  const { byUuid, uuidOf } = cached;
  const reads = new Set<ConcurrentChanges>();
  /** Until when entries may be used while the database is away. */
  let usableUntil = 0;
  let isClosed = false;

  // Called for each request for bytes, so it is a closure over its maps.
  function recall(key: BytesKey): ImageBytes | null {
    const uuid = 'uuid' in key ? key.uuid : uuidOf.get(key.filename);
    const entry = uuid === undefined ? undefined : byUuid.get(uuid);
    if (!entry) return null;
    if (!heard.images || !heard.copies) {
      if (database.isAway && usableUntil > now() && entry.blob.valid) return entry.image;
      // The entry stays: `forget` is called when changes are heard again.
      return null;
    }
    if (!entry.blob.valid || entry.until <= now()) return null;
    entry.used = true;
    return entry.image;
  }

  function forget(uuids: readonly string[] | null): void {
    if (uuids === null) {
      cached.clear();
      for (const changes of reads) changes.all = true;
      return;
    }
    for (const uuid of uuids) {
      cached.drop(uuid);
      for (const changes of reads) changes.uuids.add(uuid);
    }
  }

  return {
    recall,
    forget,
    beginRead() {
      const changes = { all: false, uuids: new Set<string>(), blobs: new Set<number>() };
      reads.add(changes);
      return changes;
    },
    endRead: (changes) => reads.delete(changes),
    add(image, isNamed, changes) {
      if (entries === 0 || isClosed || !heard.images || !heard.copies || !isPublic(image)) return;
      if (changes.all || changes.uuids.has(image.uuid) || changes.blobs.has(image.blob.id)) return;
      cached.drop(image.uuid);
      cached.evict(entries, now());
      cached.add(image, isNamed, now() + REMEMBER_SECONDS * 1000);
    },
    drop: (key) => cached.drop('uuid' in key ? key.uuid : (uuidOf.get(key.filename) ?? '')),
    forgetBlob(id) {
      cached.invalidateBlob(id);
      for (const changes of reads) changes.blobs.add(id);
    },
    stopHearing(channel) {
      if (heard.images && heard.copies) usableUntil = now() + AWAY_SECONDS * 1000;
      heard[channel] = false;
      for (const changes of reads) changes.all = true;
    },
    close() {
      isClosed = true;
      forget(null);
    },
  };
}

/** The entries by uuid, by filename and by blob. */
class CachedImages {
  readonly byUuid = new Map<string, Entry>();
  readonly uuidOf = new Map<string, string>();
  readonly #blobs = new Map<number, { valid: boolean; images: number }>();

  add(image: ImageBytes, isNamed: boolean, until: number): void {
    const { uuid, filename, blob } = image;
    const shared = this.#blobs.get(blob.id) ?? { valid: true, images: 0 };
    shared.images++;
    this.#blobs.set(blob.id, shared);
    this.byUuid.set(uuid, { image, blob: shared, until, used: false });
    if (isNamed) this.uuidOf.set(filename, uuid);
  }

  drop(uuid: string): void {
    const entry = this.byUuid.get(uuid);
    if (!entry) return;
    this.byUuid.delete(uuid);
    if (this.uuidOf.get(entry.image.filename) === uuid) this.uuidOf.delete(entry.image.filename);
    const { id } = entry.image.blob;
    const blob = this.#blobs.get(id);
    // After `invalidateBlob`, the same id has another object.
    if (blob === entry.blob && --blob.images === 0) this.#blobs.delete(id);
  }

  /**
   * Evicts the oldest entries that were not used since the last pass, until there is room (the clock
   * algorithm).
   */
  evict(maxEntries: number, now: number): void {
    while (this.byUuid.size >= maxEntries) {
      const [oldest] = this.byUuid;
      if (!oldest) return;
      const [uuid, entry] = oldest;
      if (entry.used && entry.until > now) {
        entry.used = false;
        this.byUuid.delete(uuid);
        this.byUuid.set(uuid, entry);
      } else this.drop(uuid);
    }
  }

  invalidateBlob(id: number): void {
    const blob = this.#blobs.get(id);
    if (blob) blob.valid = false;
    this.#blobs.delete(id);
  }

  clear(): void {
    this.byUuid.clear();
    this.uuidOf.clear();
    this.#blobs.clear();
  }
}
