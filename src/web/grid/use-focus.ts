import { type KeyboardEvent, type RefObject, useLayoutEffect, useRef, useState } from 'react';
import type { ImageList, Tile } from './list/list.ts';
import { entriesOf } from './list/window.ts';
import { type Direction, type GridRow, moveFocus, rowOf } from './rows.ts';
import { choose } from './use-input.ts';

const DIRECTIONS: Readonly<Record<string, Direction>> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
  Home: 'first',
  End: 'last',
};

interface FocusOptions {
  readonly grid: RefObject<HTMLElement | null>;
  readonly list: ImageList;
  readonly rows: readonly GridRow<Tile>[];
  /** Brings a row onto the screen. */
  readonly showRow: (index: number) => void;
}

/** Moves a focus over the tiles by keys. One tile at a time is reached by Tab. */
export function useFocus({ grid, list, rows, showRow }: FocusOptions) {
  const [current, setCurrent] = useState<string>();
  const wanted = useRef<string>(undefined);
  // A tile that was out of the screen has its element after the next render.
  useLayoutEffect(() => {
    if (wanted.current === undefined) return;
    const cell = grid.current?.querySelector(`[data-id="${CSS.escape(wanted.current)}"] a`);
    if (!(cell instanceof HTMLElement)) return;
    wanted.current = undefined;
    cell.focus({ preventScroll: true });
  });
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const cell = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-id]') : null;
    const id = cell?.dataset.id;
    if (id === undefined) return;
    if (event.key === ' ') {
      event.preventDefault();
      choose(list, id, event.shiftKey);
      return;
    }
    const direction = DIRECTIONS[event.key];
    if (!direction) return;
    event.preventDefault();
    const next = moveFocus(rows, id, direction);
    if (event.shiftKey && next !== id) select(list, id, next);
    wanted.current = next;
    setCurrent(next);
    showRow(rowOf(rows, next));
  };
  const present = current !== undefined && rowOf(rows, current) >= 0 ? current : undefined;
  return { current: present, setCurrent, onKeyDown };
}

/** Selects from one image to the next, as Shift with an arrow does in lists of files. */
function select(list: ImageList, from: string, to: string): void {
  const selection = list.selection.get();
  const order = entriesOf(list.state.get().window).map(({ node }) => node.id);
  const range = order.slice(
    Math.min(order.indexOf(from), order.indexOf(to)),
    Math.max(order.indexOf(from), order.indexOf(to)) + 1,
  );
  list.selection.set({ ids: new Set([...selection.ids, ...range]), anchor: selection.anchor ?? from });
}
