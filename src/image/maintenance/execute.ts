import type { Logger } from 'pino';
import type { HeldLock } from '../../database/database.ts';
import { type ErrorCode, FixativeError } from '../../errors.ts';
import type { ForgetsImages } from '../bytes.ts';
import { keepWriting, Progress } from './progress.ts';
import {
  INTERRUPTED,
  IS_RESUMABLE,
  MAINTENANCE_KINDS,
  type MaintenanceDeps,
  type MaintenanceKind,
  type MaintenanceRun,
  RUN_COLUMNS,
} from './run.ts';

export interface ExecuteDeps extends MaintenanceDeps {
  readonly log: Logger;
  readonly imageBytes: ForgetsImages;
}

/** Everything that the work of a run gets. */
export interface WorkTools {
  /** Counts of the run; they are written each second. */
  readonly progress: Progress;
  /** Aborted when the run is cancelled, the server stops or the lock is lost. The work then throws. */
  readonly signal: AbortSignal;
  /** Lock of the kind, or of the run if several of the kind may be active. One server holds it at a time. */
  readonly lock: HeldLock;
}

/**
 * Work of a kind of runs. Work of a resumable kind is called again with its run after the end of the server
 * that executed it, and continues from what it has written.
 */
export type MaintenanceWork = (deps: ExecuteDeps, run: MaintenanceRun, tools: WorkTools) => Promise<void>;

/** Work by kind. */
export type MaintenanceWorks = Readonly<Record<MaintenanceKind, MaintenanceWork>>;

/** The lock shows that no other server executes a resumable run, whatever its state says. */
const WAITS = `(state = 'PENDING' OR state = 'RUNNING' AND ${IS_RESUMABLE})`;
const BEGIN = `UPDATE maintenance_runs SET state = 'RUNNING', started_at = coalesce(started_at, now()), heartbeat_at = now()
  WHERE id = $1 AND ${WAITS} RETURNING ${RUN_COLUMNS}`;
const KIND = `SELECT kind FROM maintenance_runs WHERE id = $1 AND ${WAITS}`;
/** A resumable run waits for another server. */
const RELEASE = `UPDATE maintenance_runs SET state = 'PENDING', heartbeat_at = now() WHERE id = $1 AND state = 'RUNNING'`;
const END = `UPDATE maintenance_runs SET state = $2, error = $3, error_code = $4, heartbeat_at = now(), finished_at = now()
  WHERE id = $1 AND state = 'RUNNING'`;

/** How a run ended. */
interface Ending {
  readonly state: 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'STOPPED' | 'RELEASED';
  readonly error: string | null;
  readonly code: ErrorCode | null;
}

/**
 * Executes a run that waits, to its end. Does nothing if it does not wait any more. One server executes it,
 * and one run at a time of a kind of which one is active.
 * @param works the work of each kind.
 * @param stop aborted when the server stops. The run then fails with INTERRUPTED, or waits again if it is
 *   resumable.
 * @throws FixativeError INTERRUPTED for a resumable run that waits again, so that the queue repeats its job.
 */
export async function executeRun(
  deps: ExecuteDeps,
  works: MaintenanceWorks,
  id: string,
  stop: AbortSignal,
): Promise<void> {
  const [waiting] = await deps.database.query<Pick<MaintenanceRun, 'kind'>>(KIND, [id]);
  if (!waiting) return;
  const { kind } = waiting;
  const lockName = MAINTENANCE_KINDS[kind].isSingle ? kind.toLowerCase() : `run ${id}`;
  await deps.database.exclusively(lockName, async (lock) => {
    // The run waits on: the queue gives it to another server.
    if (stop.aborted) return;
    const [run] = await deps.database.query<MaintenanceRun>(BEGIN, [id]);
    if (!run) return;
    // It was to be cancelled when its server died.
    if (run.cancelRequestedAt !== null) return end(deps, run.id, CANCELLED);
    await executeUnderLock(deps, works[run.kind], run, lock, stop);
  });
}

async function executeUnderLock(
  deps: ExecuteDeps,
  work: MaintenanceWork,
  run: MaintenanceRun,
  lock: HeldLock,
  stop: AbortSignal,
): Promise<void> {
  const { database, log } = deps;
  const progress = new Progress(run);
  const cancelling = new AbortController();
  const taken = new AbortController();
  const endWriting = keepWriting(deps, run.id, progress, {
    onCancel: () => cancelling.abort(),
    onTaken: () => taken.abort(),
  });
  const signal = AbortSignal.any([stop, lock.signal, cancelling.signal, taken.signal]);
  const ending = await work(deps, run, { progress, signal, lock })
    .then((): Ending => ({ state: 'COMPLETED', error: null, code: null }))
    .catch((error: unknown): Ending => {
      if (cancelling.signal.aborted) return CANCELLED;
      if (signal.aborted) return MAINTENANCE_KINDS[run.kind].isResumable ? RELEASED : CUT;
      return failureOf(deps, run, error);
    });
  await endWriting();
  try {
    await progress.write(database, run.id);
    await end(deps, run.id, ending);
  } catch (error) {
    log.warn({ err: error, run: run.id }, 'could not record the end of a run; it counts as interrupted');
  }
  if (ending === RELEASED)
    throw new FixativeError('INTERRUPTED', `The run ${run.id} waits for another server.`);
}

async function end({ database }: MaintenanceDeps, id: string, ending: Ending): Promise<void> {
  if (ending === RELEASED) await database.query(RELEASE, [id]);
  else await database.query(END, [id, ending.state, ending.error, ending.code]);
  await database.flush();
}

const CUT: Ending = { state: 'FAILED', error: INTERRUPTED, code: 'INTERRUPTED' };
const RELEASED: Ending = { state: 'RELEASED', error: null, code: null };
const CANCELLED: Ending = { state: 'CANCELLED', error: null, code: 'CANCELLED' };

function failureOf({ log }: ExecuteDeps, { id, kind }: MaintenanceRun, error: unknown): Ending {
  if (!(error instanceof FixativeError)) {
    log.error({ err: error, run: id, kind }, 'a run of maintenance failed');
    return {
      state: 'FAILED',
      error: 'The run failed; the log of the server has the details.',
      code: 'INTERNAL',
    };
  }
  log.warn({ err: error, run: id, kind }, 'a run of maintenance ended early');
  return { state: error.code === 'STOPPED' ? 'STOPPED' : 'FAILED', error: error.message, code: error.code };
}
