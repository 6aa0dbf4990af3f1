import { recordAudit } from '../../audit/audit.ts';
import type { Database, Queryable } from '../../database/database.ts';
import { InputError, NotFoundError } from '../../errors.ts';
import { faultOfText } from '../json.ts';
import { parseRule, type RetentionRule } from './rule.ts';

export interface RetentionPolicy {
  readonly name: string;
  /** Whether runs of all policies include it. */
  readonly enabled: boolean;
  readonly rule: RetentionRule;
  readonly source: 'DATABASE' | 'FILE';
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Policy as it was when a run was requested. */
export type PolicySnapshot = Pick<RetentionPolicy, 'name' | 'rule'>;

export const MAX_POLICIES = 100;
const MAX_NAME = 60;

const COLUMNS = `name, enabled, rule, source, created_at AS "createdAt", updated_at AS "updatedAt"`;
const ALL = `SELECT ${COLUMNS} FROM retention_policies ORDER BY name`;
const ONE = `SELECT ${COLUMNS} FROM retention_policies WHERE name = $1`;
const LOCK = `${ONE} FOR UPDATE`;
/** Two creations at once must not exceed the limit together. */
const LOCK_ALL = 'LOCK TABLE retention_policies IN SHARE ROW EXCLUSIVE MODE';
const INSERT = `INSERT INTO retention_policies (name, enabled, rule, source) VALUES ($1, $2, $3::text::json, $4)
  ON CONFLICT DO NOTHING RETURNING ${COLUMNS}`;
const UPDATE = `UPDATE retention_policies SET enabled = $2, rule = $3::text::json, updated_at = now()
  WHERE name = $1 RETURNING ${COLUMNS}`;
const DELETE = 'DELETE FROM retention_policies WHERE name = $1';

type Row = Omit<RetentionPolicy, 'rule'> & { readonly rule: unknown };
const policyOf = (row: Row): RetentionPolicy => ({ ...row, rule: parseRule(row.rule, subjectOf(row.name)) });
export const subjectOf = (name: string) => `Policy ${JSON.stringify(name.slice(0, MAX_NAME))}`;

/** Returns all policies by name. */
export async function listPolicies(db: Queryable): Promise<RetentionPolicy[]> {
  return (await db.query<Row>(ALL)).map(policyOf);
}

/** @throws NotFoundError */
export async function requirePolicy(
  db: Queryable,
  name: string,
  path: readonly string[] = ['name'],
): Promise<RetentionPolicy> {
  return found(faultOfText(name) === null ? await db.query<Row>(ONE, [name]) : [], name, path);
}

function found(rows: readonly Row[], name: string, path: readonly string[]): RetentionPolicy {
  const [row] = rows;
  if (row) return policyOf(row);
  const message = `There is no retention policy ${JSON.stringify(name.slice(0, 100))}. \`retentionPolicies\` lists them.`;
  throw new NotFoundError(message, { path });
}

export const isPolicyName = (text: string): boolean =>
  /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text) && text.length <= MAX_NAME;

/** Returns the name. @throws InputError INVALID_INPUT */
export function parsePolicyName(name: string, path: readonly string[] = ['input', 'name']): string {
  if (isPolicyName(name)) return name;
  const message = `The name ${JSON.stringify(name.slice(0, 100))} is not allowed. Use up to ${MAX_NAME} letters, digits, dots, hyphens and underscores.`;
  throw new InputError('INVALID_INPUT', message, { path });
}

interface PolicyDeps {
  readonly database: Database;
}

/** @throws InputError INVALID_INPUT; CONFLICT when the name is taken; LIMIT_REACHED for too many. */
export async function createPolicy(
  { database }: PolicyDeps,
  given: { readonly name: string; readonly enabled: boolean; readonly rule: unknown },
): Promise<RetentionPolicy> {
  const name = parsePolicyName(given.name);
  const rule = parseRule(given.rule, subjectOf(name));
  const created = await database.transaction(async (transaction) => {
    await transaction.query(LOCK_ALL);
    const others = await transaction.query<Row>(ALL);
    if (others.some((other) => other.name === name)) {
      const message = `There is already a retention policy ${JSON.stringify(name)}. Choose another name, or call updateRetentionPolicy.`;
      throw new InputError('CONFLICT', message, { path: ['input', 'name'] });
    }
    if (others.length >= MAX_POLICIES) {
      const message = `There are ${MAX_POLICIES} retention policies, the most allowed. Delete one.`;
      throw new InputError('LIMIT_REACHED', message, { path: ['input'] });
    }
    const rows = await transaction.query<Row>(INSERT, [name, given.enabled, text(rule), 'DATABASE']);
    await recordAudit(transaction, { action: 'policy.create', subject: name, details: { rule } });
    return found(rows, name, []);
  });
  await database.flush();
  return created;
}

/**
 * Changes a policy.
 * @param changes fields of the rule that are undefined keep their values; null removes a limit.
 * @throws NotFoundError; InputError INVALID_INPUT; CONFLICT for a policy of RETENTION_FILE.
 */
export async function updatePolicy(
  { database }: PolicyDeps,
  name: string,
  changes: { readonly enabled?: boolean | undefined; readonly rule: Readonly<Record<string, unknown>> },
): Promise<RetentionPolicy> {
  const updated = await database.transaction(async (transaction) => {
    const policy = await lockOwn(transaction, name);
    const given = Object.entries(changes.rule).filter(([, value]) => value !== undefined);
    const merged = { ...policy.rule, ...Object.fromEntries(given) };
    const rule = parseRule(merged, subjectOf(name));
    const enabled = changes.enabled ?? policy.enabled;
    const rows = await transaction.query<Row>(UPDATE, [name, enabled, text(rule)]);
    await recordAudit(transaction, { action: 'policy.update', subject: name, details: { enabled, rule } });
    return found(rows, name, []);
  });
  await database.flush();
  return updated;
}

/** @throws NotFoundError; InputError CONFLICT for a policy of RETENTION_FILE. */
export async function deletePolicy({ database }: PolicyDeps, name: string): Promise<RetentionPolicy> {
  const deleted = await database.transaction(async (transaction) => {
    const policy = await lockOwn(transaction, name);
    await transaction.query(DELETE, [name]);
    await recordAudit(transaction, { action: 'policy.delete', subject: name });
    return policy;
  });
  await database.flush();
  return deleted;
}

async function lockOwn(transaction: Queryable, name: string): Promise<RetentionPolicy> {
  const path = ['input', 'name'];
  const rows = faultOfText(name) === null ? await transaction.query<Row>(LOCK, [name]) : [];
  const policy = found(rows, name, path);
  if (policy.source === 'DATABASE') return policy;
  const message = `The policy ${JSON.stringify(name)} is from the file RETENTION_FILE. Change it there and restart the server.`;
  throw new InputError('CONFLICT', message, { path });
}

const text = (rule: RetentionRule) => JSON.stringify(rule);

export interface FilePolicy {
  readonly name: string;
  readonly enabled: boolean;
  readonly rule: RetentionRule;
}

/**
 * Makes the policies of source FILE those of the file. Writes nothing when they are the same.
 * @throws InputError CONFLICT when a policy of the database has the name of one of the file.
 */
export async function replaceFilePolicies(
  { database }: PolicyDeps,
  policies: readonly FilePolicy[],
): Promise<void> {
  const fingerprint = (each: readonly FilePolicy[]) =>
    JSON.stringify(
      each
        .map(({ name, enabled, rule }) => [name, enabled, Object.entries(rule).sort()])
        .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
    );
  const present = await listPolicies(database);
  const taken = policies.find(({ name }) =>
    present.some((other) => other.name === name && other.source === 'DATABASE'),
  );
  if (taken) {
    const message = `RETENTION_FILE has the policy ${JSON.stringify(taken.name)}, and a policy of this name was made by a client. Rename one of them, or delete the other with \`fixative retention delete ${taken.name}\`.`;
    throw new InputError('CONFLICT', message);
  }
  const before = present.filter(({ source }) => source === 'FILE');
  if (fingerprint(before) === fingerprint(policies)) return;
  await database.transaction(async (transaction) => {
    await transaction.query(LOCK_ALL);
    await transaction.query(`DELETE FROM retention_policies WHERE source = 'FILE'`);
    for (const { name, enabled, rule } of policies)
      found(await transaction.query<Row>(INSERT, [name, enabled, text(rule), 'FILE']), name, []);
  });
  await database.flush();
}
