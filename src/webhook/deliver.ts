import type { Logger } from 'pino';
import { Webhook } from 'standardwebhooks';
import type { Database } from '../database/database.ts';
import type { Answer, Poster } from './post.ts';

export interface DeliverDeps {
  readonly database: Database;
  readonly poster: Poster;
  /** Seconds until each further attempt. After the last one the delivery has failed. */
  readonly retrySeconds: readonly number[];
  /** Days of failures after which an endpoint is disabled. */
  readonly disableDays: number;
  /** Seconds that an attempt may take. */
  readonly timeoutSeconds: number;
  readonly log: Logger;
}

/** A delivery that this process has claimed, with what it needs. */
export interface ClaimedDelivery {
  readonly id: string;
  readonly claims: number;
  readonly tries: number;
  readonly attempts: readonly Attempt[];
  readonly eventId: string;
  readonly payload: string;
  readonly webhookId: string;
  readonly url: string;
  readonly secret: string;
  readonly previousSecret: string | null;
}

/** An attempt as it is kept. */
export interface Attempt {
  readonly at: string;
  readonly milliseconds: number;
  readonly status: number | null;
  readonly error: string | null;
  /** First characters of the answer. */
  readonly answer: string;
}

/** Deliveries to one endpoint that one process makes at once. */
export const PER_ENDPOINT = 4;
/** Attempts of a delivery that are kept. */
const MAX_ATTEMPTS = 20;
/** Share by which the wait for the next attempt varies. */
const JITTER = 0.2;
/** A claim that is this much older than an attempt may be is that of a dead server. */
const LEASE_SECONDS = 10;

const CLAIM = `WITH due AS (
    SELECT picked.id FROM webhooks w CROSS JOIN LATERAL (
      SELECT d.id FROM webhook_deliveries d
      WHERE d.webhook_id = w.id AND d.state = 'PENDING' AND d.next_at <= now()
      ORDER BY d.next_at LIMIT greatest(0, $1::int - coalesce(($2::jsonb ->> w.id::text)::int, 0))
      FOR UPDATE SKIP LOCKED) picked
    WHERE w.enabled)
  UPDATE webhook_deliveries d SET claims = d.claims + 1, next_at = now() + make_interval(secs => $3::float8)
  FROM due, webhooks w, webhook_events e
  WHERE d.id = due.id AND w.id = d.webhook_id AND e.id = d.event_id
  RETURNING d.id, d.claims, d.tries, d.attempts, e.id AS "eventId", e.payload, w.id AS "webhookId", w.url, w.secret,
    CASE WHEN w.previous_secret_until > now() THEN w.previous_secret END AS "previousSecret"`;

/**
 * Claims due deliveries, up to PER_ENDPOINT for each endpoint. An attempt is repeated after a lease when the
 * process dies: each event is delivered at least once.
 * @param running number of deliveries under way, by endpoint.
 */
export const claimDeliveries = (
  { database, timeoutSeconds }: Pick<DeliverDeps, 'database' | 'timeoutSeconds'>,
  running: ReadonlyMap<string, number>,
): Promise<ClaimedDelivery[]> =>
  database.query<ClaimedDelivery>(CLAIM, [
    PER_ENDPOINT,
    JSON.stringify(Object.fromEntries(running)),
    timeoutSeconds + LEASE_SECONDS,
  ]);

/** Makes one attempt and records its outcome. */
export async function attemptDelivery(deps: DeliverDeps, delivery: ClaimedDelivery): Promise<void> {
  const now = new Date();
  const answer = await deps.poster.post(delivery.url, delivery.payload, headersOf(delivery, now));
  const attempt: Attempt = {
    at: now.toISOString(),
    milliseconds: Date.now() - now.getTime(),
    status: answer.status,
    error: answer.error,
    answer: answer.body,
  };
  const isDelivered = answer.status !== null && answer.status >= 200 && answer.status < 300;
  if (isDelivered) await recordDelivered(deps, delivery, attempt);
  else await recordFailed(deps, delivery, attempt, answer);
}

/** While a secret is rotated, both secrets sign. */
function headersOf({ eventId, payload, secret, previousSecret }: ClaimedDelivery, now: Date) {
  const secrets = previousSecret === null ? [secret] : [secret, previousSecret];
  return {
    'webhook-id': eventId,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': secrets.map((each) => new Webhook(each).sign(eventId, now, payload)).join(' '),
  };
}

const DELIVERED = `UPDATE webhook_deliveries SET state = 'DELIVERED', attempts = $3::text::json, finished_at = now()
  WHERE id = $1 AND claims = $2`;
const SUCCEEDING = `UPDATE webhooks SET failing_since = NULL WHERE id = $1 AND failing_since IS NOT NULL`;

async function recordDelivered({ database }: DeliverDeps, delivery: ClaimedDelivery, attempt: Attempt) {
  await database.transaction(async (transaction) => {
    await transaction.query(DELIVERED, [delivery.id, delivery.claims, logOf(delivery, attempt)]);
    await transaction.query(SUCCEEDING, [delivery.webhookId]);
  });
}

const FAILED = `UPDATE webhook_deliveries SET attempts = $3::text::json, tries = tries + 1,
    state = CASE WHEN $4::float8 IS NULL THEN 'FAILED' ELSE 'PENDING' END,
    finished_at = CASE WHEN $4::float8 IS NULL THEN now() END,
    next_at = now() + make_interval(secs => coalesce($4::float8, 0))
  WHERE id = $1 AND claims = $2 RETURNING id`;
const FAILING = `UPDATE webhooks SET failing_since = coalesce(failing_since, now()) WHERE id = $1 AND url = $3
  RETURNING failing_since < now() - make_interval(days => $2::int) AS "isTooLong"`;
const DISABLE = `UPDATE webhooks SET enabled = false, disabled_reason = $2, updated_at = now()
  WHERE id = $1 AND url = $3 AND enabled RETURNING id`;

async function recordFailed(
  deps: DeliverDeps,
  delivery: ClaimedDelivery,
  attempt: Attempt,
  answer: Answer,
): Promise<void> {
  const { database, disableDays, log } = deps;
  const isGone = answer.status === 410;
  const wait = isGone ? null : waitOf(deps, delivery, answer);
  const said = answer.error ?? `It answered with status ${answer.status}.`;
  const reason = await database.transaction(async (transaction) => {
    const { id, claims, webhookId, url } = delivery;
    const failed = await transaction.query(FAILED, [id, claims, logOf(delivery, attempt), wait]);
    // Another server has claimed it since, or it is replayed.
    if (failed.length === 0) return null;
    const values = [webhookId, disableDays, url];
    const [endpoint] = await transaction.query<{ isTooLong: boolean }>(FAILING, values);
    // Not after a first attempt: an endpoint that gets few events may have failed once, long ago.
    const isTooLong = wait === null && endpoint?.isTooLong === true;
    if (!isGone && !isTooLong) return null;
    const why = isGone
      ? 'The endpoint answered 410 Gone.'
      : `No delivery succeeded for ${disableDays} days. The last attempt: ${said}`;
    const disabled = await transaction.query(DISABLE, [webhookId, why, url]);
    return disabled.length > 0 ? why : null;
  });
  if (reason !== null)
    log.error(
      { webhook: delivery.webhookId, host: URL.parse(delivery.url)?.host, reason },
      'disabled a webhook',
    );
}

/** Returns the seconds until the next attempt; null: this was the last one. */
function waitOf({ retrySeconds }: DeliverDeps, { tries }: ClaimedDelivery, { retryAfter }: Answer) {
  const wait = retrySeconds[tries];
  if (wait === undefined) return null;
  return Math.max(wait * (1 + (Math.random() - 0.5) * JITTER), retryAfter ?? 0);
}

const logOf = ({ attempts }: ClaimedDelivery, attempt: Attempt) =>
  JSON.stringify([...attempts, attempt].slice(-MAX_ATTEMPTS));
