import { type RefObject, useCallback, useLayoutEffect, useRef, useState } from 'react';
import type { ImageList, ListState, Tile } from './list/list.ts';
import { keepPlace, type Place, placeOf } from './list/place.ts';
import { type GridRow, rowAt, rowOf, topsOf } from './rows.ts';

/** Position of the grid in the document. */
interface Box {
  /** Inner width of the grid in pixels; 0 until it is measured. */
  readonly width: number;
  /** Distance of the grid from the start of the document in pixels. */
  readonly top: number;
  /** Pixels at the top of the screen that bars cover. */
  readonly covered: number;
}

/** Measures the grid after each render, because bars above it come and go, and when its width changes. */
export function useBox(grid: RefObject<HTMLElement | null>): Box {
  const [box, setBox] = useState<Box>({ width: 0, top: 0, covered: 0 });
  const measure = useCallback(() => {
    if (grid.current) setBox(boxOf(grid.current));
  }, [grid]);
  useLayoutEffect(measure);
  useLayoutEffect(() => {
    const observer = new ResizeObserver(measure);
    if (grid.current) observer.observe(grid.current);
    return () => observer.disconnect();
  }, [grid, measure]);
  return box;
}

/** Returns the box of an element; the former one when nothing has changed. */
const boxOf = (element: HTMLElement) => (former: Box) => {
  const { top, width } = element.getBoundingClientRect();
  const box = {
    width: Math.floor(width),
    top: Math.round(top + scrollY),
    covered: Number.parseFloat(getComputedStyle(element).scrollMarginTop) || 0,
  };
  const isSame = box.width === former.width && box.top === former.top && box.covered === former.covered;
  return isSame ? former : box;
};

interface ScrollOptions {
  readonly address: string;
  readonly list: ImageList;
  readonly state: ListState;
  readonly rows: readonly GridRow<Tile>[];
  readonly box: Box;
}

/** Pixels from the start of the page within which new images are shown at once. */
const AT_START = 8;

/**
 * Keeps the first image on the screen in its place when rows above it are added, dropped or laid out again.
 * Remembers the place of the address for the next visit.
 */
export function useKeptPlace({ address, list, state, rows, box }: ScrollOptions): void {
  const anchor = useRef<Place | null>(null);
  const restored = useRef<Place | undefined>(placeOf(address));
  const handled = useRef(-1);
  const remember = useRef(() => {});
  remember.current = () => {
    const isAtStart = !state.window.hasBefore && scrollY <= AT_START;
    anchor.current = isAtStart ? null : findPlace(rows, box);
    list.setAtStart(isAtStart);
  };
  useLayoutEffect(() => {
    if (rows.length === 0) return;
    const opened = state.opened;
    const isNew = handled.current !== opened;
    handled.current = opened;
    const place = isNew ? restored.current : anchor.current;
    if (isNew) restored.current = undefined;
    const target = place ? positionOf(place, rows, box) : null;
    if (target !== null) scrollToExactly(target);
    else if (isNew) scrollToExactly(state.start.at === 'start' ? 0 : box.top - box.covered);
    remember.current();
  }, [rows, box, state.opened, state.start]);
  // Before the elements go, because without them the document scrolls to its start.
  useLayoutEffect(() => {
    const keep = () => keepPlace(address, anchor.current);
    const before = history.scrollRestoration;
    history.scrollRestoration = 'manual';
    const listener = () => remember.current();
    addEventListener('scroll', listener, { passive: true });
    addEventListener('pagehide', keep);
    return () => {
      history.scrollRestoration = before;
      removeEventListener('scroll', listener);
      removeEventListener('pagehide', keep);
      keep();
    };
  }, [address]);
}

/** Scrolls unless it would change nothing that can be seen. */
function scrollToExactly(top: number): void {
  if (Math.abs(top - scrollY) > 0.5) scrollTo({ top, behavior: 'instant' });
}

/** Returns the first image on the screen, below the bars. */
function findPlace(rows: readonly GridRow<Tile>[], { top, covered }: Box): Place | null {
  const tops = topsOf(rows);
  const distance = scrollY + covered - top;
  const index = rowAt(tops, distance);
  const first = rows[index]?.tiles[0];
  if (!first) return null;
  return {
    id: first.entry.node.id,
    cursor: rows[index - 1]?.tiles.at(-1)?.entry.cursor,
    offset: (tops[index] as number) - distance,
  };
}

/** Returns where to scroll to so that an image is in its place; null if it is not loaded. */
function positionOf(place: Place, rows: readonly GridRow<Tile>[], { top, covered }: Box): number | null {
  const index = rowOf(rows, place.id);
  return index < 0 ? null : top - covered + (topsOf(rows)[index] as number) - place.offset;
}
