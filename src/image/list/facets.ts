import type { ReadableDatabase } from '../../database/replica.ts';
import type { ImageFilter } from './conditions.ts';
import { MAX_READ, newestImages, sumUp } from './newest-images.ts';

/** A value that a filter can have, with the figures of the images that have it. */
export interface ImageFacet {
  readonly value: string;
  readonly count: number;
  readonly failed: number;
  readonly bytes: number;
}

const COLUMNS = {
  users: 'user_id',
  tools: 'tool_name',
  models: 'model',
  providers: 'provider',
} as const;
export const FACETS = ['users', 'tools', 'models', 'providers', 'tags'] as const;
export type FacetName = (typeof FACETS)[number];

/** Each facet, most images first; empty unless it was asked for. */
export interface ImageFacets extends Readonly<Record<FacetName, readonly ImageFacet[]>> {
  /** Whether all matching images were counted. */
  readonly complete: boolean;
}

/** Most values of a facet. */
export const MAX_VALUES = 100;

interface FacetRow extends ImageFacet {
  /** null: the row of all images that were read. */
  readonly facet: FacetName | null;
}

const FIGURES = `count(*) AS count, count(*) FILTER (WHERE status = 'failed') AS failed, coalesce(sum(bytes), 0)::bigint AS bytes`;

/**
 * Counts the images of a filter by the values that they have, in one pass over at most MAX_READ rows, newest
 * first.
 * @param options.names facets to compute.
 */
export async function countFacets(
  { database }: { database: ReadableDatabase },
  filter: ImageFilter,
  { names, maxCounted = MAX_READ }: { names: readonly FacetName[]; maxCounted?: number },
): Promise<ImageFacets> {
  const columns = names.map((name) => (name === 'tags' ? 'i.tags' : `i.${COLUMNS[name]}`));
  const { text, values } = newestImages(filter, ['i.status', 'i.bytes', ...columns].join(', '), maxCounted);
  const counts = names.map(
    (name) =>
      `(SELECT '${name}' AS facet, value, ${FIGURES} FROM ${imagesBy(name)} WHERE value IS NOT NULL
        GROUP BY value ORDER BY count DESC, value COLLATE "C" LIMIT ${MAX_VALUES})`,
  );
  const rows = await sumUp<FacetRow>(
    database,
    `WITH looked AS MATERIALIZED (${text})
     ${['SELECT NULL AS facet, NULL AS value, count(*) AS count, 0 AS failed, 0::bigint AS bytes FROM looked', ...counts].join(' UNION ALL ')}`,
    values,
  );
  const looked = rows.find(({ facet }) => facet === null)?.count ?? 0;
  const valuesOf = (name: FacetName) =>
    rows
      .filter(({ facet }) => facet === name)
      .map(({ value, count, failed, bytes }) => ({ value, count, failed, bytes }));
  return {
    users: valuesOf('users'),
    tools: valuesOf('tools'),
    models: valuesOf('models'),
    providers: valuesOf('providers'),
    tags: valuesOf('tags'),
    complete: looked < maxCounted,
  };
}

/** Returns the images that match, with each value of a facet that they have. */
function imagesBy(name: FacetName): string {
  if (name !== 'tags')
    return `(SELECT ${COLUMNS[name]} AS value, status, bytes FROM looked WHERE found) each`;
  // Rows of other services may have a tag twice.
  return `(SELECT tag AS value, status, bytes FROM looked, LATERAL (SELECT DISTINCT tag FROM unnest(tags) tag) each WHERE found) each`;
}
