import { useEffect } from 'react';
import { useQuery } from 'urql';
import { onReconnect } from '../../client/events.ts';
import { GalleryCountDocument } from '../../generated/graphql.ts';
import { useSignal } from '../../state/signal.ts';
import type { ImageList } from './list.ts';
import { toImageFilter } from './matching.ts';

/** Milliseconds after a change at which the images are counted again. */
const COUNT_AGAIN = 1500;

/** Returns the number of images of a list, counted again after changes; undefined until it is known. */
export function useCount(list: ImageList) {
  const { changes } = useSignal(list.state);
  const [{ data }, count] = useQuery({
    query: GalleryCountDocument,
    variables: { filter: toImageFilter(list.filter) },
    requestPolicy: 'cache-and-network',
  });
  useEffect(() => {
    if (changes === 0) return;
    const timer = setTimeout(() => count({ requestPolicy: 'network-only' }), COUNT_AGAIN);
    return () => clearTimeout(timer);
  }, [changes, count]);
  useEffect(() => onReconnect(() => count({ requestPolicy: 'network-only' })), [count]);
  return { images: data?.images, countNow: () => count({ requestPolicy: 'network-only' }) };
}
