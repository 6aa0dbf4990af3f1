/**
 * Reads a page of a list at a cost that depends on the page and not on the size of the table. There are two
 * query plans: scan the images in list order and check each (good for common matches), or find all matches by
 * an index and sort them (good for rare ones).
 *
 * PostgreSQL would choose by its statistics. They do not know how often one user uses a tag and, in a
 * prepared statement, not even which tag it is. A wrong choice reads millions of rows. So this file leaves
 * PostgreSQL little to choose:
 *
 * - Matches that are expected to be few are found by an index, up to a limit.
 * - Otherwise a limited number of images is scanned. That shows how rare the matches are, and which plan is
 *   cheaper from there on.
 * - When an index has exactly the matches in list order (a user, a time, a tag, a tag of a user), the scan
 *   needs no limit.
 *
 * All limits are literals in the statements: PostgreSQL takes a limit that it does not know for a tenth of
 * everything.
 */
import type { Database, Queryable } from '../../database/database.ts';
import { areIndexed, type ImageFilter, imagesOfTags } from './conditions.ts';
import { estimateImages } from './estimate.ts';
import { chooseTag, hasPointField, isChecking, isFoundByIndex, planScan } from './page-plan.ts';
import { findByIndex, findScanEnd, type PageQuery, type Scan, scanInOrder } from './page-query.ts';

/** Images to scan before it is known how rare the matches are. */
const FIRST_SCAN = 1000;
/** Images to scan first when the words of each image must be parsed. */
const FIRST_SCAN_OF_WORDS = 300;
/** Images to scan at a time after that. */
const SCANS = [5000, 20_000, 80_000] as const;
/** Expected matches up to which an index finds them at once. */
const FEW = 500;
/** Expected matches up to which an index finds them, when a scan would parse the words of each image. */
const FEW_OF_WORDS = 10_000;
/** Matches up to which an index may find more than was expected. */
const MAX_UNEXPECTED = 20_000;
/**
 * Measured cost of one image in microseconds: scanned in the order of time, scanned in another order, scanned
 * with its words to parse, and found by an index on a page of its own.
 */
const COSTS = { scanned: 2, scattered: 6, parsed: 6, found: 4 };

/** @returns the next images of a filter, with the columns of the query. */
export async function findPage<Row>(
  db: Pick<Database, 'query' | 'snapshot'>,
  filter: ImageFilter,
  query: PageQuery,
): Promise<Row[]> {
  if (hasPointField(filter)) return (await findByIndex<Row>(db, filter, query, null)) ?? [];
  const tag = query.order.ofTags ? await chooseTag(db, filter, FIRST_SCAN) : null;
  const scan = planScan(filter, query.order, tag);
  const hasIndex = isFoundByIndex(scan.checked);
  // Nearly all images match, or all of the tag: no second statement can help.
  const scansAll = tag === null ? !hasIndex : !isChecking(scan.checked);
  if (scansAll) return scanInOrder<Row>(db, scan, query, null);

  const expected = hasIndex ? await expectMatches(db, filter) : Number.POSITIVE_INFINITY;
  const parsesWords = Boolean(scan.checked.search?.trim() || scan.checked.filename?.trim());
  // A tag is scanned to its end as fast as an index would find it.
  if (tag === null && expected <= (parsesWords ? FEW_OF_WORDS : FEW)) {
    const found = await findByIndex<Row>(db, filter, query, MAX_UNEXPECTED);
    if (found !== null) return found;
  }
  const first = parsesWords ? FIRST_SCAN_OF_WORDS : FIRST_SCAN;
  const rows = await scanInOrder<Row>(db, scan, query, first);
  if (rows.length === query.count) return rows;
  // Usually a page that is not full has all matches. Half the images: some may be removed between the two
  // statements.
  if ((await findScanEnd(db, scan, query, first / 2)) === null) return rows;
  // Several statements follow, each from where the last one ended. A snapshot keeps other writers from moving
  // that position.
  return db.snapshot((state) =>
    continuePage<Row>(state, filter, query, { scan, hasIndex, expected, parsesWords, first }),
  );
}

interface PagePlan {
  readonly scan: Scan;
  readonly hasIndex: boolean;
  /** Matches that an index is expected to find. */
  readonly expected: number;
  readonly parsesWords: boolean;
  /** Images to scan first. */
  readonly first: number;
}

/** Scans on until the page is full, or until finding the rest by an index is cheaper. */
async function continuePage<Row>(
  db: Queryable,
  filter: ImageFilter,
  query: PageQuery,
  { scan, hasIndex, expected, parsesWords, first }: PagePlan,
): Promise<Row[]> {
  const rows: Row[] = [];
  const cost = parsesWords ? COSTS.parsed : query.order.ofTags ? COSTS.scanned : COSTS.scattered;
  let rest = query;
  let scanned = 0;
  for (let most: number = first; ; ) {
    const found = await scanInOrder<Row>(db, scan, rest, most);
    rows.push(...found);
    if (found.length === rest.count) return rows;
    const from = await findScanEnd(db, scan, rest, most);
    if (from === null) return rows;
    scanned += most;
    rest = { ...query, from, count: query.count - rows.length };
    // Expects matches to be as rare as so far; no match counts as half a one.
    const ahead = (scanned * rest.count) / Math.max(rows.length, 0.5);
    if (hasIndex && (scanned > first || expected * COSTS.found < ahead * cost)) break;
    most = SCANS.find((each) => each >= 1.5 * ahead) ?? SCANS[2];
  }
  return rows.concat((await findByIndex<Row>(db, filter, rest, null)) ?? []);
}

/**
 * Estimates how many matches an index will find. Counts some tags of a user: PostgreSQL takes every tag to be
 * as frequent with each user as with all.
 */
async function expectMatches(db: Queryable, filter: ImageFilter): Promise<number> {
  const { userId, anyTag } = filter;
  if (userId == null || !anyTag?.length || !areIndexed(filter, anyTag)) return estimateImages(db, filter);
  const [row] = await db.query<{ images: number }>(
    `SELECT count(*) AS images FROM ${imagesOfTags('$1', '$2', FEW + 1)} few`,
    [userId, anyTag],
  );
  return row && row.images <= FEW ? row.images : estimateImages(db, filter);
}
