import { DAMAGED, type GalleryFilter } from '../state/filter.ts';
import { gallery as text } from '../text/gallery.ts';

/** A condition that can be removed. */
export interface Chip {
  readonly key: string;
  readonly label: string;
  /** The filter without it. */
  readonly without: GalleryFilter;
}

type Key = Exclude<keyof GalleryFilter, 'order'>;

/** Returns a filter without one of its conditions. */
export function omit(filter: GalleryFilter, key: keyof GalleryFilter): GalleryFilter {
  const { [key]: _, ...rest } = filter;
  return rest;
}

/** Returns a filter with a condition; without it when the value is undefined, empty or an empty list. */
export function withPart<Part extends keyof GalleryFilter>(
  filter: GalleryFilter,
  key: Part,
  value: GalleryFilter[Part] | undefined,
): GalleryFilter {
  const isEmpty = value === undefined || value.length === 0;
  return isEmpty ? omit(filter, key) : { ...filter, [key]: value };
}

/** Adds a value to a list of a filter, or removes it. */
export const toggled = <Value>(values: readonly Value[] = [], value: Value): Value[] =>
  values.includes(value) ? values.filter((each) => each !== value) : [...values, value];

/** Texts of conditions that have one of a few values. */
const NAMES: Readonly<Partial<Record<Key, Readonly<Record<string, string>>>>> = {
  status: text.statuses,
  durability: text.durabilities,
  visibility: text.visibilities,
  trash: text.trashes,
  copyState: text.copyStates,
};

/** Returns the conditions of a filter, each value of a list by itself. */
export function chipsOf(filter: GalleryFilter): Chip[] {
  return (Object.keys(text.parts) as Key[]).flatMap((key) => {
    const value = filter[key];
    if (value === undefined) return [];
    if (key === 'durability' && filter.durability?.join() === DAMAGED.join())
      return [{ key, label: text.damaged, without: omit(filter, key) }];
    if (typeof value === 'string') return [{ key, label: labelOf(key, value), without: omit(filter, key) }];
    return value.map((each) => ({
      key: `${key} ${each}`,
      label: labelOf(key, each),
      without: withPart(filter, key, toggled<string>(value, each) as never),
    }));
  });
}

function labelOf(key: Key, value: string): string {
  const name = NAMES[key]?.[value];
  if (name && key !== 'copyState') return name;
  if (key === 'tags') return `#${value}`;
  const short = key === 'sha256' ? `${value.slice(0, 8)}…` : value;
  return `${text.parts[key]}: ${name ?? short}`;
}

/** Number of conditions, for the button of the filters. */
export const countOf = (filter: GalleryFilter) => chipsOf(filter).length;
