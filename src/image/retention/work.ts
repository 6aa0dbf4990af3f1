import { asActor } from '../../audit/actor.ts';
import { recordAudit } from '../../audit/audit.ts';
import type { Queryable } from '../../database/database.ts';
import { FixativeError } from '../../errors.ts';
import type { ExecuteDeps, MaintenanceWork, WorkTools } from '../maintenance/execute.ts';
import { eachBatch, type Item } from '../maintenance/items.ts';
import type { MaintenanceRun } from '../maintenance/run.ts';
import { lockTrees } from '../related/family.ts';
import { trashTrees } from '../trash/trash.ts';
import { type PolicySnapshot, subjectOf } from './policy.ts';
import { now, type RetentionDeps, resolvedFilter, stopOf } from './retention.ts';
import { parseRule, type RetentionReason } from './rule.ts';
import {
  type Asked,
  type Selected,
  SUM_UP,
  type Summary,
  type SumRow,
  selectionOf,
  stillGoing,
  summaryOf,
} from './selection.ts';

/** Record of a run, in `maintenance_runs.result`. */
export interface RetentionResult {
  /** When the images were selected, in RFC 3339. */
  readonly selectedAt: string;
  readonly policies: readonly PolicyResult[];
}

export interface PolicyResult extends PolicySnapshot, Summary {
  /** Why the policy did not begin; null: it did. Then nothing of it was put into the trash. */
  readonly stop: string | null;
}

/** Images that one transaction puts into the trash. */
const BATCH = 100;

/** Items of runs that have ended. They stay until the next run. */
const FORGET_ENDED = `DELETE FROM maintenance_items WHERE run_id IN (
  SELECT id FROM maintenance_runs WHERE kind = 'RETENTION' AND state NOT IN ('PENDING', 'RUNNING'))`;
const FORGET_POLICY = 'DELETE FROM maintenance_items WHERE run_id = $1 AND reason LIKE $2';
const WRITE_RESULT = 'UPDATE maintenance_runs SET result = $2::text::json WHERE id = $1';
const COUNT = `SELECT count(*) AS total, count(outcome) AS checked, count(*) FILTER (WHERE outcome = 'trashed') AS changed,
    coalesce(sum(bytes) FILTER (WHERE outcome = 'trashed'), 0)::bigint AS bytes
  FROM maintenance_items WHERE run_id = $1`;
const MARK = `UPDATE maintenance_items SET outcome = CASE WHEN image_id = ANY($3::bigint[]) THEN 'trashed' ELSE 'kept' END
  WHERE run_id = $1 AND image_id = ANY($2::bigint[]) RETURNING bytes, outcome`;

/**
 * Puts the images that the policies select into the trash. One transaction writes the selection down, so an
 * interrupted run ends as it would have without. Each batch checks its images again under their locks.
 */
export const makeRetentionWork =
  (settings: Pick<RetentionDeps, 'retentionMaxShare'>): MaintenanceWork =>
  async (deps, run, tools) => {
    const policies = policiesOf(run);
    const filters: Asked['filter'][] = [];
    for (const policy of policies) filters.push(await resolvedFilter(deps, policy));
    const result =
      (run.result as RetentionResult | null) ??
      (await select({ ...deps, ...settings }, run, { policies, filters }, tools));
    const asked = policies.map(({ name, rule }, index) => ({
      name,
      rule,
      filter: filters[index] ?? {},
      at: new Date(result.selectedAt),
    }));
    await trashSelected(deps, run, asked, tools);
    const stopped = result.policies.flatMap(({ stop }) => stop ?? []);
    if (stopped.length > 0) throw new FixativeError('STOPPED', stopped.join(' '));
  };

const policiesOf = ({ options }: MaintenanceRun): PolicySnapshot[] =>
  ((options.policies ?? []) as readonly PolicySnapshot[]).map(({ name, rule }) => ({
    name,
    rule: parseRule(rule, subjectOf(name)),
  }));

/** Selects the images of all policies from the same state, before the first one goes. */
async function select(
  deps: RetentionDeps,
  run: MaintenanceRun,
  { policies, filters }: { policies: readonly PolicySnapshot[]; filters: readonly Asked['filter'][] },
  { lock, signal }: WorkTools,
): Promise<RetentionResult> {
  const result = await lock.transaction(async (transaction) => {
    await transaction.query(FORGET_ENDED);
    const at = await now(transaction);
    const results: PolicyResult[] = [];
    for (const [index, policy] of policies.entries()) {
      signal.throwIfAborted();
      const summary = await insertSelected(transaction, run.id, index, {
        rule: policy.rule,
        filter: filters[index] ?? {},
        at,
      });
      const maxShare = run.options.maxShare ?? policy.rule.maxShare ?? deps.retentionMaxShare;
      const stop = stopOf(policy, summary, maxShare)?.message ?? null;
      if (stop !== null) await transaction.query(FORGET_POLICY, [run.id, `${index}:%`]);
      results.push({ ...policy, ...summary, stop });
    }
    const selected: RetentionResult = { selectedAt: at.toISOString(), policies: results };
    await transaction.query(WRITE_RESULT, [run.id, JSON.stringify(selected)]);
    return selected;
  });
  await deps.database.flush();
  return result;
}

/** Writes down the images that go, and sums up, in one statement and so from one state. */
async function insertSelected(
  transaction: Queryable,
  runId: string,
  index: number,
  asked: Asked,
): Promise<Summary> {
  const selection = selectionOf(asked);
  const values = [...selection.values, runId, `${index}:`];
  const text = `${selection.with}, selected AS (
      INSERT INTO maintenance_items (run_id, image_id, reason, bytes)
      SELECT $${values.length - 1}::uuid, id, $${values.length}::text || reason, bytes FROM decided WHERE reason IS NOT NULL
      ON CONFLICT DO NOTHING)
    ${SUM_UP}`;
  return summaryOf(await transaction.query<SumRow>(text, values, { planned: true }));
}

async function trashSelected(
  deps: ExecuteDeps,
  run: MaintenanceRun,
  asked: readonly NamedAsked[],
  tools: WorkTools,
): Promise<void> {
  const [before] = await deps.database.query<Counts>(COUNT, [run.id]);
  const counts = before ?? { total: 0, checked: 0, changed: 0, bytes: 0 };
  const show = () => tools.progress.set({ ...counts, skipped: counts.checked - counts.changed });
  show();
  await eachBatch(tools, run.id, BATCH, async (items) => {
    const { uuids, marked } = await tools.lock.transaction((transaction) =>
      trashBatch(transaction, run.id, asked, items),
    );
    deps.imageBytes.forget(uuids);
    for (const { bytes, outcome } of marked) {
      counts.checked++;
      if (outcome !== 'trashed') continue;
      counts.changed++;
      counts.bytes += bytes;
    }
    show();
  });
}

interface Counts {
  total: number;
  checked: number;
  changed: number;
  bytes: number;
}
/** Question of a policy. */
interface NamedAsked extends Asked {
  readonly name: string;
}

/** The actor of what a policy puts into the trash. */
const ACTOR = { kind: 'job', name: 'retention' } as const;

async function trashBatch(
  transaction: Queryable,
  runId: string,
  asked: readonly NamedAsked[],
  items: readonly Item[],
): Promise<{ uuids: string[]; marked: { bytes: number; outcome: string }[] }> {
  const ids = items.map(({ id }) => id);
  await lockTrees(transaction, ids);
  /** Name of the policy, by id of an image that goes. */
  const going = new Map<number, string>();
  for (const [index, each] of Map.groupBy(items.map(parseItem), (item) => item.policy)) {
    const of = asked[index];
    if (of) for (const { id } of await stillGoing(transaction, of, each)) going.set(id, of.name);
  }
  const trashed = [...going.keys()];
  const rows = trashed.length > 0 ? await trashTrees(transaction, trashed) : [];
  const entries = rows.flatMap(({ id, uuid }) => {
    const policy = going.get(id);
    return policy === undefined
      ? []
      : [{ action: 'image.delete', subject: uuid, details: { policy } } as const];
  });
  await asActor(ACTOR, () => recordAudit(transaction, ...entries));
  return {
    uuids: rows.map(({ uuid }) => uuid),
    marked: await transaction.query(MARK, [runId, ids, trashed]),
  };
}

/** @param reason `<index of the policy>:<reason>` */
function parseItem({ id, reason }: Item): Selected & { readonly policy: number } {
  const [policy, why] = (reason ?? '').split(':');
  return { id, policy: Number(policy), reason: why as RetentionReason };
}
