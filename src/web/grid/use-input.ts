import { type DragEvent, type MouseEvent, type PointerEvent, useRef } from 'react';
import { useLocation } from 'wouter';
import { IMAGE_TYPE } from '../state/image-drag.ts';
import type { ImageList, Tile } from './list/list.ts';
import { extend, toggle } from './list/selection.ts';
import { entriesOf } from './list/window.ts';

/** Milliseconds of a long press, and pixels that the finger may move meanwhile. */
const LONG_PRESS = { milliseconds: 450, pixels: 8 };

interface InputOptions {
  readonly list: ImageList;
  readonly onFocus: (id: string) => void;
  readonly onRetry: (tile: Tile) => void;
}

const idOf = ({ target }: { target: EventTarget }) =>
  target instanceof Element ? target.closest<HTMLElement>('[data-id]')?.dataset.id : undefined;

const actionOf = ({ target }: { target: EventTarget }) =>
  target instanceof Element ? target.closest<HTMLElement>('[data-action]')?.dataset.action : undefined;

/** Returns the handlers of clicks and touches for the whole grid. */
export function useInput({ list, onFocus, onRetry }: InputOptions) {
  const [, navigate] = useLocation();
  const press = useLongPress((id) => choose(list, id, false));
  const click = (event: MouseEvent) => {
    const id = idOf(event);
    const tile = id === undefined ? undefined : list.tileOf(id);
    if (!tile || event.button !== 0) return;
    event.preventDefault();
    if (press.hasFired()) return;
    const action = actionOf(event);
    onFocus(tile.id);
    if (action === 'retry') onRetry(tile);
    // A key press on the link is a click without a position; it opens, whatever is selected.
    else if (action === 'toggle' || event.shiftKey || event.ctrlKey || event.metaKey)
      choose(list, tile.id, event.shiftKey);
    else if (list.selection.get().ids.size > 0 && event.detail > 0) choose(list, tile.id, false);
    else navigate(`/image/${tile.uuid}`);
  };
  const drag = (event: DragEvent) => {
    const tile = list.tileOf(idOf(event) ?? '');
    if (tile) event.dataTransfer.setData(IMAGE_TYPE, tile.uuid);
  };
  return { onClick: click, onDragStart: drag, ...press.handlers };
}

/** Adds an image to the selection or removes it; with `isRange` adds all up to it. */
export function choose(list: ImageList, id: string, isRange: boolean): void {
  const selection = list.selection.get();
  const order = isRange ? entriesOf(list.state.get().window).map(({ node }) => node.id) : [];
  list.selection.set(isRange ? extend(selection, id, order) : toggle(selection, id));
}

/** Recognises a long press by touch, which the browser follows by a click or a menu. */
function useLongPress(run: (id: string) => void) {
  const state = useRef({ timer: 0, x: 0, y: 0, fired: false });
  const cancel = () => clearTimeout(state.current.timer);
  return {
    /** Returns whether the click belongs to a long press. */
    hasFired() {
      const { fired } = state.current;
      state.current.fired = false;
      return fired;
    },
    handlers: {
      onPointerDown(event: PointerEvent) {
        cancel();
        state.current.fired = false;
        const id = idOf(event);
        if (event.pointerType !== 'touch' || id === undefined) return;
        const timer = window.setTimeout(() => {
          state.current.fired = true;
          navigator.vibrate?.(15);
          run(id);
        }, LONG_PRESS.milliseconds);
        state.current = { timer, x: event.clientX, y: event.clientY, fired: false };
      },
      onPointerMove({ clientX, clientY }: PointerEvent) {
        const { x, y } = state.current;
        if (Math.hypot(clientX - x, clientY - y) > LONG_PRESS.pixels) cancel();
      },
      onPointerUp: cancel,
      onPointerCancel: cancel,
      onContextMenu(event: MouseEvent) {
        if (state.current.fired) event.preventDefault();
      },
    },
  };
}
