import type { Queryable } from '../../database/database.ts';
import { Conditions, type ImageFilter } from './conditions.ts';

/**
 * Returns how many images PostgreSQL expects a filter to match, by the statistics of ANALYZE. Reads no rows.
 */
export async function estimateImages(db: Queryable, filter: ImageFilter): Promise<number> {
  const conditions = new Conditions(filter, [], 'once');
  const [row] = await db.query<{ 'QUERY PLAN': readonly { Plan: { 'Plan Rows': number } }[] }>(
    `EXPLAIN (FORMAT JSON) SELECT FROM generated_images i${conditions.where()}`,
    conditions.values,
    { planned: true },
  );
  return row?.['QUERY PLAN'][0]?.Plan['Plan Rows'] ?? 0;
}
