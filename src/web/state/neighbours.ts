import { makeSignal, type Signal } from './signal.ts';

/** An ordered list of images that the person came from, such as the loaded part of the gallery. */
export interface ImageList {
  /** Ids of the images (`Image.uuid`) in the order on the screen. */
  readonly uuids: readonly string[];
  /** Loads images before the first one, and sets a longer list; absent: there are none. */
  readonly loadBefore?: (() => void) | undefined;
  /** Loads images after the last one, and sets a longer list; absent: there are none. */
  readonly loadAfter?: (() => void) | undefined;
}

export interface Neighbours {
  readonly previous?: string | undefined;
  readonly next?: string | undefined;
}

const EMPTY: ImageList = { uuids: [] };

/** Distance to an end of the list, in images, below which more are loaded. */
const MARGIN = 10;

const list = makeSignal<ImageList>(EMPTY);

/** Neighbours of an image in the list that it was opened from, for its page. */
export const neighbours = {
  list: list as Signal<ImageList>,
  set: list.set,
  /** Returns the neighbours of an image; none when the list does not contain it. */
  around(uuid: string): Neighbours {
    const { uuids } = list.get();
    const index = uuids.indexOf(uuid);
    return index < 0 ? {} : { previous: uuids[index - 1], next: uuids[index + 1] };
  },
  /** Loads more images when the present one is near an end of the list. */
  approach(uuid: string): void {
    const { uuids, loadBefore, loadAfter } = list.get();
    const index = uuids.indexOf(uuid);
    if (index < 0) return;
    if (index < MARGIN) loadBefore?.();
    if (index >= uuids.length - MARGIN) loadAfter?.();
  },
};
