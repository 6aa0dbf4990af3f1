/** Previews and starts of retention. Its runs are executed by work.ts. */
import type { Queryable } from '../../database/database.ts';
import { type FixativeError, InputError } from '../../errors.ts';
import { withStores } from '../list/durability.ts';
import {
  type MaintenanceDeps,
  type MaintenanceQueue,
  type MaintenanceRun,
  recordRun,
} from '../maintenance/run.ts';
import { listPolicies, type PolicySnapshot, requirePolicy, subjectOf } from './policy.ts';
import { filterOf, type RetentionReason } from './rule.ts';
import { type Asked, SUM_UP, type Summary, type SumRow, selectionOf, summaryOf } from './selection.ts';

export interface RetentionDeps extends MaintenanceDeps {
  /** Setting RETENTION_MAX_SHARE: share for policies that have none. */
  readonly retentionMaxShare: number;
}

export const MAX_SAMPLE = 100;
/** Most images of which a preview finds the bytes that their purge frees. */
const MAX_FREED = 100_000;

export interface RetentionPreview extends Summary {
  readonly policy: PolicySnapshot;
  /** Bytes of blobs that no other image shares; null: too many images to find out. */
  readonly freedBytes: number | null;
  /** Largest share of the scope that a run may take, 0 to 1. */
  readonly maxShare: number;
  /** Error that a run would end with; null: it would begin. */
  readonly stop: string | null;
  /** First images that would go, oldest first. */
  readonly sample: readonly {
    readonly id: number;
    readonly reason: RetentionReason;
    readonly group: string;
    readonly bytes: number;
  }[];
}

const SAMPLE = `SELECT id, reason, grp AS "group", bytes FROM decided WHERE reason IS NOT NULL ORDER BY at, id LIMIT`;
/** Blobs of the images and their parts that only these images, or images in the trash, have. */
const FREED = `, going(id) AS (
    SELECT id FROM decided WHERE reason IS NOT NULL
    UNION ALL SELECT part.id FROM part JOIN decided ON decided.id = part.root WHERE decided.reason IS NOT NULL
  ), shared AS (SELECT i.blob_id, count(*) AS n FROM going JOIN generated_images i ON i.id = going.id
    WHERE i.blob_id IS NOT NULL GROUP BY i.blob_id)
  SELECT coalesce(sum(b.bytes), 0)::bigint AS bytes FROM shared JOIN blobs b ON b.id = shared.blob_id
  WHERE shared.n = (SELECT count(*) FROM generated_images o WHERE o.blob_id = shared.blob_id AND o.deleted_at IS NULL)`;

/**
 * Says what a run of the policy would put into the trash now, by the selection of the run. Changes nothing.
 * @param first most images of the sample. @throws InputError INVALID_INPUT
 */
export async function previewRetention(
  deps: RetentionDeps,
  policy: PolicySnapshot,
  { first }: { readonly first: number },
): Promise<RetentionPreview> {
  if (first < 0 || first > MAX_SAMPLE) {
    const message = `first is ${first}; it must be an integer from 0 to ${MAX_SAMPLE}.`;
    throw new InputError('INVALID_INPUT', message, { path: ['first'] });
  }
  const filter = await resolvedFilter(deps, policy);
  const maxShare = policy.rule.maxShare ?? deps.retentionMaxShare;
  return deps.database.snapshot(async (state) => {
    const selection = selectionOf({ rule: policy.rule, filter, at: await now(state) });
    const ask = <Row>(query: string) =>
      state.query<Row>(`${selection.with} ${query}`, selection.values, { planned: true });
    const summary = summaryOf(await ask<SumRow>(SUM_UP));
    const isEmpty = summary.images === 0;
    const sample =
      first > 0 && !isEmpty ? await ask<RetentionPreview['sample'][number]>(`${SAMPLE} ${first}`) : [];
    const [freed] =
      isEmpty || summary.images > MAX_FREED
        ? [{ bytes: isEmpty ? 0 : null }]
        : await state.query<{ bytes: number }>(`${selection.with}${FREED}`, selection.values, {
            planned: true,
          });
    const stop = stopOf(policy, summary, maxShare)?.message ?? null;
    return { ...summary, policy, freedBytes: freed?.bytes ?? null, maxShare, stop, sample };
  });
}

/** Returns the filter of a policy with its stores resolved. Reads the database. */
export const resolvedFilter = (
  { database, storage }: MaintenanceDeps,
  { name, rule }: PolicySnapshot,
): Promise<Asked['filter']> =>
  withStores({ database, stores: storage.stores }, filterOf(rule, subjectOf(name)));

/** Returns the time of the database, which other servers' clocks may differ from. */
export async function now(db: Queryable): Promise<Date> {
  const [row] = await db.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  return row?.now ?? new Date();
}

/** Returns the error of a policy that would take more than its share; null: it may go on. */
export function stopOf(
  { name }: PolicySnapshot,
  { images, scope }: Summary,
  maxShare: number,
): FixativeError | null {
  if (images <= scope.images * maxShare) return null;
  const percent = (share: number) => `${Math.round(share * 1000) / 10} %`;
  const message = `${subjectOf(name)} would put ${images} of ${scope.images} images into the trash, ${percent(images / scope.images)}; its maxShare allows ${percent(maxShare)}. Preview it. If that is right, run it with a larger maxShare, up to 1.`;
  return new InputError('STOPPED', message, { path: ['input', 'maxShare'] });
}

export interface StartRetention {
  /** Policy to run, also when it is disabled; null: all that are enabled. */
  readonly name: string | null;
  /** Share for this run, in place of those of the policies. */
  readonly maxShare: number | null;
  readonly startedBy: string;
}

/**
 * Records a run of one policy, or of all that are enabled.
 * @throws NotFoundError; InputError STOPPED for one policy that would take more than its share; CONFLICT
 *   while another run is active, or when no policy is enabled; INVALID_INPUT for a share outside 0 to 1.
 */
export async function startRetention(
  deps: RetentionDeps,
  { name, maxShare, startedBy }: StartRetention,
  push?: MaintenanceQueue['push'],
): Promise<MaintenanceRun> {
  if (maxShare !== null && !(maxShare >= 0 && maxShare <= 1)) {
    const message = `maxShare is ${maxShare}; it must be a number from 0 to 1.`;
    throw new InputError('INVALID_INPUT', message, { path: ['input', 'maxShare'] });
  }
  const policies = await chosenPolicies(deps, name);
  const [only] = policies;
  if (only && name !== null) {
    const rule = maxShare === null ? only.rule : { ...only.rule, maxShare };
    const preview = await previewRetention(deps, { name, rule }, { first: 0 });
    const stop = stopOf(only, preview, preview.maxShare);
    if (stop) throw stop;
  }
  const options = { policies, ...(maxShare === null ? {} : { maxShare }) };
  return recordRun(deps, { kind: 'RETENTION', options, startedBy }, push);
}

async function chosenPolicies({ database }: RetentionDeps, name: string | null): Promise<PolicySnapshot[]> {
  if (name !== null) {
    const { rule } = await requirePolicy(database, name, ['input', 'name']);
    return [{ name, rule }];
  }
  const enabled = (await listPolicies(database)).filter((policy) => policy.enabled);
  if (enabled.length > 0) return enabled.map(({ name, rule }) => ({ name, rule }));
  const message = 'No retention policy is enabled. Create one, or name the policy to run.';
  throw new InputError('CONFLICT', message, { path: ['input', 'name'] });
}
