import type { Job, PgBoss } from 'pg-boss';
import type { Queryable } from '../database/database.ts';
import { diskFaultOf } from '../database/pglite/disk-fault.ts';
import { type ExecuteDeps, executeRun } from '../image/maintenance/execute.ts';
import {
  DEAD_AFTER_SECONDS,
  failDeadRuns,
  MAINTENANCE_KINDS,
  type MaintenanceKind,
  type MaintenanceQueue,
  type MaintenanceRun,
} from '../image/maintenance/run.ts';
import type { Tracing } from '../tracing.ts';
import { makeMaintenanceWorks, type WorkSettings } from './maintenance-works.ts';
import { currentTrace, duringJob, type Traced } from './spans.ts';
import { dbOf } from './transaction.ts';

/**
 * Queue of runs of maintenance. A job only triggers its run: a job that comes twice, or late, does nothing. A
 * run that still waits when its server stops or dies is given to another one.
 */
export interface MaintenanceJobs extends MaintenanceQueue {
  /** Begins to execute runs in this process. */
  work(deps: ExecuteDeps & WorkSettings): Promise<MaintenanceWork>;
  /** Stops taking jobs. */
  pause(): Promise<void>;
}

export interface MaintenanceWork {
  /** Interrupts the runs that this process executes. Resolves when this is on record. */
  stop(): Promise<void>;
}

/** Other kinds have a queue of their own, in which many runs may wait: a verify has its workers to itself. */
const queueOf = (kind: MaintenanceKind) => (MAINTENANCE_KINDS[kind].isSingle ? 'maintenance' : 'bulk');

/** Runs that one process executes at once, by queue: one of each kind of which one is active. */
const WORKERS = {
  maintenance: Object.values(MAINTENANCE_KINDS).filter(({ isSingle }) => isSingle).length,
  bulk: 2,
};
export const MAINTENANCE_QUEUES = Object.keys(WORKERS);
const POLL_SECONDS = 3;
/** Pause between two polls where a new job is notified. */
const SELDOM_SECONDS = 30;

const WAITING = `SELECT id, kind FROM maintenance_runs WHERE state = 'PENDING'`;

type QueuedRun = Pick<MaintenanceRun, 'id' | 'kind'>;

/** Data of the job of a run. */
interface RunJob extends Traced {
  readonly id: string;
}

export function makeMaintenanceJobs(boss: PgBoss, tracing: Tracing | null): MaintenanceJobs {
  async function push(transaction: Queryable, { id, kind }: QueuedRun): Promise<void> {
    await boss.insert(queueOf(kind), [{ data: { id, ...currentTrace(tracing) } satisfies RunJob }], {
      db: dbOf(transaction),
    });
  }

  /** Fails the runs whose server has died, and queues those that wait. */
  async function recover({ database, log }: ExecuteDeps): Promise<void> {
    try {
      // The embedded database has one process, so a run of before this start is dead.
      await failDeadRuns(database, database.kind === 'pglite' ? 0 : DEAD_AFTER_SECONDS);
      // Their jobs may be lost, for example in a backup without the queue.
      for (const run of await database.query<QueuedRun>(WAITING)) await push(database, run);
    } catch (error) {
      // With a full disk the server still serves. A dead run fails when it is read later.
      if (diskFaultOf(error) === null) throw error;
      log.warn({ err: error }, 'could not recover maintenance runs: the database accepts no writes');
    }
  }

  return {
    push,
    async work(deps) {
      const stopping = new AbortController();
      const stopped = new Promise<never>((_resolve, reject) => {
        stopping.signal.addEventListener('abort', () => reject(new Error('The server stops.')));
      });
      stopped.catch(() => {});
      const running = new Set<Promise<void>>();
      await recover(deps);
      const works = makeMaintenanceWorks(deps);

      const options = { pollingIntervalSeconds: POLL_SECONDS, notifyPollingIntervalSeconds: SELDOM_SECONDS };
      const execute = async ([job]: Job<RunJob>[]) => {
        if (!job) return;
        const { id, trace } = job.data;
        const traced = { name: 'maintenance', attributes: { 'fixative.run': id }, trace };
        const run = duringJob(tracing, traced, () => executeRun(deps, works, id, stopping.signal));
        running.add(run);
        const done = run.finally(() => running.delete(run));
        // A run may wait for the lock that another server holds. Its job then fails, and is given to
        // another server.
        await Promise.race([done, stopped]);
      };
      for (const [queue, workers] of Object.entries(WORKERS))
        for (let i = 0; i < workers; i++) await boss.work<RunJob>(queue, options, execute);
      return {
        async stop() {
          stopping.abort();
          await Promise.allSettled(running);
        },
      };
    },
    async pause() {
      for (const queue of MAINTENANCE_QUEUES) await boss.offWork(queue, { wait: false });
    },
  };
}
