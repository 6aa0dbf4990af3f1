import type { Queryable } from '../../database/database.ts';
import type { BulkOutcome } from './change.ts';
import { type Detail, errorOf } from './detail.ts';

/** Result of a run for one image. */
export interface ImageResult {
  readonly uuid: string;
  /** null: its turn has not come. */
  readonly outcome: BulkOutcome | null;
  readonly error: Detail | null;
}

interface Row {
  readonly id: number;
  readonly uuid: string;
  readonly outcome: BulkOutcome | null;
  readonly detail: string | null;
}

const NEXT = `SELECT image_id AS id, uuid::text, outcome, detail FROM maintenance_items
  WHERE run_id = $1 AND image_id > $2 ORDER BY image_id LIMIT 1000`;

/** Yields the results of a run, in the order of the images' creation. */
export async function* eachResult(db: Queryable, runId: string): AsyncGenerator<ImageResult> {
  for (let after = 0; ; ) {
    const rows = await db.query<Row>(NEXT, [runId, after]);
    for (const { id, detail, uuid, outcome } of rows) {
      after = id;
      yield { uuid, outcome, error: errorOf(detail) };
    }
    if (rows.length === 0) return;
  }
}
