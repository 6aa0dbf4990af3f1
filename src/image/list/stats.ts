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
  /** Average of the images that have bytes; null: none has. */
  readonly averageBytes: number | null;
  /** Tools with the most images first. */
  readonly byTool: readonly (Figures & { readonly tool: string })[];
  /** Newest day first. A day is `2026-11-21`, in UTC. */
  readonly byDay: readonly (Figures & { readonly day: string })[];
  /** Whether all matching images were counted. */
  readonly complete: boolean;
}

/** Most images to count when an index answers the filter: the newest. */
export const MAX_COUNTED = 1_000_000;
/** Most images to count when the table must be read, which takes about ten times as long. */
export const MAX_READ = 200_000;
export const MAX_TOOLS = 100;
export const MAX_DAYS = 366;

/**
 * Counts images, their bytes and their users, by tool and by day, in one pass over at most `maxCounted` rows,
 * newest first.
 *
 * The part of the filter that an index answers (a user, a time, a tag, …) selects the rows to read. The rest
 * only selects which of them count: a search for a rare model must not read the whole table. Unless the
 * filter needs other columns, idx_generated_images_created_at_id has everything that is read
 * (docs/performance.md has the times).
 */
export async function countStats(
  { database }: { database: Database },
  filter: ImageFilter,
  { maxCounted = isInIndex(filter) ? MAX_COUNTED : MAX_READ }: { maxCounted?: number } = {},
): Promise<ImageStats> {
  const { indexed, counted, tag } = divide(filter);
  const looked = new Conditions(indexed);
  if (tag !== null) looked.add(`i.tag = ${looked.value(tag)}`);
  const found = new Conditions(counted, looked.values);
  const newest = `${looked.where()} ORDER BY i.created_at DESC, i.id DESC LIMIT ${looked.value(maxCounted)}`;
  // One pass groups the rows by tool and day, and by user. The few sums are then summed up by tool, by day
  // and in all.
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

/** Day in UTC, clamped to the years 1 to 9999, which clients can read. */
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

/** Values of GROUPING(tool_name, day): one bit for each column that a row sums over. */
const LEVELS = { tool: 1, day: 2, all: 3 } as const;

/**
 * Settings for one transaction. A sequential scan would not be bounded by the limit. A generic plan does not
 * know how many rows a tag has. The sums fit into this work_mem.
 */
const SETTINGS = `SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true),
  set_config('work_mem', '32MB', true), set_config('jit', 'off', true)`;

/** Returns whether idx_generated_images_created_at_id has all columns that the filter needs. */
function isInIndex(filter: ImageFilter): boolean {
  const { userId: _user, createdAfter: _after, createdBefore: _before, tool: _tool, ...more } = filter;
  const { status, trash: _trash, parts: _parts, ...others } = more;
  return (!status || status.includes('success')) && Object.values(others).every((value) => value == null);
}

/**
 * Divides a filter into the part that selects the rows to read, and the part that selects which of them
 * count.
 */
function divide(filter: ImageFilter): { indexed: ImageFilter; counted: ImageFilter; tag: string | null } {
  const { tool, model, provider, origin, copies, durability, stores, status, trash, parts, ...remaining } =
    filter;
  const [tag, another] = filter.tags ?? [];
  if (tag !== undefined && another === undefined && areIndexed(filter, [tag])) {
    const { userId, createdAfter, createdBefore, tags: _tags, ...rest } = filter;
    return {
      indexed: { userId, createdAfter, createdBefore, trash: 'include', parts: true },
      counted: rest,
      tag,
    };
  }
  const rare = status?.length && !status.includes('success') ? status : null;
  return {
    indexed: { ...remaining, status: rare, trash: trash === 'only' ? 'only' : 'include', parts: true },
    counted: {
      ...{ tool, model, provider, origin, copies, durability, stores },
      ...{ status: rare ? null : status, trash, parts },
    },
    tag: null,
  };
}
