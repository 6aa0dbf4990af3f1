import { useQuery } from 'urql';
import { useSession } from '../client/session.tsx';
import { GalleryFacetsDocument } from '../generated/graphql.ts';
import { toImageFilter } from '../grid/list/matching.ts';
import type { GalleryFilter } from '../state/filter.ts';
import { omit } from './conditions.ts';

/** A value that occurs in the images, and how many have it. */
export interface Facet {
  readonly value: string;
  readonly count: number;
}

type Facets = Readonly<Record<'user' | 'tool' | 'model' | 'provider' | 'tags', readonly Facet[]>>;

/**
 * Returns what there is to choose. The tools are those of all images that match the other conditions, so that
 * a person can go from one tool to another; models, providers and users likewise.
 */
export function useFacets(filter: GalleryFilter): { readonly facets: Facets; readonly complete: boolean } {
  const { viewer } = useSession();
  const without = (key: keyof GalleryFilter) => toImageFilter(omit(filter, key));
  const [{ data }] = useQuery({
    query: GalleryFacetsDocument,
    variables: {
      users: without('user'),
      tools: without('tool'),
      models: without('model'),
      providers: without('provider'),
      tags: toImageFilter(filter),
      withUsers: viewer.userId === null,
    },
    requestPolicy: 'cache-and-network',
  });
  return {
    facets: {
      user: data?.users?.users ?? [],
      tool: data?.tools.tools ?? [],
      model: data?.models.models ?? [],
      provider: data?.providers.providers ?? [],
      tags: data?.tags.tags ?? [],
    },
    complete: [data?.users, data?.tools, data?.models, data?.providers, data?.tags].every(
      (each) => each?.complete ?? true,
    ),
  };
}
