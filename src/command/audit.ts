import { AUDIT_ACTIONS, type AuditAction } from '../audit/audit.ts';
import { type AuditEntryRow, type AuditFilter, findAuditEntries } from '../audit/find-entries.ts';
import type { Database } from '../database/database.ts';
import { migrate } from '../database/migrate.ts';
import { EXIT, type ExitCode, type Terminal } from './terminal.ts';

export interface AuditCommand extends AuditFilter {
  readonly limit: number;
  readonly json: boolean;
}

/** `audit`: prints entries of the audit log, newest first, each as a sentence or as a line of JSON. */
export async function runAudit(
  database: Database,
  { limit, json, ...filter }: AuditCommand,
  terminal: Terminal,
): Promise<ExitCode> {
  await migrate(database);
  for await (const entry of findAuditEntries(database, filter, limit))
    terminal.out(`${json ? JSON.stringify({ ...entry, id: Number(entry.id) }) : sentenceOf(entry)}\n`);
  return EXIT.ok;
}

function sentenceOf({
  createdAt,
  actorKind,
  actorName,
  action,
  subjectType,
  subjectId,
  details,
}: AuditEntryRow) {
  // An action of a newer version has no verb here.
  const verb = Object.hasOwn(AUDIT_ACTIONS, action) ? AUDIT_ACTIONS[action as AuditAction] : action;
  // JSON escapes line breaks and control sequences.
  const name = /^[\x21-\x7e]+$/.test(actorName) ? actorName : JSON.stringify(actorName);
  const time = createdAt.toISOString().slice(0, 19).replace('T', ' ');
  const more = details === null ? '' : `  ${JSON.stringify(details)}`;
  return `${time}  ${actorKind} ${name} ${verb} ${subjectType} ${subjectId}${more}`;
}
