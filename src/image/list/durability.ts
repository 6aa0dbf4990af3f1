/** Durability of images in statements. It must agree with `durabilityOf` (image/copies.ts). */
import type { Queryable } from '../../database/database.ts';
import type { Durability } from '../copies.ts';

/** Stores that the durability of an image is judged by. */
export interface JudgingStores {
  /** Names of the configured stores, in read order. */
  readonly names: readonly string[];
  /** Whether every blob has a copy on record in each of them, in whatever state. */
  readonly allOnRecord: boolean;
}

/** Part of a filter of images. */
export interface DurabilityFilter {
  /** Matches images with one of these. Needs `stores`. */
  readonly durability?: readonly Durability[] | null | undefined;
  /** Stores that `durability` is judged by; `withStores` adds them. */
  readonly stores?: JudgingStores | null | undefined;
}

/** Returns the durability of the blob `i.blob_id`. @param names placeholder of the names of the stores. */
export const durabilityIn = (names: string) => `(SELECT CASE
    WHEN count(*) FILTER (WHERE c.state = 'STORED' AND c.store = ANY(${names}::text[])) = 0 THEN 'LOST'
    WHEN count(*) FILTER (WHERE c.state IN ('STORED', 'TOO_LARGE') AND c.store = ANY(${names}::text[]))
      = cardinality(${names}::text[]) THEN 'DURABLE'
    WHEN count(*) FILTER (WHERE c.state = 'STORED' AND c.store = ANY(${names}::text[])) = 1
      AND count(*) FILTER (WHERE c.state IN ('MISSING', 'CORRUPT')) > 0 THEN 'AT_RISK'
    ELSE 'DEGRADED' END
  FROM copies c WHERE c.blob_id = i.blob_id)`;

/** Blobs with a copy that is not healthy. Reads idx_copies_retry_at. */
export const UNHEALTHY_BLOBS = `SELECT DISTINCT c.blob_id FROM copies c WHERE c.state <> 'STORED'`;

/**
 * States that a copy of such a blob must have, in any store. The condition `state <> 'STORED'` matches
 * idx_copies_retry_at.
 */
const UNHEALTHY = {
  AT_RISK: `c.state IN ('MISSING', 'CORRUPT')`,
  DEGRADED: `c.state IN ('PENDING', 'MISSING', 'CORRUPT')`,
  /** LOST: no store has a healthy copy, so the first one has none. */
  LOST: (first: string) =>
    `(c.store = ${first}::text AND c.state IN ('PENDING', 'MISSING', 'CORRUPT', 'TOO_LARGE'))`,
} as const;

/**
 * Returns whether the copies that are not healthy find the images of a filter by durability: images that are
 * not durable are rare. A blob without a copy on record in some store is only found by a scan.
 */
export function isRareDurability({ durability, stores }: DurabilityFilter): boolean {
  if (!durability?.length || durability.includes('DURABLE')) return false;
  return stores?.allOnRecord || durability.every((each) => each === 'AT_RISK');
}

/**
 * Returns the terms of a filter by durability.
 * @param value adds a value and returns its placeholder.
 * @param use whether the terms check images, find them by an index, or serve an estimate.
 */
export function durabilityTerms(
  filter: DurabilityFilter,
  value: (value: unknown) => string,
  use: 'check' | 'find' | 'estimate',
): string[] {
  const { durability, stores } = filter;
  if (!durability?.length) return [];
  if (!stores) throw new Error('A filter by durability needs the configured stores (withStores).');
  const isRare = isRareDurability(filter);
  const bytes = 'i.blob_id IS NOT NULL';
  // For an estimate: nearly all images with bytes are durable.
  if (use === 'estimate' && durability.includes('DURABLE')) return [bytes];
  const isFound = () => `i.blob_id IN (${unhealthyBlobs(durability, () => value(stores.names[0] ?? ''))})`;
  if (use === 'estimate' && isRare) return [isFound()];
  const is = `${durabilityIn(value(stores.names))} = ANY(${value(durability)}::text[])`;
  return isRare && use === 'find' ? [isFound(), is] : [bytes, is];
}

function unhealthyBlobs(durability: readonly Durability[], first: () => string): string {
  const states = durability.map((each) => {
    if (each === 'LOST') return UNHEALTHY.LOST(first());
    return each === 'AT_RISK' ? UNHEALTHY.AT_RISK : UNHEALTHY.DEGRADED;
  });
  return `SELECT c.blob_id FROM copies c WHERE c.state <> 'STORED' AND (${states.join(' OR ')})`;
}

/**
 * Copies on record that have been counted: all blobs up to an id have them. A new blob gets all of its copies
 * on record at once, and only a blob that is removed loses them.
 */
interface Counted {
  upTo: number;
  /** The count that is in progress; null: none. Requests that come meanwhile share it. */
  counting: Promise<boolean> | null;
  /** Milliseconds of the process until when some are taken to be missing, without counting again. */
  missingUntil: number;
}

const counted = new WeakMap<object, Map<string, Counted>>();
const MISSING_MILLISECONDS = 10_000;
/** Least pause, in durations of the last count: while a store is filled, each count reads all rows. */
const MISSING_FACTOR = 20;

/** Adds the configured stores to a filter by durability. */
export async function withStores<Filter extends DurabilityFilter>(
  { database, stores }: { database: Queryable; stores: readonly { readonly name: string }[] },
  filter: Filter,
): Promise<Filter> {
  return filter.durability?.length ? { ...filter, stores: await findStores({ database, stores }) } : filter;
}

export async function findStores({
  database,
  stores,
}: {
  database: Queryable;
  stores: readonly { readonly name: string }[];
}): Promise<JudgingStores> {
  const names = stores.map(({ name }) => name);
  return { names, allOnRecord: await areAllOnRecord(database, names) };
}

/** Blobs that are being removed lose their copies one by one, and no image shows them. */
const COUNT = `SELECT
    (SELECT count(*) FROM copies c WHERE c.blob_id > $1 AND c.store = ANY($2::text[]))
      - (SELECT count(*) FROM blobs b JOIN copies c ON c.blob_id = b.id
         WHERE b.condemned_at IS NOT NULL AND b.id > $1 AND c.store = ANY($2::text[]))
    = cardinality($2::text[]) * (
      (SELECT count(*) FROM blobs b WHERE b.id > $1)
      - (SELECT count(*) FROM blobs b WHERE b.id > $1 AND b.condemned_at IS NOT NULL)) AS "all",
    (SELECT b.id FROM blobs b WHERE b.id > $1 AND b.created_at < now() - interval '1 hour'
     ORDER BY b.id DESC LIMIT 1) AS "upTo"`;

/**
 * Counts the copies on record of blobs that were not counted before. Blobs of the last hour are counted each
 * time: a transaction may commit after a later one was counted.
 */
async function areAllOnRecord(database: Queryable, names: readonly string[]): Promise<boolean> {
  const ofDatabase = counted.get(database) ?? new Map<string, Counted>();
  counted.set(database, ofDatabase);
  const key = names.join();
  const known: Counted = ofDatabase.get(key) ?? { upTo: 0, counting: null, missingUntil: 0 };
  ofDatabase.set(key, known);
  if (performance.now() < known.missingUntil) return false;
  known.counting ??= countOnRecord(database, names, known).finally(() => {
    known.counting = null;
  });
  return known.counting;
}

async function countOnRecord(
  database: Queryable,
  names: readonly string[],
  known: Counted,
): Promise<boolean> {
  const begun = performance.now();
  const [row] = await database.query<{ all: boolean; upTo: number | null }>(COUNT, [known.upTo, names]);
  const now = performance.now();
  if (!row?.all) known.missingUntil = now + Math.max(MISSING_MILLISECONDS, MISSING_FACTOR * (now - begun));
  else known.upTo = Math.max(known.upTo, row.upTo ?? 0);
  return row?.all ?? false;
}
