import { randomUUID } from 'node:crypto';
import type { Database, Queryable } from '../database/database.ts';
import { findDurabilityChanges, type Occurrence } from './durability.ts';
import { matchesFilter, type WebhookFilter } from './filter.ts';
import { payloadOf } from './payload.ts';

export interface DispatchDeps {
  readonly database: Database;
  /** Names of the configured stores. */
  readonly stores: readonly string[];
  /** Address under which clients reach the server; null: not known in this process. */
  readonly publicUrl: () => string | null;
}

/** Rows of the outbox that one transaction takes. */
const BATCH = 200;

/** One server at a time dispatches, so that two do not report the same change of a durability. */
const LOCK = `SELECT pg_try_advisory_xact_lock(hashtextextended('fixative webhooks ' || current_schema(), 0)) AS held`;
const TAKE = `DELETE FROM webhook_outbox WHERE id IN (SELECT id FROM webhook_outbox ORDER BY id LIMIT $1)
  RETURNING id, type, data, created_at AS "createdAt"`;
const ENDPOINTS = `SELECT id, event_types AS "eventTypes", filter FROM webhooks WHERE enabled`;
const INSERT_EVENTS = `INSERT INTO webhook_events (id, type, payload, created_at)
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[])`;
const INSERT_DELIVERIES = `INSERT INTO webhook_deliveries (webhook_id, event_id)
  SELECT * FROM unnest($1::uuid[], $2::uuid[])`;

interface Endpoint {
  readonly id: string;
  readonly eventTypes: readonly string[];
  readonly filter: WebhookFilter | null;
}

/**
 * Turns rows of the outbox into events with deliveries, in one transaction: after a crash the rows are still
 * there, or the deliveries are.
 * @returns the number of rows; null: another server dispatches.
 */
export function dispatchEvents(deps: DispatchDeps): Promise<number | null> {
  return deps.database.transaction(async (transaction) => {
    const [lock] = await transaction.query<{ held: boolean }>(LOCK);
    if (!lock?.held) return null;
    const rows = await transaction.query<Occurrence & { id: number }>(TAKE, [BATCH]);
    if (rows.length === 0) return 0;
    rows.sort((a, b) => Number(a.id) - Number(b.id));
    const blobs = rows.filter(({ type }) => type === 'copies');
    const occurrences = [
      ...rows.filter(({ type }) => type !== 'copies'),
      ...(await findDurabilityChanges(transaction, blobs, deps.stores)),
    ];
    await insertEvents(transaction, occurrences, deps.publicUrl());
    return rows.length;
  });
}

async function insertEvents(
  transaction: Queryable,
  occurrences: readonly Occurrence[],
  publicUrl: string | null,
): Promise<void> {
  const endpoints = await transaction.query<Endpoint>(ENDPOINTS);
  const events = occurrences.flatMap((occurrence) => {
    const { type, createdAt } = occurrence;
    const told = endpoints.filter((endpoint) => wants(endpoint, occurrence));
    const id = randomUUID();
    return told.length === 0
      ? []
      : [{ id, type, payload: payloadOf(occurrence, publicUrl), createdAt, told }];
  });
  if (events.length === 0) return;
  await transaction.query(INSERT_EVENTS, [
    events.map(({ id }) => id),
    events.map(({ type }) => type),
    events.map(({ payload }) => payload),
    events.map(({ createdAt }) => createdAt),
  ]);
  const deliveries = events.flatMap(({ id, told }) => told.map((endpoint) => [endpoint.id, id]));
  await transaction.query(INSERT_DELIVERIES, [
    deliveries.map(([endpoint]) => endpoint),
    deliveries.map(([, event]) => event),
  ]);
}

function wants({ eventTypes, filter }: Endpoint, { type, data }: Occurrence): boolean {
  if (eventTypes.length > 0 && !eventTypes.includes(type)) return false;
  return !type.startsWith('image.') || matchesFilter(filter, data as never);
}
