import { uncached } from '../../client/client.ts';
import { messageOf } from '../../client/errors.ts';
import { onReconnect } from '../../client/events.ts';
import {
  GalleryChangesDocument,
  GalleryPageDocument,
  type GalleryPageQueryVariables,
  type TileFragment,
} from '../../generated/graphql.ts';
import type { GalleryFilter } from '../../state/filter.ts';
import { filterFrom, toImageFilter, toOrderBy } from './matching.ts';
import type { Entry } from './window.ts';

export interface PageArguments {
  readonly first?: number;
  readonly after?: string;
  readonly last?: number;
  readonly before?: string;
  /** Day, `YYYY-MM-DD`, at which the page begins. */
  readonly day?: string;
}

export type PageResult =
  | {
      readonly entries: readonly Entry<TileFragment>[];
      readonly hasNextPage: boolean;
      readonly hasPreviousPage: boolean;
    }
  | { readonly fault: string };

/** Where a list gets its images from. */
export interface ListSource {
  /** Loads a page. Returns a fault instead of throwing. */
  fetchPage(page: PageArguments): Promise<PageResult>;
  /** Calls `listener` with each image that is created or changed. Returns a function that ends it. */
  subscribe(listener: (image: TileFragment) => void): () => void;
  /** Calls `listener` when events may have been missed. Returns a function that ends it. */
  onReconnect(listener: () => void): () => void;
}

/** Makes the source of a list from the API. */
export function makeSource(filter: GalleryFilter): ListSource {
  const imageFilter = toImageFilter(filter);
  const orderBy = toOrderBy(filter);
  return {
    async fetchPage({ day, ...page }) {
      const variables: GalleryPageQueryVariables = {
        ...page,
        orderBy,
        filter: day === undefined ? imageFilter : filterFrom(day, filter, imageFilter),
      };
      const { data, error } = await uncached.query(GalleryPageDocument, variables).toPromise();
      if (!data) return { fault: messageOf(error) };
      const { edges, pageInfo } = data.images;
      return { entries: edges, ...pageInfo };
    },
    subscribe(listener) {
      // Also images that the filter no longer finds are needed: they are marked.
      const wide = { ...(filter.user && { userId: filter.user }), trash: 'INCLUDE' as const };
      const { unsubscribe } = uncached
        .subscription(GalleryChangesDocument, { filter: wide })
        .subscribe(({ data }) => data && listener(data.imagesUpdated));
      return unsubscribe;
    },
    onReconnect,
  };
}
