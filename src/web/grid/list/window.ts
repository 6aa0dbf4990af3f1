/** An image of a list, with its cursor there. */
export interface Entry<Item> {
  readonly cursor: string;
  readonly node: Item;
}

/** Entries that arrived together, which are laid out together. */
export interface WindowPage<Item> {
  /** Number of the page, unlike that of any other page of the window. */
  readonly key: number;
  readonly entries: readonly Entry<Item>[];
}

/** The loaded part of a list that may be too long to hold. Farther pages are dropped and loaded again. */
export interface ListWindow<Item> {
  readonly pages: readonly WindowPage<Item>[];
  /** Whether images precede the first page. */
  readonly hasBefore: boolean;
  /** Whether images follow the last page. */
  readonly hasAfter: boolean;
}

/** Images of a page. */
export const PAGE_SIZE = 100;

/** Most pages of a window. */
export const MAX_PAGES = 12;

/** Entries below which a page joins its neighbour: rows of so few images would be too high. */
const MIN_ENTRIES = 20;

let lastKey = 0;

interface Identified {
  readonly id: string;
}

/** Makes a window of one page. */
export function openWindow<Item>(
  entries: readonly Entry<Item>[],
  ends: { readonly hasBefore: boolean; readonly hasAfter: boolean },
): ListWindow<Item> {
  return { pages: entries.length > 0 ? [{ key: ++lastKey, entries }] : [], ...ends };
}

/** Adds the page that follows the window, and drops pages from its start. */
export function append<Item extends Identified>(
  window: ListWindow<Item>,
  entries: readonly Entry<Item>[],
  hasAfter: boolean,
): ListWindow<Item> {
  const pages = [...window.pages];
  const fresh = unknown(window, entries);
  const last = pages.at(-1);
  if (last && fresh.length > 0 && fresh.length < MIN_ENTRIES && !isLarge(last)) {
    pages[pages.length - 1] = { key: last.key, entries: [...last.entries, ...fresh] };
  } else if (fresh.length > 0) pages.push({ key: ++lastKey, entries: fresh });
  const kept = pages.slice(-MAX_PAGES);
  return { pages: kept, hasBefore: window.hasBefore || kept.length < pages.length, hasAfter };
}

/** Adds the page that precedes the window, and drops pages from its end. */
export function prepend<Item extends Identified>(
  window: ListWindow<Item>,
  entries: readonly Entry<Item>[],
  hasBefore: boolean,
): ListWindow<Item> {
  const pages = [...window.pages];
  const fresh = unknown(window, entries);
  const first = pages[0];
  if (first && fresh.length > 0 && fresh.length < MIN_ENTRIES && !isLarge(first)) {
    pages[0] = { key: first.key, entries: [...fresh, ...first.entries] };
  } else if (fresh.length > 0) pages.unshift({ key: ++lastKey, entries: fresh });
  const kept = pages.slice(0, MAX_PAGES);
  return { pages: kept, hasBefore, hasAfter: window.hasAfter || kept.length < pages.length };
}

/** Whether a page would become too large to be laid out at once if others joined it. */
const isLarge = ({ entries }: WindowPage<unknown>) => entries.length >= 2 * PAGE_SIZE;

/** Puts a changed image in the place of the former one. Pages that do not hold it stay the same objects. */
export function replace<Item extends Identified>(window: ListWindow<Item>, item: Item): ListWindow<Item> {
  let found = false;
  const pages = window.pages.map((page) => {
    const index = page.entries.findIndex(({ node }) => node.id === item.id);
    const entry = page.entries[index];
    if (!entry || entry.node === item) return page;
    found = true;
    return { key: page.key, entries: page.entries.with(index, { cursor: entry.cursor, node: item }) };
  });
  return found ? { ...window, pages } : window;
}

/** Removes images that are gone for good. */
export function remove<Item extends Identified>(
  window: ListWindow<Item>,
  ids: ReadonlySet<string>,
): ListWindow<Item> {
  const pages = window.pages
    .map((page) => {
      const entries = page.entries.filter(({ node }) => !ids.has(node.id));
      return entries.length === page.entries.length ? page : { key: page.key, entries };
    })
    .filter(({ entries }) => entries.length > 0);
  return { ...window, pages };
}

export const firstCursor = <Item>({ pages }: ListWindow<Item>) => pages[0]?.entries[0]?.cursor;
export const lastCursor = <Item>({ pages }: ListWindow<Item>) => pages.at(-1)?.entries.at(-1)?.cursor;

/** Returns the entries of all pages, in order. */
export const entriesOf = <Item>({ pages }: ListWindow<Item>): Entry<Item>[] =>
  pages.flatMap(({ entries }) => entries);

function unknown<Item extends Identified>(window: ListWindow<Item>, entries: readonly Entry<Item>[]) {
  const known = new Set(entriesOf(window).map(({ node }) => node.id));
  return entries.filter(({ node }) => !known.has(node.id));
}
