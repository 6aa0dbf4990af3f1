import type { Database, Queryable } from '../../database/database.ts';
import { isDataError } from '../../database/driver/errors.ts';
import { InputError } from '../../errors.ts';
import {
  CARD_COLUMNS,
  type CardRow,
  cardOf,
  IMAGE_COLUMNS,
  type Image,
  type ImageCard,
  type ImageRow,
  imageOf,
} from '../image.ts';
import { Conditions, type ImageFilter } from './conditions.ts';
import { type Cursor, invalidCursor, parseCursor, writeCursor } from './cursor.ts';
import { findPage } from './page.ts';
import type { ListOrder, PageQuery } from './page-query.ts';

export type OrderField = 'createdAt' | 'bytes';

export interface ImageOrder {
  readonly field: OrderField;
  readonly direction: 'asc' | 'desc';
}

export const DEFAULT_ORDER: ImageOrder = { field: 'createdAt', direction: 'desc' };

/**
 * Arguments of a page as in Relay (https://relay.dev/graphql/connections.htm#sec-Pagination-algorithm): the
 * first or the last of the images between `after` and `before`.
 */
export interface PageArgs {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
}

/** A page of images, or of their cards. */
export interface ImagePage<Node extends ImageCard = Image> {
  readonly edges: readonly { readonly cursor: string; readonly node: Node }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
}

export const DEFAULT_PAGE_SIZE = 20;
export const MAX_PAGE_SIZE = 100;

export interface ListArgs extends PageArgs {
  readonly order?: ImageOrder | null | undefined;
  /**
   * Fields of `pageInfo` to determine. The side that paging comes from is false unless it is named, and then
   * costs a statement.
   */
  readonly pageInfo?: ReadonlySet<string>;
}

type Row<Columns> = Columns & { readonly cursorKey: Cursor['key'] };

/**
 * Reads one page of images by a prepared statement that begins at the cursor (keyset pagination, page.ts). So
 * page 10,000 costs what page 1 costs (https://use-the-index-luke.com/no-offset). Prisma's client would cost
 * six times as much as PostgreSQL itself (docs/internals/database-connections.md).
 * @throws InputError INVALID_CURSOR; INVALID_INPUT for a page size outside 0 to 100, and for `first` with
 *   `last`.
 */
export function listImages(
  db: Pick<Database, 'query' | 'snapshot'>,
  filter: ImageFilter,
  args: ListArgs,
): Promise<ImagePage> {
  return listRows<ImageRow, Image>(db, filter, { ...args, columns: IMAGE_COLUMNS, nodeOf: imageOf });
}

/** Reads one page like `listImages`. @param args.cards true: reads CARD_COLUMNS only. */
export function listImagesOrCards(
  db: Pick<Database, 'query' | 'snapshot'>,
  filter: ImageFilter,
  args: ListArgs & { readonly cards: boolean },
): Promise<ImagePage<ImageCard>> {
  if (!args.cards) return listImages(db, filter, args);
  return listRows<CardRow, ImageCard>(db, filter, { ...args, columns: CARD_COLUMNS, nodeOf: cardOf });
}

async function listRows<Columns, Node extends ImageCard>(
  db: Pick<Database, 'query' | 'snapshot'>,
  filter: ImageFilter,
  args: ListArgs & { readonly columns: string; readonly nodeOf: (row: Columns) => Node },
): Promise<ImagePage<Node>> {
  const order = args.order ?? DEFAULT_ORDER;
  const { size, backward, after, before } = parsePageArgs(args, order);
  const key = ORDER_KEYS[order.field];
  // A backward page is read in the other direction and reversed at the end.
  const descending = (order.direction === 'desc') !== backward;
  const from = backward ? before : after;
  const reading = findPage<Row<Columns>>(db, filter, {
    order: key,
    descending,
    from,
    to: backward ? after : before,
    // One more, to know whether there are more.
    count: size + 1,
    columns: `${args.columns}, ${key.cursor} AS "cursorKey"`,
  });
  const isAsked = from !== null && args.pageInfo?.has(backward ? 'hasNextPage' : 'hasPreviousPage');
  const [rows, behind] = await Promise.all([
    reading,
    isAsked ? existsBehind(db, filter, { order: key, descending, from }) : false,
  ]).catch((error) => {
    // Only PostgreSQL notices a cursor with a day that the calendar does not have.
    if ((after || before) && isDataError(error)) throw invalidCursor(order.field, args);
    throw error;
  });
  const more = rows.length > size;
  if (more) rows.pop();
  if (backward) rows.reverse();
  const edges = rows.map((row) => new Edge(order.field, row.cursorKey, args.nodeOf(row)));
  return {
    edges,
    pageInfo: {
      // Images beyond the cursor that the page ends at do not count: a client would page on without end.
      hasNextPage: backward ? behind : more,
      hasPreviousPage: backward ? more : behind,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

/**
 * Returns whether the filter matches an image at the cursor that a page begins after, or on the other side of
 * it.
 */
async function existsBehind(
  db: Pick<Database, 'query' | 'snapshot'>,
  filter: ImageFilter,
  { order, descending, from }: { order: OrderKey; descending: boolean; from: Cursor },
): Promise<boolean> {
  // Nearly always the cursor's own image still matches, which costs one row.
  const conditions = new Conditions(filter);
  const [key, id] = [conditions.value(from.key), conditions.value(from.id)];
  conditions.add(`${order.column} = ${key}${order.cast} AND i.id = ${id}::bigint`);
  const text = `SELECT 1 FROM generated_images i${conditions.where()}`;
  if ((await db.query(text, conditions.values)).length > 0) return true;
  const back: PageQuery = { order, descending: !descending, from, to: null, count: 1, columns: 'i.id' };
  return (await findPage(db, filter, back)).length > 0;
}

/** Returns an empty page, for clients that select no images. @throws like listImages, for its arguments. */
export function listNothing(args: PageArgs & { order?: ImageOrder | null | undefined }): ImagePage {
  parsePageArgs(args, args.order ?? DEFAULT_ORDER);
  const pageInfo = { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null };
  return { edges: [], pageInfo };
}

class Edge<Node extends ImageCard> {
  readonly node: Node;
  readonly #field: string;
  readonly #key: Cursor['key'];

  constructor(field: string, key: Cursor['key'], node: Node) {
    this.#field = field;
    this.#key = key;
    this.node = node;
  }

  /** Computed on request: most clients ask for the cursors of both ends only. */
  get cursor(): string {
    return writeCursor(this.#field, { key: this.#key, id: Number(this.node.id) });
  }
}

/** Returns those of some images that match a filter, by their ids. */
export async function findAmong(db: Queryable, filter: ImageFilter, uuids: readonly string[]) {
  const conditions = new Conditions(filter);
  conditions.add(`i.uuid = ANY(${conditions.value(uuids)}::uuid[])`);
  const rows = await db.query<ImageRow>(
    `SELECT ${IMAGE_COLUMNS} FROM generated_images i${conditions.where()} ORDER BY i.id`,
    conditions.values,
  );
  return rows.map(imageOf);
}

/** Recently created images to look at for each one that is wanted. */
const LOOKED_FOR_EACH = 10;

/**
 * Finds images of a filter that were changed at or after a time, the last changed one at the end. Most were
 * created shortly before their change, and are found by that time. idx_generated_images_changed_late has
 * those that were changed long after.
 * @param limit most images to return: the ones that were changed last.
 * @returns complete: whether these are all.
 */
export async function findChangedSince(
  db: Queryable,
  filter: ImageFilter,
  since: Date,
  limit: number,
): Promise<{ images: Image[]; complete: boolean }> {
  const made = new Conditions(filter);
  const time = `${made.value(since)}::timestamptz`;
  const [looked, wanted] = [made.value(limit * LOOKED_FOR_EACH + 1), made.value(limit + 1)];
  made.add(`i.created_at >= ${time} - interval '1 hour'`);
  const late = new Conditions(filter, made.values);
  late.add(`i.updated_at >= ${time}`);
  // This expression must match idx_generated_images_changed_late.
  late.add(`(i.updated_at AT TIME ZONE 'UTC') > (i.created_at AT TIME ZONE 'UTC') + interval '1 hour'`);
  const rows = await db.query<ImageRow & { isPart: boolean }>(
    `WITH looked AS MATERIALIZED (
       SELECT i.id, i.updated_at FROM generated_images i${made.where()} ORDER BY i.created_at DESC, i.id DESC LIMIT ${looked}
     ), late AS MATERIALIZED (
       SELECT i.id, i.updated_at FROM generated_images i${late.where()} ORDER BY i.updated_at DESC LIMIT ${wanted}
     ), changed AS (
       SELECT id, updated_at FROM looked WHERE updated_at >= ${time} UNION SELECT id, updated_at FROM late
       ORDER BY updated_at DESC, id DESC LIMIT ${wanted}
     )
     SELECT ${IMAGE_COLUMNS}, (SELECT count(*) FROM looked) > ${limit * LOOKED_FOR_EACH} AS "isPart"
     FROM changed c JOIN generated_images i ON i.id = c.id ORDER BY c.updated_at DESC, c.id DESC`,
    made.values,
  );
  const complete = rows.length <= limit && !rows[0]?.isPart;
  const images = rows.slice(0, limit).map(({ isPart: _isPart, ...row }) => imageOf(row as ImageRow));
  return { images: images.reverse(), complete };
}

interface OrderKey extends ListOrder {
  /** Expression for the key of a cursor. */
  readonly cursor: string;
}

const ORDER_KEYS: Record<OrderField, OrderKey> = {
  createdAt: {
    column: 'i.created_at',
    // As text: a Date has neither infinity nor microseconds, which decide between neighbours.
    cursor: 'i.created_at::text',
    cast: '::timestamptz',
    ofTags: true,
  },
  bytes: {
    column: 'coalesce(i.bytes, 0)',
    cursor: 'coalesce(i.bytes, 0)',
    cast: '::integer',
    ofTags: false,
  },
};

/** @throws InputError INVALID_INPUT for a number of entries that no page may have. */
export function requirePageSize(size: number, name: 'first' | 'last'): void {
  if (Number.isInteger(size) && size >= 0 && size <= MAX_PAGE_SIZE) return;
  const message = `${name} is ${size}; it must be an integer from 0 to ${MAX_PAGE_SIZE}.`;
  throw new InputError('INVALID_INPUT', message, { path: [name] });
}

function parsePageArgs(args: PageArgs, order: ImageOrder) {
  if (args.first != null && args.last != null) {
    throw new InputError('INVALID_INPUT', 'Send first or last, not both.', { path: ['last'] });
  }
  // With `before` alone, the client asks for the page before it.
  const backward = args.last != null || (args.first == null && args.before != null && args.after == null);
  const size = args.last ?? args.first ?? DEFAULT_PAGE_SIZE;
  requirePageSize(size, backward ? 'last' : 'first');
  const cursorOf = (name: 'after' | 'before') =>
    args[name] == null ? null : parseCursor(order.field, args[name], name);
  return { size, backward, after: cursorOf('after'), before: cursorOf('before') };
}
