import type { GalleryFilter } from '../state/filter.ts';

/** Ranges of days that the overview can show. */
export const RANGES = ['7d', '30d', '90d', '1y', 'all'] as const;
export type Range = (typeof RANGES)[number];

/** The choices of the overview, as its address has them. */
export interface Selection {
  readonly range: Range;
  readonly tool?: string;
  readonly user?: string;
}

const DEFAULT_RANGE: Range = '30d';

const DAYS: Readonly<Record<Exclude<Range, 'all'>, number>> = { '7d': 7, '30d': 30, '90d': 90, '1y': 365 };
const DAY_MS = 86_400_000;

/** Parses the query of the address of the overview. Ignores what it does not know. */
export function parseSelection(query: string): Selection {
  const search = new URLSearchParams(query);
  const tool = search.get('tool')?.trim();
  const user = search.get('user')?.trim();
  return {
    range: RANGES.find((range) => range === search.get('range')) ?? DEFAULT_RANGE,
    ...(tool ? { tool } : {}),
    ...(user ? { user } : {}),
  };
}

/** Returns the path of the overview with a selection. */
export function overviewPath({ range, tool, user }: Selection): string {
  const search = new URLSearchParams();
  if (range !== DEFAULT_RANGE) search.set('range', range);
  if (tool) search.set('tool', tool);
  if (user) search.set('user', user);
  const query = search.toString();
  return query === '' ? '/overview' : `/overview?${query}`;
}

/** Returns the day of a time, `YYYY-MM-DD` in UTC. */
export const dayOf = (time: Date): string => time.toISOString().slice(0, 10);

/** Returns a day some days before another. */
export const daysBefore = (day: string, days: number): string =>
  dayOf(new Date(Date.parse(`${day}T00:00:00Z`) - days * DAY_MS));

/** Returns the first day of a range that ends today; undefined: it has none. */
export const firstDayOf = (range: Range, today: string): string | undefined =>
  range === 'all' ? undefined : daysBefore(today, DAYS[range] - 1);

/** Returns the conditions of the selection for the API. */
export function imageFilterOf({ range, tool, user }: Selection, today: string) {
  const from = firstDayOf(range, today);
  return {
    ...(from ? { createdAfter: `${from}T00:00:00.000Z` } : {}),
    ...(tool ? { tool } : {}),
    ...(user ? { userId: user } : {}),
  };
}

/** Returns the filter of the gallery that shows the images of the selection. */
export function galleryFilterOf({ range, tool, user }: Selection, today: string): GalleryFilter {
  const from = firstDayOf(range, today);
  return { ...(from ? { from } : {}), ...(tool ? { tool } : {}), ...(user ? { user } : {}) };
}
