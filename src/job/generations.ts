import type { PgBoss, QueueResult } from 'pg-boss';
import type { Logger } from 'pino';
import type { Database, Queryable } from '../database/database.ts';
import { isDatabaseAway } from '../database/driver/errors.ts';
import { diskFaultOf } from '../database/pglite/disk-fault.ts';
import { type GenerationQueue, LOCAL_QUEUE } from '../image/generation/generation.ts';
import type { GenerationWorker } from '../image/generation/worker.ts';
import type { Tracing } from '../tracing.ts';
import { MAINTENANCE_QUEUES, type MaintenanceJobs, makeMaintenanceJobs } from './maintenance.ts';
import { currentTrace, duringJob, type Traced } from './spans.ts';
import { dbOf } from './transaction.ts';

/**
 * Job queues of generations, on pg-boss (https://pgboss.io) in the same database. Each provider has a queue
 * of its own, so a slow or rate-limited provider does not delay the others. A job only triggers a check of
 * its generation (image/generation/worker.ts). When a worker dies, its heartbeat stops and another worker
 * gets the job.
 */
export interface GenerationJobs extends GenerationQueue {
  readonly maintenance: MaintenanceJobs;
  /** Starts the workers of this process. */
  work(worker: GenerationWorker, limits: WorkLimits): Promise<void>;
  /**
   * Seconds since the idle worker that has waited longest last polled its queue successfully; null in a
   * process without workers. An idle worker polls at least every 30 seconds.
   */
  secondsSincePoll(): number | null;
  /** Stops taking jobs. Running jobs continue. */
  pause(): Promise<void>;
  /** Closes the queues. Call it after `pause`, once the running jobs have ended. */
  stop(): Promise<void>;
}

export interface WorkLimits {
  /** Most generations of one provider that run at once in this process. */
  readonly perProvider: number;
  /** Most generations of one user and provider that run at once, in all processes. */
  readonly perUser: number;
}

/** The minimum of pg-boss is 10. */
const HEARTBEAT_SECONDS = 15;
const MONITOR_SECONDS = 15;
/** Time limit of a job; longer than any provider may take. */
const EXPIRE_SECONDS = 3 * 3600;
/** Longest stay in the queue. Scheduled jobs wait there for their time. */
const RETENTION_SECONDS = 400 * 86_400;
const DONE_SECONDS = 3600;
/**
 * Pause between two polls of the first worker of a queue. New jobs are notified; polling finds those whose
 * time has come. The first worker wakes the others.
 */
const POLL_SECONDS = 3;
/** Pause between two polls of the other workers. */
const SELDOM_SECONDS = 30;
/** Most workers of the local queue: they draw on this machine's processor. */
const LOCAL_WORKERS = 2;
/** Retries of a job, for failures that no generation records, such as an outage of the database. */
const RETRY_LIMIT = 10_000;

const SETTINGS = {
  notify: true,
  heartbeatSeconds: HEARTBEAT_SECONDS,
  expireInSeconds: EXPIRE_SECONDS,
  retentionSeconds: RETENTION_SECONDS,
  deleteAfterSeconds: DONE_SECONDS,
  retryLimit: RETRY_LIMIT,
  retryDelay: 5,
} as const;

/** Time limit of pg-boss's own stop. */
const STOP_SECONDS = 10;
const NO_JOB = '00000000-0000-0000-0000-000000000000';

const queueNameOf = (provider: string) => `generate-${provider}`;

interface JobsOptions {
  /** Names of the configured providers. */
  readonly providers: readonly string[];
  /** Whether this process runs workers. */
  readonly works: boolean;
  readonly log: Logger;
  readonly tracing: Tracing | null;
}

/** Data of the job of a generation. */
interface GenerationJob extends Traced {
  readonly imageId: number;
}

export async function openGenerationJobs(database: Database, options: JobsOptions): Promise<GenerationJobs> {
  const { tracing } = options;
  const boss = await makeBoss(database, options);
  const providers = [...new Set([...options.providers, LOCAL_QUEUE])];
  try {
    // pg-boss has a lock of its own, but a server that has waited for it may still see the schema as missing,
    // and fail.
    await database.exclusively('queue', () => boss.start());
    await setUpQueues(boss, [...providers.map(queueNameOf), ...MAINTENANCE_QUEUES]);
  } catch (error) {
    // Parts of pg-boss may be running, also after a failed start. They would keep the process alive.
    await boss.stop({ graceful: false, close: false }).catch(() => {});
    throw error;
  }

  let working = false;
  const maintenance = makeMaintenanceJobs(boss, tracing);

  return {
    maintenance,
    push: (transaction, generations) => push({ boss, tracing }, transaction, generations),
    async work(worker, limits) {
      working = true;
      for (const provider of providers) await startWorkers({ boss, tracing }, provider, worker, limits);
    },
    secondsSincePoll: () => (working ? longestSinceFetch(boss) : null),
    async pause() {
      if (!working) return;
      await maintenance.pause();
      for (const provider of providers) await boss.offWork(queueNameOf(provider), { wait: false });
    },
    stop: () => boss.stop({ graceful: true, timeout: STOP_SECONDS * 1000, close: false }),
  };
}

async function makeBoss(database: Database, options: { works: boolean; log: Logger }): Promise<PgBoss> {
  const { works, log } = options;
  const { PgBoss } = await import('pg-boss');
  const boss: PgBoss = new PgBoss({
    db: database as never,
    // Servers that share a database but not a schema have separate queues.
    schema: database.schema === null ? 'pgboss' : `${database.schema}_pgboss`,
    backend: database.kind === 'pglite' ? 'pglite' : 'postgres',
    useListenNotify: true,
    schedule: false,
    supervise: works,
    superviseIntervalSeconds: MONITOR_SECONDS,
    monitorIntervalSeconds: MONITOR_SECONDS,
    // These give advice about tables that are not pg-boss's own.
    monitorVacuum: false,
    reindex: false,
  });
  boss.on('error', (error) => {
    // The database itself logs that it is away, once.
    if (isDatabaseAway(error)) return;
    // Each poll fails while the disk is full, which has been logged by then.
    const level = diskFaultOf(error) === 'full' ? 'debug' : 'warn';
    log[level]({ err: error }, 'the queue of generations reported an error');
  });
  boss.on('warning', (warning) => log.warn({ warning }, 'the queue of generations reported a warning'));
  return boss;
}

interface Queues {
  readonly boss: PgBoss;
  readonly tracing: Tracing | null;
}

async function push(
  { boss, tracing }: Queues,
  transaction: Queryable,
  generations: Parameters<GenerationQueue['push']>[1],
): Promise<void> {
  const trace = currentTrace(tracing);
  const byProvider = Map.groupBy(generations, ({ queueName }) => queueName);
  for (const [provider, each] of byProvider) {
    await boss.insert(
      queueNameOf(provider),
      each.map(({ imageId, userId, runAt }) => ({
        data: { imageId, ...trace } satisfies GenerationJob,
        group: { id: userId },
        ...(runAt ? { startAfter: runAt } : {}),
      })),
      { db: dbOf(transaction) },
    );
  }
}

async function startWorkers(
  { boss, tracing }: Queues,
  provider: string,
  worker: GenerationWorker,
  { perProvider, perUser }: WorkLimits,
): Promise<void> {
  const count = provider === LOCAL_QUEUE ? Math.min(perProvider, LOCAL_WORKERS) : perProvider;
  const workers: string[] = [];
  const process = ({ imageId, trace }: GenerationJob) => {
    const attributes = { 'fixative.queue': provider };
    return duringJob(tracing, { name: 'generation', attributes, trace }, () => worker.process(imageId));
  };
  const wakeOthers = () => {
    for (const worker of workers.slice(1)) boss.notifyWorker(worker);
  };
  for (let i = 0; i < count; i++) {
    const isFirst = i === 0;
    const options = {
      groupConcurrency: perUser,
      // Applies where there are no notifications.
      pollingIntervalSeconds: POLL_SECONDS,
      notifyPollingIntervalSeconds: isFirst ? POLL_SECONDS : SELDOM_SECONDS,
    };
    const run = async ([job]: { data: GenerationJob }[]) => {
      // While the first worker is busy, the others must poll in its place.
      if (isFirst) wakeOthers();
      const waking = isFirst ? setInterval(wakeOthers, POLL_SECONDS * 1000) : undefined;
      try {
        if (job) await process(job.data);
      } finally {
        clearInterval(waking);
      }
      // Polls for the next job at once, not at the next interval.
      boss.notifyWorker(workers[i] ?? '');
    };
    workers.push(await boss.work<GenerationJob>(queueNameOf(provider), options, run));
  }
}

/** Returns the seconds since the last poll of the idle worker that has waited longest. */
function longestSinceFetch(boss: PgBoss): number {
  const now = Date.now();
  const idle = boss.getWipData().filter(({ count }) => count === 0);
  const since = idle.map(
    ({ createdOn, lastFetchedOn, lastJobEndedOn }) =>
      now - Math.max(createdOn, lastFetchedOn ?? 0, lastJobEndedOn ?? 0),
  );
  return Math.max(0, ...since) / 1000;
}

async function setUpQueues(boss: PgBoss, names: readonly string[]): Promise<void> {
  const known = new Map((await boss.getQueues([...names])).map((queue) => [queue.name, queue]));
  for (const name of names) {
    if (!hasSettings(known.get(name))) {
      await boss.createQueue(name, SETTINGS);
      await boss.updateQueue(name, SETTINGS);
    }
    // Reads the queue into pg-boss's cache, where another server may have made it since pg-boss's start.
    // Otherwise the first push would read it, inside a transaction: pushes that hold all connections of the
    // pool would wait for one more.
    await boss.findJobs(name, { id: NO_JOB });
  }
}

/**
 * Returns whether a queue has our settings. One statement reads all queues, while setting up one takes four.
 */
const hasSettings = (queue: QueueResult | undefined) =>
  queue !== undefined &&
  Object.entries(SETTINGS).every(([name, value]) => queue[name as keyof QueueResult] === value);
