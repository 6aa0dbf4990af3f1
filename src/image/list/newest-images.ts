/**
 * The newest images of a filter, for statements that sum them up. Their cost is bounded by the number of rows
 * that are read, whatever the filter is.
 */
import type { Database } from '../../database/database.ts';
import { areIndexed, Conditions, type ImageFilter, TAGGED_IMAGES } from './conditions.ts';

/** Most images to count when an index answers the filter: the newest. */
export const MAX_COUNTED = 1_000_000;
/** Most images to count when the table must be read, which takes about ten times as long. */
export const MAX_READ = 200_000;

/**
 * Returns the query of the newest images of a filter, with the column `found`: whether the image matches.
 *
 * The part of the filter that an index answers (a user, a time, a tag, …) selects the rows to read. The rest
 * only selects which of them count: a search for a rare model must not read the whole table.
 * @param columns list of expressions of `i`.
 * @param limit most rows to read.
 * @returns values of the statement so far.
 */
export function newestImages(
  filter: ImageFilter,
  columns: string,
  limit: number,
): { text: string; values: unknown[] } {
  const { indexed, counted, tag } = divide(filter);
  const looked = new Conditions(indexed);
  if (tag !== null) looked.add(`i.tag = ${looked.value(tag)}`);
  const found = new Conditions(counted, looked.values, 'pass');
  const newest = `${looked.where()} ORDER BY i.created_at DESC, i.id DESC LIMIT ${looked.value(limit)}`;
  const text = `SELECT ${columns}, (${found.all()}) AS found
      FROM ${tag === null ? `generated_images i${newest}` : `(SELECT i.id FROM ${TAGGED_IMAGES} i${newest}) w JOIN generated_images i USING (id)`}`;
  return { text, values: looked.values };
}

/** Runs a statement that sums up the newest images. */
export function sumUp<Row>(
  database: Pick<Database, 'snapshot'>,
  text: string,
  values: unknown[],
): Promise<Row[]> {
  return database.snapshot(async (state) => {
    await state.query(SETTINGS);
    return state.query<Row>(text, values);
  });
}

/**
 * Settings for one transaction. A sequential scan would not be bounded by the limit. A generic plan does not
 * know how many rows a tag has. The sums fit into this work_mem.
 */
const SETTINGS = `SELECT set_config('enable_seqscan', 'off', true), set_config('plan_cache_mode', 'force_custom_plan', true),
  set_config('work_mem', '32MB', true), set_config('jit', 'off', true)`;

/** Returns whether idx_generated_images_created_at_id has all columns that the filter needs. */
export function isInIndex(filter: ImageFilter): boolean {
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
