import type { Logger } from 'pino';
import { asActor } from '../audit/actor.ts';
import { trimAudit } from '../audit/audit.ts';
import type { ImageDeps } from '../image/image.ts';
import { purgeTrash } from '../image/trash/purge.ts';
import { trimWebhooks } from '../webhook/replay.ts';

/** Days that the idempotency key of a request is kept. */
const REQUEST_DAYS = 90;
const FORGET_REQUESTS = `DELETE FROM generation_requests WHERE created_at < now() - make_interval(days => $1::integer)`;

const FORGET_COUNTS = `DELETE FROM generation_counts WHERE day < (now() AT TIME ZONE 'UTC')::date - 7`;

/** The actor of what the schedule deletes. */
const PURGE = { kind: 'job', name: 'purge' } as const;

/**
 * Empties the trash, and deletes old entries of the audit log, events of webhooks, idempotency keys and
 * counts. One server at a time runs it.
 */
export async function runScheduledPurge(
  deps: ImageDeps & { log: Logger },
  keep: { readonly trashDays: number; readonly auditDays: number; readonly webhookLogDays: number },
  stop: AbortSignal,
): Promise<void> {
  await deps.database.exclusively('purge', async (lock) => {
    await lock.query(FORGET_REQUESTS, [REQUEST_DAYS]);
    await lock.query(FORGET_COUNTS);
    const signal = AbortSignal.any([stop, lock.signal]);
    await trimAudit(lock, keep.auditDays, signal);
    await trimWebhooks(lock, keep.webhookLogDays, signal);
    const tally = await asActor(PURGE, () => purgeTrash(deps, keep.trashDays, signal));
    if (tally.purged + tally.failed > 0) deps.log.info(tally, 'purged images from the trash');
  });
}
