import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { type FocusEvent, useCallback, useEffect, useMemo, useRef } from 'react';
import { useMay, useSession } from '../client/session.tsx';
import { useSignal } from '../state/signal.ts';
import { grid as text } from '../text/gallery.ts';
import styles from './grid.module.css';
import type { ImageList, ListState, Tile } from './list/list.ts';
import type { Selection } from './list/selection.ts';
import { GAP, type GridRow, makeLayout, rowAt, rowOf, topsOf } from './rows.ts';
import { TileView } from './tile.tsx';
import { useFocus } from './use-focus.ts';
import { useInput } from './use-input.ts';
import { useBox, useKeptPlace } from './use-scroll.ts';

interface GridProps {
  /** Address that the place is kept for. */
  readonly address: string;
  readonly list: ImageList;
  readonly onRetry: (tile: Tile) => void;
  /** Receives the image that has the focus of the keyboard. */
  readonly onCurrent: (id: string) => void;
  /** Receives the first image on the screen. */
  readonly onFirst?: (tile: Tile) => void;
}

/** Rows near an end of the window at which the next page is loaded. */
const MARGIN = 15;

const ROLES = {
  grid: { role: 'grid', 'aria-label': text.label, 'aria-multiselectable': true, 'aria-rowcount': -1 },
  row: (index: number) => ({ role: 'row', 'aria-rowindex': index + 1 }),
} as const;

/** The images of a list in justified rows. The document scrolls; only rows near the screen have elements. */
export function Grid({ address, list, onRetry, onCurrent, onFirst }: GridProps) {
  const grid = useRef<HTMLDivElement>(null);
  const state = useSignal(list.state);
  const selection = useSignal(list.selection);
  const box = useBox(grid);
  const layout = useMemo(() => makeLayout<Tile>(), []);
  const rows = useMemo(() => layout(state.window, box.width), [layout, state.window, box.width]);
  const current = useRef<string>(undefined);
  const virtualizer = useRowVirtualizer(rows, box, () => current.current);
  useKeptPlace({ address, list, state, rows, box });
  const showRow = (index: number) => index >= 0 && virtualizer.scrollToIndex(index, { align: 'auto' });
  const focus = useFocus({ grid, list, rows, showRow });
  current.current = focus.current;
  const onFocus = (id: string) => {
    focus.setCurrent(id);
    onCurrent(id);
  };
  const input = useInput({ list, onFocus, onRetry });
  const items = virtualizer.getVirtualItems();
  const range = virtualizer.range ?? { startIndex: 0, endIndex: 0 };
  useLoading(list, state, range, rows.length);
  const tops = useMemo(() => topsOf(rows), [rows]);
  const first = rowAt(tops, (virtualizer.scrollOffset ?? 0) + box.covered - box.top + GAP);
  useFirst(rows, first, onFirst);
  const behaviour = {
    ...ROLES.grid,
    ...input,
    'aria-busy': state.before === 'loading' || state.after === 'loading',
    onKeyDown: focus.onKeyDown,
    onFocus({ target }: FocusEvent) {
      const id = target.closest<HTMLElement>('[data-id]')?.dataset.id;
      if (id) onFocus(id);
    },
  };
  return (
    <div
      {...behaviour}
      ref={grid}
      className={styles.grid}
      style={{ height: virtualizer.getTotalSize() }}
      data-selecting={selection.ids.size > 0 || undefined}
    >
      {items.map((item) => (
        <RowView
          key={item.key}
          row={rows[item.index]}
          index={item.index}
          top={item.start - box.top}
          stale={state.stale}
          isTrash={list.filter.trash !== undefined}
          selection={selection}
          current={focus.current ?? rows[first]?.tiles[0]?.entry.node.id}
        />
      ))}
    </div>
  );
}

/** Windows the rows, whose heights are known. The row with the focus keeps its elements. */
function useRowVirtualizer(
  rows: readonly GridRow<Tile>[],
  box: { readonly top: number; readonly covered: number },
  getCurrent: () => string | undefined,
) {
  const getItemKey = useCallback((index: number) => rows[index]?.key ?? index, [rows]);
  const estimateSize = useCallback((index: number) => (rows[index]?.height ?? 0) + GAP, [rows]);
  const rangeExtractor = ({ startIndex, endIndex, overscan, count }: VirtualRange) => {
    const from = Math.max(0, startIndex - overscan);
    const to = Math.min(count - 1, endIndex + overscan);
    const indexes = Array.from({ length: to - from + 1 }, (_, index) => from + index);
    const id = getCurrent();
    const focused = id === undefined ? -1 : rowOf(rows, id);
    if (focused >= 0 && focused < from) indexes.unshift(focused);
    if (focused > to) indexes.push(focused);
    return indexes;
  };
  return useWindowVirtualizer({
    count: rows.length,
    estimateSize,
    getItemKey,
    rangeExtractor,
    overscan: 4,
    scrollMargin: box.top,
    scrollPaddingStart: box.covered + GAP,
    scrollPaddingEnd: 80,
  });
}

interface Range {
  readonly startIndex: number;
  readonly endIndex: number;
}

interface VirtualRange extends Range {
  readonly overscan: number;
  readonly count: number;
}

/** Loads the next page when the rows near an end of the window come near the screen. */
function useLoading(list: ImageList, state: ListState, range: Range, count: number): void {
  const { startIndex: first, endIndex: last } = range;
  useEffect(() => {
    if (count === 0) return;
    const isIdle = (side: 'before' | 'after') => state[side] === 'idle';
    if (last >= count - MARGIN && state.window.hasAfter && isIdle('after')) void list.loadAfter();
    else if (first < MARGIN && state.window.hasBefore && isIdle('before')) void list.loadBefore();
  }, [list, state, first, last, count]);
}

/** Reports the first image on the screen when it changes. */
function useFirst(rows: readonly GridRow<Tile>[], index: number, onFirst?: (tile: Tile) => void): void {
  const tile = rows[index]?.tiles[0]?.entry.node;
  const latest = useRef(onFirst);
  latest.current = onFirst;
  useEffect(() => {
    if (tile) latest.current?.(tile);
  }, [tile]);
}

interface RowViewProps {
  readonly row: GridRow<Tile> | undefined;
  readonly index: number;
  readonly top: number;
  readonly stale: ReadonlySet<string>;
  /** Whether the list shows images in the trash. */
  readonly isTrash: boolean;
  readonly selection: Selection;
  readonly current: string | undefined;
}

function RowView({ row, index, top, stale, isTrash, selection, current }: RowViewProps) {
  const mayRetry = useMay('IMAGES_GENERATE');
  const { trashDays } = useSession().server;
  if (!row) return null;
  return (
    <div
      {...ROLES.row(index)}
      className={styles.row}
      style={{ height: row.height, transform: `translateY(${top}px)` }}
    >
      {row.tiles.map(({ entry: { node }, width }) => (
        <TileView
          key={node.id}
          tile={node}
          width={width}
          height={row.height}
          isSelected={selection.ids.has(node.id)}
          isStale={stale.has(node.id)}
          isCurrent={node.id === current}
          daysLeft={isTrash ? daysLeftOf(node, trashDays) : null}
          mayRetry={mayRetry}
        />
      ))}
    </div>
  );
}

/** Returns the days until an image is purged from the trash; null if it is not there. */
function daysLeftOf({ deletedAt }: Tile, trashDays: number): number | null {
  if (deletedAt === null) return null;
  return Math.max(0, Math.ceil((Date.parse(deletedAt) - Date.now()) / 86_400_000 + trashDays));
}
