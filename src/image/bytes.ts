/**
 * What it takes to give the bytes of an image: found by its uuid or its name, and remembered.
 *
 * Public images are remembered, private ones never. What is remembered is used only while the database tells of changes (NOTIFY of the triggers, whoever changed a row), and for no longer than
 * REMEMBER_SECONDS, for a connection that died without a word tells nothing. What this process changes it forgets itself, as soon as that is
 * committed (`forget`). A row that was read while a change of it was told is answered to those who asked for it before, and not remembered.
 *
 * While the database is away (`Database.isAway`), images that were remembered before are given, for AWAY_SECONDS at most.
 */
import type { Logger } from 'pino';
import type { Database } from '../database/database.ts';
import { BLOB_COLUMNS, type Blob } from '../storage/blob.ts';
import { isPublic } from './image.ts';

export interface ImageBytes {
  readonly uuid: string;
  readonly filename: string;
  /** As its sender wrote it; null where there is none. */
  readonly originalFilename: string | null;
  readonly userId: string;
  readonly visibility: string;
  readonly blob: Blob;
}

/** Exactly one of the two; a uuid in its canonical spelling. */
export type BytesKey = { readonly uuid: string } | { readonly filename: string };

export interface ImageBytesFinder {
  /** What is remembered, without waiting; null: nothing is. */
  recall(key: BytesKey): ImageBytes | null;
  /** null where there is no such image, or none with bytes. */
  find(key: BytesKey): Promise<ImageBytes | null>;
  /** Said after a change is committed and before it is acknowledged. @param uuids null: of any image. */
  forget(uuids: readonly string[] | null): void;
  /** The same of all images of a blob. */
  forgetBlob(id: number): void;
  close(): Promise<void>;
}

/** What the verbs that change images tell. */
export type ForgetsImages = Pick<ImageBytesFinder, 'forget'>;

/** How late a change by another process can be noticed when the connection that would tell of it has died silently. */
export const REMEMBER_SECONDS = 10;

/**
 * How long images are given from what was remembered before the database went away. Nothing can be changed by a server that cannot reach it
 * either; one that can may have made an image private meanwhile.
 */
export const AWAY_SECONDS = 60;

const CHANNELS = { images: 'fixative_images', copies: 'fixative_copies' } as const;
const COLUMNS = `SELECT i.uuid, i.filename, i.original_filename AS "originalFilename", i.user_id AS "userId", i.visibility, ${BLOB_COLUMNS} FROM generated_images i JOIN blobs b ON b.id = i.blob_id`;
const BY = {
  uuid: `${COLUMNS} WHERE i.uuid = ANY($1::uuid[]) AND i.deleted_at IS NULL`,
  filename: `${COLUMNS} WHERE i.filename = ANY($1::text[]) AND i.deleted_at IS NULL`,
} as const;
type By = keyof typeof BY;

/** How many are looked up by one statement, and how many statements are under way at once: more wait, and are gathered meanwhile. */
const MAX_BATCH = 100;
const MAX_STATEMENTS = 3;

type Row = Blob & Omit<ImageBytes, 'blob' | 'filename'> & { filename: string | null };

interface Remembered {
  readonly image: ImageBytes;
  /** Shared by the images of a blob; false once the record of its copies has changed. */
  readonly blob: { valid: boolean };
  readonly until: number;
  /** Asked for since it was last looked at for room. */
  used: boolean;
}

interface Waiting {
  readonly key: string;
  readonly resolve: (image: ImageBytes | null) => void;
  readonly reject: (error: unknown) => void;
}

/** What was told while a statement was under way. */
interface Told {
  all: boolean;
  readonly uuids: Set<string>;
  readonly blobs: Set<number>;
}

/** @param options.entries how many images are remembered; 0: none. */
export function makeImageBytesFinder(
  database: Pick<Database, 'query' | 'listen' | 'isAway'>,
  options: { entries: number; log: Logger; now?: () => number },
): ImageBytesFinder {
  const { entries, log, now = () => performance.now() } = options;
  const byUuid = new Map<string, Remembered>();
  const uuidOf = new Map<string, string>();
  const blobs = new Map<number, { valid: boolean; images: number }>();
  const waiting: Record<By, Waiting[]> = { uuid: [], filename: [] };
  const underWay = new Set<Told>();
  let hearing: Promise<{ close(): Promise<void> }[]> | null = null;
  /** How many of the channels are heard. */
  const heard = { images: false, copies: false };
  /** Until when what was remembered may be used while the database is away. */
  let usableUntil = 0;
  let closed = false;

  function drop(uuid: string): void {
    const remembered = byUuid.get(uuid);
    if (!remembered) return;
    byUuid.delete(uuid);
    if (uuidOf.get(remembered.image.filename) === uuid) uuidOf.delete(remembered.image.filename);
    const { id } = remembered.image.blob;
    const blob = blobs.get(id);
    // Of a blob that was told to have changed, the next one is another.
    if (blob === remembered.blob && --blob.images === 0) blobs.delete(id);
  }

  function forget(uuids: readonly string[] | null): void {
    if (uuids === null) {
      byUuid.clear();
      uuidOf.clear();
      blobs.clear();
      for (const told of underWay) told.all = true;
      return;
    }
    for (const uuid of uuids) {
      drop(uuid);
      for (const told of underWay) told.uuids.add(uuid);
    }
  }

  function forgetBlob(id: number): void {
    const blob = blobs.get(id);
    if (blob) blob.valid = false;
    blobs.delete(id);
    for (const told of underWay) told.blobs.add(id);
  }

  /** Most processes that make this never give a byte; the first who asks begins to listen. */
  function hear(): void {
    const on = (name: keyof typeof heard, told: (payload: string) => void) =>
      database.listen(
        CHANNELS[name],
        told,
        () => {
          forget(null);
          heard[name] = true;
        },
        () => {
          if (heard.images && heard.copies) usableUntil = now() + AWAY_SECONDS * 1000;
          heard[name] = false;
          for (const told of underWay) told.all = true;
        },
      );
    hearing ??= Promise.all([
      on('images', (uuid) => forget(uuid === '' ? null : [uuid])),
      on('copies', (id) => (id === '' ? forget(null) : forgetBlob(Number(id)))),
    ]);
    hearing.catch((error: unknown) => {
      hearing = null;
      log.warn({ err: error }, 'cannot hear of changed images, so none is remembered');
    });
  }

  /** @param named whether the row has a filename of its own. */
  function remember(image: ImageBytes, named: boolean, told: Told): void {
    const { uuid, filename, blob } = image;
    if (entries === 0 || closed || !heard.images || !heard.copies) return;
    // A stranger who is told as quickly of a private image as of one that is not there learns nothing: both cost a statement.
    if (!isPublic(image) || told.all || told.uuids.has(uuid) || told.blobs.has(blob.id)) return;
    drop(uuid);
    makeRoom();
    const shared = blobs.get(blob.id) ?? { valid: true, images: 0 };
    shared.images++;
    blobs.set(blob.id, shared);
    byUuid.set(uuid, { image, blob: shared, until: now() + REMEMBER_SECONDS * 1000, used: false });
    if (named) uuidOf.set(filename, uuid);
  }

  /** The oldest makes way, unless it was asked for since (the clock algorithm). */
  function makeRoom(): void {
    while (byUuid.size >= entries) {
      const [oldest] = byUuid;
      if (!oldest) return;
      const [uuid, remembered] = oldest;
      if (remembered.used && remembered.until > now()) {
        remembered.used = false;
        byUuid.delete(uuid);
        byUuid.set(uuid, remembered);
      } else drop(uuid);
    }
  }

  function recall(key: BytesKey): ImageBytes | null {
    const uuid = 'uuid' in key ? key.uuid : uuidOf.get(key.filename);
    const remembered = uuid === undefined ? undefined : byUuid.get(uuid);
    if (!remembered) return null;
    if (!heard.images || !heard.copies) {
      if (database.isAway && usableUntil > now() && remembered.blob.valid) return remembered.image;
      // What is heard next forgets all that was remembered before.
      return null;
    }
    if (!remembered.blob.valid || remembered.until <= now()) return null;
    remembered.used = true;
    return remembered.image;
  }

  /** One statement for all that wait, so that a crowd costs few of them. */
  async function ask(by: By): Promise<void> {
    if (underWay.size >= MAX_STATEMENTS || waiting[by].length === 0) return;
    const these = waiting[by].splice(0, MAX_BATCH);
    const told: Told = { all: false, uuids: new Set(), blobs: new Set() };
    underWay.add(told);
    try {
      const rows = await database.query<Row>(BY[by], [these.map(({ key }) => key)]);
      const found = new Map<string, ImageBytes>();
      for (const row of rows) {
        const image = imageOf(row);
        remember(image, row.filename !== null, told);
        found.set(by === 'uuid' ? image.uuid : image.filename, image);
      }
      for (const { key, resolve } of these) {
        const image = found.get(key) ?? null;
        // What was remembered stays until the next answer, also when its time is over: it is given if the database goes away before.
        if (!image || !isPublic(image)) drop(by === 'uuid' ? key : (uuidOf.get(key) ?? ''));
        resolve(image);
      }
    } catch (error) {
      for (const { key, resolve, reject } of these) {
        // The database may have gone since it was asked for.
        const remembered = recall(by === 'uuid' ? { uuid: key } : { filename: key });
        if (remembered) resolve(remembered);
        else reject(error);
      }
    } finally {
      underWay.delete(told);
      for (const next of ['uuid', 'filename'] as const) void ask(next);
    }
  }

  return {
    recall,
    find(key) {
      const remembered = recall(key);
      if (remembered) return Promise.resolve(remembered);
      if (entries > 0 && !hearing) hear();
      const by: By = 'uuid' in key ? 'uuid' : 'filename';
      return new Promise((resolve, reject) => {
        waiting[by].push({ key: 'uuid' in key ? key.uuid : key.filename, resolve, reject });
        // Those who come in the same turn of the event loop are asked for together.
        if (waiting[by].length === 1) setImmediate(() => void ask(by));
      });
    },
    forget,
    forgetBlob,
    async close() {
      closed = true;
      forget(null);
      for (const each of (await hearing?.catch(() => null)) ?? []) await each.close();
    },
  };
}

function imageOf({ uuid, filename, originalFilename, userId, visibility, ...blob }: Row): ImageBytes {
  return { uuid, filename: filename ?? uuid, originalFilename, userId, visibility, blob };
}
