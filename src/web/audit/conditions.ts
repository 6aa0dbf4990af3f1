import type { AuditAction, AuditFilter } from '../generated/graphql.ts';
import { audit as text } from '../text/audit.ts';

/** Conditions of the page in its address: `/audit?actor=shop&action=IMAGE_DELETE&from=2026-12-01`. */
export interface Conditions {
  readonly actor: string;
  readonly subject: string;
  readonly action: AuditAction | '';
  /** First and last day, `YYYY-MM-DD` in UTC; empty: no limit. */
  readonly from: string;
  readonly to: string;
}

const DAY = /^\d{4}-\d\d-\d\d$/;
const DAY_MS = 86_400_000;

const isAction = (name: string): name is AuditAction => Object.hasOwn(text.verbs, name);
const dayOf = (value: string | null) =>
  value !== null && DAY.test(value) && !Number.isNaN(Date.parse(value)) ? value : '';

/** Reads the query string of the address. What is not valid counts as not given. */
export function parseConditions(query: string): Conditions {
  const given = new URLSearchParams(query);
  const action = given.get('action') ?? '';
  return {
    actor: given.get('actor') ?? '',
    subject: given.get('subject') ?? '',
    action: isAction(action) ? action : '',
    from: dayOf(given.get('from')),
    to: dayOf(given.get('to')),
  };
}

/** Returns the query string, without conditions that are empty. */
export function formatConditions(conditions: Conditions): string {
  const given = Object.entries(conditions).filter(([, value]) => value.trim() !== '');
  return new URLSearchParams(given.map(([name, value]) => [name, value.trim()])).toString();
}

export function filterOf({ actor, subject, action, from, to }: Conditions): AuditFilter {
  return {
    ...(actor ? { actor } : {}),
    ...(subject ? { subject } : {}),
    ...(action ? { actions: [action] } : {}),
    ...(from ? { after: from.concat('T00:00:00Z') } : {}),
    ...(to ? { before: new Date(Date.parse(to) + DAY_MS).toISOString() } : {}),
  };
}
