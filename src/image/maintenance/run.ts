import { setTimeout as sleep } from 'node:timers/promises';
import { recordAudit } from '../../audit/audit.ts';
import type { Database, Queryable } from '../../database/database.ts';
import { type ErrorCode, InputError, NotFoundError } from '../../errors.ts';
import type { Storage } from '../../storage/service.ts';
import { Conditions, type ImageFilter } from '../list/conditions.ts';
import { withStores } from '../list/durability.ts';
import { parseImageFilter } from '../list/filter-json.ts';
import { requireStores } from '../restore.ts';

/**
 * Runs of maintenance that clients start, watch and cancel. A row is the truth about its run. A job in the
 * queue only triggers it (job/maintenance.ts), and any server may execute it (execute.ts). Who executes it
 * writes its progress and a heartbeat each second, and reads whether it is to be cancelled.
 *
 * The kinds of runs. The table of their work is in job/maintenance-works.ts.
 */
export const MAINTENANCE_KINDS = {
  VERIFY: { noun: 'verify', isResumable: false, isSingle: true, hasStores: true },
  RESTORE: { noun: 'restore', isResumable: false, isSingle: true, hasStores: true },
  RETENTION: { noun: 'retention', isResumable: true, isSingle: true, hasStores: false },
  BULK: { noun: 'bulk change', isResumable: true, isSingle: false, hasStores: false },
} as const satisfies Record<string, KindTraits>;
export type MaintenanceKind = keyof typeof MAINTENANCE_KINDS;

interface KindTraits {
  /** Name of a run in messages. */
  readonly noun: string;
  /**
   * true: a run whose server has stopped or died waits for another server, which calls the work of the kind
   * again with the same run. false: it fails with INTERRUPTED.
   */
  readonly isResumable: boolean;
  /**
   * Whether one run of the kind is active at a time. The unique index maintenance_runs_active names the
   * kinds of which several are.
   */
  readonly isSingle: boolean;
  /** Whether a run concerns some stores, or all of them by default. */
  readonly hasStores: boolean;
}

/** Returns some kinds as a list of SQL. */
function kindsAsList(has: (traits: KindTraits) => boolean): string {
  const kinds = Object.entries(MAINTENANCE_KINDS).filter(([, traits]) => has(traits));
  return kinds.map(([kind]) => `'${kind}'`).join(', ');
}
export const IS_RESUMABLE = `kind IN (${kindsAsList(({ isResumable }) => isResumable)})`;
export type MaintenanceState = 'PENDING' | 'RUNNING' | 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'STOPPED';

export interface MaintenanceCounts {
  /** Copies and images to check; null: not known yet. */
  readonly total: number | null;
  readonly checked: number;
  readonly healthy: number;
  readonly missing: number;
  readonly corrupt: number;
  readonly unreachable: number;
  readonly restored: number;
  readonly failed: number;
  /** Images that were changed. */
  readonly changed: number;
  /** Images that were left as they are. */
  readonly skipped: number;
  readonly bytes: number;
}

export interface MaintenanceProblem {
  readonly sha256: string | null;
  readonly store: string | null;
  readonly state: 'MISSING' | 'CORRUPT' | 'UNREACHABLE' | 'LOST' | 'FAILED';
  readonly message: string;
}

export interface MaintenanceOptions {
  /** Options of a verify: see VerifyOptions. */
  readonly deep?: boolean;
  readonly limit?: number;
  readonly seconds?: number;
  readonly percent?: number;
  readonly maxBytesPerSecond?: number;
  readonly maxMissingPercent?: number;
  /** Options of a retention: its policies as they were at the request (retention/policy.ts). */
  readonly policies?: readonly unknown[];
  /** Share that replaces those of the policies, 0 to 1. */
  readonly maxShare?: number;
  /** Option of a bulk change: the change (bulk/run.ts). */
  readonly bulk?: unknown;
}

export interface MaintenanceRun extends MaintenanceCounts {
  readonly id: string;
  readonly kind: MaintenanceKind;
  readonly state: MaintenanceState;
  readonly stores: string[];
  /** Filter of the images to restore or to change, with times as text; null: all images. */
  readonly filter: Record<string, unknown> | null;
  readonly options: MaintenanceOptions;
  readonly startedBy: string;
  readonly problems: MaintenanceProblem[];
  readonly error: string | null;
  readonly errorCode: ErrorCode | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly cancelRequestedAt: Date | null;
  /** Record of the run, in a form of its kind. */
  readonly result: unknown;
}

export interface MaintenanceDeps {
  readonly database: Database;
  readonly storage: Storage;
}

/** Queue that triggers runs. */
export interface MaintenanceQueue {
  push(transaction: Queryable, run: Pick<MaintenanceRun, 'id' | 'kind'>): Promise<void>;
}

/** Runs of each kind that are kept, and most runs to list. */
const MAX_RUNS = 100;
/** Most active runs of a kind of which several may be active. */
const MAX_ACTIVE = 50;
/** Most of these for one user, so that the others find a place. */
const MAX_ACTIVE_OF_USER = 5;
export const MAX_PROBLEMS = 100;
/** Age of the last heartbeat from which on the server that executed a run is taken for dead. */
export const DEAD_AFTER_SECONDS = 60;

const IS_DEAD = `state = 'RUNNING' AND heartbeat_at < now() - make_interval(secs => $1::float8)`;
export const RUN_COLUMNS = `id, kind, state, stores, filter, options, started_by AS "startedBy", total, checked, healthy,
  missing, corrupt, unreachable, restored, failed, changed, skipped, bytes, result, problems, error, error_code AS "errorCode",
  created_at AS "createdAt", started_at AS "startedAt", finished_at AS "finishedAt",
  cancel_requested_at AS "cancelRequestedAt"`;

/** A newer server beside this one may start runs of other kinds, which this version cannot name. */
const IS_KNOWN = `kind IN (${kindsAsList(() => true)})`;
const BY_IDS = `SELECT ${RUN_COLUMNS}, ${IS_DEAD} AS dead FROM maintenance_runs WHERE id = ANY($2::uuid[]) AND ${IS_KNOWN}`;
const NEWEST = `SELECT ${RUN_COLUMNS}, ${IS_DEAD} AS dead FROM maintenance_runs WHERE ${IS_KNOWN} ORDER BY id DESC LIMIT $2`;
const ACTIVE = `SELECT id FROM maintenance_runs WHERE kind = $1 AND state IN ('PENDING', 'RUNNING')`;
const INSERT = `INSERT INTO maintenance_runs (kind, stores, filter, options, started_by)
  VALUES ($1, $2, $3::text::json, $4::text::json, $5) ON CONFLICT DO NOTHING RETURNING ${RUN_COLUMNS}`;
const COUNT_ACTIVE = `SELECT count(*) AS count, count(*) FILTER (WHERE options #>> '{bulk,visibleTo}' = $2) AS own
  FROM maintenance_runs WHERE kind = $1 AND state IN ('PENDING', 'RUNNING')`;
const KEEP_NEWEST = `DELETE FROM maintenance_runs WHERE kind = $1 AND state NOT IN ('PENDING', 'RUNNING') AND id < (
  SELECT id FROM maintenance_runs WHERE kind = $1 ORDER BY id DESC OFFSET ${MAX_RUNS - 1} LIMIT 1)`;
const FAIL_DEAD = `UPDATE maintenance_runs SET state = 'FAILED', finished_at = now(), error_code = 'INTERRUPTED',
  error = $2 WHERE ${IS_DEAD} AND NOT ${IS_RESUMABLE}`;
/** The queue gives the job of a dead server to another one; a start queues the runs that wait. */
const RELEASE_DEAD = `UPDATE maintenance_runs SET state = 'PENDING' WHERE ${IS_DEAD} AND ${IS_RESUMABLE}`;
const CANCEL = `UPDATE maintenance_runs SET cancel_requested_at = coalesce(cancel_requested_at, now()),
  finished_at = CASE state WHEN 'PENDING' THEN now() END, state = CASE state WHEN 'PENDING' THEN 'CANCELLED' ELSE state END
  WHERE id = $1 AND state IN ('PENDING', 'RUNNING') RETURNING ${RUN_COLUMNS}`;

export const INTERRUPTED =
  'INTERRUPTED: the server that executed the run has stopped. What was checked and restored until then is on record. Start another run to go on.';

/** Returns runs by their ids, in that order; null for each that does not exist. */
export async function findRuns(db: Queryable, ids: readonly string[]): Promise<(MaintenanceRun | null)[]> {
  const byId = new Map((await readRuns(db, BY_IDS, ids)).map((run) => [run.id, run]));
  return ids.map((id) => byId.get(id) ?? null);
}

/** Lists runs, newest first. @throws InputError INVALID_INPUT for a number outside 0 to 100. */
export function listRuns(db: Queryable, first: number): Promise<MaintenanceRun[]> {
  if (first < 0 || first > MAX_RUNS) {
    const message = `first is ${first}; it must be an integer from 0 to ${MAX_RUNS}.`;
    throw new InputError('INVALID_INPUT', message, { path: ['first'] });
  }
  return readRuns(db, NEWEST, first);
}

/** Reads runs. Those whose server has died are failed first. */
async function readRuns(db: Queryable, text: string, value: unknown): Promise<MaintenanceRun[]> {
  const read = () => db.query<MaintenanceRun & { dead: boolean }>(text, [DEAD_AFTER_SECONDS, value]);
  let rows = await read();
  if (rows.some(({ dead }) => dead)) {
    await failDeadRuns(db);
    rows = await read();
  }
  return rows.map(({ dead: _dead, ...run }) => run);
}

/**
 * Fails runs whose last heartbeat is older than `seconds`: the server that executed them has died. Resumable
 * runs wait again.
 */
export async function failDeadRuns(db: Queryable, seconds = DEAD_AFTER_SECONDS): Promise<void> {
  await db.query(FAIL_DEAD, [seconds, INTERRUPTED]);
  await db.query(RELEASE_DEAD, [seconds]);
}

export interface RunRequest {
  readonly kind: MaintenanceKind;
  readonly stores?: readonly string[] | null | undefined;
  readonly filter?: ImageFilter | null | undefined;
  readonly options: MaintenanceOptions;
  /** Name of the token, `root`, or `schedule`. */
  readonly startedBy: string;
}

/**
 * Records a run that is to be executed.
 * @param push is called in the transaction of the record.
 * @throws InputError CONFLICT with the id of the run while another one of this kind is active; INVALID_INPUT
 *   for a store that is not configured, or a filter or option that is not allowed.
 */
export async function recordRun(
  { database, storage }: MaintenanceDeps,
  request: RunRequest,
  push: MaintenanceQueue['push'] = async () => {},
): Promise<MaintenanceRun> {
  const { kind, options, startedBy, filter } = request;
  const stores = MAINTENANCE_KINDS[kind].hasStores ? parseStores(storage, request.stores) : [];
  requireOptions(options);
  const text = filter ? JSON.stringify(filter) : null;
  // Rejects a wrong filter now, and not when the run begins.
  if (text !== null)
    new Conditions(await withStores({ database, stores: storage.stores }, parseImageFilter(text)));
  const values = [kind, stores, text, JSON.stringify(options), startedBy];
  const recorded = await database.transaction(async (transaction) => {
    await failDeadRuns(transaction);
    if (!MAINTENANCE_KINDS[kind].isSingle) await requirePlace(transaction, request);
    const [run] = await transaction.query<MaintenanceRun>(INSERT, values);
    if (!run) return null;
    await transaction.query(KEEP_NEWEST, [kind]);
    await recordAudit(transaction, { action: 'run.start', subject: run.id, details: { kind } });
    await push(transaction, run);
    return run;
  });
  if (recorded) {
    await database.flush();
    return recorded;
  }
  const [active] = await database.query<{ id: string }>(ACTIVE, [kind]);
  if (!active) {
    // The other run has ended since.
    await sleep(10);
    return recordRun({ database, storage }, request, push);
  }
  throw new ActiveRunError(kind, active.id);
}

/** @throws InputError LIMIT_REACHED */
async function requirePlace(transaction: Queryable, { kind, options }: RunRequest): Promise<void> {
  const userId = (options.bulk as { readonly visibleTo: string | null } | undefined)?.visibleTo ?? null;
  const [row] = await transaction.query<{ count: number; own: number }>(COUNT_ACTIVE, [kind, userId]);
  const { count, own } = row ?? { count: 0, own: 0 };
  if (count < MAX_ACTIVE && own < MAX_ACTIVE_OF_USER) return;
  const most = own < MAX_ACTIVE_OF_USER ? `${MAX_ACTIVE} runs of this kind` : `${own} runs of yours`;
  const message = `${most} are active, the most allowed. Wait until one ends.`;
  throw new InputError('LIMIT_REACHED', message, { path: ['input'], retryable: true });
}

/** Another run of this kind is active. */
export class ActiveRunError extends InputError {
  readonly kind: MaintenanceKind;
  readonly runId: string;

  /** @param runId id of that run, in the form in which the message names it. */
  constructor(kind: MaintenanceKind, runId: string) {
    const what = MAINTENANCE_KINDS[kind].noun;
    super(
      'CONFLICT',
      `Another ${what} is active, the run ${runId}. Wait until it ends, or call cancelMaintenanceRun.`,
      { path: ['input'], retryable: true },
    );
    this.kind = kind;
    this.runId = runId;
  }
}

function parseStores(storage: Storage, stores: RunRequest['stores']): readonly string[] {
  const path = ['input', 'stores'];
  if (stores?.length === 0)
    throw new InputError('INVALID_INPUT', 'stores is empty. Leave it out to include all stores.', { path });
  requireStores(storage, stores ?? [], path);
  return stores ? [...new Set(stores)] : storage.stores.map(({ name }) => name);
}

const MAX_INT = 2 ** 31 - 1;
const RANGES = { limit: [1, MAX_INT], seconds: [1, MAX_INT], percent: [1, 100], maxMissingPercent: [0, 100] };

function requireOptions(options: MaintenanceOptions): void {
  for (const [name, [least = 0, most = 0]] of Object.entries(RANGES)) {
    const value = options[name as keyof typeof RANGES];
    if (value === undefined || (value >= least && value <= most)) continue;
    const message = `${name} is ${value}; it must be an integer from ${least} to ${most}.`;
    throw new InputError('INVALID_INPUT', message, { path: ['input', name] });
  }
}

/**
 * Cancels a run: at once while it waits, within about a second while a server executes it. A run that is
 * cancelled already stays as it is.
 * @throws NotFoundError; InputError CONFLICT when the run has ended otherwise.
 */
export async function cancelRun({ database }: MaintenanceDeps, id: string): Promise<MaintenanceRun> {
  const path = ['input', 'id'];
  await failDeadRuns(database);
  const [cancelled] = await database.transaction(async (transaction) => {
    const rows = await transaction.query<MaintenanceRun>(CANCEL, [id]);
    for (const { kind } of rows)
      await recordAudit(transaction, { action: 'run.cancel', subject: id, details: { kind } });
    return rows;
  });
  if (cancelled) {
    await database.flush();
    return cancelled;
  }
  const [run] = await findRuns(database, [id]);
  if (!run) throw new NotFoundError(`There is no run ${id}.`, { path });
  if (run.state === 'CANCELLED') return run;
  const message = `The run ${id} has ended (${run.state}), so there is nothing to cancel.`;
  throw new InputError('CONFLICT', message, { path });
}

export const isOver = ({ state }: Pick<MaintenanceRun, 'state'>) =>
  state !== 'PENDING' && state !== 'RUNNING';
