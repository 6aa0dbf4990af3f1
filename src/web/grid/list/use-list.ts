import { useMemo } from 'react';
import { type GalleryFilter, parseFilter } from '../../state/filter.ts';
import { neighbours } from '../../state/neighbours.ts';
import { purged } from '../../state/purged.ts';
import { type ImageList, openImageList } from './list.ts';
import { placeOf } from './place.ts';
import { makeSource } from './source.ts';
import { entriesOf, type ListWindow } from './window.ts';

/** The list that was shown last. It stays open, so that its page comes back as it was left. */
let kept: { readonly address: string; readonly list: ImageList; readonly close: () => void } | undefined;

/**
 * Returns the list of an address: the open one, or a new one at the place that was left.
 * @param query the filter as `formatFilter` writes it, so that the same filter has the same list
 */
export function useList(address: string, query: string): ImageList {
  return useMemo(() => {
    if (kept?.address === address) return kept.list;
    kept?.close();
    const list = openAtPlace(address, parseFilter(query));
    const ends = [purged.subscribe(list.remove), shareNeighbours(list), list.close];
    kept = {
      address,
      list,
      close() {
        for (const end of ends) end();
      },
    };
    return list;
  }, [address, query]);
}

function openAtPlace(address: string, filter: GalleryFilter): ImageList {
  const cursor = placeOf(address)?.cursor;
  const start = cursor === undefined ? ({ at: 'start' } as const) : ({ at: 'cursor', cursor } as const);
  return openImageList(filter, makeSource(filter), start);
}

/**
 * Lets the page of an image go on in the list, also while the list is not on the screen. Returns a function
 * that ends it.
 */
function shareNeighbours(list: ImageList): () => void {
  let shared: ListWindow<unknown> | undefined;
  return list.state.subscribe(() => {
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
