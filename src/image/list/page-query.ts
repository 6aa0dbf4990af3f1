/** Statements that read a page of a list. page.ts chooses among them. */
import type { Queryable } from '../../database/database.ts';
import { Conditions, type ImageFilter, TAGGED_IMAGES, type Wording } from './conditions.ts';
import { estimateImages } from './estimate.ts';

/** Order of a list. An index must have it. */
export interface ListOrder {
  /** Expression of `i`. */
  readonly column: string;
  /** Cast to the type of `column`. */
  readonly cast: string;
  /** Whether image_tags has this order too. */
  readonly ofTags: boolean;
}

/** Position of an image in an order: its value, then its id among equal values. */
export interface Position {
  readonly key: string | number;
  readonly id: number;
}

export interface PageQuery {
  readonly order: ListOrder;
  readonly descending: boolean;
  /** Begins after this image; null: at the beginning of the list. */
  readonly from: Position | null;
  /** Ends before this image; null: at the end of the list. */
  readonly to: Position | null;
  /** Rows to read, at most MAX_ROWS. */
  readonly count: number;
  /** Columns to read, as a list of expressions of `i`. */
  readonly columns: string;
}

/** Rows of the largest page, 100, and one that tells whether there are more. */
export const MAX_ROWS = 101;
/** Rows of a page of the default size, 20, and one more. */
const USUAL_ROWS = 21;

/** How to read a page in the order of the list. */
export interface Scan {
  /** Part of the filter that the index in list order answers. */
  readonly indexed: ImageFilter;
  /** Part of the filter that is checked for each image. */
  readonly checked: ImageFilter;
  /** Tag whose images are scanned, in image_tags; null: generated_images are. */
  readonly tag: string | null;
}

const directionOf = ({ descending }: PageQuery) => (descending ? 'DESC' : 'ASC');

/** Returns the statement that reads the scanned rows between the ends of the page, in list order. */
function scannedRows({ indexed, tag }: Scan, query: PageQuery, columns: string) {
  const direction = directionOf(query);
  const conditions = new Conditions(indexed);
  if (tag !== null) conditions.add(`i.tag = ${conditions.value(tag)}`);
  addRange(conditions, query);
  const text = `SELECT ${columns} FROM ${tag === null ? 'generated_images' : TAGGED_IMAGES} i${conditions.where()}
    ORDER BY ${query.order.column} ${direction}, i.id ${direction}`;
  return { text, values: conditions.values };
}

function addRange(conditions: Conditions, { order, descending, from, to }: PageQuery) {
  const add = (position: Position, operator: string) => {
    const [key, id] = [conditions.value(position.key), conditions.value(position.id)];
    conditions.add(`(${order.column}, i.id) ${operator} (${key}${order.cast}, ${id}::bigint)`);
  };
  if (from) add(from, descending ? '<' : '>');
  if (to) add(to, descending ? '>' : '<');
}

/**
 * Reads images in the order of the list, and checks each.
 * @param most images to check; null: until the page is full.
 */
export async function scanInOrder<Row>(
  db: Queryable,
  scan: Scan,
  query: PageQuery,
  most: number | null,
): Promise<Row[]> {
  const { order, columns, count } = query;
  const direction = directionOf(query);
  // Two literals and not the count itself: PostgreSQL takes a limit that it does not know for a tenth of
  // everything.
  const limit = count <= USUAL_ROWS ? USUAL_ROWS : MAX_ROWS;
  const read = (page: string, values: unknown[], planned = false) =>
    db.query<Row>(`SELECT * FROM (${page} LIMIT ${limit}) page LIMIT $${values.push(count)}`, values, {
      planned,
    });
  if (scan.tag === null && most === null) {
    // One WHERE for both parts of the filter: rows are checked where the index is read.
    const { trash, parts } = scan.indexed;
    const whole = { ...scan.indexed, ...withoutNulls(scan.checked), trash, parts };
    const { text, values } = scannedRows({ ...scan, indexed: whole }, query, columns);
    return read(text, values);
  }
  const { text, values } = scannedRows(
    scan,
    query,
    scan.tag === null ? '*' : `${order.column} AS place, i.id`,
  );
  const scanned = `${text} LIMIT ${most ?? limit}`;
  const checked = new Conditions(scan.checked, values);
  return scan.tag === null
    ? read(
        `SELECT ${columns} FROM (${scanned}) i${checked.where()} ORDER BY ${order.column} ${direction}, i.id ${direction}`,
        values,
        true,
      )
    : read(
        `SELECT ${columns} FROM (${scanned}) w JOIN generated_images i ON i.id = w.id${checked.where()}
         ORDER BY w.place ${direction}, w.id ${direction}`,
        values,
      );
}

/** @returns the position of the last image that a scan of `most` images checks; null: no images follow it. */
export async function findScanEnd(
  db: Queryable,
  scan: Scan,
  query: PageQuery,
  most: number,
): Promise<Position | null> {
  const { text, values } = scannedRows(scan, query, `${query.order.column}::text AS key, i.id`);
  const rows = await db.query<{ key: string; id: number }>(`${text} OFFSET ${most - 1} LIMIT 2`, values, {
    planned: scan.tag === null,
  });
  const [last] = rows;
  return last && rows.length > 1 ? last : null;
}

/**
 * Finds all matches by the index that finds the fewest, and sorts them.
 * @param most matches to find; null: no limit.
 * @returns null when there are more matches.
 */
export async function findByIndex<Row>(
  db: Queryable,
  filter: ImageFilter,
  query: PageQuery,
  most: number | null,
): Promise<Row[] | null> {
  const conditions = new Conditions(filter, [], await wordingOf(db, filter));
  addRange(conditions, query);
  const direction = directionOf(query);
  const limit = most === null ? '' : `LIMIT ${most + 1}`;
  const excess = most === null ? 'false' : `(SELECT count(*) FROM found) > ${most}`;
  // MATERIALIZED keeps the order and the limit of the page from deciding which index PostgreSQL takes.
  const rows = await db.query<Row & { excess: boolean }>(
    `WITH found AS MATERIALIZED (
       SELECT ${query.order.column} AS place, i.id FROM generated_images i${conditions.where()} ${limit}
     )
     SELECT ${query.columns}, ${excess} AS excess
     FROM (SELECT * FROM found ORDER BY place ${direction}, id ${direction} LIMIT ${conditions.value(query.count)}) f
     JOIN generated_images i ON i.id = f.id ORDER BY f.place ${direction}, f.id ${direction}`,
    conditions.values,
    { planned: true },
  );
  if (rows[0]?.excess) return null;
  return rows.map(({ excess: _excess, ...row }) => row as Row);
}

/** Entries of the user's index that cost as much to read as one row of the table. */
const ENTRIES_PER_ROW = 25;

/**
 * Hides the user from PostgreSQL when few other rows match: it would read a million entries of the user's
 * index to spare some thousand rows.
 */
async function wordingOf(db: Queryable, filter: ImageFilter): Promise<Wording> {
  const { userId, search, filename, metadata, ...rest } = filter;
  const makers = [rest.tool, rest.model, rest.provider, rest.origin];
  const others = [search?.trim() || null, filename?.trim() || null, metadata, ...makers];
  if (userId == null || !others.some((value) => value != null)) return 'index';
  const expected = await estimateImages(db, { ...filter, userId: null });
  return expected * ENTRIES_PER_ROW < (await estimateImages(db, { userId })) ? 'others' : 'index';
}

function withoutNulls(filter: ImageFilter): ImageFilter {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value != null));
}
