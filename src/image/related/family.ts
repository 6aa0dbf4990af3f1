/**
 * How images belong together: an image may have parts (a comic its panels, an avatar its original), which live and go with it; and it may
 * have been edited from another, its parent, which it outlives.
 */
import type { Queryable } from '../../database/database.ts';
import { InputError } from '../../errors.ts';
import { IMAGE_COLUMNS, type Image, type ImageRow, imageOf, OF_USER } from '../image.ts';

/** Of one image no more are answered. */
export const MAX_PARTS = 100;
export const MAX_EDITS = 100;
export const DEFAULT_EDITS = 20;

/** An image ($1), its parts, and theirs. UNION ends it where rows go round in a circle. */
export const TREE = `WITH RECURSIVE tree(id) AS (
    SELECT $1::bigint UNION SELECT p.id FROM generated_images p JOIN tree ON p.part_of = tree.id
  )`;

const LOCK_TREE = `${TREE} SELECT 1 FROM generated_images i WHERE i.id IN (SELECT id FROM tree) ORDER BY i.id FOR UPDATE`;

/** Whoever changes an image with its parts waits here for others who do, and for a part that is being recorded (generation/finish.ts). */
export async function lockTree(transaction: Queryable, image: Pick<Image, 'id'>): Promise<void> {
  await transaction.query(LOCK_TREE, [Number(image.id)]);
}

const ALL_PARTS = `${TREE} SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.id IN (SELECT id FROM tree) AND i.id <> $1
  ORDER BY i.id DESC`;

/** All parts of an image, in the trash or not, and the parts of parts, before what they are parts of: a part is made after its whole. */
export async function findAllParts(db: Queryable, image: Pick<Image, 'id'>): Promise<Image[]> {
  const rows = await db.query<ImageRow>(ALL_PARTS, [Number(image.id)]);
  return rows.map(imageOf);
}

const PARTS = `SELECT p.* FROM unnest($1::bigint[]) AS w(id), LATERAL (
    SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.part_of = w.id AND ${OF_USER} ORDER BY i.part LIMIT ${MAX_PARTS}
  ) p`;

/** `panel-2` comes before `panel-10`. */
const byName = new Intl.Collator('en', { numeric: true });

/** @returns for each id the parts of that image, by name, at most MAX_PARTS; those in the trash too. */
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

/** Which edits are asked for: the newest so many of one image. */
export interface EditsKey {
  readonly id: number;
  readonly first: number;
}

/** @throws InputError INVALID_INPUT */
export function parseEditsCount(first: number): number {
  if (first >= 0 && first <= MAX_EDITS) return first;
  throw new InputError('INVALID_INPUT', `first is ${first}; it goes from 0 to ${MAX_EDITS}.`, {
    path: ['first'],
  });
}

const EDITS = `SELECT e.* FROM unnest($1::bigint[], $3::int[]) AS p(id, first), LATERAL (
    SELECT p.first, ${IMAGE_COLUMNS} FROM generated_images i
    WHERE i.parent_id = p.id AND i.deleted_at IS NULL AND ${OF_USER} ORDER BY i.id DESC LIMIT p.first
  ) e`;

/** @returns for each key the images that were edited from that one, newest first; none of those in the trash. */
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

/** @returns one image or null for each id, in their order. */
export async function findByIds(
  db: Queryable,
  ids: readonly number[],
  visibleTo: string | null,
): Promise<(Image | null)[]> {
  const rows = await db.query<ImageRow>(BY_ID, [ids, visibleTo]);
  const images = new Map(rows.map((row) => [row.id, imageOf(row)]));
  return ids.map((id) => images.get(id) ?? null);
}
