import type { Logger } from 'pino';
import type { HeldLock } from '../../database/database.ts';
import { type ErrorCode, FixativeError } from '../../errors.ts';
import { countLacking } from '../../storage/blob.ts';
import type { Verification } from '../../storage/service.ts';
import { countImages } from '../list/count.ts';
import { withStores } from '../list/durability.ts';
import { parseImageFilter } from '../list/filter-json.ts';
import { keepWriting, Progress } from './progress.ts';
import { restoreMany } from './restore-many.ts';
import { INTERRUPTED, type MaintenanceDeps, type MaintenanceRun, RUN_COLUMNS } from './run.ts';

interface ExecuteDeps extends MaintenanceDeps {
  readonly log: Logger;
}

/** Most images to count before a restore by a filter; above it the total is an estimate. */
const COUNT_LIMIT = 100_000;

const BEGIN = `UPDATE maintenance_runs SET state = 'RUNNING', started_at = now(), heartbeat_at = now()
  WHERE id = $1 AND state = 'PENDING' RETURNING ${RUN_COLUMNS}`;
const KIND = `SELECT kind FROM maintenance_runs WHERE id = $1 AND state = 'PENDING'`;
const END = `UPDATE maintenance_runs SET state = $2, error = $3, error_code = $4, heartbeat_at = now(), finished_at = now()
  WHERE id = $1 AND state = 'RUNNING'`;

/** How a run ended. */
interface Ending {
  readonly state: 'COMPLETED' | 'FAILED' | 'CANCELLED' | 'STOPPED';
  readonly error: string | null;
  readonly code: ErrorCode | null;
}

/**
 * Executes a run that waits, to its end. Does nothing if it does not wait any more. Runs of a kind hold the
 * lock of that kind, so one at a time runs over all servers.
 * @param stop aborted when the server stops; the run then fails with INTERRUPTED.
 */
export async function executeRun(deps: ExecuteDeps, id: string, stop: AbortSignal): Promise<void> {
  const [waiting] = await deps.database.query<Pick<MaintenanceRun, 'kind'>>(KIND, [id]);
  if (!waiting) return;
  await deps.database.exclusively(waiting.kind.toLowerCase(), async (lock) => {
    // The run waits on: the queue gives it to another server.
    if (stop.aborted) return;
    const [run] = await deps.database.query<MaintenanceRun>(BEGIN, [id]);
    if (run) await executeUnderLock(deps, run, lock, stop);
  });
}

async function executeUnderLock(
  deps: ExecuteDeps,
  run: MaintenanceRun,
  lock: HeldLock,
  stop: AbortSignal,
): Promise<void> {
  const { database, log } = deps;
  const progress = new Progress();
  const cancelling = new AbortController();
  const taken = new AbortController();
  const endWriting = keepWriting(deps, run.id, progress, {
    onCancel: () => cancelling.abort(),
    onTaken: () => taken.abort(),
  });
  const signal = AbortSignal.any([stop, lock.signal, cancelling.signal, taken.signal]);
  const work = run.kind === 'VERIFY' ? verify : restore;
  const ending = await work(deps, run, progress, signal)
    .then((): Ending => ({ state: 'COMPLETED', error: null, code: null }))
    .catch((error: unknown) => {
      if (cancelling.signal.aborted) return CANCELLED;
      if (signal.aborted) return { state: 'FAILED', error: INTERRUPTED, code: 'INTERRUPTED' } as const;
      return failureOf(deps, run, error);
    });
  await endWriting();
  try {
    await progress.write(database, run.id);
    await database.query(END, [run.id, ending.state, ending.error, ending.code]);
    await database.flush();
  } catch (error) {
    log.warn({ err: error, run: run.id }, 'could not record the end of a run; it counts as interrupted');
  }
}

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

async function verify(
  { storage, log }: ExecuteDeps,
  { stores, options }: MaintenanceRun,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const result = await storage.verify({
    ...options,
    stores,
    orphans: false,
    onProgress: (state) => progress.verified(state, mostOf(state.of, options)),
    onBad: (bad) => progress.foundBad(bad),
    signal,
  });
  logVerification(log, result);
}

/** Returns the number of copies that a verify checks at most, of all copies. */
function mostOf(of: number, { limit = of, percent = 100 }: MaintenanceRun['options']): number {
  return Math.min(limit, Math.ceil((of * percent) / 100));
}

function logVerification(log: Logger, { copies, of, lostCount, stores }: Verification): void {
  const isBad = stores.some((store) => store.missing + store.corrupt + store.unreachable > 0);
  const level = isBad || lostCount > 0 ? 'warn' : 'info';
  log[level]({ copies, of, lost: lostCount, stores }, 'verified copies');
}

/** Restores the images of the filter; without one, checks what exists and restores what is missing. */
async function restore(
  deps: ExecuteDeps,
  { stores, filter, options }: MaintenanceRun,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  const { database, storage } = deps;
  if (filter) {
    const images = await withStores(
      { database, stores: storage.stores },
      parseImageFilter(JSON.stringify(filter)),
    );
    progress.expect((await countImages(database, images, COUNT_LIMIT)).count);
    for await (const outcome of restoreMany(deps, { filter: images }, { stores, signal }))
      progress.restored(outcome);
    return;
  }
  await storage.verify({
    ...options,
    deep: false,
    stores,
    orphans: false,
    records: false,
    onProgress: (state) => progress.verified(state),
    signal,
  });
  const into = storage.stores.filter(({ name }) => stores.includes(name));
  progress.expect(await countLacking(database, into));
  for await (const outcome of restoreMany(deps, { lacking: true }, { stores, signal }))
    progress.restored(outcome);
}
