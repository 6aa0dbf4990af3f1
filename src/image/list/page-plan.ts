/**
 * How a filter can be answered: which part an index in list order answers, and whether another index finds
 * the rest.
 */
import type { Queryable } from '../../database/database.ts';
import { areIndexed, type ImageFilter } from './conditions.ts';
import { isRareDurability } from './durability.ts';
import type { ListOrder, Scan } from './page-query.ts';

/** Fields that rarely match more than one image. */
const POINT_FIELDS = ['requestId', 'messageId', 'sha256', 'storageUrl'] as const;

export const hasPointField = (filter: ImageFilter) => POINT_FIELDS.some((field) => filter[field] != null);

/** Divides a filter into the part that the scanned index answers, and the part to check for each image. */
export function planScan(filter: ImageFilter, order: ListOrder, tag: string | null): Scan {
  const { userId, createdAfter, createdBefore, trash, parts, ...rest } = filter;
  const ofTime = { userId, createdAfter, createdBefore };
  const any = { trash: 'include', parts: true } as const;
  if (tag !== null) {
    // image_tags has exactly the images that lists show.
    const tags = filter.tags?.length === 1 ? null : filter.tags;
    return { indexed: { ...ofTime, ...any }, checked: { ...rest, ...any, tags }, tag };
  }
  const shown = { trash: trash === 'only' ? 'include' : trash, parts } as const;
  const inTrash = { trash: trash === 'only' ? 'only' : 'include', parts: true } as const;
  return order.ofTags
    ? { indexed: { ...ofTime, ...shown }, checked: { ...rest, ...inTrash }, tag }
    : { indexed: shown, checked: { ...rest, ...ofTime, ...inTrash }, tag };
}

/** Returns whether an index finds what is checked for each image, or a part of it. */
export function isFoundByIndex(checked: ImageFilter): boolean {
  const { userId, tool, tags, anyTag, status, model, provider, origin, search, filename, metadata, copies } =
    checked;
  return (
    [userId, tool, model, provider, origin, checked.createdAfter, checked.createdBefore, metadata].some(
      (value) => value != null,
    ) ||
    [tags, anyTag, search?.trim(), filename?.trim()].some((value) => value?.length) ||
    (status != null && status.length > 0 && !status.includes('success')) ||
    (copies?.state != null && copies.state !== 'STORED') ||
    isRareDurability(checked) ||
    checked.visibility === 'private' ||
    checked.trash === 'only'
  );
}

/** Returns whether anything is checked for each image. */
export function isChecking({ trash: _trash, parts: _parts, ...checked }: ImageFilter): boolean {
  return Object.values(checked).some((value) => value != null && value !== '' && !isEmpty(value));
}

const isEmpty = (value: unknown) => Array.isArray(value) && value.length === 0;

/**
 * Chooses the tag whose images to scan: the rarest of several.
 * @param most entries of each tag to count.
 */
export async function chooseTag(db: Queryable, filter: ImageFilter, most: number): Promise<string | null> {
  const tags = filter.tags ?? [];
  const [first] = tags;
  if (first === undefined || !areIndexed(filter, tags)) return null;
  if (tags.length === 1) return first;
  const ofUser = filter.userId == null ? '' : 'AND t.user_id = $2';
  const [rarest] = await db.query<{ tag: string }>(
    `SELECT wanted.tag FROM unnest($1::text[]) WITH ORDINALITY AS wanted(tag, place), LATERAL (
       SELECT count(*) AS images FROM (
         SELECT FROM image_tags t WHERE t.tag = wanted.tag ${ofUser} LIMIT ${most}
       ) few
     ) counted ORDER BY images, place LIMIT 1`,
    filter.userId == null ? [tags] : [tags, filter.userId],
  );
  return rarest?.tag ?? first;
}
