import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Database, Queryable } from '../../database/database.ts';
import { NotFoundError, StoreError } from '../../errors.ts';
import { deleteUnrecorded } from '../retired-keys.ts';
import type { ListedObject, Store } from '../stores/store.ts';
import { DEFAULT_MAX_MISSING_PERCENT, requireFewMissing } from './loss-limit.ts';
import { deletionTimeOf, isDay } from './quarantined.ts';

/**
 * An object in a store that is not on record, for example because of a crash between the put and its
 * transaction.
 */
export interface Orphan extends ListedObject {
  readonly store: string;
  readonly sha256: string;
}

const BATCH = 500;

/** Keys of Fixative. Other names are ignored, because a directory may also hold files of other programs. */
const OUR_KEY = /^[0-9a-f]{2}\/[0-9a-f]{2}\/([0-9a-f]{64})(?:-\d+)?\.[a-z]+$/;

/** Yields the orphans of a store, in the order of its list. */
export async function* findOrphans(db: Queryable, store: Store): AsyncGenerator<Orphan> {
  let batch: Orphan[] = [];
  for await (const object of store.list()) {
    const sha256 = OUR_KEY.exec(object.key)?.[1];
    if (!sha256) continue;
    batch.push({ ...object, store: store.name, sha256 });
    if (batch.length < BATCH) continue;
    yield* await withoutRecord(db, store, batch);
    batch = [];
  }
  if (batch.length > 0) yield* await withoutRecord(db, store, batch);
}

async function withoutRecord(db: Queryable, store: Store, objects: readonly Orphan[]): Promise<Orphan[]> {
  const rows = await db.query<{ key: string }>(
    `SELECT c.key FROM blobs b JOIN copies c ON c.blob_id = b.id
     WHERE c.store = $1 AND b.sha256 = ANY($2::bpchar[])`,
    [store.name, objects.map((object) => object.sha256)],
  );
  const known = new Set(rows.map((row) => row.key));
  return objects.filter((object) => !known.has(object.key));
}

export interface QuarantineOptions {
  /** Directory that orphans are moved to. */
  readonly directory: string;
  /** Age in seconds below which an object stays, because its record may still be written. */
  readonly graceSeconds: number;
  /** Stops the run if more than this percentage of the store are orphans. Default: 10. */
  readonly maxMissingPercent?: number;
  /** Report orphans without moving them. Default: false. */
  readonly dryRun?: boolean;
  readonly onQuarantined?: (orphan: Orphan) => void;
}

/**
 * Moves orphans from a store into quarantine, where they stay for QUARANTINE_DAYS. Each is checked again
 * under the lock of its blob. It is deleted from the store only after a complete copy and a line in the
 * manifest were written.
 * @returns the number of moved orphans, and of those that were too young.
 * @throws FixativeError STOPPED if too much of the store would be moved: the database probably belongs to
 *   another store.
 */
export async function quarantineOrphans(
  deps: { readonly database: Database },
  store: Store,
  options: QuarantineOptions,
): Promise<{ moved: number; young: number }> {
  const due: Orphan[] = [];
  let young = 0;
  for await (const orphan of findOrphans(deps.database, store)) {
    if (isYoung(orphan, options.graceSeconds)) young++;
    else due.push(orphan);
  }
  const [row] = await deps.database.query<{ count: number }>('SELECT count(*) FROM copies WHERE store = $1', [
    store.name,
  ]);
  const found = {
    what: 'on no record',
    count: due.length,
    of: due.length + (row?.count ?? 0),
    store: store.name,
  };
  requireFewMissing(found, options.maxMissingPercent ?? DEFAULT_MAX_MISSING_PERCENT);
  let moved = 0;
  for (const orphan of due) {
    const gone = await deps.database.exclusively(`blob:${orphan.sha256}`, async (lock) => {
      if ((await withoutRecord(deps.database, store, [orphan])).length === 0) return false;
      if (options.dryRun) return true;
      await copyToQuarantine(store, orphan, options.directory);
      return deleteUnrecorded(lock, store, orphan);
    });
    if (!gone) continue;
    moved++;
    options.onQuarantined?.(orphan);
  }
  return { moved, young };
}

/** Returns whether an orphan is younger than the grace period. An object of unknown age counts as young. */
function isYoung(orphan: Orphan, graceSeconds: number): boolean {
  if (graceSeconds === 0) return false;
  return !orphan.modifiedAt || Date.now() - orphan.modifiedAt.getTime() < graceSeconds * 1000;
}

/** Writes nothing if the object is gone meanwhile. */
async function copyToQuarantine(store: Store, orphan: Orphan, directory: string): Promise<void> {
  const day = path.join(directory, new Date().toISOString().slice(0, 10));
  const file = path.join(day, store.name, path.basename(orphan.key));
  // A unique name: a server that has lost its lock may still copy the same orphan.
  const part = `${file}.${randomUUID()}.part`;
  await mkdir(path.dirname(file), { recursive: true });
  try {
    const { stream, isUnchanged } = await store.open(orphan.key);
    const handle = await open(part, 'wx');
    await pipeline(stream, handle.createWriteStream({ flush: true }));
    if ((await isUnchanged?.()) === false)
      throw new StoreError(`${orphan.key} in ${store.name} changed while it was read.`, store.name);
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    if (error instanceof NotFoundError) return;
    throw error;
  }
  const manifest = await open(path.join(day, 'manifest.ndjson'), 'a');
  try {
    const { key, bytes, sha256 } = orphan;
    const line = {
      store: store.name,
      key,
      bytes,
      sha256,
      quarantinedAt: new Date(),
      file: path.relative(directory, file),
    };
    await manifest.appendFile(`${JSON.stringify(line)}\n`);
    await manifest.sync();
  } finally {
    await manifest.close();
  }
}

/**
 * Deletes quarantined files that are older than `days`.
 * @returns the number of manifest lines that were deleted.
 */
export async function emptyQuarantine(directory: string, days: number): Promise<number> {
  let lines = 0;
  for (const name of await readdir(directory).catch(() => [])) {
    if (!isDay(name) || !(Date.now() > deletionTimeOf(name, days).getTime())) continue;
    const manifest = await readFile(path.join(directory, name, 'manifest.ndjson'), 'utf8').catch(() => '');
    lines += manifest.split('\n').filter(Boolean).length;
    await rm(path.join(directory, name), { recursive: true, force: true });
  }
  return lines;
}
