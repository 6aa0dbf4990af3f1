import { useEffect, useMemo } from 'react';
import { useQuery } from 'urql';
import { onReconnect } from '../client/events.ts';
import { GalleryDaysDocument } from '../generated/graphql.ts';
import { toImageFilter } from '../grid/list/matching.ts';
import type { GalleryFilter } from '../state/filter.ts';
import { type Month, monthsOf } from './days.ts';

/** Returns the months with images that a filter finds, in the order of the list. */
export function useMonths(filter: GalleryFilter): {
  readonly months: readonly Month[];
  readonly complete: boolean;
} {
  const [{ data }, read] = useQuery({
    query: GalleryDaysDocument,
    variables: { filter: toImageFilter(filter) },
    requestPolicy: 'cache-and-network',
  });
  useEffect(() => onReconnect(() => read({ requestPolicy: 'network-only' })), [read]);
  const stats = data?.imageStats;
  const isOldestFirst = filter.order === 'oldest';
  const months = useMemo(() => {
    const days = stats?.byDay ?? [];
    return monthsOf(isOldestFirst ? days.toReversed() : days);
  }, [stats, isOldestFirst]);
  return { months, complete: stats?.complete ?? true };
}
