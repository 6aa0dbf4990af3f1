import type { Database, Queryable } from '../../database/database.ts';
import { isDataError } from '../../database/driver/errors.ts';
import { InputError } from '../../errors.ts';
import { CARD_COLUMNS, IMAGE_COLUMNS, type Image, type ImageRow, imageOf } from '../image.ts';
import { Conditions, type ImageFilter } from './conditions.ts';
import { type Cursor, invalidCursor, parseCursor, writeCursor } from './cursor.ts';
import { type WalkOrder, walkImages } from './page.ts';

export type OrderField = 'createdAt' | 'bytes';

export interface ImageOrder {
  readonly field: OrderField;
  readonly direction: 'asc' | 'desc';
}

export const DEFAULT_ORDER: ImageOrder = { field: 'createdAt', direction: 'desc' };

/**
 * A page as Relay has it (https://relay.dev/graphql/connections.htm#sec-Pagination-algorithm): of the images between `after` and `before`,
 * the first or the last ones.
 */
export interface PageArgs {
  readonly first?: number | null | undefined;
  readonly after?: string | null | undefined;
  readonly last?: number | null | undefined;
  readonly before?: string | null | undefined;
}

export interface ImagePage {
  readonly edges: readonly { readonly cursor: string; readonly node: Image }[];
  readonly pageInfo: {
    readonly hasNextPage: boolean;
    readonly hasPreviousPage: boolean;
    readonly startCursor: string | null;
    readonly endCursor: string | null;
  };
}

export const DEFAULT_PAGE_SIZE = 20;
export const MAX_PAGE_SIZE = 100;

/**
 * One page of images, by a prepared statement that begins where the cursor says: a keyset walk on an index (image/list/page.ts), so that page
 * 10,000 costs what page 1 costs (https://use-the-index-luke.com/no-offset). It does not go through Prisma's client, which
 * costs four times as much as PostgreSQL's answer itself.
 * @throws InputError INVALID_CURSOR, INVALID_INPUT for a page size outside 0 to 100, and for `first` with `last`.
 */
export async function listImages(
  db: Pick<Database, 'query' | 'snapshot'>,
  filter: ImageFilter,
  args: PageArgs & {
    order?: ImageOrder | null | undefined;
    /** Read CARD_COLUMNS only; everything else of the images is undefined then, whatever their type says. */
    cards?: boolean;
    /** Fields of `pageInfo` to determine. Without it, the side that paging comes from says false and costs no statement. */
    pageInfo?: ReadonlySet<string>;
  },
): Promise<ImagePage> {
  const order = args.order ?? DEFAULT_ORDER;
  const { size, backward, after, before } = parsePageArgs(args, order);
  const key = ORDER_KEYS[order.field];
  // Backwards is the same walk in the other direction, turned round at the end.
  const descending = (order.direction === 'desc') !== backward;
  const from = backward ? before : after;
  const walking = walkImages<ImageRow & { cursorKey: Cursor['key'] }>(db, filter, {
    order: key,
    descending,
    from,
    to: backward ? after : before,
    // One more, to know whether there are more.
    count: size + 1,
    columns: `${args.cards ? CARD_COLUMNS : IMAGE_COLUMNS}, ${key.cursor} AS "cursorKey"`,
  });
  const isAsked = from !== null && args.pageInfo?.has(backward ? 'hasNextPage' : 'hasPreviousPage');
  const [rows, behind] = await Promise.all([
    walking,
    isAsked ? existsBehind(db, filter, { order: key, descending, from }) : false,
  ]).catch((error) => {
    // Days that the calendar does not have are known to PostgreSQL.
    if ((after || before) && isDataError(error)) throw invalidCursor(order.field, args);
    throw error;
  });
  const more = rows.length > size;
  if (more) rows.pop();
  if (backward) rows.reverse();
  const edges = rows.map((row) => new Edge(order.field, row));
  return {
    edges,
    pageInfo: {
      // What lies beyond the cursor that a walk ends at does not count, or a client would page on without end.
      hasNextPage: backward ? behind : more,
      hasPreviousPage: backward ? more : behind,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

/** Returns whether the filter finds an image at the cursor that a walk begins at, or on the other side of it. */
async function existsBehind(
  db: Pick<Database, 'query' | 'snapshot'>,
  filter: ImageFilter,
  { order, descending, from }: { order: OrderKey; descending: boolean; from: Cursor },
): Promise<boolean> {
  // Nearly always the cursor's own image is still there, which costs one row.
  const conditions = new Conditions(filter);
  const [key, id] = [conditions.value(from.key), conditions.value(from.id)];
  conditions.add(`${order.column} = ${key}${order.cast} AND i.id = ${id}::bigint`);
  const text = `SELECT 1 FROM generated_images i${conditions.where()}`;
  if ((await db.query(text, conditions.values)).length > 0) return true;
  const back = { order, descending: !descending, from, to: null, count: 1, columns: 'i.id' };
  return (await walkImages(db, filter, back)).length > 0;
}

/** What listImages answers where nobody wants images. @throws as listImages, for its arguments. */
export function listNothing(args: PageArgs & { order?: ImageOrder | null | undefined }): ImagePage {
  parsePageArgs(args, args.order ?? DEFAULT_ORDER);
  const pageInfo = { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null };
  return { edges: [], pageInfo };
}

class Edge {
  readonly node: Image;
  readonly #field: string;
  readonly #key: Cursor['key'];

  constructor(field: string, row: ImageRow & { cursorKey: Cursor['key'] }) {
    this.#field = field;
    this.#key = row.cursorKey;
    this.node = imageOf(row);
  }

  /** Most pages are asked for that of their last edge only. */
  get cursor(): string {
    return writeCursor(this.#field, { key: this.#key, id: Number(this.node.id) });
  }
}

/** Those of some images that a filter finds, newest last. */
export async function findAmong(db: Queryable, filter: ImageFilter, uuids: readonly string[]) {
  const conditions = new Conditions(filter);
  conditions.add(`i.uuid = ANY(${conditions.value(uuids)}::uuid[])`);
  const rows = await db.query<ImageRow>(
    `SELECT ${IMAGE_COLUMNS} FROM generated_images i${conditions.where()} ORDER BY i.id`,
    conditions.values,
  );
  return rows.map(imageOf);
}

/** So many images that were made lately are looked at for each that is wanted. */
const LOOKED_FOR_EACH = 10;

/**
 * Images of a filter that were changed at or after a time, the one that was changed last at the end. Most were made a short time before, and are found by
 * that; an index has those that were changed long after.
 * @param limit of more than these the ones that were changed last.
 * @returns complete: whether there are no more.
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
  // As idx_generated_images_changed_late has it.
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

interface OrderKey extends WalkOrder {
  /** `column` as the key of a cursor. */
  readonly cursor: string;
}

const ORDER_KEYS: Record<OrderField, OrderKey> = {
  createdAt: {
    column: 'i.created_at',
    // As text: a Date cuts microseconds off, which decide between neighbours, and has no infinity.
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

function parsePageArgs(args: PageArgs, order: ImageOrder) {
  if (args.first != null && args.last != null) {
    throw new InputError('INVALID_INPUT', 'Give first or last, not both.', { path: ['last'] });
  }
  // A client that says no more than `before` asks for the page ahead of it.
  const backward = args.last != null || (args.first == null && args.before != null && args.after == null);
  const size = args.last ?? args.first ?? DEFAULT_PAGE_SIZE;
  if (!Number.isInteger(size) || size < 0 || size > MAX_PAGE_SIZE) {
    const name = backward ? 'last' : 'first';
    throw new InputError('INVALID_INPUT', `${name} is ${size}; it goes from 0 to ${MAX_PAGE_SIZE}.`, {
      path: [name],
    });
  }
  const cursorOf = (name: 'after' | 'before') =>
    args[name] == null ? null : parseCursor(order.field, args[name], name);
  return { size, backward, after: cursorOf('after'), before: cursorOf('before') };
}
