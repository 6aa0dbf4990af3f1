import type { Queryable } from '../database/database.ts';

/** When the healthy copies of a store were verified. */
export interface VerifyCoverage {
  /** Number of healthy copies whose hash was never verified. */
  readonly neverVerified: number;
  /** Time of the verification that is longest ago; null: no healthy copy was verified. */
  readonly oldestVerifiedAt: Date | null;
}

const NO_COPIES: VerifyCoverage = { neverVerified: 0, oldestVerifiedAt: null };

const COVERAGE = `
  SELECT store, count(*) FILTER (WHERE verified_at IS NULL) AS "neverVerified", min(verified_at) AS "oldestVerifiedAt"
  FROM copies WHERE state = 'STORED' AND store = ANY($1::text[]) GROUP BY store`;

/** Reads when the healthy copies of stores were verified. Reads the records of all their copies. */
export async function findVerifyCoverage(
  db: Queryable,
  stores: readonly string[],
): Promise<VerifyCoverage[]> {
  const rows = await db.query<VerifyCoverage & { store: string }>(COVERAGE, [stores]);
  const byStore = new Map(rows.map(({ store, ...coverage }) => [store, coverage]));
  return stores.map((store) => byStore.get(store) ?? NO_COPIES);
}

export interface VerifiedSince {
  readonly store: string;
  readonly time: Date;
}

const COUNT_SINCE = `
  SELECT store, count(*) FROM copies
  WHERE state = 'STORED' AND verified_at >= $2::timestamptz AND store = ANY($1::text[]) GROUP BY store`;

/** Counts the healthy copies that were verified at a time or later, by one statement for each time. */
export async function countVerifiedSince(db: Queryable, asked: readonly VerifiedSince[]): Promise<number[]> {
  const counts = new Map<string, number>();
  const keyOf = (store: string, time: Date) => `${time.getTime()} ${store}`;
  for (const [, same] of Map.groupBy(asked, ({ time }) => time.getTime())) {
    const { time } = same[0] as VerifiedSince;
    const values = [same.map(({ store }) => store), time.toISOString()];
    for (const { store, count } of await db.query<{ store: string; count: number }>(COUNT_SINCE, values))
      counts.set(keyOf(store, time), count);
  }
  return asked.map(({ store, time }) => counts.get(keyOf(store, time)) ?? 0);
}
