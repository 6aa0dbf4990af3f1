/**
 * Relations between images. Parts (the panels of a comic, the original of an avatar) are deleted and purged
 * with their whole. An image that was edited from another, its parent, stays when the parent is purged.
 */
import type { Queryable } from '../../database/database.ts';
import { InputError } from '../../errors.ts';
import { IMAGE_COLUMNS, type Image, type ImageRow, imageOf, OF_USER } from '../image.ts';

/** Most parts to return of one image. */
export const MAX_PARTS = 100;
export const MAX_EDITS = 100;
export const DEFAULT_EDITS = 20;

/** Selects an image ($1), its parts, and their parts. UNION ends the recursion when rows form a circle. */
export const TREE = `WITH RECURSIVE tree(id) AS (
    SELECT $1::bigint UNION SELECT p.id FROM generated_images p JOIN tree ON p.part_of = tree.id
  )`;

/** Selects some images ($1), their parts, and their parts, each with the image that it belongs to. */
export const TREES = `WITH RECURSIVE tree(root, id) AS (
    SELECT id, id FROM unnest($1::bigint[]) AS given(id)
    UNION SELECT tree.root, p.id FROM generated_images p JOIN tree ON p.part_of = tree.id
  )`;

const LOCK_TREES = `${TREES} SELECT 1 FROM generated_images i WHERE i.id IN (SELECT id FROM tree) ORDER BY i.id FOR UPDATE`;

/**
 * Locks some images and their parts, by id. Waits for other changes of them, and for a part that is being
 * recorded (generation/finish.ts).
 */
export async function lockTrees(transaction: Queryable, ids: readonly number[]): Promise<void> {
  await transaction.query(LOCK_TREES, [ids]);
}

const PINNED_ROOTS = `WITH RECURSIVE tree(root, id, pinned) AS (
    SELECT id, id, pinned FROM generated_images WHERE id = ANY($1::bigint[])
    UNION SELECT tree.root, p.id, p.pinned FROM generated_images p JOIN tree ON p.part_of = tree.id
    WHERE p.deleted_at IS NULL
  ) SELECT DISTINCT root AS id FROM tree WHERE pinned`;

/** Returns those of the images that are pinned or have a pinned part, out of the trash. */
export async function findPinned(db: Queryable, ids: readonly number[]): Promise<Set<number>> {
  const rows = await db.query<{ id: number }>(PINNED_ROOTS, [ids]);
  return new Set(rows.map(({ id }) => id));
}

const ALL_PARTS = `${TREE} SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.id IN (SELECT id FROM tree) AND i.id <> $1
  ORDER BY i.id DESC`;

/**
 * Returns all parts of an image and their parts, also those in the trash. A part comes before its whole,
 * because it has the higher id.
 */
export async function findAllParts(db: Queryable, image: Pick<Image, 'id'>): Promise<Image[]> {
  const rows = await db.query<ImageRow>(ALL_PARTS, [Number(image.id)]);
  return rows.map(imageOf);
}

const PARTS = `SELECT p.* FROM unnest($1::bigint[]) AS w(id), LATERAL (
    SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.part_of = w.id AND ${OF_USER} ORDER BY i.part LIMIT ${MAX_PARTS}
  ) p`;

/** Sorts `panel-2` before `panel-10`. */
const byName = new Intl.Collator('en', { numeric: true });

/** @returns for each id the parts of that image by name, also those in the trash, at most MAX_PARTS. */
export async function findParts(
  db: Queryable,
  ids: readonly number[],
  visibleTo: string | null,
): Promise<Image[][]> {
  const rows = await db.query<ImageRow>(PARTS, [ids, visibleTo]);
  const byWhole = Map.groupBy(rows, ({ partOf }) => partOf);
  return ids.map((id) =>
    (byWhole.get(id) ?? []).map(imageOf).sort((a, b) => byName.compare(a.part ?? '', b.part ?? '')),
  );
}

/** Request for the newest edits of an image. */
export interface EditsKey {
  readonly id: number;
  /** Most edits to return. */
  readonly first: number;
}

/** Returns how many edits to list. @throws InputError INVALID_INPUT */
export function parseEditsCount(first: number): number {
  if (first >= 0 && first <= MAX_EDITS) return first;
  throw new InputError('INVALID_INPUT', `first is ${first}; it must be from 0 to ${MAX_EDITS}.`, {
    path: ['first'],
  });
}

const EDITS = `SELECT e.* FROM unnest($1::bigint[], $3::int[]) AS p(id, first), LATERAL (
    SELECT p.first, ${IMAGE_COLUMNS} FROM generated_images i
    WHERE i.parent_id = p.id AND i.deleted_at IS NULL AND ${OF_USER} ORDER BY i.id DESC LIMIT p.first
  ) e`;

/**
 * @returns for each key the images that were edited from that one, newest first, without those in the trash.
 */
export async function findEdits(
  db: Queryable,
  keys: readonly EditsKey[],
  visibleTo: string | null,
): Promise<Image[][]> {
  const rows = await db.query<ImageRow & { first: number }>(EDITS, [
    keys.map(({ id }) => id),
    visibleTo,
    keys.map(({ first }) => first),
  ]);
  const byKey = Map.groupBy(rows, (row) => `${row.parentId}:${row.first}`);
  return keys.map(({ id, first }) =>
    (byKey.get(`${id}:${first}`) ?? []).map(({ first: _, ...row }) => imageOf(row)),
  );
}

const BY_ID = `SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.id = ANY($1::bigint[]) AND ${OF_USER}`;

/** @returns an image or null for each id, in their order. */
export async function findByIds(
  db: Queryable,
  ids: readonly number[],
  visibleTo: string | null,
): Promise<(Image | null)[]> {
  const rows = await db.query<ImageRow>(BY_ID, [ids, visibleTo]);
  const images = new Map(rows.map((row) => [row.id, imageOf(row)]));
  return ids.map((id) => images.get(id) ?? null);
}
