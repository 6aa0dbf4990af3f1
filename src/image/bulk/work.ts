import { asActor } from '../../audit/actor.ts';
import type { Queryable } from '../../database/database.ts';
import { FixativeError } from '../../errors.ts';
import { Conditions, type ImageFilter } from '../list/conditions.ts';
import { withStores } from '../list/durability.ts';
import { parseImageFilter } from '../list/filter-json.ts';
import type { ExecuteDeps, MaintenanceWork, WorkTools } from '../maintenance/execute.ts';
import { eachBatch } from '../maintenance/items.ts';
import type { MaintenanceRun } from '../maintenance/run.ts';
import { BULK_BATCH, type BulkResult, changeBatch } from './change.ts';
import { detailOf } from './detail.ts';
import { type BulkOrder, orderOf } from './run.ts';

/** Most images of a run. */
const MAX_IMAGES = 1_000_000;
/** Days for which the results of a run that has ended are kept. */
const KEEP_DAYS = 7;

const FORGET_OLD = `DELETE FROM maintenance_items WHERE run_id IN (
  SELECT id FROM maintenance_runs WHERE kind = 'BULK' AND finished_at < now() - interval '${KEEP_DAYS} days')`;
const IS_SELECTED = 'SELECT 1 FROM maintenance_runs WHERE id = $1 AND result IS NOT NULL';
const SELECTED = `UPDATE maintenance_runs SET result = json_build_object('images', $2::int) WHERE id = $1`;
/** An image that a killed server had purged before it could record this has a tombstone. */
const RECORD = `UPDATE maintenance_items m SET
    outcome = CASE WHEN p.purged THEN 'CHANGED' ELSE p.outcome END, detail = CASE WHEN p.purged THEN NULL ELSE p.detail END
  FROM (SELECT given.*, $5 AND EXISTS (SELECT FROM tombstones t JOIN maintenance_items i ON i.uuid = t.uuid
      WHERE i.run_id = $1 AND i.image_id = given.id) AS purged
    FROM unnest($2::bigint[], $3::text[], $4::text[]) AS given(id, outcome, detail)) p
  WHERE m.run_id = $1 AND m.image_id = p.id`;
const COUNT = `SELECT count(*) AS total, count(outcome) AS checked, count(*) FILTER (WHERE outcome = 'CHANGED') AS changed,
    count(*) FILTER (WHERE outcome IN ('UNCHANGED', 'SKIPPED')) AS skipped, count(*) FILTER (WHERE outcome = 'FAILED') AS failed,
    coalesce(sum(bytes) FILTER (WHERE outcome = 'CHANGED'), 0)::bigint AS bytes
  FROM maintenance_items WHERE run_id = $1`;
/** Batches after which the counts are shown. */
const COUNT_EVERY = 10;

interface Counts {
  readonly total: number;
  readonly checked: number;
  readonly changed: number;
  readonly skipped: number;
  readonly failed: number;
  readonly bytes: number;
}

/**
 * Changes the images of the filter. One transaction writes them down, so an interrupted run ends as it would
 * have without. An image that does not match the filter any more is left as it is.
 */
export const bulkWork: MaintenanceWork = async (deps, run, tools) => {
  const order = orderOf(run);
  if (!order) throw new Error(`The run ${run.id} is of the kind ${run.kind}.`);
  const { database, storage } = deps;
  const stores = { database, stores: storage.stores };
  const filter = await withStores(stores, parseImageFilter(JSON.stringify(run.filter ?? {})));
  await select(deps, run, filter, tools);
  await asActor(order.actor, () => changeSelected(deps, run, { order, filter }, tools));
};

async function select(
  { database }: ExecuteDeps,
  { id }: MaintenanceRun,
  filter: ImageFilter,
  { lock }: WorkTools,
): Promise<void> {
  await lock.transaction(async (transaction) => {
    await transaction.query(FORGET_OLD);
    if ((await transaction.query(IS_SELECTED, [id])).length > 0) return;
    const conditions = new Conditions(filter, [], 'pass');
    const text = `INSERT INTO maintenance_items (run_id, image_id, uuid, bytes)
      SELECT ${conditions.value(id)}::uuid, i.id, i.uuid, coalesce(i.bytes, 0) FROM generated_images i${conditions.where()}
      LIMIT ${MAX_IMAGES + 1} RETURNING 1`;
    const [row] = await transaction.query<{ count: number }>(
      `WITH selected AS (${text}) SELECT count(*) AS count FROM selected`,
      conditions.values,
      { planned: true },
    );
    const images = row?.count ?? 0;
    if (images > MAX_IMAGES) {
      const message = `The filter matches more than ${MAX_IMAGES} images, the most that a run may change. Narrow the filter, for example by time.`;
      throw new FixativeError('STOPPED', message);
    }
    await transaction.query(SELECTED, [id, images]);
  });
  await database.flush();
}

async function changeSelected(
  deps: ExecuteDeps,
  { id }: MaintenanceRun,
  { order, filter }: { readonly order: BulkOrder; readonly filter: ImageFilter },
  tools: WorkTools,
): Promise<void> {
  const { change, dryRun } = order;
  const count = async () => {
    const [counts] = await tools.lock.query<Counts>(COUNT, [id]);
    if (counts) tools.progress.set(counts);
  };
  const options = {
    dryRun,
    signal: tools.signal,
    transaction: tools.lock.transaction,
    choose: (db: Queryable, ids: readonly number[]) => stillMatching(db, filter, ids),
    record: async (transaction: Queryable, results: readonly BulkResult[]) => {
      const values = [results.map((each) => each.id), results.map(({ outcome }) => outcome)];
      const details = results.map(({ error }) => error && detailOf(error));
      await transaction.query(RECORD, [id, ...values, details, change.verb === 'PURGE' && !dryRun]);
    },
  };
  await count();
  let batches = 0;
  await eachBatch(tools, id, BULK_BATCH, async (items) => {
    const ids = items.map((item) => item.id);
    await changeBatch(deps, change, ids, options);
    if (++batches % COUNT_EVERY === 0 || items.length < BULK_BATCH) await count();
  });
  await count();
}

async function stillMatching(
  db: Queryable,
  filter: ImageFilter,
  ids: readonly number[],
): Promise<ReadonlySet<number>> {
  const conditions = new Conditions(filter);
  conditions.add(`i.id = ANY(${conditions.value(ids)}::bigint[])`);
  const text = `SELECT i.id FROM generated_images i${conditions.where()}`;
  const rows = await db.query<{ id: number }>(text, conditions.values);
  return new Set(rows.map((row) => row.id));
}
