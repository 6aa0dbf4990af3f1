import type { Database } from '../../database/database.ts';
import { areIndexed, Conditions, type ImageFilter, TAGGED_IMAGES } from './conditions.ts';

export interface Figures {
  readonly total: number;
  readonly failed: number;
  readonly bytes: number;
}

export interface ImageStats extends Figures {
  readonly succeeded: number;
  readonly uniqueUsers: number;
  /** Of those that have bytes; null where none has. */
  readonly averageBytes: number | null;
  /** Those with most images first. */
  readonly byTool: readonly (Figures & { readonly tool: string })[];
  /** Newest first; `2026-11-21`, in UTC. */
  readonly byDay: readonly (Figures & { readonly day: string })[];
  /** Whether every image that is found is counted. */
  readonly complete: boolean;
}

/** So many images are looked at, the newest of those that an index finds. */
export const MAX_COUNTED = 1_000_000;
/** And so many where the table is read for them, which takes some ten times as long. */
export const MAX_READ = 200_000;
export const MAX_TOOLS = 100;
export const MAX_DAYS = 366;

/**
 * Counts images, their bytes and their users, by tool and by day, in one pass over no more than `maxCounted` rows, newest first.
 *
 * What an index finds (a user, a time, a tag, …) decides which rows are looked at; everything else of the filter only which of them are
 * counted, so that a rare model does not send the search through the whole table. Without a filter that needs other columns
 * idx_generated_images_created_at_id holds all that is read (docs/performance.md has the times).
 */
export async function countStats(
  { database }: { database: Database },
  filter: ImageFilter,
  { maxCounted = isInIndex(filter) ? MAX_COUNTED : MAX_READ }: { maxCounted?: number } = {},
): Promise<ImageStats> {
  const { sought, counted, tag } = divide(filter);
  const looked = new Conditions(sought);
  if (tag !== null) looked.add(`i.tag = ${looked.value(tag)}`);
  const found = new Conditions(counted, looked.values);
  const newest = `${looked.where()} ORDER BY i.created_at DESC, i.id DESC LIMIT ${looked.value(maxCounted)}`;
  // The rows of a tool on a day, and those of a user, are put together in one pass; the few sums are then summed up again.
  const text = `WITH looked AS (
      SELECT i.tool_name, i.user_id, ${DAY} AS day, i.status, i.bytes, (${found.all()}) AS found
      FROM ${tag === null ? `generated_images i${newest}` : `(SELECT i.id FROM ${TAGGED_IMAGES} i${newest}) w JOIN generated_images i USING (id)`}
    ), groups AS (
      SELECT tool_name, day, GROUPING(user_id) = 0 AS of_user, count(*) AS looked, count(*) FILTER (WHERE found) AS total,
        count(*) FILTER (WHERE found AND status = 'success') AS succeeded, count(*) FILTER (WHERE found AND status = 'failed') AS failed,
        count(bytes) FILTER (WHERE found) AS sized, sum(bytes) FILTER (WHERE found) AS bytes
      FROM looked GROUP BY GROUPING SETS ((tool_name, day), (user_id))
    ), sums AS (
      SELECT tool_name, day, GROUPING(tool_name, day) AS level, sum(looked)::bigint AS looked, coalesce(sum(total), 0)::bigint AS total,
        coalesce(sum(succeeded), 0)::bigint AS succeeded, coalesce(sum(failed), 0)::bigint AS failed,
        coalesce(sum(sized), 0)::bigint AS sized, coalesce(sum(bytes), 0)::bigint AS bytes
      FROM groups WHERE NOT of_user GROUP BY GROUPING SETS ((), (tool_name), (day))
    ), placed AS (
      SELECT *, row_number() OVER (PARTITION BY level ORDER BY day DESC NULLS LAST, total DESC, tool_name) AS place
      FROM sums WHERE total > 0 OR level = ${LEVELS.all}
    )
    SELECT level, tool_name AS tool, to_char(day, 'YYYY-MM-DD') AS day, looked, total, succeeded, failed, sized, bytes,
      CASE level WHEN ${LEVELS.all} THEN (SELECT count(*) FROM groups WHERE of_user AND total > 0) END AS users
    FROM placed WHERE place <= CASE level WHEN ${LEVELS.tool} THEN ${MAX_TOOLS} ELSE ${MAX_DAYS} END ORDER BY level, place`;
  const rows = await database.transaction(async (transaction) => {
    await transaction.query(SETTINGS);
    return transaction.query<StatsRow>(text, looked.values);
  });
  const all = rows.find(({ level }) => level === LEVELS.all);
  const figures = ({ total, failed, bytes }: StatsRow) => ({ total, failed, bytes });
  return {
    ...(all ? figures(all) : { total: 0, failed: 0, bytes: 0 }),
    succeeded: all?.succeeded ?? 0,
    uniqueUsers: all?.users ?? 0,
    averageBytes: all?.sized ? all.bytes / all.sized : null,
    byTool: rows.flatMap((row) => (row.level === LEVELS.tool ? [{ tool: row.tool, ...figures(row) }] : [])),
    byDay: rows.flatMap((row) => (row.level === LEVELS.day ? [{ day: row.day, ...figures(row) }] : [])),
    complete: (all?.looked ?? 0) < maxCounted,
  };
}

/** Day in UTC; of times before the year 1 and after 9999, which no client could read, the first and the last. */
const DAY = `least(greatest((i.created_at AT TIME ZONE 'UTC')::date, '0001-01-01'), '9999-12-31')`;

interface StatsRow extends Figures {
  readonly level: number;
  readonly tool: string;
  readonly day: string;
  readonly looked: number;
  readonly succeeded: number;
  readonly sized: number;
  readonly users: number;
}

/** As GROUPING(tool_name, day) numbers them: a bit for each of the two that a row does not tell apart. */
const LEVELS = { tool: 1, day: 2, all: 3 } as const;

/**
 * For one transaction. Reading the table from end to end is what PostgreSQL does where it expects to meet every page anyhow, and is not
 * bounded; a plan made for all values of a statement would not know how many rows a tag has; and the sums fit into this memory.
 */
const SETTINGS = `SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true),
  set_config('work_mem', '32MB', true), set_config('jit', 'off', true)`;

/** Whether idx_generated_images_created_at_id has all that is asked of each image. */
function isInIndex(filter: ImageFilter): boolean {
  const { userId: _user, createdAfter: _after, createdBefore: _before, tool: _tool, ...more } = filter;
  const { status, trash: _trash, parts: _parts, ...others } = more;
  return (!status || status.includes('success')) && Object.values(others).every((value) => value == null);
}

/** What an index finds, and what only tells which of it are counted. */
function divide(filter: ImageFilter): { sought: ImageFilter; counted: ImageFilter; tag: string | null } {
  const { tool, model, provider, origin, copies, status, trash, parts, ...indexed } = filter;
  const [tag, another] = filter.tags ?? [];
  if (tag !== undefined && another === undefined && areIndexed(filter, [tag])) {
    const { userId, createdAfter, createdBefore, tags: _tags, ...rest } = filter;
    return {
      sought: { userId, createdAfter, createdBefore, trash: 'include', parts: true },
      counted: rest,
      tag,
    };
  }
  const rare = status?.length && !status.includes('success') ? status : null;
  return {
    sought: { ...indexed, status: rare, trash: trash === 'only' ? 'only' : 'include', parts: true },
    counted: { tool, model, provider, origin, copies, status: rare ? null : status, trash, parts },
    tag: null,
  };
}
