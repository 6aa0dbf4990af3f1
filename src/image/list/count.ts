import type { Queryable } from '../../database/database.ts';
import { areIndexed, Conditions, type ImageFilter } from './conditions.ts';
import { isRareDurability } from './durability.ts';
import { estimateImages } from './estimate.ts';

export interface ImageCount {
  readonly count: number;
  /** false: `count` is an estimate. */
  readonly exact: boolean;
}

/** Cost of one row of the table, in entries of an index. */
const ROW_COST = 10;

/**
 * Counts the images that match a filter, up to a limit. Beyond it, estimates the count from PostgreSQL's
 * statistics. So the cost depends on the limit and not on the number of images. An estimate is never less
 * than what was counted.
 * @param limit entries to count when one index answers the filter (all, a user, a time, a tag); a tenth of it
 *   otherwise. Conditions that no index answers (`copies`, `durability: DURABLE`, `status: SUCCESS`) are
 *   checked for each counted image, so the result may be an estimate below the limit.
 */
export async function countImages(db: Queryable, filter: ImageFilter, limit: number): Promise<ImageCount> {
  const parts = divide(filter);
  const most = parts.isPlain && parts.checked === null ? limit : Math.ceil(limit / ROW_COST);
  const { looked, found } = await countUpTo(db, filter, parts, most + 1);
  if (looked <= most) return { count: found, exact: true };
  return { count: Math.max(await estimateImages(db, filter), found), exact: false };
}

/** Counts the images that the index finds, up to `limit`, and those of them that match. */
async function countUpTo(
  db: Queryable,
  filter: ImageFilter,
  { indexed, checked, isPlain }: FilterParts,
  limit: number,
): Promise<{ looked: number; found: number }> {
  const values: unknown[] = [];
  const [tag, another] = indexed.tags ?? [];
  const isTag =
    isPlain && checked === null && tag !== undefined && another === undefined && areIndexed(filter, [tag]);
  let from: string;
  if (isTag) {
    const { tags: _tags, ...rest } = indexed;
    // image_tags has exactly the images that lists show.
    const conditions = new Conditions({ ...rest, trash: 'include', parts: true }, values);
    conditions.add(`i.tag = ${conditions.value(tag)}`);
    from = `image_tags i${conditions.where()}`;
  } else {
    from = `generated_images i${new Conditions(indexed, values, isPlain ? 'once' : 'index').where()}`;
  }
  const found = checked && new Conditions(checked, values).all();
  const [row] = await db.query<{ looked: number; found: number }>(
    found
      ? `SELECT count(*) AS looked, count(*) FILTER (WHERE found) AS found FROM (SELECT (${found}) AS found FROM ${from} LIMIT ${limit}) few`
      : `SELECT count(*) AS looked, count(*) AS found FROM (SELECT FROM ${from} LIMIT ${limit}) few`,
    values,
    { planned: !isPlain && !isTag },
  );
  return row ?? { looked: 0, found: 0 };
}

interface FilterParts {
  /** Part of the filter that an index answers. */
  readonly indexed: ImageFilter;
  /** Part of the filter to check for each image; null: none. */
  readonly checked: ImageFilter | null;
  /** Whether one index answers its part alone: a user, a time, a tag. */
  readonly isPlain: boolean;
}

/** Divides a filter into what an index answers and what must be checked for each image. */
function divide(filter: ImageFilter): FilterParts {
  const { copies, durability, stores, status, visibility, ...rest } = filter;
  const isRare = isRareDurability(filter);
  const rare = {
    copies: copies?.state != null && copies.state !== 'STORED' ? copies : null,
    status: status?.length && !status.includes('success') ? status : null,
    visibility: visibility === 'private' ? visibility : null,
    ...(isRare && { durability, stores }),
  };
  const checked = {
    copies: rare.copies ? null : copies,
    status: rare.status ? null : status,
    visibility: rare.visibility ? null : visibility,
    ...(!isRare && { durability, stores }),
  };
  const isChecked =
    checked.copies != null ||
    checked.visibility != null ||
    [checked.status, checked.durability].some((values) => values?.length);
  const { userId: _user, createdAfter: _after, createdBefore: _before, tags, trash, parts, ...others } = rest;
  const isShown = (trash ?? 'exclude') === 'exclude' && !parts;
  const isPlain =
    isShown &&
    (tags?.length ?? 0) <= 1 &&
    [...Object.values(others), ...Object.values(rare)].every((value) => value == null || value === '');
  return {
    indexed: { ...rest, ...rare },
    checked: isChecked ? { ...checked, trash: 'include', parts: true } : null,
    isPlain,
  };
}
