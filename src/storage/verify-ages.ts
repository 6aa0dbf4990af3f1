import type { Queryable } from '../database/database.ts';

/** Ages by which the verified copies are counted, in days. */
export const VERIFY_DAYS = [1, 7, 30, 90] as const;
/** Most copies of a store to read. */
export const MAX_COPIES = 1_000_000;

/** When the healthy copies of a store were verified. */
export interface VerifyAges {
  readonly store: string;
  readonly copies: number;
  readonly neverVerified: number;
  /** null: no copy was verified. */
  readonly oldestVerifiedAt: Date | null;
  /** Number of copies that were verified within each of VERIFY_DAYS. */
  readonly within: readonly number[];
  /** Whether all healthy copies were counted. */
  readonly complete: boolean;
}

interface Row {
  readonly copies: number;
  readonly neverVerified: number;
  readonly oldest: Date | null;
  readonly within: readonly number[];
}

const WITHIN = VERIFY_DAYS.map(
  (days) => `count(*) FILTER (WHERE verified_at >= now() - interval '${days} days')`,
).join(', ');

const AGES = `SELECT count(*) AS copies, count(*) FILTER (WHERE verified_at IS NULL) AS "neverVerified",
    min(verified_at) AS oldest, jsonb_build_array(${WITHIN}) AS within
  FROM (SELECT verified_at FROM copies WHERE store = $1 AND state = 'STORED' LIMIT $2) each`;

/** Counts the healthy copies of stores by their last verification, at most `most` of each store. */
export async function findVerifyAges(
  db: Queryable,
  stores: readonly string[],
  most = MAX_COPIES,
): Promise<VerifyAges[]> {
  const found: VerifyAges[] = [];
  for (const store of stores) {
    const [row] = await db.query<Row>(AGES, [store, most]);
    if (!row) throw new Error('A count returned no row.');
    const { copies, neverVerified, oldest, within } = row;
    found.push({ store, copies, neverVerified, oldestVerifiedAt: oldest, within, complete: copies < most });
  }
  return found;
}
