import { randomBytes } from 'node:crypto';
import { recordAudit } from '../audit/audit.ts';
import type { Database, Queryable } from '../database/database.ts';
import { FixativeError, InputError, NotFoundError } from '../errors.ts';
import { IMAGE_ORIGINS, parseUuid } from '../image/image.ts';
import { LIMITS, parseText } from '../image/input.ts';
import { isEventType, WEBHOOK_EVENT_TYPES } from './event-types.ts';
import type { WebhookFilter } from './filter.ts';
import { notifyServers } from './notify.ts';
import type { Poster } from './post.ts';

export interface EndpointDeps {
  readonly database: Database;
  readonly poster: Pick<Poster, 'check'>;
}

/** Values of an endpoint. In an update, undefined leaves a value as it is. */
export interface EndpointInput {
  readonly url?: string | null | undefined;
  readonly description?: string | null | undefined;
  /** Empty or null: all types. */
  readonly eventTypes?: readonly string[] | null | undefined;
  readonly filter?:
    | { readonly [Key in keyof WebhookFilter]?: WebhookFilter[Key] | null | undefined }
    | null
    | undefined;
  readonly enabled?: boolean | null | undefined;
}

export const MAX_WEBHOOKS = 50;
export const MAX_FILTER_VALUES = 100;
const MAX_DESCRIPTION = 255;
const SECRET_BYTES = 32;
/** Hours that the previous secret signs too. */
export const MAX_OVERLAP_HOURS = 720;
export const DEFAULT_OVERLAP_HOURS = 24;

/**
 * Waits for the transactions that have looked for endpoints and found none: after the endpoint is created, no
 * commit is without its event. The timeout keeps a long transaction from stopping all writes of images.
 */
const LOCK = `SET LOCAL lock_timeout = '3s'`;
/** SQLSTATE after `lock_timeout`. */
const LOCK_NOT_AVAILABLE = '55P03';
const LOCK_TABLE = 'LOCK TABLE webhooks IN ACCESS EXCLUSIVE MODE';
/**
 * While no webhook was enabled, nothing was noted. What was reported before is forgotten with the enabling of
 * the first one: an image may have been restored and lost again since.
 */
const FORGET_REPORTED = `DELETE FROM webhook_durability WHERE NOT EXISTS (SELECT FROM webhooks WHERE enabled)`;
const COUNT = 'SELECT count(*)::int AS count FROM webhooks';
const CREATE = `INSERT INTO webhooks (url, description, event_types, filter, secret, enabled)
  VALUES ($1, $2, $3::text[], $4::text::json, $5, $6) RETURNING id`;
const UPDATE = `UPDATE webhooks SET url = coalesce($2, url), description = coalesce($3, description),
    event_types = coalesce($4::text[], event_types), filter = CASE WHEN $5 THEN $6::text::json ELSE filter END,
    enabled = coalesce($7, enabled), disabled_reason = CASE WHEN $7 IS NULL THEN disabled_reason END,
    failing_since = CASE WHEN $7 OR $2 <> url THEN NULL ELSE failing_since END, updated_at = now()
  WHERE id = $1 RETURNING id`;
const DELETE = 'DELETE FROM webhooks WHERE id = $1 RETURNING id';
const ROTATE = `UPDATE webhooks SET previous_secret = CASE WHEN $3 > 0 THEN secret END, secret = $2,
    previous_secret_until = CASE WHEN $3 > 0 THEN now() + make_interval(hours => $3::int) END, updated_at = now()
  WHERE id = $1 RETURNING id`;

export interface CreatedEndpoint {
  readonly id: string;
  /** `whsec_` and base64. Only this call returns it. */
  readonly secret: string;
}

/** @throws InputError INVALID_INPUT; FixativeError SOURCE_FORBIDDEN for an address that is not public. */
export async function createWebhook(deps: EndpointDeps, input: EndpointInput): Promise<CreatedEndpoint> {
  const { url, description, eventTypes, filter } = await parse(deps, { ...input, url: input.url ?? '' });
  const secret = makeSecret();
  const id = await deps.database.transaction(async (transaction) => {
    await waitForWriters(transaction);
    const [counted] = await transaction.query<{ count: number }>(COUNT);
    if ((counted?.count ?? 0) >= MAX_WEBHOOKS)
      throw invalid('url', `There are ${MAX_WEBHOOKS} webhooks already. Delete one that is not needed.`);
    const values = [url, description ?? '', eventTypes ?? [], filter ?? null, secret, input.enabled ?? true];
    const [created] = (await transaction.query<{ id: string }>(CREATE, values)) as [{ id: string }];
    const details = { host: new URL(url ?? '').host, eventTypes: eventTypes ?? [] };
    await recordAudit(transaction, { action: 'webhook.create', subject: created.id, details });
    return created.id;
  });
  await deps.database.flush();
  return { id, secret };
}

/**
 * Changes an endpoint. `enabled: true` also forgets why it was disabled.
 * @throws as createWebhook; NotFoundError.
 */
export async function updateWebhook(deps: EndpointDeps, text: string, input: EndpointInput): Promise<string> {
  const id = parseWebhookId(text);
  const { url, description, eventTypes, filter } = await parse(deps, input);
  const values = [
    id,
    url ?? null,
    description ?? null,
    eventTypes ?? null,
    input.filter !== undefined,
    filter ?? null,
    input.enabled ?? null,
  ];
  const fields = Object.keys(input).filter((key) => input[key as keyof EndpointInput] !== undefined);
  await change(deps, id, async (transaction) => {
    if (input.enabled) await waitForWriters(transaction);
    const rows = await transaction.query(UPDATE, values);
    if (rows.length > 0) {
      await recordAudit(transaction, { action: 'webhook.update', subject: id, details: { fields } });
      await notifyServers(transaction);
    }
    return rows.length;
  });
  return id;
}

/** Deletes an endpoint with its deliveries. @throws InputError INVALID_ID, NotFoundError. */
export async function deleteWebhook(deps: EndpointDeps, text: string): Promise<string> {
  const id = parseWebhookId(text);
  await change(deps, id, async (transaction) => {
    const rows = await transaction.query(DELETE, [id]);
    if (rows.length > 0) await recordAudit(transaction, { action: 'webhook.delete', subject: id });
    return rows.length;
  });
  return id;
}

/** Makes a new secret. The previous one signs too for the hours of `overlapHours`. */
export async function rotateSecret(
  deps: EndpointDeps,
  text: string,
  overlapHours: number = DEFAULT_OVERLAP_HOURS,
): Promise<CreatedEndpoint> {
  const id = parseWebhookId(text);
  if (overlapHours < 0 || overlapHours > MAX_OVERLAP_HOURS) {
    const range = `an integer from 0 to ${MAX_OVERLAP_HOURS}`;
    throw invalid('overlapHours', `overlapHours is ${overlapHours}; it must be ${range}.`);
  }
  const secret = makeSecret();
  await change(deps, id, async (transaction) => {
    const rows = await transaction.query(ROTATE, [id, secret, overlapHours]);
    const details = { overlapHours };
    if (rows.length > 0) await recordAudit(transaction, { action: 'webhook.rotate', subject: id, details });
    return rows.length;
  });
  return { id, secret };
}

async function change(
  { database }: EndpointDeps,
  id: string,
  work: (transaction: Queryable) => Promise<number>,
): Promise<void> {
  if ((await database.transaction(work)) === 0) throw missing(id);
  await database.flush();
}

async function waitForWriters(transaction: Queryable): Promise<void> {
  await transaction.query(LOCK);
  try {
    await transaction.query(LOCK_TABLE);
  } catch (error) {
    if ((error as { code?: string }).code !== LOCK_NOT_AVAILABLE) throw error;
    const message = 'A long transaction writes images, so the webhook was not changed. Try again.';
    throw new FixativeError('OVERLOADED', message, { retryable: true });
  }
  await transaction.query(FORGET_REPORTED);
}

export const missing = (id: string) =>
  new NotFoundError(`There is no webhook ${id}.`, { path: ['input', 'id'] } as ErrorOptions);

/** @param text its UUID, or its id in GraphQL. @throws InputError INVALID_ID */
export function parseWebhookId(text: string, type = 'Webhook', path = 'id'): string {
  const decoded = Buffer.from(text.slice(0, 100), 'base64').toString();
  const id = parseUuid(decoded.startsWith(`${type}:`) ? decoded.slice(type.length + 1) : text);
  if (id) return id;
  const given = JSON.stringify(text.slice(0, 100));
  throw new InputError('INVALID_ID', `${given} is not the id of a ${type}. Use its \`id\` or its UUID.`, {
    path: ['input', path],
  });
}

const makeSecret = () => `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;

const invalid = (field: string, message: string) =>
  new InputError('INVALID_INPUT', message, { path: ['input', field] });

async function parse({ poster }: EndpointDeps, input: EndpointInput) {
  const { url, description, eventTypes, filter } = input;
  for (const type of eventTypes ?? [])
    if (!isEventType(type)) {
      const known = Object.keys(WEBHOOK_EVENT_TYPES).join(', ');
      throw invalid('eventTypes', `There is no event type ${type.slice(0, 50)}. Choose from: ${known}.`);
    }
  return {
    url: url == null ? null : (await poster.check(url)).href,
    description: description ? parseText('description', description, MAX_DESCRIPTION) : description,
    eventTypes: eventTypes === null ? [] : eventTypes && [...new Set(eventTypes)],
    filter: filter ? JSON.stringify(parseFilter(filter)) : filter,
  };
}

function parseFilter(filter: NonNullable<EndpointInput['filter']>): WebhookFilter {
  const parsed: Record<string, readonly string[]> = {};
  for (const name of ['userIds', 'tools', 'tags', 'origins'] as const) {
    const values = filter[name];
    if (values == null) continue;
    if (values.length === 0 || values.length > MAX_FILTER_VALUES)
      throw invalid('filter', `${name} has ${values.length} values; it must have 1 to ${MAX_FILTER_VALUES}.`);
    for (const value of values) parseText(name, value, LIMITS.userIdLength);
    const wrong = name === 'origins' && values.find((value) => !IMAGE_ORIGINS.includes(value as never));
    if (wrong)
      throw invalid('filter', `There is no origin ${wrong}. Choose from: ${IMAGE_ORIGINS.join(', ')}.`);
    parsed[name] = values;
  }
  return parsed;
}
