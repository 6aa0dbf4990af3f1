import { randomUUID } from 'node:crypto';
import { recordAudit } from '../audit/audit.ts';
import type { Database, Queryable } from '../database/database.ts';
import { InputError, NotFoundError } from '../errors.ts';
import { missing, parseWebhookId } from './endpoints.ts';
import { TEST_EVENT } from './event-types.ts';
import { notifyServers } from './notify.ts';
import { payloadOf } from './payload.ts';

type ReplayDeps = { readonly database: Database };

/** Most deliveries that one call replays. */
export const MAX_REPLAYED = 10_000;

/** The outcome of an attempt that is under way is left out: it has another number of claims. */
const AGAIN = `UPDATE webhook_deliveries SET state = 'PENDING', tries = 0, claims = claims + 1,
    next_at = now(), finished_at = NULL`;
const ONE = `${AGAIN} WHERE id = $1 RETURNING id, webhook_id AS "webhookId"`;
/** A delivery that is under way is left as it is. */
const RANGE = `${AGAIN} WHERE id IN (SELECT d.id FROM webhook_deliveries d JOIN webhook_events e ON e.id = d.event_id
    WHERE d.webhook_id = $1 AND e.created_at >= $2 AND e.created_at < $3 AND ($4 OR d.state = 'FAILED')
      AND d.state <> 'PENDING' ORDER BY e.created_at LIMIT $5) RETURNING id`;
const EXISTS = 'SELECT id FROM webhooks WHERE id = $1 FOR KEY SHARE';
const EVENT = 'INSERT INTO webhook_events (id, type, payload, created_at) VALUES ($1, $2, $3, $4)';
const DELIVERY = 'INSERT INTO webhook_deliveries (webhook_id, event_id) VALUES ($1, $2) RETURNING id';

/**
 * Delivers an event again, with the same `webhook-id`.
 * @returns the id of the delivery. @throws NotFoundError, InputError.
 */
export async function replayDelivery({ database }: ReplayDeps, text: string): Promise<string> {
  const id = parseWebhookId(text, 'WebhookDelivery');
  const found = await database.transaction(async (transaction) => {
    const [row] = await transaction.query<{ webhookId: string }>(ONE, [id]);
    if (row) await recordReplay(transaction, row.webhookId, 1);
    return row !== undefined;
  });
  if (!found)
    throw new NotFoundError(`There is no delivery ${id}. Deliveries are kept for WEBHOOK_LOG_DAYS.`, {
      path: ['input', 'id'],
    } as ErrorOptions);
  await database.flush();
  return id;
}

export interface ReplayRange {
  readonly after: Date;
  /** Default: now. */
  readonly before?: Date | null | undefined;
  /** Whether to repeat the deliveries that succeeded, too. Default: false. */
  readonly delivered?: boolean | null | undefined;
}

/** Delivers the events of a time range again, at most MAX_REPLAYED, oldest first. @returns how many. */
export async function replayRange(
  { database }: ReplayDeps,
  text: string,
  { after, before, delivered }: ReplayRange,
): Promise<{ id: string; replayed: number }> {
  const id = parseWebhookId(text);
  const until = before ?? new Date();
  if (until <= after)
    throw new InputError('INVALID_INPUT', '`before` is not later than `after`. Swap them.', {
      path: ['input', 'before'],
    });
  const replayed = await database.transaction(async (transaction) => {
    await requireWebhook(transaction, id);
    const rows = await transaction.query(RANGE, [id, after, until, delivered ?? false, MAX_REPLAYED]);
    await recordReplay(transaction, id, rows.length);
    return rows.length;
  });
  await database.flush();
  return { id, replayed };
}

async function recordReplay(transaction: Queryable, webhookId: string, deliveries: number): Promise<void> {
  await recordAudit(transaction, { action: 'webhook.replay', subject: webhookId, details: { deliveries } });
  await notifyServers(transaction);
}

async function requireWebhook(transaction: Queryable, id: string): Promise<void> {
  if ((await transaction.query(EXISTS, [id])).length === 0) throw missing(id);
}

/** Sends an event of the type TEST_EVENT to one endpoint. @returns the id of the delivery. */
export async function sendTest({ database }: ReplayDeps, text: string): Promise<string> {
  const id = parseWebhookId(text);
  const createdAt = new Date();
  const eventId = randomUUID();
  const payload = payloadOf({ type: TEST_EVENT, data: { webhookId: id }, createdAt }, null);
  const delivery = await database.transaction(async (transaction) => {
    await requireWebhook(transaction, id);
    await transaction.query(EVENT, [eventId, TEST_EVENT, payload, createdAt]);
    const [row] = (await transaction.query<{ id: string }>(DELIVERY, [id, eventId])) as [{ id: string }];
    await recordAudit(transaction, { action: 'webhook.test', subject: id });
    await notifyServers(transaction);
    return row.id;
  });
  await database.flush();
  return delivery;
}

const TRIM = `DELETE FROM webhook_events WHERE id IN (SELECT e.id FROM webhook_events e
    WHERE e.created_at < now() - make_interval(days => $1::int) AND NOT EXISTS (
      SELECT FROM webhook_deliveries d JOIN webhooks w ON w.id = d.webhook_id
      WHERE d.event_id = e.id AND d.state = 'PENDING' AND w.enabled)
    ORDER BY e.created_at LIMIT $2) RETURNING id`;
const TRIM_REPORTED = `DELETE FROM webhook_durability d WHERE NOT EXISTS (SELECT FROM blobs b WHERE b.id = d.blob_id)`;
const TRIM_BATCH = 2000;

/**
 * Deletes events that are older than `days` with their deliveries, in batches, unless one is still to be
 * delivered; and what was reported of bytes that were purged.
 */
export async function trimWebhooks(database: Queryable, days: number, stop: AbortSignal): Promise<void> {
  await database.query(TRIM_REPORTED);
  for (;;) {
    stop.throwIfAborted();
    if ((await database.query(TRIM, [days, TRIM_BATCH])).length < TRIM_BATCH) return;
  }
}
