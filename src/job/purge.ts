import type { Logger } from 'pino';
import type { ImageDeps } from '../image/image.ts';
import { purgeTrash } from '../image/trash/purge.ts';

/** Days that the idempotency key of a request is kept. */
const REQUEST_DAYS = 90;
const FORGET_REQUESTS = `DELETE FROM generation_requests WHERE created_at < now() - make_interval(days => $1::integer)`;

const FORGET_COUNTS = `DELETE FROM generation_counts WHERE day < (now() AT TIME ZONE 'UTC')::date - 7`;

/** Empties the trash, and deletes old idempotency keys and counts. One server at a time runs it. */
export async function runScheduledPurge(
  deps: ImageDeps & { log: Logger },
  days: number,
  stop: AbortSignal,
): Promise<void> {
  await deps.database.exclusively('purge', async (lock) => {
    await lock.query(FORGET_REQUESTS, [REQUEST_DAYS]);
    await lock.query(FORGET_COUNTS);
    const tally = await purgeTrash(deps, days, AbortSignal.any([stop, lock.signal]));
    if (tally.purged + tally.failed > 0) deps.log.info(tally, 'purged images from the trash');
  });
}
