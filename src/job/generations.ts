import type { PgBoss, QueueResult } from 'pg-boss';
import type { Logger } from 'pino';
import type { Database, Queryable } from '../database/database.ts';
import { isDatabaseAway } from '../database/driver/errors.ts';
import { diskFaultOf } from '../database/pglite/disk-fault.ts';
import { type GenerationQueue, LOCAL_QUEUE } from '../image/generation/generation.ts';
import type { GenerationWorker } from '../image/generation/worker.ts';

/**
 * The queue of generations, on pg-boss (https://pgboss.io) in the same database: a lane for each provider, so that one that is slow or limited holds up
 * none of the others. A job says only that it is time to look at a generation (image/generation/worker.ts), and a worker that dies is
 * noticed by its heartbeat, whereupon another looks.
 */
export interface GenerationJobs extends GenerationQueue {
  /** Begins to take jobs in this process. */
  work(worker: GenerationWorker, limits: WorkLimits): Promise<void>;
  /**
   * Seconds since the worker that has waited longest has last looked for work and got an answer; null where this process takes no work. A worker looks every
   * thirty seconds at the latest, unless it generates.
   */
  secondsSinceLook(): number | null;
  /** Takes no more from the queue; those under way go on. */
  pause(): Promise<void>;
  /** After `pause`, when those under way have ended. */
  stop(): Promise<void>;
}

export interface WorkLimits {
  /** How many generations of one provider run at once in this process. */
  readonly perProvider: number;
  /** How many of one user and provider, in all processes. */
  readonly perUser: number;
}

/** The shortest that pg-boss allows is 10. */
const HEARTBEAT_SECONDS = 15;
const MONITOR_SECONDS = 15;
/** A job whose worker neither ends it nor dies; longer than any provider may take. */
const EXPIRE_SECONDS = 3 * 3600;
/** What is scheduled lies in the queue until its time. */
const RETENTION_SECONDS = 400 * 86_400;
const DONE_SECONDS = 3600;
/** Jobs that are there now are notified; those whose time comes later are found by looking, for which one place of a lane is enough: it wakes the others. */
const POLL_SECONDS = 3;
const SELDOM_SECONDS = 30;
/** What is drawn here takes the processor itself. */
const LOCAL_PLACES = 2;
/** The queue, and not the generation: what failed there without being recorded, such as while the database was away. */
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

/** What is left to pg-boss itself when it stops. */
const STOP_SECONDS = 10;
const NO_JOB = '00000000-0000-0000-0000-000000000000';

const nameOf = (lane: string) => `generate-${lane}`;

/** Whether a queue is there as it should be: that is read for all by one statement, while setting it up takes four for each. */
const isSet = (queue: QueueResult | undefined) =>
  queue !== undefined &&
  Object.entries(SETTINGS).every(([name, value]) => queue[name as keyof QueueResult] === value);

/** @param options.lanes the names of the providers that are configured. @param options.works whether this process takes jobs. */
export async function openGenerationJobs(
  database: Database,
  options: { readonly lanes: readonly string[]; readonly works: boolean; readonly log: Logger },
): Promise<GenerationJobs> {
  const { log, works } = options;
  const { PgBoss } = await import('pg-boss');
  const boss: PgBoss = new PgBoss({
    db: database as never,
    // Two servers with schemas of their own in one database have queues of their own.
    schema: database.schema === null ? 'pgboss' : `${database.schema}_pgboss`,
    backend: database.kind === 'pglite' ? 'pglite' : 'postgres',
    useListenNotify: true,
    schedule: false,
    supervise: works,
    superviseIntervalSeconds: MONITOR_SECONDS,
    monitorIntervalSeconds: MONITOR_SECONDS,
    // Advice for those who run pg-boss alone; here it would speak of tables that are not its own.
    monitorVacuum: false,
    reindex: false,
  });
  boss.on('error', (error) => {
    // That the database is away is said once, by itself.
    if (isDatabaseAway(error)) return;
    // Each look fails while the disk takes no writes, which the log says once by then.
    const level = diskFaultOf(error) === 'full' ? 'debug' : 'warn';
    log[level]({ err: error }, 'the queue of generations has a fault');
  });
  boss.on('warning', (warning) => log.warn({ warning }, 'the queue of generations warns'));
  const lanes = [...new Set([...options.lanes, LOCAL_QUEUE])];
  try {
    // A server that has waited for pg-boss's own lock may fail all the same: PostgreSQL still takes the schema for missing, and inserts it again.
    await database.exclusively('queue', () => boss.start());
    await setUpQueues(boss, lanes.map(nameOf));
  } catch (error) {
    // What has begun of it keeps the process running, also where it did not come to start.
    await boss.stop({ graceful: false, close: false }).catch(() => {});
    throw error;
  }

  let working = false;

  return {
    async push(transaction, generations) {
      const byLane = Map.groupBy(generations, ({ queueName }) => queueName);
      for (const [lane, each] of byLane) {
        await boss.insert(
          nameOf(lane),
          each.map(({ imageId, userId, runAt }) => ({
            data: { imageId },
            group: { id: userId },
            ...(runAt ? { startAfter: runAt } : {}),
          })),
          { db: dbOf(transaction) },
        );
      }
    },
    async work(worker, { perProvider, perUser }) {
      working = true;
      for (const lane of lanes) {
        const places = lane === LOCAL_QUEUE ? Math.min(perProvider, LOCAL_PLACES) : perProvider;
        const workers: string[] = [];
        for (let place = 0; place < places; place++) {
          const options = {
            groupConcurrency: perUser,
            // Without notifications each looks for itself.
            pollingIntervalSeconds: POLL_SECONDS,
            notifyPollingIntervalSeconds: place === 0 ? POLL_SECONDS : SELDOM_SECONDS,
          };
          const work = async ([job]: { data: { imageId: number } }[]) => {
            const wakeOthers = () => {
              for (const other of workers.slice(1)) boss.notifyWorker(other);
            };
            // While the one that looks often is busy, it has the others look.
            if (place === 0) wakeOthers();
            const waking = place === 0 ? setInterval(wakeOthers, POLL_SECONDS * 1000) : undefined;
            try {
              if (job) await worker.process(job.data.imageId);
            } finally {
              clearInterval(waking);
            }
            // After a job the next is looked for at once, and not when it is time to look again.
            boss.notifyWorker(workers[place] ?? '');
          };
          workers.push(await boss.work<{ imageId: number }>(nameOf(lane), options, work));
        }
      }
    },
    secondsSinceLook() {
      if (!working) return null;
      const now = Date.now();
      const waiting = boss.getWipData().filter(({ count }) => count === 0);
      const since = waiting.map(
        ({ createdOn, lastFetchedOn, lastJobEndedOn }) =>
          now - Math.max(createdOn, lastFetchedOn ?? 0, lastJobEndedOn ?? 0),
      );
      return Math.max(0, ...since) / 1000;
    },
    async pause() {
      if (working) for (const lane of lanes) await boss.offWork(nameOf(lane), { wait: false });
    },
    stop: () => boss.stop({ graceful: true, timeout: STOP_SECONDS * 1000, close: false }),
  };
}

async function setUpQueues(boss: PgBoss, names: readonly string[]): Promise<void> {
  const known = new Map((await boss.getQueues([...names])).map((queue) => [queue.name, queue]));
  for (const name of names) {
    if (!isSet(known.get(name))) {
      await boss.createQueue(name, SETTINGS);
      await boss.updateQueue(name, SETTINGS);
    }
    // Reads the queue into pg-boss's cache, unless it is there since pg-boss's start; another server may have made it since. It would otherwise be read at
    // the first push, which holds a connection by then: as many of those as there are connections would wait for one more, and for each other.
    await boss.findJobs(name, { id: NO_JOB });
  }
}

/** pg-boss's word for where SQL can be sent. */
function dbOf(transaction: Queryable) {
  return {
    executeSql: async (text: string, values?: unknown[]) => ({ rows: await transaction.query(text, values) }),
  };
}
