/**
 * Finds what is needed to send the bytes of an image, by its uuid or its filename, and caches it.
 *
 * An entry of the cache is used only while the database notifies this process of changes (triggers, whichever
 * process changed a row), and for REMEMBER_SECONDS at most: a connection that died silently notifies of
 * nothing. Changes by this process are forgotten as soon as they are committed (`forget`). Rows that were
 * read while one of them changed are returned, but not cached.
 *
 * While the database is away (`Database.isAway`), cached images are used for AWAY_SECONDS at most.
 */
import type { Logger } from 'pino';
import type { Database } from '../database/database.ts';
import { BLOB_COLUMNS, type Blob } from '../storage/blob.ts';
import {
  type BytesCache,
  type BytesKey,
  type Hearing,
  type ImageBytes,
  makeBytesCache,
} from './bytes-cache.ts';
import { isPublic } from './image.ts';

export { AWAY_SECONDS, type BytesKey, type ImageBytes, REMEMBER_SECONDS } from './bytes-cache.ts';

export interface ImageBytesFinder {
  /** Returns a cached image without waiting; null: it is not cached. */
  recall(key: BytesKey): ImageBytes | null;
  /** Returns an image that has bytes; null: there is none. */
  find(key: BytesKey): Promise<ImageBytes | null>;
  /**
   * Forgets changed images. Call it after the commit and before the acknowledgement.
   * @param uuids null: any may have changed.
   */
  forget(uuids: readonly string[] | null): void;
  /** Forgets all images of a blob. */
  forgetBlob(id: number): void;
  close(): Promise<void>;
}

/** Part of the cache for functions that change images. */
export type ForgetsImages = Pick<ImageBytesFinder, 'forget'>;

type BytesDatabase = Pick<Database, 'query' | 'listen' | 'isAway'>;

/** @param options.entries most images to cache; 0: none. */
export function makeImageBytesFinder(
  database: BytesDatabase,
  options: { entries: number; log: Logger; now?: () => number },
): ImageBytesFinder {
  const { entries, log, now = () => performance.now() } = options;
  const heard: Hearing = { images: false, copies: false };
  const cache = makeBytesCache({ entries, database, heard, now });
  const lookUp = makeLookUp(database, cache);
  let listening: Promise<{ close(): Promise<void> }[]> | null = null;

  /** Listens from the first request on: most processes with a finder never send bytes. */
  function listen(): void {
    listening = listenForChanges(database, cache, heard);
    listening.catch((error: unknown) => {
      listening = null;
      log.warn({ err: error }, 'cannot listen for changed images, so none is cached');
    });
  }

  return {
    recall: cache.recall,
    find(key) {
      const cached = cache.recall(key);
      if (cached) return Promise.resolve(cached);
      if (entries > 0 && !listening) listen();
      return lookUp(key);
    },
    forget: cache.forget,
    forgetBlob: cache.forgetBlob,
    async close() {
      cache.close();
      for (const each of (await listening?.catch(() => null)) ?? []) await each.close();
    },
  };
}

const CHANNELS = { images: 'fixative_images', copies: 'fixative_copies' } as const;

/** Forgets images as the database notifies of their changes. An empty payload stands for any image. */
function listenForChanges(
  database: BytesDatabase,
  cache: BytesCache,
  heard: Hearing,
): Promise<{ close(): Promise<void> }[]> {
  const listen = (channel: keyof Hearing, onPayload: (payload: string) => void) =>
    database.listen(
      CHANNELS[channel],
      onPayload,
      () => {
        cache.forget(null);
        heard[channel] = true;
      },
      () => cache.stopHearing(channel),
    );
  return Promise.all([
    listen('images', (uuid) => cache.forget(uuid === '' ? null : [uuid])),
    listen('copies', (id) => (id === '' ? cache.forget(null) : cache.forgetBlob(Number(id)))),
  ]);
}

const COLUMNS = `SELECT i.uuid, i.filename, i.original_filename AS "originalFilename", i.user_id AS "userId", i.visibility, ${BLOB_COLUMNS} FROM generated_images i JOIN blobs b ON b.id = i.blob_id`;
const SELECT = {
  uuid: `${COLUMNS} WHERE i.uuid = ANY($1::uuid[]) AND i.deleted_at IS NULL`,
  filename: `${COLUMNS} WHERE i.filename = ANY($1::text[]) AND i.deleted_at IS NULL`,
} as const;
type KeyName = keyof typeof SELECT;

/** Most images to look up by one statement. */
const MAX_BATCH = 100;
/** Most statements under way. Further lookups wait, and are batched meanwhile. */
const MAX_STATEMENTS = 3;

type Row = Blob & Omit<ImageBytes, 'blob' | 'filename'> & { filename: string | null };

interface Lookup {
  readonly key: string;
  readonly resolve: (image: ImageBytes | null) => void;
  readonly reject: (error: unknown) => void;
}

/** Makes a function that looks images up in batches: many requests at once cost few statements. */
function makeLookUp(
  database: BytesDatabase,
  cache: BytesCache,
): (key: BytesKey) => Promise<ImageBytes | null> {
  const waiting: Record<KeyName, Lookup[]> = { uuid: [], filename: [] };
  let statements = 0;

  async function run(by: KeyName): Promise<void> {
    if (statements >= MAX_STATEMENTS || waiting[by].length === 0) return;
    statements++;
    try {
      await lookUpBatch({ database, cache }, by, waiting[by].splice(0, MAX_BATCH));
    } finally {
      statements--;
      for (const next of ['uuid', 'filename'] as const) void run(next);
    }
  }

  return (key) => {
    const by: KeyName = 'uuid' in key ? 'uuid' : 'filename';
    return new Promise((resolve, reject) => {
      waiting[by].push({ key: 'uuid' in key ? key.uuid : key.filename, resolve, reject });
      // Batches the requests of one turn of the event loop.
      if (waiting[by].length === 1) setImmediate(() => void run(by));
    });
  };
}

async function lookUpBatch(
  { database, cache }: { database: BytesDatabase; cache: BytesCache },
  by: KeyName,
  lookups: readonly Lookup[],
): Promise<void> {
  const keyOf = (key: string): BytesKey => (by === 'uuid' ? { uuid: key } : { filename: key });
  const changes = cache.beginRead();
  try {
    const rows = await database.query<Row>(SELECT[by], [lookups.map(({ key }) => key)]);
    const found = new Map<string, ImageBytes>();
    for (const row of rows) {
      const image = bytesOf(row);
      cache.add(image, row.filename !== null, changes);
      found.set(by === 'uuid' ? image.uuid : image.filename, image);
    }
    for (const { key, resolve } of lookups) {
      const image = found.get(key) ?? null;
      // An expired entry stays until here: it is used when the database goes away before.
      if (!image || !isPublic(image)) cache.drop(keyOf(key));
      resolve(image);
    }
  } catch (error) {
    for (const { key, resolve, reject } of lookups) {
      // The database may have gone away since `find` looked into the cache.
      const cached = cache.recall(keyOf(key));
      if (cached) resolve(cached);
      else reject(error);
    }
  } finally {
    cache.endRead(changes);
  }
}

function bytesOf({ uuid, filename, originalFilename, userId, visibility, ...blob }: Row): ImageBytes {
  return { uuid, filename: filename ?? uuid, originalFilename, userId, visibility, blob };
}
