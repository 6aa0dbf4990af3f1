import type { ReadableDatabase } from '../../database/replica.ts';
import type { ImageFilter } from './conditions.ts';
import type { JudgingStores } from './durability.ts';
import { isInIndex, MAX_COUNTED, MAX_READ, newestImages, sumUp } from './newest-images.ts';
import { countTable, type Figures, NO_TABLE, TABLE_FIELDS, type TableStats } from './table-stats.ts';

/** Statistics by what idx_generated_images_created_at_id has. */
interface IndexedStats extends Figures {
  readonly succeeded: number;
  readonly pending: number;
  readonly processing: number;
  /** null: none is pending. */
  readonly oldestPendingAt: Date | null;
  readonly uniqueUsers: number;
  /** Average of the images that have bytes; null: none has. */
  readonly averageBytes: number | null;
  /** Tools with the most images first. */
  readonly byTool: readonly (Figures & { readonly tool: string })[];
  /** Newest day first. A day is `2026-11-21`, in UTC. */
  readonly byDay: readonly DayFigures[];
  readonly byDayAndTool: readonly (Figures & { readonly day: string; readonly tool: string })[];
  /** Users with the most images first. */
  readonly byUser: readonly (Figures & { readonly userId: string })[];
}

export interface DayFigures extends Figures {
  readonly day: string;
  /** Number of the counted images that were created by the end of the day. */
  readonly cumulativeTotal: number;
  /** Bytes of those images. */
  readonly cumulativeBytes: number;
}

export interface ImageStats extends IndexedStats, TableStats {
  /** Whether all matching images were counted. */
  readonly complete: boolean;
}

export const MAX_TOOLS = 100;
export const MAX_DAYS = 366;
export const MAX_USERS = 50;
/** Most tools of `byDayAndTool`. */
export const MAX_TOOLS_A_DAY = 20;

export interface StatsOptions {
  /** Fields to compute; others are empty. Default: all but TABLE_FIELDS. */
  readonly fields?: ReadonlySet<string>;
  /** The configured stores, for `byDurability`. */
  readonly stores?: JudgingStores | null;
  /** Most images to count. */
  readonly maxCounted?: number;
  /** Most copies that are not healthy to read at once. */
  readonly maxUnhealthy?: number;
}

/**
 * Counts images, their bytes and their users, newest first, in one pass over at most MAX_COUNTED rows, and in
 * a second pass over at most MAX_READ rows for TABLE_FIELDS. Unless the filter needs other columns,
 * idx_generated_images_created_at_id has everything that the first one reads (docs/performance.md has the
 * times).
 */
export async function countStats(
  { database }: { database: ReadableDatabase },
  filter: ImageFilter,
  { fields, stores = null, maxCounted, maxUnhealthy }: StatsOptions = {},
): Promise<ImageStats> {
  const asks = (field: string) => fields?.has(field) ?? true;
  const tableFields = TABLE_FIELDS.filter((field) => fields?.has(field));
  const isFirst = !fields || [...fields].some((field) => !tableFields.some((each) => each === field));
  const first = maxCounted ?? (isInIndex(filter) ? MAX_COUNTED : MAX_READ);
  const second = maxCounted ?? MAX_READ;
  const [indexed, table] = await Promise.all([
    isFirst ? countIndexed(database, filter, { asks, limit: first }) : null,
    tableFields.length > 0
      ? countTable(database, filter, { asks, stores, limit: second, maxUnhealthy })
      : null,
  ]);
  return {
    ...(indexed?.stats ?? NO_INDEXED),
    ...(table?.stats ?? NO_TABLE),
    complete: (indexed?.looked ?? 0) < first && (table?.looked ?? 0) < second,
  };
}

const NO_INDEXED: IndexedStats = {
  ...{ total: 0, failed: 0, bytes: 0, succeeded: 0, pending: 0, processing: 0, uniqueUsers: 0 },
  ...{ oldestPendingAt: null, averageBytes: null },
  ...{ byTool: [], byDay: [], byDayAndTool: [], byUser: [] },
};

/** Day in UTC, clamped to the years 1 to 9999, which clients can read. */
const DAY = `least(greatest((i.created_at AT TIME ZONE 'UTC')::date, '0001-01-01'), '9999-12-31')`;

interface StatsRow extends Figures {
  readonly level: number;
  readonly tool: string;
  readonly day: string;
  readonly user: string;
  readonly looked: number;
  readonly succeeded: number;
  readonly pending: number;
  readonly processing: number;
  readonly oldest: Date | null;
  readonly sized: number;
  readonly users: number;
}

/** Values of GROUPING(tool_name, day): one bit for each column that a row sums over; and rows of users. */
const LEVELS = { dayAndTool: 0, tool: 1, day: 2, all: 3, user: 4 } as const;

const figures = ({ total, failed, bytes }: Figures): Figures => ({ total, failed, bytes });

async function countIndexed(
  database: ReadableDatabase,
  filter: ImageFilter,
  { asks, limit }: { asks: (field: string) => boolean; limit: number },
): Promise<{ stats: IndexedStats; looked: number }> {
  const columns = `i.tool_name, i.user_id, i.created_at, ${DAY} AS day, i.status, i.bytes`;
  const { text, values } = newestImages(filter, columns, limit);
  const rows = await sumUp<StatsRow>(database, sumsOf(text, asks), values);
  const all = rows.find(({ level }) => level === LEVELS.all);
  const at = (level: number) => rows.filter((row) => row.level === level);
  const stats = {
    ...(all ? figures(all) : { total: 0, failed: 0, bytes: 0 }),
    succeeded: all?.succeeded ?? 0,
    pending: all?.pending ?? 0,
    processing: all?.processing ?? 0,
    oldestPendingAt: all?.oldest ?? null,
    uniqueUsers: all?.users ?? 0,
    averageBytes: all?.sized ? all.bytes / all.sized : null,
    byTool: at(LEVELS.tool).map((row) => ({ tool: row.tool, ...figures(row) })),
    byDay: withSums(at(LEVELS.day), all),
    byDayAndTool: at(LEVELS.dayAndTool).map((row) => ({ day: row.day, tool: row.tool, ...figures(row) })),
    byUser: at(LEVELS.user).map((row) => ({ userId: row.user, ...figures(row) })),
  };
  return { stats, looked: all?.looked ?? 0 };
}

/** Returns the statement that sums up the images of a query. */
function sumsOf(newest: string, asks: (field: string) => boolean): string {
  // One pass groups the rows by tool and day, and by user. The few sums are then summed up by tool, by day
  // and in all.
  const rest = 'succeeded, failed, pending, processing, oldest, sized, bytes';
  const perUser = `UNION ALL SELECT ${LEVELS.user}, NULL, NULL, user_id, place, looked, total, ${rest}, NULL FROM (
      SELECT *, row_number() OVER (ORDER BY total DESC, user_id) AS place FROM groups WHERE of_user AND total > 0
      ORDER BY total DESC, user_id LIMIT ${MAX_USERS}) each`;
  const perDayAndTool = `UNION ALL SELECT ${LEVELS.dayAndTool}, g.tool_name, to_char(g.day, 'YYYY-MM-DD'), NULL, d.place * ${MAX_TOOLS} + t.place,
      g.looked, g.total, g.succeeded, g.failed, g.pending, g.processing, g.oldest, g.sized, g.bytes, NULL
    FROM groups g JOIN placed d ON d.level = ${LEVELS.day} AND d.day = g.day AND d.place <= ${MAX_DAYS}
      JOIN placed t ON t.level = ${LEVELS.tool} AND t.tool_name = g.tool_name AND t.place <= ${MAX_TOOLS_A_DAY}
    WHERE NOT g.of_user AND g.total > 0`;
  return `WITH looked AS (${newest}), groups AS (
      SELECT tool_name, day, user_id, GROUPING(user_id) = 0 AS of_user, count(*) AS looked, count(*) FILTER (WHERE found) AS total,
        count(*) FILTER (WHERE found AND status = 'success') AS succeeded, count(*) FILTER (WHERE found AND status = 'failed') AS failed,
        count(*) FILTER (WHERE found AND status = 'pending') AS pending, count(*) FILTER (WHERE found AND status = 'processing') AS processing,
        min(created_at) FILTER (WHERE found AND status = 'pending') AS oldest,
        count(bytes) FILTER (WHERE found) AS sized, coalesce(sum(bytes) FILTER (WHERE found), 0)::bigint AS bytes
      FROM looked GROUP BY GROUPING SETS ((tool_name, day), (user_id))
    ), sums AS (
      SELECT tool_name, day, GROUPING(tool_name, day) AS level, min(oldest) AS oldest, ${SUMMED.map((name) => `coalesce(sum(${name}), 0)::bigint AS ${name}`).join(', ')}
      FROM groups WHERE NOT of_user GROUP BY GROUPING SETS ((), (tool_name), (day))
    ), placed AS (
      SELECT *, row_number() OVER (PARTITION BY level ORDER BY day DESC NULLS LAST, total DESC, tool_name) AS place
      FROM sums WHERE total > 0 OR level = ${LEVELS.all}
    )
    SELECT level, tool_name AS tool, to_char(day, 'YYYY-MM-DD') AS day, NULL AS "user", place, looked, total, ${rest},
      CASE level WHEN ${LEVELS.all} THEN (SELECT count(*) FROM groups WHERE of_user AND total > 0) END AS users
    FROM placed WHERE place <= CASE level WHEN ${LEVELS.tool} THEN ${MAX_TOOLS} ELSE ${MAX_DAYS} END
    ${asks('byUser') ? perUser : ''} ${asks('byDayAndTool') ? perDayAndTool : ''} ORDER BY level, place`;
}

const SUMMED = ['looked', 'total', 'succeeded', 'failed', 'pending', 'processing', 'sized', 'bytes'] as const;

/** Adds the sums up to each day. @param days newest first. */
function withSums(days: readonly StatsRow[], all: Figures | undefined): DayFigures[] {
  let cumulativeTotal = all?.total ?? 0;
  let cumulativeBytes = all?.bytes ?? 0;
  return days.map((row) => {
    const day = { day: row.day, ...figures(row), cumulativeTotal, cumulativeBytes };
    cumulativeTotal -= row.total;
    cumulativeBytes -= row.bytes;
    return day;
  });
}
