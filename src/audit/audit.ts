import type { Queryable } from '../database/database.ts';
import { currentActor } from './actor.ts';

/** Types of the subjects that entries name. */
export type SubjectType = 'image' | 'upload' | 'token' | 'run' | 'policy' | 'webhook' | 'backup';

/**
 * Recorded actions, with their descriptions in the schema and in `fixative audit`. The part before the dot is
 * the type of the subject.
 */
export const AUDIT_ACTIONS = {
  'image.generate': 'requested the generation of',
  'image.upload': 'uploaded',
  'image.import': 'imported',
  'image.record': 'recorded',
  'image.regenerate': 'requested again the generation of',
  'image.cancel': 'cancelled the generation of',
  'image.update': 'changed',
  'image.delete': 'moved to the trash',
  'image.undelete': 'took out of the trash',
  'image.purge': 'deleted permanently',
  'image.restore': 'restored copies of',
  'upload.create': 'created',
  'token.create': 'created',
  'token.revoke': 'revoked',
  'webhook.create': 'created',
  'webhook.update': 'changed',
  'webhook.delete': 'deleted',
  'webhook.rotate': 'replaced the secret of',
  'webhook.replay': 'repeated deliveries of',
  'webhook.test': 'sent a test to',
  'run.start': 'started',
  'run.cancel': 'cancelled',
  'policy.create': 'created',
  'policy.update': 'changed',
  'policy.delete': 'deleted',
  'backup.create': 'made',
} as const;

export type AuditAction = keyof typeof AUDIT_ACTIONS;

export interface AuditEntry {
  readonly action: AuditAction;
  /** UUID of the image, token, upload target or run; name of the policy; `database` for a backup. */
  readonly subject: string;
  /** Changed values, as a small JSON object without secrets and without texts of users. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Longest details, in characters of JSON. Longer ones are left out. */
const MAX_DETAILS = 2000;
const MAX_NAME = 255;

const RECORD = `INSERT INTO audit_entries (actor_kind, actor_name, action, subject_type, subject_id, details)
  SELECT $1, $2, action, split_part(action, '.', 1), subject, details::json
  FROM unnest($3::text[], $4::text[], $5::text[]) AS each(action, subject, details)`;

/**
 * Records changes of the current actor. Call it in the transaction of the changes: both are kept, or neither.
 */
export async function recordAudit(transaction: Queryable, ...entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await transaction.query(RECORD, [
    ...actorValues(),
    entries.map(({ action }) => action),
    entries.map(({ subject }) => subject),
    entries.map(({ details }) => detailsText(details)),
  ]);
}

function detailsText(details: AuditEntry['details']): string | null {
  if (details === undefined) return null;
  const text = JSON.stringify(details).replaceAll('\\u0000', '');
  return text.length <= MAX_DETAILS ? text : null;
}

/** Values of `actor_kind` and `actor_name` for a statement that records by itself. */
export function actorValues(): readonly [kind: string, name: string] {
  const { kind, name } = currentActor();
  return [kind, name.slice(0, MAX_NAME)];
}

const TRIM = `DELETE FROM audit_entries WHERE id IN (
    SELECT id FROM audit_entries WHERE created_at < now() - make_interval(days => $1::integer) ORDER BY id LIMIT $2::integer)
  RETURNING id`;
const TRIM_BATCH = 5000;

/** Deletes entries that are older than `days`, in batches. @returns how many. */
export async function trimAudit(database: Queryable, days: number, stop: AbortSignal): Promise<number> {
  for (let deleted = 0; ; ) {
    stop.throwIfAborted();
    const rows = await database.query(TRIM, [days, TRIM_BATCH]);
    deleted += rows.length;
    if (rows.length < TRIM_BATCH) return deleted;
  }
}
