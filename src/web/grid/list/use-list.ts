import { useMemo } from 'react';
import { type GalleryFilter, parseFilter } from '../../state/filter.ts';
import { neighbours } from '../../state/neighbours.ts';
import { type ImageList, openImageList } from './list.ts';
import { placeOf } from './place.ts';
import { makeSource } from './source.ts';
import { entriesOf, type ListWindow } from './window.ts';

/** The list that was shown last. It stays open, so that its page comes back as it was left. */
let kept: { readonly address: string; readonly list: ImageList } | undefined;

/**
 * Returns the list of an address: the open one, or a new one at the place that was left.
 * @param query the filter as `formatFilter` writes it, so that the same filter has the same list
 */
export function useList(address: string, query: string): ImageList {
  return useMemo(() => {
    if (kept?.address === address) return kept.list;
    kept?.list.close();
    const list = openAtPlace(address, parseFilter(query));
    kept = { address, list };
    shareNeighbours(list);
    return list;
  }, [address, query]);
}

function openAtPlace(address: string, filter: GalleryFilter): ImageList {
  const cursor = placeOf(address)?.cursor;
  const start = cursor === undefined ? ({ at: 'start' } as const) : ({ at: 'cursor', cursor } as const);
  return openImageList(filter, makeSource(filter), start);
}

/** Lets the page of an image go on in the list, also while the list is not on the screen. */
function shareNeighbours(list: ImageList): void {
  let shared: ListWindow<unknown> | undefined;
  list.state.subscribe(() => {
    const { window } = list.state.get();
    if (window === shared) return;
    shared = window;
    neighbours.set({
      uuids: entriesOf(window).map(({ node }) => node.uuid),
      loadBefore: window.hasBefore ? () => void list.loadBefore() : undefined,
      loadAfter: window.hasAfter ? () => void list.loadAfter() : undefined,
    });
  });
}
