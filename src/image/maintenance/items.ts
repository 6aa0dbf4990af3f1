import { setImmediate } from 'node:timers/promises';
import type { WorkTools } from './execute.ts';

/** An image that a run has selected and not done yet (table maintenance_items). */
export interface Item {
  /** Id of the image. */
  readonly id: number;
  readonly reason: string | null;
}

const NEXT = `SELECT image_id AS id, reason FROM maintenance_items
  WHERE run_id = $1 AND image_id > $2 AND outcome IS NULL ORDER BY image_id LIMIT $3`;

/**
 * Calls `work` with the images of a run that have no outcome, in batches by id. `work` records outcomes.
 * @throws the reason of `tools.signal`
 */
export async function eachBatch(
  { lock, signal }: Pick<WorkTools, 'lock' | 'signal'>,
  runId: string,
  size: number,
  work: (items: readonly Item[]) => Promise<void>,
): Promise<void> {
  for (let after = 0; ; ) {
    signal.throwIfAborted();
    const items = await lock.query<Item>(NEXT, [runId, after, size]);
    const last = items.at(-1)?.id;
    if (last === undefined) return;
    await work(items);
    after = last;
    // The embedded database works in this thread: requests get their turn between two batches.
    await setImmediate();
  }
}
