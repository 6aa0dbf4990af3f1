import { useEffect } from 'react';
import { useClient, useQuery } from 'urql';
import {
  type ImageDetailsFragment,
  ImagePageDocument,
  ImagePlaceDocument,
  ImagesAroundDocument,
} from '../generated/graphql.ts';
import { type Neighbours, neighbours } from '../state/neighbours.ts';
import { useSignal } from '../state/signal.ts';

/**
 * Returns the images before and after this one, in the list that the person came from, else among all images.
 * Returns undefined while they are looked up.
 */
export function useNeighbours(uuid: string, image: ImageDetailsFragment | null | undefined) {
  const isListed = useSignal(neighbours.list).uuids.includes(uuid);
  useEffect(() => neighbours.approach(uuid), [uuid]);
  const found = useNeighboursOfAll(uuid, isListed ? null : image);
  const around = isListed ? neighbours.around(uuid) : found;
  usePrefetch(around);
  return around;
}

/** Finds the neighbours of an image by the cursor that it has among the images of its millisecond. */
function useNeighboursOfAll(
  uuid: string,
  image: ImageDetailsFragment | null | undefined,
): Neighbours | undefined {
  const isPart = Boolean(image?.part);
  const trash = image?.deletedAt ? ('ONLY' as const) : ('EXCLUDE' as const);
  const moment = image?.createdAt ?? new Date(0).toISOString();
  const end = new Date(new Date(moment).getTime() + 1).toISOString();
  const [place] = useQuery({
    query: ImagePlaceDocument,
    variables: { moment, end, trash },
    pause: !image || isPart,
  });
  const cursor = place.data?.images.edges.find(({ node }) => node.uuid === uuid)?.cursor;
  const [around] = useQuery({
    query: ImagesAroundDocument,
    variables: { cursor: cursor ?? '', trash },
    pause: cursor === undefined,
  });
  if (isPart) return {};
  if (cursor === undefined || around.fetching || !around.data) return undefined;
  return { previous: around.data.newer.nodes[0]?.uuid, next: around.data.older.nodes[0]?.uuid };
}

/** Loads the neighbours into the cache, so that they appear at once. */
function usePrefetch(around: Neighbours | undefined): void {
  const client = useClient();
  const { next, previous } = around ?? {};
  useEffect(() => {
    const ends = [next, previous]
      .filter((id) => id !== undefined)
      .map((id) => client.query(ImagePageDocument, { id }).subscribe(() => {}));
    return () => {
      for (const { unsubscribe } of ends) unsubscribe();
    };
  }, [client, next, previous]);
}
