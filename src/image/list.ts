import type { Queryable } from '../database/database.ts';
import { InputError } from '../errors.ts';
import { type Cursor, parseCursor, writeCursor } from './cursor.ts';
import {
  CARD_COLUMNS,
  IMAGE_COLUMNS,
  type Image,
  type ImageOrigin,
  type ImageRow,
  type ImageStatus,
  imageOf,
} from './image.ts';
import { checkCharacters } from './input.ts';
import { faultOfJson } from './json.ts';
import { isoOfMicros } from './time.ts';

export interface ImageFilter {
  readonly userId?: string | null | undefined;
  readonly tool?: string | null | undefined;
  /** Images that have all of these tags. */
  readonly tags?: readonly string[] | null | undefined;
  /** Images that have one or more of these tags. */
  readonly anyTag?: readonly string[] | null | undefined;
  readonly status?: readonly ImageStatus[] | null | undefined;
  readonly model?: string | null | undefined;
  readonly provider?: string | null | undefined;
  readonly origin?: ImageOrigin | null | undefined;
  readonly requestId?: string | null | undefined;
  readonly messageId?: string | null | undefined;
  readonly sha256?: string | null | undefined;
  /** At or after this time. */
  readonly createdAfter?: Date | null | undefined;
  /** Before this time. */
  readonly createdBefore?: Date | null | undefined;
  /** Words of the prompt, as `websearch_to_tsquery` reads them: `fox -winter "red moon" or owl`. */
  readonly search?: string | null | undefined;
  /** JSON that `metadata` contains, as `@>` does. */
  readonly metadata?: unknown;
  readonly storageUrl?: string | null | undefined;
  /** Images in the trash: `exclude` without it. */
  readonly trash?: TrashFilter | null | undefined;
  /** Images that are parts of others, such as the panels of a comic: left out without it. */
  readonly parts?: boolean | null | undefined;
  readonly copies?:
    | { readonly store?: string | null | undefined; readonly state?: string | null | undefined }
    | null
    | undefined;
}

export type TrashFilter = 'exclude' | 'include' | 'only';

export type OrderField = 'createdAt' | 'bytes';

export interface ImageOrder {
  readonly field: OrderField;
  readonly direction: 'asc' | 'desc';
}

export const DEFAULT_ORDER: ImageOrder = { field: 'createdAt', direction: 'desc' };

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
/** PostgreSQL parses what is searched for in time that grows faster than its length. */
const MAX_SEARCH_LENGTH = 1000;
const MAX_METADATA_DEPTH = 20;

/**
 * One page of images, by one prepared statement that begins where the cursor says: a keyset walk on an index, so that page
 * 10,000 costs what page 1 costs (https://use-the-index-luke.com/no-offset). It does not go through Prisma's client, which
 * costs four times as much as PostgreSQL's answer itself.
 * @throws InputError INVALID_CURSOR, INVALID_INPUT for a page size outside 1 to 100.
 */
export async function listImages(
  db: Queryable,
  filter: ImageFilter,
  args: PageArgs & {
    order?: ImageOrder | null | undefined;
    /** Read CARD_COLUMNS only; everything else of the images is undefined then, whatever their type says. */
    cards?: boolean;
  },
): Promise<ImagePage> {
  const order = args.order ?? DEFAULT_ORDER;
  const { size, backward, from } = parsePageArgs(args, order);
  const conditions = new Conditions(filter);
  const key = ORDER_KEYS[order.field];
  // Backwards is the same walk in the other direction, turned round at the end.
  const descending = (order.direction === 'desc') !== backward;
  if (from) {
    conditions.add(
      `(${key.column}, i.id) ${descending ? '<' : '>'} (${conditions.value(key.valueOf(from))}${key.cast}, ${conditions.value(from.id)}::bigint)`,
    );
  }
  const direction = descending ? 'DESC' : 'ASC';
  const rows = await db.query<ImageRow & { cursorKey: number }>(
    `SELECT ${args.cards ? CARD_COLUMNS : IMAGE_COLUMNS}, ${key.cursor} AS "cursorKey" FROM generated_images i${conditions.where()}
     ORDER BY ${key.column} ${direction}, i.id ${direction} LIMIT ${conditions.value(size + 1)}`,
    conditions.values,
  );
  const more = rows.length > size;
  if (more) rows.pop();
  if (backward) rows.reverse();
  const edges = rows.map(({ cursorKey, ...row }) => ({
    cursor: writeCursor(order.field, { key: cursorKey, id: row.id }),
    node: imageOf(row),
  }));
  return {
    edges,
    pageInfo: {
      // What lies behind the page in the direction of the walk is known; before it is whatever the cursor came from.
      hasNextPage: backward ? from !== null : more,
      hasPreviousPage: backward ? more : from !== null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
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

/** Images of a filter that were changed at or after a time, among the newest `limit` * 10 of it. */
export async function findChangedSince(db: Queryable, filter: ImageFilter, since: Date, limit: number) {
  const conditions = new Conditions(filter);
  const rows = await db.query<ImageRow>(
    `SELECT * FROM (SELECT ${IMAGE_COLUMNS} FROM generated_images i${conditions.where()}
       ORDER BY i.created_at DESC, i.id DESC LIMIT ${conditions.value(limit * 10)}) newest
     WHERE newest."updatedAt" >= ${conditions.value(since)} ORDER BY newest.id DESC LIMIT ${conditions.value(limit)}`,
    conditions.values,
  );
  return rows.map(imageOf).reverse();
}

export async function countImages(db: Queryable, filter: ImageFilter): Promise<number> {
  // Without the trash and the parts: all, less those, of which there are few and an index. So neither count looks into a row of the
  // table where an index holds what is filtered by.
  const excludes = (filter.trash ?? 'exclude') === 'exclude' && !filter.parts;
  const conditions = new Conditions(excludes ? { ...filter, trash: 'include', parts: true } : filter);
  const count = `SELECT count(*) FROM generated_images i`;
  const all = `(${count}${conditions.where()})`;
  conditions.add(HIDDEN);
  const [row] = await db.query<{ count: number }>(
    excludes ? `SELECT ${all} - (${count}${conditions.where()}) AS count` : `SELECT ${all} AS count`,
    conditions.values,
  );
  return row?.count ?? 0;
}

interface OrderKey {
  /** What is ordered by, as the index has it. */
  readonly column: string;
  /** The same as a number for the cursor. */
  readonly cursor: string;
  readonly cast: string;
  valueOf(cursor: Cursor): string | number;
}

const ORDER_KEYS: Record<OrderField, OrderKey> = {
  createdAt: {
    column: 'i.created_at',
    // Microseconds: what a JavaScript Date would cut off decides between neighbours.
    cursor: '(extract(epoch FROM i.created_at) * 1000000)::bigint',
    cast: '::timestamptz',
    valueOf: ({ key }) => isoOfMicros(key),
  },
  bytes: {
    column: 'coalesce(i.bytes, 0)',
    cursor: 'coalesce(i.bytes, 0)',
    cast: '::integer',
    valueOf: ({ key }) => key,
  },
};

function parsePageArgs(args: PageArgs, order: ImageOrder) {
  if (args.first != null && args.last != null) {
    throw new InputError('INVALID_INPUT', 'Give first or last, not both.', { path: ['last'] });
  }
  if ((args.last != null && args.after != null) || (args.last == null && args.before != null)) {
    throw new InputError(
      'INVALID_INPUT',
      'Page forward with first and after, backward with last and before.',
      {
        path: [args.last != null ? 'after' : 'before'],
      },
    );
  }
  const backward = args.last != null;
  const size = args.last ?? args.first ?? DEFAULT_PAGE_SIZE;
  if (!Number.isInteger(size) || size < 1 || size > MAX_PAGE_SIZE) {
    const name = backward ? 'last' : 'first';
    throw new InputError('INVALID_INPUT', `${name} is ${size}; it goes from 1 to ${MAX_PAGE_SIZE}.`, {
      path: [name],
    });
  }
  const cursor = backward ? args.before : args.after;
  return { size, backward, from: cursor == null ? null : parseCursor(order.field, cursor) };
}

const IN_TRASH = 'i.deleted_at IS NOT NULL';
/** As the condition of idx_generated_images_hidden says it. */
const HIDDEN = '(i.deleted_at IS NOT NULL OR i.part_of IS NOT NULL)';

/** The WHERE of a filter. Its text depends on which fields are given, never on their values, so there are few statements. */
class Conditions {
  readonly values: unknown[] = [];
  readonly #terms: string[] = [];

  constructor(filter: ImageFilter) {
    for (const [field, column] of EQUALITIES) {
      const value = filter[field];
      if (value == null) continue;
      checkCharacters(`filter.${field}`, value);
      this.add(`${column} = ${this.value(value)}`);
    }
    for (const tag of [...(filter.tags ?? []), ...(filter.anyTag ?? [])]) checkCharacters('filter.tags', tag);
    if (filter.tags?.length) {
      // With a user the user's index is the way: a few of one user's rows, filtered. PostgreSQL would take the index of tags as
      // well and pay for the tag's rows of all users, so that index is hidden from it.
      const column = filter.userId == null ? 'i.tags' : `(i.tags || '{}'::text[])`;
      this.add(`${column} @> ${this.value(filter.tags)}::text[]`);
    }
    if (filter.anyTag?.length) {
      const column = filter.userId == null ? 'i.tags' : `(i.tags || '{}'::text[])`;
      this.add(`${column} && ${this.value(filter.anyTag)}::text[]`);
    }
    if (filter.status?.length) {
      this.add(`i.status = ANY(${this.value(filter.status)}::text[])`);
      // Says to PostgreSQL that the partial index of what did not succeed holds all of it.
      if (!filter.status.includes('success')) this.add(`i.status <> 'success'`);
    }
    if (filter.createdAfter)
      this.add(`i.created_at >= ${this.value(checkTime('createdAfter', filter.createdAfter))}`);
    if (filter.createdBefore)
      this.add(`i.created_at < ${this.value(checkTime('createdBefore', filter.createdBefore))}`);
    if (filter.search?.trim()) {
      checkCharacters('filter.search', filter.search);
      if (filter.search.length > MAX_SEARCH_LENGTH) {
        const message = `filter.search has ${filter.search.length} characters; ${MAX_SEARCH_LENGTH} are allowed.`;
        throw new InputError('INVALID_INPUT', message, { path: ['filter', 'search'] });
      }
      this.add(
        `to_tsvector('simple', i.prompt) @@ websearch_to_tsquery('simple', ${this.value(filter.search)})`,
      );
    }
    if (filter.metadata != null) {
      const fault = faultOfJson(filter.metadata, MAX_METADATA_DEPTH);
      if (fault)
        throw new InputError('INVALID_INPUT', `filter.metadata ${fault}.`, { path: ['filter', 'metadata'] });
      this.add(`i.metadata @> ${this.value(JSON.stringify(filter.metadata))}::jsonb`);
    }
    const trash = filter.trash ?? 'exclude';
    if (trash !== 'include') this.add(trash === 'only' ? IN_TRASH : 'i.deleted_at IS NULL');
    if (!filter.parts) this.add('i.part_of IS NULL');
    if (filter.copies) {
      const terms = ['c.blob_id = i.blob_id'];
      if (filter.copies.store != null) {
        checkCharacters('filter.copies.store', filter.copies.store);
        terms.push(`c.store = ${this.value(filter.copies.store)}`);
      }
      if (filter.copies.state != null) terms.push(`c.state = ${this.value(filter.copies.state)}`);
      this.add(`EXISTS (SELECT 1 FROM copies c WHERE ${terms.join(' AND ')})`);
    }
  }

  add(term: string): void {
    this.#terms.push(term);
  }

  /** Takes a value in and returns its placeholder. */
  value(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  where(): string {
    return this.#terms.length > 0 ? ` WHERE ${this.#terms.join(' AND ')}` : '';
  }
}

/** JavaScript counts years from before 0, PostgreSQL has no year 0. */
function checkTime(field: string, time: Date): Date {
  if (time.getUTCFullYear() >= 1) return time;
  throw new InputError('INVALID_INPUT', `filter.${field} lies before the year 1.`, {
    path: ['filter', field],
  });
}

const EQUALITIES = [
  ['userId', 'i.user_id'],
  ['tool', 'i.tool_name'],
  ['model', 'i.model'],
  ['provider', 'i.provider'],
  ['origin', 'i.origin'],
  ['requestId', 'i.request_id'],
  ['messageId', 'i.message_id'],
  ['sha256', 'i.sha256'],
  ['storageUrl', 'i.storage_url'],
] as const satisfies readonly (readonly [keyof ImageFilter, string])[];
