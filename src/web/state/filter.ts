/** Conditions of the gallery in the address: `/?tool=avatar&status=failed&from=2026-11-01`. */

export const STATUSES = ['pending', 'processing', 'success', 'failed'] as const;
export const DURABILITIES = ['durable', 'degraded', 'at_risk', 'lost'] as const;
export const COPY_STATES = ['pending', 'stored', 'missing', 'corrupt', 'too_large'] as const;
export const ORDERS = ['newest', 'oldest', 'largest', 'smallest'] as const;

export type Status = (typeof STATUSES)[number];
export type DurabilityName = (typeof DURABILITIES)[number];
export type Order = (typeof ORDERS)[number];

/** Durabilities of images with at least one bad copy: `durability=damaged` in the address. */
export const DAMAGED: readonly DurabilityName[] = ['degraded', 'at_risk', 'lost'];

/** Conditions of the gallery; an image must match all that are present. */
export interface GalleryFilter {
  /** Words to find in the prompt. */
  readonly words?: string;
  readonly user?: string;
  readonly tool?: string;
  readonly model?: string;
  readonly provider?: string;
  /** Tags, all of which the image must have. */
  readonly tags?: readonly string[];
  readonly status?: readonly Status[];
  readonly durability?: readonly DurabilityName[];
  readonly visibility?: 'public' | 'private';
  readonly trash?: 'include' | 'only';
  /** First day, `YYYY-MM-DD` in UTC. */
  readonly from?: string;
  /** Last day, `YYYY-MM-DD` in UTC. */
  readonly to?: string;
  readonly sha256?: string;
  /** The client's ID of the request (`Image.requestId`). */
  readonly request?: string;
  /** Name of a store: only images with a copy there, in the state `copyState` if that is given. */
  readonly store?: string;
  readonly copyState?: (typeof COPY_STATES)[number];
  /** Default: newest. */
  readonly order?: Order;
}

const TEXTS = ['user', 'tool', 'model', 'provider', 'request', 'store'] as const;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** Parses the query of an address. Ignores what it does not know. */
export function parseFilter(query: string): GalleryFilter {
  const search = new URLSearchParams(query);
  const oneOf = <Name extends string>(key: string, names: readonly Name[]) =>
    names.find((name) => name === search.get(key));
  const textOf = (key: string) => search.get(key)?.trim() || undefined;
  const dayOf = (key: string) => (isDay(search.get(key)) ? (search.get(key) as string) : undefined);
  const sha256 = search.get('sha256')?.toLowerCase();
  return compact({
    words: textOf('q'),
    ...Object.fromEntries(TEXTS.map((key) => [key, textOf(key)])),
    tags: unique(search.getAll('tag').filter((tag) => tag !== '')),
    status: listed(search, 'status', STATUSES),
    durability: search.getAll('durability').includes('damaged')
      ? DAMAGED
      : listed(search, 'durability', DURABILITIES),
    visibility: oneOf('visibility', ['public', 'private'] as const),
    trash: oneOf('trash', ['include', 'only'] as const),
    from: dayOf('from'),
    to: dayOf('to'),
    sha256: sha256 && /^[0-9a-f]{64}$/.test(sha256) ? sha256 : undefined,
    copyState: oneOf('copyState', COPY_STATES),
    order: oneOf('order', ORDERS.slice(1)),
  });
}

/** Formats a filter as the query of an address, without `?`; the same filter always gives the same text. */
export function formatFilter(filter: GalleryFilter): string {
  const search = new URLSearchParams();
  const put = (key: string, value: string | undefined) => value && search.append(key, value);
  put('q', filter.words);
  for (const key of TEXTS) put(key, filter[key]);
  for (const tag of filter.tags ?? []) put('tag', tag);
  for (const status of sorted(STATUSES, filter.status)) put('status', status);
  const durability = sorted(DURABILITIES, filter.durability);
  if (durability.join() === DAMAGED.join()) put('durability', 'damaged');
  else for (const each of durability) put('durability', each);
  put('visibility', filter.visibility);
  put('trash', filter.trash);
  put('from', filter.from);
  put('to', filter.to);
  put('sha256', filter.sha256);
  put('copyState', filter.copyState);
  if (filter.order !== 'newest') put('order', filter.order);
  return search.toString();
}

/** Returns the path of the gallery with a filter, for links from other pages. */
export function galleryPath(filter: GalleryFilter): string {
  const query = formatFilter(filter);
  return query === '' ? '/' : `/?${query}`;
}

function isDay(value: string | null): boolean {
  return value !== null && DAY.test(value) && new Date(`${value}T00:00:00Z`).toJSON()?.slice(0, 10) === value;
}

const unique = (values: readonly string[]) => [...new Set(values)];

const sorted = <Name extends string>(names: readonly Name[], chosen: readonly Name[] = []) =>
  names.filter((name) => chosen.includes(name));

const listed = <Name extends string>(search: URLSearchParams, key: string, names: readonly Name[]) =>
  names.filter((name) => search.getAll(key).includes(name));

/** Leaves out what is undefined or empty. */
const compact = (fields: Readonly<Record<string, unknown>>): GalleryFilter =>
  Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
    ),
  );
