import { aspectOf, layoutRows, type Sized, targetHeight } from './layout.ts';
import type { Entry, ListWindow, WindowPage } from './list/window.ts';

/** A row on the screen. */
export interface GridRow<Item> {
  /** Key that stays the same while its page does. */
  readonly key: string;
  readonly height: number;
  readonly tiles: readonly { readonly entry: Entry<Item>; readonly width: number }[];
}

/** Pixels between tiles. */
export const GAP = 4;

/** Makes a function that lays out a window. Pages that have not changed keep their rows. */
export function makeLayout<Item extends Sized>() {
  let known = new Map<WindowPage<Item>, { readonly form: string; readonly rows: readonly GridRow<Item>[] }>();
  return ({ pages, hasAfter }: ListWindow<Item>, width: number): GridRow<Item>[] => {
    const next: typeof known = new Map();
    if (width <= 0) return [];
    for (const page of pages) {
      const ends = page === pages.at(-1) && !hasAfter;
      const form = `${width} ${ends}`;
      const former = known.get(page);
      next.set(page, former?.form === form ? former : { form, rows: layoutPage(page, width, ends) });
    }
    known = next;
    return pages.flatMap((page) => next.get(page)?.rows ?? []);
  };
}

function layoutPage<Item extends Sized>(
  page: WindowPage<Item>,
  width: number,
  ends: boolean,
): GridRow<Item>[] {
  const aspects = page.entries.map(({ node }) => aspectOf(node));
  const rows = layoutRows(aspects, { width, gap: GAP, target: targetHeight(width), ends });
  return rows.map(({ start, height, widths }) => ({
    key: `${page.key}-${start}`,
    height,
    tiles: widths.map((each, index) => ({ entry: page.entries[start + index] as Entry<Item>, width: each })),
  }));
}

/** Returns the distance of each row from the start of the first one, and at the end the height of all. */
export function topsOf(rows: readonly GridRow<unknown>[]): number[] {
  const tops = [0];
  for (const { height } of rows) tops.push((tops.at(-1) as number) + height + GAP);
  return tops;
}

/** Returns the index of the row at a distance from the start of the first one. */
export function rowAt(tops: readonly number[], distance: number): number {
  let low = 0;
  let high = tops.length - 2;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((tops[middle] as number) <= distance) low = middle;
    else high = middle - 1;
  }
  return Math.max(0, low);
}

/** Returns the row of an image; -1 if it is not loaded. */
export const rowOf = <Item extends { readonly id: string }>(rows: readonly GridRow<Item>[], id: string) =>
  rows.findIndex(({ tiles }) => tiles.some(({ entry }) => entry.node.id === id));

export type Direction = 'left' | 'right' | 'up' | 'down' | 'first' | 'last';

/** Returns the image in a direction from another one; the same one at an end. */
export function moveFocus<Item extends { readonly id: string }>(
  rows: readonly GridRow<Item>[],
  id: string,
  direction: Direction,
): string {
  const order = rows.flatMap(({ tiles }) => tiles.map(({ entry }) => entry.node.id));
  const at = order.indexOf(id);
  if (at < 0) return order[0] ?? id;
  if (direction === 'left') return order[at - 1] ?? id;
  if (direction === 'right') return order[at + 1] ?? id;
  if (direction === 'first') return order[0] ?? id;
  if (direction === 'last') return order.at(-1) ?? id;
  const row = rowOf(rows, id);
  const from = rows[row];
  const to = rows[row + (direction === 'up' ? -1 : 1)];
  if (!from || !to) return id;
  return nearest(to, centreOf(from, id)) ?? id;
}

/** Returns the middle of a tile, in pixels from the left. */
function centreOf<Item extends { readonly id: string }>(row: GridRow<Item>, id: string): number {
  let left = 0;
  for (const { entry, width } of row.tiles) {
    if (entry.node.id === id) return left + width / 2;
    left += width + GAP;
  }
  return 0;
}

function nearest<Item extends { readonly id: string }>(
  row: GridRow<Item>,
  centre: number,
): string | undefined {
  const ids = row.tiles.map(({ entry }) => entry.node.id);
  return ids
    .map((id) => ({ id, distance: Math.abs(centreOf(row, id) - centre) }))
    .sort((a, b) => a.distance - b.distance)[0]?.id;
}
