import { isDatabaseAway } from '../database/driver/errors.ts';
import { diskFaultOf } from '../database/pglite/disk-fault.ts';
import { attemptDelivery, type ClaimedDelivery, claimDeliveries, type DeliverDeps } from './deliver.ts';
import { type DispatchDeps, dispatchEvents } from './dispatch.ts';
import { CHANNEL } from './notify.ts';

export type WebhookDeps = DeliverDeps & DispatchDeps;

export interface WebhookWork {
  /** Takes no further deliveries. Resolves when the attempts under way have ended. */
  stop(): Promise<void>;
}

/** Longest pause between two looks. New events and replays are notified. */
const POLL_MS = 5000;
const SOON_MS = 50;

const NEXT = `SELECT extract(epoch FROM min(next.at) - now()) * 1000 AS wait FROM webhooks w CROSS JOIN LATERAL (
    SELECT min(d.next_at) AS at FROM webhook_deliveries d WHERE d.webhook_id = w.id AND d.state = 'PENDING') next
  WHERE w.enabled`;

/**
 * Begins to dispatch events and to deliver them. The tables are the queue: a claim of a delivery is a lease
 * (deliver.ts), so that several servers share the work, and the work of a dead one continues.
 */
export async function startWebhooks(deps: WebhookDeps): Promise<WebhookWork> {
  const running = new Map<string, number>();
  const attempts = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  let isAwake = false;
  let round: Promise<void> | null = null;

  function begin(delivery: ClaimedDelivery): void {
    const { webhookId } = delivery;
    running.set(webhookId, (running.get(webhookId) ?? 0) + 1);
    const attempt = attemptDelivery(deps, delivery)
      .catch((error) => note(deps, error, 'could not record an attempt; it is repeated'))
      .finally(() => {
        running.set(webhookId, (running.get(webhookId) ?? 1) - 1);
        attempts.delete(attempt);
        wake();
      });
    attempts.add(attempt);
  }

  /** @returns milliseconds until the next look. */
  async function look(): Promise<number> {
    let dispatched: number | null;
    do dispatched = await dispatchEvents(deps);
    while (dispatched !== null && dispatched > 0 && !isStopped);
    if (isStopped) return POLL_MS;
    // After a loss of power an event would otherwise come again under another id.
    await deps.database.flush();
    for (const delivery of await claimDeliveries(deps, running)) begin(delivery);
    if (dispatched === null) return SOON_MS * 4;
    const [next] = await deps.database.query<{ wait: number | string | null }>(NEXT);
    const wait = next?.wait == null ? POLL_MS : Number(next.wait);
    // Deliveries that are due and not claimed wait for the end of another one, which wakes this.
    return wait <= 0 ? POLL_MS : Math.min(POLL_MS, wait + SOON_MS);
  }

  function wake(): void {
    isAwake = true;
    if (round !== null || isStopped) return;
    clearTimeout(timer);
    round = (async () => {
      let wait = POLL_MS;
      while (isAwake && !isStopped) {
        isAwake = false;
        wait = await look().catch((error) => {
          note(deps, error, 'could not look for webhooks to deliver; the next look follows');
          return POLL_MS;
        });
      }
      round = null;
      if (isStopped) return;
      timer = setTimeout(wake, wait);
      timer.unref();
    })();
  }

  const listening = await deps.database.listen(CHANNEL, wake, wake);
  wake();
  return {
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await listening.close();
      await round;
      await Promise.allSettled(attempts);
    },
  };
}

function note({ log }: WebhookDeps, error: unknown, message: string): void {
  // The database itself logs that it is away, or its disk full, once.
  if (isDatabaseAway(error) || diskFaultOf(error) !== null) return;
  log.warn({ err: error }, message);
}
