import type { Queryable } from '../../database/database.ts';
import { areIndexed, Conditions, type ImageFilter } from './conditions.ts';
import { estimateImages } from './estimate.ts';

export interface ImageCount {
  readonly count: number;
  /** Whether `count` was counted to the end; where not, it is an estimate. */
  readonly exact: boolean;
}

/** What is looked at in the table costs so many times what is counted in an index. */
const ROW_COST = 10;

/**
 * Counts the images of a filter up to a limit: at most one more than so many of those that an index finds are looked at. What lies beyond is
 * estimated from PostgreSQL's statistics, which ANALYZE keeps. So a count costs no more on ten million images than the limit does.
 * @param limit of images that are looked at where an index holds all that is counted (all, a user, a time, a tag); a tenth of it elsewhere. What no index finds (`copies`, `status: SUCCESS`) is asked of each that is looked at, and may be
 * an estimate although fewer are meant. An estimate is never less than what was counted.
 */
export async function countImages(db: Queryable, filter: ImageFilter, limit: number): Promise<ImageCount> {
  const parts = divide(filter);
  const most = parts.isPlain && parts.asked === null ? limit : Math.ceil(limit / ROW_COST);
  const { looked, found } = await lookUpTo(db, filter, parts, most + 1);
  if (looked <= most) return { count: found, exact: true };
  return { count: Math.max(await estimateImages(db, filter), found), exact: false };
}

async function lookUpTo(
  db: Queryable,
  filter: ImageFilter,
  { sought, asked, isPlain }: Parts,
  limit: number,
): Promise<{ looked: number; found: number }> {
  const values: unknown[] = [];
  const [tag, another] = sought.tags ?? [];
  const isTag =
    isPlain && asked === null && tag !== undefined && another === undefined && areIndexed(filter, [tag]);
  let from: string;
  if (isTag) {
    const { tags: _tags, ...rest } = sought;
    // What lists show is what image_tags has.
    const conditions = new Conditions({ ...rest, trash: 'include', parts: true }, values);
    conditions.add(`i.tag = ${conditions.value(tag)}`);
    from = `image_tags i${conditions.where()}`;
  } else {
    from = `generated_images i${new Conditions(sought, values, isPlain ? 'once' : 'index').where()}`;
  }
  const found = asked && new Conditions(asked, values).all();
  const [row] = await db.query<{ looked: number; found: number }>(
    found
      ? `SELECT count(*) AS looked, count(*) FILTER (WHERE found) AS found FROM (SELECT (${found}) AS found FROM ${from} LIMIT ${limit}) few`
      : `SELECT count(*) AS looked, count(*) AS found FROM (SELECT FROM ${from} LIMIT ${limit}) few`,
    values,
    { planned: !isPlain && !isTag },
  );
  return row ?? { looked: 0, found: 0 };
}

interface Parts {
  /** What an index finds. */
  readonly sought: ImageFilter;
  /** What each of those is asked. */
  readonly asked: ImageFilter | null;
  /** Whether one index holds all that is sought: a user, a time, a tag. */
  readonly isPlain: boolean;
}

function divide(filter: ImageFilter): Parts {
  const { copies, status, visibility, ...rest } = filter;
  const rare = {
    copies: copies?.state != null && copies.state !== 'STORED' ? copies : null,
    status: status?.length && !status.includes('success') ? status : null,
    visibility: visibility === 'private' ? visibility : null,
  };
  const asked = {
    copies: rare.copies ? null : copies,
    status: rare.status ? null : status,
    visibility: rare.visibility ? null : visibility,
  };
  const isAsked = asked.copies != null || asked.visibility != null || (asked.status?.length ?? 0) > 0;
  const { userId: _user, createdAfter: _after, createdBefore: _before, tags, trash, parts, ...others } = rest;
  const isShown = (trash ?? 'exclude') === 'exclude' && !parts;
  const isPlain =
    isShown &&
    (tags?.length ?? 0) <= 1 &&
    [...Object.values(others), ...Object.values(rare)].every((value) => value == null || value === '');
  return {
    sought: { ...rest, ...rare },
    asked: isAsked ? { ...asked, trash: 'include', parts: true } : null,
    isPlain,
  };
}
