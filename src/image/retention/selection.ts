/** The one selection of images by a rule. A preview counts it, and a run writes it down. */
import type { Queryable } from '../../database/database.ts';
import { Conditions, type ImageFilter } from '../list/conditions.ts';
import { findPinned } from '../related/family.ts';
import type { RetentionReason, RetentionRule } from './rule.ts';

const DAY_MS = 86_400_000;

const GROUPS = { ALL: `''::text`, USER: 'i.user_id::text', TOOL: 'i.tool_name' } as const;
const TIMES = { CREATED: 'i.created_at', UPDATED: 'i.updated_at' } as const;

/** Images that are being generated are not in scope. */
const HAS_ENDED = `i.status IN ('success', 'failed')`;

/**
 * Parts at any depth, each with the whole that it goes with. Parts in the trash count neither as bytes nor as
 * pinned.
 */
const PARTS = `part(root, id, bytes, pinned) AS (
    SELECT p.part_of, p.id, p.bytes, p.pinned FROM generated_images p JOIN generated_images w ON w.id = p.part_of
    WHERE p.part_of IS NOT NULL AND w.part_of IS NULL AND p.deleted_at IS NULL
    UNION ALL
    SELECT part.root, p.id, p.bytes, p.pinned FROM generated_images p JOIN part ON p.part_of = part.id
    WHERE p.deleted_at IS NULL
  ), parts AS (SELECT root, sum(bytes) AS bytes, bool_or(pinned) AS pinned FROM part GROUP BY root)`;

/** Rule with its resolved filter, at a moment. */
export interface Asked {
  readonly rule: RetentionRule;
  /** Filter of the rule, after withStores. */
  readonly filter: ImageFilter;
  /** Moment from which ages are counted. */
  readonly at: Date;
}

/**
 * Returns a WITH clause whose last table, `decided`, has a row for each image in scope: id, at (its time),
 * grp (user, tool or ''), bytes (with its parts) and reason (why it goes; null: it stays).
 *
 * Images are counted newest first, after the pinned ones: a pinned image takes its place and its bytes, and
 * stays.
 */
export function selectionOf({ rule, filter, at }: Asked): { with: string; values: unknown[] } {
  const conditions = new Conditions(filter, [], 'pass');
  conditions.add(HAS_ENDED);
  const scope = `SELECT i.id, ${TIMES[rule.ageOf]} AS at, ${GROUPS[rule.per]} AS grp, i.pinned OR coalesce(p.pinned, false) AS pinned,
      (coalesce(i.bytes, 0) + coalesce(p.bytes, 0))::bigint AS bytes
    FROM generated_images i LEFT JOIN parts p ON p.root = i.id${conditions.where()}`;
  const places: string[] = [];
  const reasons: string[] = [];
  if (rule.maxAgeDays != null)
    reasons.push(`WHEN at < ${conditions.value(cutoffOf(rule, at))}::timestamptz THEN 'AGE'`);
  if (rule.maxCount != null) {
    places.push('row_number() OVER kept AS place');
    reasons.push(`WHEN place > ${conditions.value(rule.maxCount)}::bigint THEN 'COUNT'`);
  }
  if (rule.maxBytes != null) {
    places.push('sum(bytes) OVER (kept ROWS UNBOUNDED PRECEDING) AS upto');
    reasons.push(`WHEN upto > ${conditions.value(rule.maxBytes)}::bigint THEN 'BYTES'`);
  }
  let stays = 'pinned';
  if (rule.keepNewest != null) {
    places.push('row_number() OVER (PARTITION BY grp ORDER BY at DESC, id DESC) AS newest');
    stays = `pinned OR newest <= ${conditions.value(rule.keepNewest)}::bigint`;
  }
  const ranked = places.length > 0 ? `SELECT *, ${places.join(', ')} FROM scope` : 'SELECT * FROM scope';
  const text = `WITH RECURSIVE ${PARTS}, scope AS (${scope}),
    ranked AS (${ranked} WINDOW kept AS (PARTITION BY grp ORDER BY pinned DESC, at DESC, id DESC)),
    decided AS MATERIALIZED (
      SELECT id, at, grp, bytes, CASE WHEN ${stays} THEN NULL ${reasons.join(' ')} END AS reason FROM ranked)`;
  return { with: text, values: conditions.values };
}

const cutoffOf = ({ maxAgeDays }: RetentionRule, at: Date) =>
  new Date(at.getTime() - (maxAgeDays ?? 0) * DAY_MS).toISOString();

/** Number and bytes of images that go for one reason, or of all. */
export interface Tally {
  readonly images: number;
  readonly bytes: number;
}

export interface Summary extends Tally {
  /** All images that the rule is about. */
  readonly scope: Tally;
  readonly reasons: readonly (Tally & { readonly reason: RetentionReason })[];
}

/** Query on `decided` whose rows `summaryOf` reads. */
export const SUM_UP = `SELECT reason, count(*) AS images, sum(bytes)::bigint AS bytes FROM decided GROUP BY reason ORDER BY reason`;
export type SumRow = { reason: RetentionReason | null; images: number; bytes: number };

export function summaryOf(rows: readonly SumRow[]): Summary {
  const reasons = rows.flatMap(({ reason, images, bytes }) => (reason ? [{ reason, images, bytes }] : []));
  return { scope: add(rows), ...add(reasons), reasons };
}

const add = (tallies: readonly Tally[]): Tally => ({
  images: tallies.reduce((sum, { images }) => sum + images, 0),
  bytes: tallies.reduce((sum, { bytes }) => sum + bytes, 0),
});

/** An image that a run has selected. */
export interface Selected {
  readonly id: number;
  readonly reason: RetentionReason;
}

/**
 * Returns those of the selected images that still go: neither pinned nor in the trash, and within the rule.
 * The caller has locked them and their parts. An image whose time is later than the selection was updated
 * since, and stays.
 */
export async function stillGoing(
  transaction: Queryable,
  { rule, filter, at }: Asked,
  selected: readonly Selected[],
): Promise<Selected[]> {
  const ids = selected.map(({ id }) => id);
  const pinned = await findPinned(transaction, ids);
  const conditions = new Conditions(filter, [], 'scan');
  conditions.add(HAS_ENDED);
  conditions.add(`i.id = ANY(${conditions.value(ids)}::bigint[])`);
  const time = TIMES[rule.ageOf];
  const text = `SELECT i.id, ${time} < ${conditions.value(cutoffOf(rule, at))}::timestamptz AS "isOld",
      ${time} <= ${conditions.value(at.toISOString())}::timestamptz AS "isBefore"
    FROM generated_images i${conditions.where()}`;
  const rows = await transaction.query<{ id: number; isOld: boolean; isBefore: boolean }>(
    text,
    conditions.values,
  );
  const found = new Map(rows.map((row) => [row.id, row]));
  return selected.filter(({ id, reason }) => {
    const row = found.get(id);
    if (!row || pinned.has(id)) return false;
    return reason === 'AGE' ? row.isOld : rule.ageOf === 'CREATED' || row.isBefore;
  });
}
