import type { FieldNode, GraphQLResolveInfo } from 'graphql';
import { fieldsOf } from '../builder/selected-fields.ts';

/** Which parts of a page of images a document selects. */
export interface ListSelection {
  /** Whether it selects anything but the count. */
  readonly list: boolean;
  /** Whether the fields that it selects of the images need CARD_COLUMNS only. */
  readonly cards: boolean;
  /** Names of the fields of `pageInfo` that it selects. */
  readonly pageInfo: ReadonlySet<string>;
}

const BOTH_ENDS = new Set(['hasNextPage', 'hasPreviousPage']);

/** Fields of Image that need CARD_COLUMNS only. */
const CARD_FIELDS = new Set([
  '__typename',
  'copies',
  'createdAt',
  'databaseId',
  'deletedAt',
  'durability',
  'id',
  'pinned',
  'prompt',
  'provenance',
  'status',
  'tags',
  'tool',
  'url',
  'userId',
  'uuid',
]);

/** Fields of ImageConnection that need no page. */
const COUNT_FIELDS = new Set(['__typename', 'totalCount', 'totalCountIsExact']);

const known = new WeakMap<object, ListSelection>();

/**
 * Returns what a document selects of a page, computed once for each document. @skip and @include are ignored:
 * the page may hold too much.
 */
export function selectionOf({ fieldNodes, fragments }: GraphQLResolveInfo): ListSelection {
  const [node] = fieldNodes;
  if (!node || fieldNodes.length > 1) return { list: true, cards: false, pageInfo: BOTH_ENDS };
  const found = known.get(node);
  if (found) return found;
  const within = (fields: readonly FieldNode[], name: string) =>
    fields
      .filter((field) => field.name.value === name)
      .flatMap((field) => fieldsOf(field.selectionSet, fragments));
  const page = fieldsOf(node.selectionSet, fragments);
  const images = [...within(page, 'nodes'), ...within(within(page, 'edges'), 'node')];
  const selection = {
    list: page.some(({ name }) => !COUNT_FIELDS.has(name.value)),
    cards: images.every(({ name }) => CARD_FIELDS.has(name.value)),
    pageInfo: new Set(within(page, 'pageInfo').map(({ name }) => name.value)),
  };
  known.set(node, selection);
  return selection;
}
