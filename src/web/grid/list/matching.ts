import type { ImageFilter, ImageOrder, TileFragment } from '../../generated/graphql.ts';
import type { GalleryFilter, Order } from '../../state/filter.ts';

const upper = <Name extends string>(name: Name) => name.toUpperCase() as Uppercase<Name>;

/** Returns the first moment of a day in UTC, or of the day after it. */
const startOf = (day: string, days = 0) =>
  new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString();

/** Returns the filter of the API for a filter of the gallery. */
export function toImageFilter(filter: GalleryFilter): ImageFilter {
  const { words, user, tool, model, provider, tags, status, durability, visibility, trash } = filter;
  const { from, to, sha256, request, store, copyState } = filter;
  return {
    ...(words && { search: words }),
    ...(user && { userId: user }),
    ...(tool && { tool }),
    ...(model && { model }),
    ...(provider && { provider }),
    ...(tags && { tags: [...tags] }),
    ...(status && { status: status.map(upper) }),
    ...(durability && { durability: durability.map(upper) }),
    ...(visibility && { visibility: upper(visibility) }),
    ...(trash && { trash: upper(trash) }),
    ...(from && { createdAfter: startOf(from) }),
    ...(to && { createdBefore: startOf(to, 1) }),
    ...(sha256 && { sha256 }),
    ...(request && { requestId: request }),
    ...((store || copyState) && {
      copies: { ...(store && { store }), ...(copyState && { state: upper(copyState) }) },
    }),
  };
}

const ORDER_BY: Readonly<Record<Order, ImageOrder>> = {
  newest: { field: 'CREATED_AT', direction: 'DESC' },
  oldest: { field: 'CREATED_AT', direction: 'ASC' },
  largest: { field: 'BYTES', direction: 'DESC' },
  smallest: { field: 'BYTES', direction: 'ASC' },
};

export const toOrderBy = ({ order = 'newest' }: GalleryFilter): ImageOrder => ORDER_BY[order];

/**
 * Returns the filter whose list begins at a day: for the newest first, the last moment of the day; for the
 * oldest first, the first one.
 */
export function filterFrom(
  day: string,
  { order = 'newest' }: GalleryFilter,
  filter: ImageFilter,
): ImageFilter {
  if (order === 'oldest') {
    const start = startOf(day);
    const after = filter.createdAfter;
    return { ...filter, createdAfter: after && after > start ? after : start };
  }
  const end = startOf(day, 1);
  const before = filter.createdBefore;
  return { ...filter, createdBefore: before && before < end ? before : end };
}

/**
 * Returns whether a filter finds an image, as far as its fields tell: of the words only whether the prompt
 * contains them, of the copies nothing.
 */
export function matches(filter: GalleryFilter, image: TileFragment): boolean {
  const { user, tool, model, provider, tags, status, durability, visibility, trash } = filter;
  const day = image.createdAt.slice(0, 10);
  const isEqual = <Value>(wanted: Value | undefined, value: Value | null) =>
    wanted === undefined || wanted === value;
  return (
    trashOf(trash).includes(image.deletedAt === null ? 'kept' : 'deleted') &&
    isEqual(user, image.userId) &&
    isEqual(tool, image.tool) &&
    isEqual(model, image.model) &&
    isEqual(provider, image.provider) &&
    isEqual(filter.sha256, image.sha256) &&
    isEqual(filter.request, image.requestId) &&
    isEqual(visibility && upper(visibility), image.visibility) &&
    (tags ?? []).every((tag) => image.tags.includes(tag)) &&
    (status?.map(upper).includes(image.status) ?? true) &&
    (durability?.some((each) => upper(each) === image.durability) ?? true) &&
    (filter.from === undefined || day >= filter.from) &&
    (filter.to === undefined || day <= filter.to) &&
    containsWords(image.prompt, filter.words)
  );
}

function trashOf(trash: GalleryFilter['trash']): readonly ('kept' | 'deleted')[] {
  if (trash === 'include') return ['kept', 'deleted'];
  return trash === 'only' ? ['deleted'] : ['kept'];
}

function containsWords(prompt: string, words = ''): boolean {
  if (/\bor\b|-/i.test(words)) return true;
  const wanted = words.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const text = prompt.toLowerCase();
  // The search finds other forms of a word too: `foxes` for `fox`.
  return wanted.every((word) => text.includes(word.slice(0, Math.max(3, word.length - 2))));
}
