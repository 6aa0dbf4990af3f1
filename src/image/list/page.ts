/**
 * How a page of a list is found, so that it costs what its images cost and not what the table holds. Two ways lead to a page. One walks
 * in the order of the list and looks whether each image is meant: right for what is common. The other asks an index for all that are
 * meant, and sorts them: right for what is rare. PostgreSQL chooses by its statistics, which know neither how often a tag is used by one
 * user nor, in a prepared statement, which tag; and where it is wrong it reads millions of rows. So it is left little to choose. What it
 * expects to be few is found by an index, and given up when they are many after all. Everything else is walked to, so many images and no
 * more at a time; after the first it is known how rare they are, and which way is the shorter from there.
 *
 * Where an index has exactly what is meant in the order of the list (a user, a time, a tag, a tag of a user) the walk needs no bound. All
 * limits stand in the statements: one that PostgreSQL does not know it takes for a tenth of everything.
 */
import type { Database, Queryable } from '../../database/database.ts';
import {
  areIndexed,
  Conditions,
  type ImageFilter,
  imagesOfTags,
  TAGGED_IMAGES,
  type Wording,
} from './conditions.ts';
import { estimateImages } from './estimate.ts';

/** The order in which a list lies, as an index has it. */
export interface WalkOrder {
  /** An expression of `i`, and the type of its values. */
  readonly column: string;
  readonly cast: string;
  /** Whether image_tags lies in this order too. */
  readonly ofTags: boolean;
}

/** Where an image stands in an order: its value, and its id among equals. */
interface Place {
  readonly key: string | number;
  readonly id: number;
}

export interface Walk {
  readonly order: WalkOrder;
  readonly descending: boolean;
  /** Begins behind this image; null: at the beginning of the list. */
  readonly from: Place | null;
  /** Ends ahead of this image; null: at the end of the list. */
  readonly to: Place | null;
  /** At most MAX_WALKED. */
  readonly count: number;
  /** What is read of the images, as a list of expressions of `i`. */
  readonly columns: string;
}

/** A page of a hundred, or one of twenty as most are, and an image that says whether there are more. */
export const MAX_WALKED = 101;
const USUAL = 21;
/** So many images are looked at before it is known how rare those that are meant are; fewer where the words of each are taken apart. */
const FIRST_LOOK = 1000;
const FIRST_PARSED = 300;
/** And so many at a time after that. */
const LOOKS = [5000, 20_000, 80_000] as const;
/**
 * So few, if it is no more than PostgreSQL expects, are found by an index at once, and more where the words of each would be taken apart; and
 * so many it may find where it expected few.
 */
const FEW = 500;
const FEW_PARSED = 10_000;
const MAX_UNEXPECTED = 20_000;
/**
 * Microseconds, measured: what an image costs that is looked at in the order of time, in another, and where its words are taken apart; and one
 * that an index finds, of which each lies on another page.
 */
const COSTS = { looked: 2, scattered: 6, parsed: 6, found: 4 };

/** @returns the next images of a filter in an order; each row has the columns that were asked for. */
export async function walkImages<Row>(
  db: Pick<Database, 'query' | 'snapshot'>,
  filter: ImageFilter,
  walk: Walk,
): Promise<Row[]> {
  if (POINTS.some((field) => filter[field] != null)) return (await find<Row>(db, filter, walk, null)) ?? [];
  const tag = walk.order.ofTags ? await chooseTag(db, filter) : null;
  const way = divide(filter, walk.order, tag);
  const isByIndex = isFindable(way.sifted);
  // What nearly all have is not worth a second statement.
  if (!isByIndex && tag === null) return look<Row>(db, way, walk, null);
  if (tag !== null && !isSifting(way.sifted)) return look<Row>(db, way, walk, null);

  const expected = isByIndex ? await expectImages(db, filter) : Number.POSITIVE_INFINITY;
  // A tag is walked to its end as fast.
  const isParsing = Boolean(way.sifted.search?.trim() || way.sifted.filename?.trim());
  if (expected <= (isParsing ? FEW_PARSED : FEW) && tag === null) {
    const found = await find<Row>(db, filter, walk, MAX_UNEXPECTED);
    if (found !== null) return found;
  }
  const first = isParsing ? FIRST_PARSED : FIRST_LOOK;
  const met = await look<Row>(db, way, walk, first);
  if (met.length === walk.count) return met;
  // Most that are not full are all there is: half as many images as were looked at, so that some that go between the two statements change nothing.
  if ((await placeAfter(db, way, walk, first / 2)) === null) return met;
  // From here on it is several statements that begin where the one before ended: what others write meanwhile must not move that place.
  return db.snapshot((state) =>
    walkOn<Row>(state, filter, walk, { way, isByIndex, expected, isParsing, first }),
  );
}

interface Plan {
  readonly way: Way;
  readonly isByIndex: boolean;
  /** How many images an index is expected to find. */
  readonly expected: number;
  readonly isParsing: boolean;
  /** So many images are looked at to begin with. */
  readonly first: number;
}

async function walkOn<Row>(
  db: Queryable,
  filter: ImageFilter,
  walk: Walk,
  { way, isByIndex, expected, isParsing, first }: Plan,
): Promise<Row[]> {
  const rows: Row[] = [];
  let rest = walk;
  let looked = 0;
  for (let looks: number = first; ; ) {
    const found = await look<Row>(db, way, rest, looks);
    rows.push(...found);
    if (found.length === rest.count) return rows;
    const from = await placeAfter(db, way, rest, looks);
    if (from === null) return rows;
    looked += looks;
    rest = { ...walk, from, count: walk.count - rows.length };
    // As rare as they were up to here; none as half a one.
    const ahead = (looked * rest.count) / Math.max(rows.length, 0.5);
    const cost = isParsing ? COSTS.parsed : walk.order.ofTags ? COSTS.looked : COSTS.scattered;
    if (isByIndex && (looked > first || expected * COSTS.found < ahead * cost)) break;
    looks = LOOKS.find((each) => each >= 1.5 * ahead) ?? LOOKS[2];
  }
  return rows.concat((await find<Row>(db, filter, rest, null)) ?? []);
}

/** How many images an index will find. What PostgreSQL does not know, for it takes the users of a tag to be as many as of any, is looked up. */
async function expectImages(db: Queryable, filter: ImageFilter): Promise<number> {
  const { userId, anyTag } = filter;
  if (userId == null || !anyTag?.length || !areIndexed(filter, anyTag)) return estimateImages(db, filter);
  const [row] = await db.query<{ images: number }>(
    `SELECT count(*) AS images FROM ${imagesOfTags('$1', '$2', FEW + 1)} few`,
    [userId, anyTag],
  );
  return row && row.images <= FEW ? row.images : estimateImages(db, filter);
}

interface Way {
  /** What the index that is walked holds. */
  readonly bounds: ImageFilter;
  /** What each image is asked. */
  readonly sifted: ImageFilter;
  /** Walks the images of this tag. */
  readonly tag: string | null;
}

/** What hardly more than one image has. */
const POINTS = ['requestId', 'messageId', 'sha256', 'storageUrl'] as const;

function divide(filter: ImageFilter, order: WalkOrder, tag: string | null): Way {
  const { userId, createdAfter, createdBefore, trash, parts, ...rest } = filter;
  const ofTime = { userId, createdAfter, createdBefore };
  const any = { trash: 'include', parts: true } as const;
  if (tag !== null) {
    // Its table has what lists show and nothing else.
    const tags = filter.tags?.length === 1 ? null : filter.tags;
    return { bounds: { ...ofTime, ...any }, sifted: { ...rest, ...any, tags }, tag };
  }
  const shown = { trash: trash === 'only' ? 'include' : trash, parts } as const;
  const inTrash = { trash: trash === 'only' ? 'only' : 'include', parts: true } as const;
  return order.ofTags
    ? { bounds: { ...ofTime, ...shown }, sifted: { ...rest, ...inTrash }, tag }
    : { bounds: shown, sifted: { ...rest, ...ofTime, ...inTrash }, tag };
}

/** Whether an index finds what is asked of each image, be it that or a part of it. */
function isFindable(sifted: ImageFilter): boolean {
  const { userId, tool, tags, anyTag, status, model, provider, origin, search, filename, metadata, copies } =
    sifted;
  return (
    [userId, tool, model, provider, origin, sifted.createdAfter, sifted.createdBefore, metadata].some(
      (value) => value != null,
    ) ||
    [tags, anyTag, search?.trim(), filename?.trim()].some((value) => value?.length) ||
    (status != null && status.length > 0 && !status.includes('success')) ||
    (copies?.state != null && copies.state !== 'STORED') ||
    sifted.visibility === 'private' ||
    sifted.trash === 'only'
  );
}

/** Whether anything is asked of each image. */
function isSifting({ trash: _trash, parts: _parts, ...sifted }: ImageFilter): boolean {
  return Object.values(sifted).some((value) => value != null && value !== '' && !isEmpty(value));
}

const isEmpty = (value: unknown) => Array.isArray(value) && value.length === 0;

/** The tag that is walked: of several the rarest, as far as that is known after some entries of each. */
async function chooseTag(db: Queryable, filter: ImageFilter): Promise<string | null> {
  const tags = filter.tags ?? [];
  const [first] = tags;
  if (first === undefined || !areIndexed(filter, tags)) return null;
  if (tags.length === 1) return first;
  const ofUser = filter.userId == null ? '' : 'AND t.user_id = $2';
  const [rarest] = await db.query<{ tag: string }>(
    `SELECT wanted.tag FROM unnest($1::text[]) WITH ORDINALITY AS wanted(tag, place), LATERAL (
       SELECT count(*) AS images FROM (
         SELECT FROM image_tags t WHERE t.tag = wanted.tag ${ofUser} LIMIT ${FIRST_LOOK}
       ) few
     ) counted ORDER BY images, place LIMIT 1`,
    filter.userId == null ? [tags] : [tags, filter.userId],
  );
  return rarest?.tag ?? first;
}

/** What is walked, from where the walk begins to where it ends, in its order. */
function source({ bounds, tag }: Way, walk: Walk, columns: string) {
  const { order, descending } = walk;
  const conditions = new Conditions(bounds);
  if (tag !== null) conditions.add(`i.tag = ${conditions.value(tag)}`);
  addRange(conditions, walk);
  const direction = descending ? 'DESC' : 'ASC';
  const text = `SELECT ${columns} FROM ${tag === null ? 'generated_images' : TAGGED_IMAGES} i${conditions.where()}
    ORDER BY ${order.column} ${direction}, i.id ${direction}`;
  return { text, values: conditions.values };
}

function addRange(conditions: Conditions, { order, descending, from, to }: Walk) {
  const add = (place: Place, operator: string) => {
    const [key, id] = [conditions.value(place.key), conditions.value(place.id)];
    conditions.add(`(${order.column}, i.id) ${operator} (${key}${order.cast}, ${id}::bigint)`);
  };
  if (from) add(from, descending ? '<' : '>');
  if (to) add(to, descending ? '>' : '<');
}

/** @param looks how many images are looked at; null: as many as it takes. */
async function look<Row>(db: Queryable, way: Way, walk: Walk, looks: number | null): Promise<Row[]> {
  const { order, columns, count } = walk;
  const direction = walk.descending ? 'DESC' : 'ASC';
  const fence = count <= USUAL ? USUAL : MAX_WALKED;
  const limited = (page: string, values: unknown[], planned = false) =>
    db.query<Row>(`SELECT * FROM (${page} LIMIT ${fence}) page LIMIT $${values.push(count)}`, values, {
      planned,
    });
  if (way.tag === null && looks === null) {
    // All of it in one: what is asked of each image is asked where the index is read.
    const whole = { ...way.bounds, ...given(way.sifted), trash: way.bounds.trash, parts: way.bounds.parts };
    const { text, values } = source({ ...way, bounds: whole }, walk, columns);
    return limited(text, values);
  }
  const { text, values } = source(way, walk, way.tag === null ? '*' : `${order.column} AS place, i.id`);
  const walked = `${text} LIMIT ${looks ?? fence}`;
  const sifted = new Conditions(way.sifted, values);
  return way.tag === null
    ? limited(
        `SELECT ${columns} FROM (${walked}) i${sifted.where()} ORDER BY ${order.column} ${direction}, i.id ${direction}`,
        values,
        true,
      )
    : limited(
        `SELECT ${columns} FROM (${walked}) w JOIN generated_images i ON i.id = w.id${sifted.where()}
         ORDER BY w.place ${direction}, w.id ${direction}`,
        values,
      );
}

/** @returns the last image of those that were looked at, or null when there are no more behind it. */
async function placeAfter(db: Queryable, way: Way, walk: Walk, looks: number): Promise<Walk['from']> {
  const { text, values } = source(way, walk, `${walk.order.column}::text AS key, i.id`);
  const rows = await db.query<{ key: string; id: number }>(`${text} OFFSET ${looks - 1} LIMIT 2`, values, {
    planned: way.tag === null,
  });
  const [last] = rows;
  return last && rows.length > 1 ? last : null;
}

/**
 * By whatever index finds the fewest, sorted.
 * @param most null: as many as there are.
 * @returns null when there are more.
 */
async function find<Row>(
  db: Queryable,
  filter: ImageFilter,
  walk: Walk,
  most: number | null,
): Promise<Row[] | null> {
  const conditions = new Conditions(filter, [], await wordingOf(db, filter));
  addRange(conditions, walk);
  const direction = walk.descending ? 'DESC' : 'ASC';
  // Apart from the order and the limit, or they would decide how it is found.
  const rows = await db.query<Row & { excess: boolean }>(
    `WITH found AS MATERIALIZED (
       SELECT ${walk.order.column} AS place, i.id FROM generated_images i${conditions.where()} ${most === null ? '' : `LIMIT ${most + 1}`}
     )
     SELECT ${walk.columns}, ${most === null ? 'false' : `(SELECT count(*) FROM found) > ${most}`} AS excess
     FROM (SELECT * FROM found ORDER BY place ${direction}, id ${direction} LIMIT ${conditions.value(walk.count)}) f
     JOIN generated_images i ON i.id = f.id ORDER BY f.place ${direction}, f.id ${direction}`,
    conditions.values,
    { planned: true },
  );
  if (rows[0]?.excess) return null;
  return rows.map(({ excess: _excess, ...row }) => row as Row);
}

/** To read an entry of a user's index costs a part of what a row costs that lies anywhere. */
const ENTRIES_OF_A_ROW = 25;

/** Whether the user's index is worth reading: PostgreSQL reads a million entries of it to spare itself some thousand rows, and is slower for it. */
async function wordingOf(db: Queryable, filter: ImageFilter): Promise<Wording> {
  const { userId, search, filename, metadata, ...rest } = filter;
  const makers = [rest.tool, rest.model, rest.provider, rest.origin];
  if (
    userId == null ||
    ![search?.trim() || null, filename?.trim() || null, metadata, ...makers].some((value) => value != null)
  )
    return 'index';
  const others = await estimateImages(db, { ...filter, userId: null });
  return others * ENTRIES_OF_A_ROW < (await estimateImages(db, { userId })) ? 'others' : 'index';
}

/** The fields that are there. */
function given(filter: ImageFilter): ImageFilter {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value != null));
}
