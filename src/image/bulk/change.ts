import { isDeepStrictEqual } from 'node:util';
import type { Database, Queryable, Writable } from '../../database/database.ts';
import { FixativeError, NotFoundError } from '../../errors.ts';
import type { Storage } from '../../storage/service.ts';
import type { ForgetsImages } from '../bytes.ts';
import type { Image } from '../image.ts';
import { findByIds, lockTrees } from '../related/family.ts';
import { restoreImage } from '../restore.ts';
import { purgeImage, requirePurgeable } from '../trash/purge.ts';
import { deleteImage, undeleteImage } from '../trash/trash.ts';
import { type ImageChanges, updateImage } from '../update.ts';

/** Change that each of some images gets. */
export type BulkChange = RowChange | StoreChange;
type RowChange =
  | { readonly verb: 'UPDATE'; readonly changes: ImageChanges }
  | { readonly verb: 'DELETE' | 'UNDELETE' };
type StoreChange =
  | { readonly verb: 'PURGE' }
  | { readonly verb: 'RESTORE'; readonly stores: readonly string[] | null };
export type BulkVerb = BulkChange['verb'];

/**
 * Outcomes for an image: it was changed; it was as wanted already; it was left as it is, because it no longer
 * matched the filter; or the change failed.
 */
export const BULK_OUTCOMES = ['CHANGED', 'UNCHANGED', 'SKIPPED', 'FAILED'] as const;
export type BulkOutcome = (typeof BULK_OUTCOMES)[number];

export interface BulkResult {
  readonly id: number;
  readonly outcome: BulkOutcome;
  /** Why it failed; null: it did not. */
  readonly error: FixativeError | null;
}

export interface BulkDeps {
  readonly database: Database;
  readonly storage: Storage;
  readonly imageBytes: ForgetsImages;
}

export interface BulkOptions {
  /** true: says what would become of each image, and changes nothing. */
  readonly dryRun: boolean;
  /** Ends the changes between two images. */
  readonly signal?: AbortSignal;
  /** Runs a transaction. Default: that of the database. */
  readonly transaction?: Database['transaction'];
  /** Returns those of the locked images that may be changed. Default: all. */
  readonly choose?: (transaction: Queryable, ids: readonly number[]) => Promise<ReadonlySet<number>>;
  /** Records results, in the transaction of the changes if they have one. */
  readonly record?: (transaction: Queryable, results: readonly BulkResult[]) => Promise<void>;
}

/** Images that one transaction changes. */
export const BULK_BATCH = 50;
/** Most ids of a mutation. */
export const MAX_IDS = 250;

/**
 * Changes images as changeBatch does, any number. A dry run tries all together: an id that comes twice then
 * has the outcome that it would have.
 */
export async function changeImages(
  deps: BulkDeps,
  change: BulkChange,
  ids: readonly number[],
  options: BulkOptions,
): Promise<BulkResult[]> {
  const results: BulkResult[] = [];
  const size = options.dryRun ? ids.length : BULK_BATCH;
  for (let at = 0; at < ids.length; at += size)
    results.push(...(await changeBatch(deps, change, ids.slice(at, at + size), options)));
  return results;
}

/**
 * Changes images one after the other, each as the mutation of one image does. An image that fails changes
 * nothing and stops no other.
 * @param ids of images; an id may come twice. One transaction may change all of them, so let there be few.
 * @returns a result for each id, in their order.
 */
export function changeBatch(
  deps: BulkDeps,
  change: BulkChange,
  ids: readonly number[],
  options: BulkOptions,
): Promise<BulkResult[]> {
  return change.verb === 'PURGE' || change.verb === 'RESTORE'
    ? changeEach(deps, change, ids, options)
    : changeTogether(deps, change, ids, options);
}

/** Ends a transaction without its changes. */
class Undone extends Error {
  readonly results: BulkResult[];

  constructor(results: BulkResult[]) {
    super('The transaction was only tried.');
    this.results = results;
  }
}

/** Changes images in one transaction, which locks all of them first, by id, as retention does. */
async function changeTogether(
  deps: BulkDeps,
  change: RowChange,
  ids: readonly number[],
  { dryRun, record, choose, transaction = (work) => deps.database.transaction(work) }: BulkOptions,
): Promise<BulkResult[]> {
  /** Images whose bytes are to be forgotten; null: all. */
  let forgotten: readonly string[] | null = [];
  const forget = (uuids: readonly string[] | null) => {
    forgotten = uuids === null || forgotten === null ? null : [...forgotten, ...uuids];
  };
  const results = await transaction(async (held) => {
    forgotten = [];
    await lockTrees(held, ids);
    const chosen = await choose?.(held, ids);
    const within = { database: writableIn(held), imageBytes: { forget } };
    const done: BulkResult[] = [];
    for (const id of ids)
      done.push(await changeOne(held, id, chosen, (image) => changeRow(within, change, image)));
    if (dryRun) throw new Undone(done);
    await record?.(held, done);
    return done;
  }).catch(async (error: unknown) => {
    if (!(error instanceof Undone)) throw error;
    if (record) await transaction((held) => record(held, error.results));
    return error.results;
  });
  if (!dryRun) deps.imageBytes.forget(forgotten);
  await deps.database.flush();
  return results;
}

/** Returns a database whose transactions are parts of one: when one throws, only its changes are undone. */
const writableIn = (held: Queryable): Writable => ({
  query: (text, values, options) => held.query(text, values, options),
  async transaction(work) {
    await held.query('SAVEPOINT image');
    try {
      const result = await work(held);
      await held.query('RELEASE SAVEPOINT image');
      return result;
    } catch (error) {
      await held.query('ROLLBACK TO SAVEPOINT image');
      throw error;
    }
  },
  flush: async () => {},
});

/** Changes images whose change reads or writes stores, each by itself. */
async function changeEach(
  deps: BulkDeps,
  change: StoreChange,
  ids: readonly number[],
  { dryRun, record, choose, signal, transaction = (work) => deps.database.transaction(work) }: BulkOptions,
): Promise<BulkResult[]> {
  const chosen = await choose?.(deps.database, ids);
  const results: BulkResult[] = [];
  for (const id of ids) {
    signal?.throwIfAborted();
    const result = await changeOne(deps.database, id, chosen, (image) =>
      changeBytes(deps, change, image, dryRun),
    );
    results.push(result);
    if (record) await transaction((held) => record(held, [result]));
  }
  return results;
}

/** @param apply returns whether it changed something; null: the image is gone. */
async function changeOne(
  db: Queryable,
  id: number,
  chosen: ReadonlySet<number> | undefined,
  apply: (image: Image) => Promise<boolean | null>,
): Promise<BulkResult> {
  if (chosen && !chosen.has(id)) return { id, outcome: 'SKIPPED', error: null };
  try {
    const [image] = await findByIds(db, [id], null);
    const isChanged = image ? await apply(image) : null;
    if (isChanged !== null) return { id, outcome: isChanged ? 'CHANGED' : 'UNCHANGED', error: null };
    return { id, outcome: 'FAILED', error: new NotFoundError('The image was purged.', AT_IDS) };
  } catch (error) {
    if (!(error instanceof FixativeError) || error.code === 'DATABASE_UNAVAILABLE') throw error;
    return { id, outcome: 'FAILED', error };
  }
}

const AT_IDS = { path: ['input', 'ids'] };
const valuesOf = ({ tags, metadata, visibility, pinned }: Image) => [tags, metadata, visibility, pinned];

async function changeRow(
  deps: Parameters<typeof updateImage>[0],
  change: RowChange,
  image: Image,
): Promise<boolean | null> {
  switch (change.verb) {
    case 'UPDATE':
      return !isDeepStrictEqual(valuesOf(await updateImage(deps, image, change.changes)), valuesOf(image));
    case 'DELETE':
      return (await deleteImage(deps, image)) && image.deletedAt === null;
    case 'UNDELETE':
      return (await undeleteImage(deps, image)) && image.deletedAt !== null;
  }
}

async function changeBytes(
  deps: BulkDeps,
  change: StoreChange,
  image: Image,
  dryRun: boolean,
): Promise<boolean> {
  if (change.verb === 'PURGE') {
    if (dryRun) await requirePurgeable(deps.database, image);
    else await purgeImage(deps, image);
    return true;
  }
  const { restored, failed } = await restoreImage(deps, image, { stores: change.stores, dryRun });
  const [error] = failed;
  if (error) throw error;
  return restored.length > 0;
}
