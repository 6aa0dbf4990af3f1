import path from 'node:path';
import type { Config } from '../config.ts';
import { diskFaultOf } from '../database/pglite/disk-fault.ts';
import type { Services } from '../graphql/context.ts';
import { openProviderResponses } from '../image/generation/provider-responses.ts';
import { shareResponses } from '../image/generation/shared-responses.ts';
import { makeGenerationWorker } from '../image/generation/worker.ts';
import type { openGenerationJobs } from '../job/generations.ts';
import { runScheduledPurge } from '../job/purge.ts';
import { startScheduledRetention } from '../job/retention.ts';
import { startSchedule } from '../job/schedule.ts';
import { duringJob } from '../job/spans.ts';
import { clearUploads } from '../job/uploads.ts';
import { startScheduledVerify } from '../job/verify.ts';
import type { Logger } from '../log.ts';
import type { Tracing } from '../tracing.ts';
import { startWebhooks } from '../webhook/webhooks.ts';
import { type Closing, endsWithin } from './closing.ts';

/** Seconds that a stop waits for a run of a job. The next run does what this one did not finish. */
const JOB_SECONDS = 5;
/** Seconds that a stop waits for runs of maintenance to be interrupted. */
const MAINTENANCE_SECONDS = 5;
/** Seconds that a stop waits for attempts to deliver events. Another server repeats those that are cut. */
const WEBHOOK_SECONDS = 5;
/** Seconds that a stop waits for the queue to pause. */
const PAUSE_SECONDS = 3;

// Schedules: five fields of cron, in UTC.
/** When images are purged that have been in the trash for TRASH_DAYS. */
const PURGE_SCHEDULE = '23 * * * *';
/** When uploads that were never completed are removed. */
const CLEAR_UPLOADS_SCHEDULE = '17 * * * *';
/** When the embedded database is maintained; autovacuum has the same interval (`autovacuum_naptime`). */
const MAINTAIN_SCHEDULE = '* * * * *';

interface JobDeps {
  readonly services: Services;
  readonly jobs: Awaited<ReturnType<typeof openGenerationJobs>>;
  readonly closing: Closing;
  /** Whether the stop has begun. */
  readonly isClosing: () => boolean;
  readonly log: Logger;
  readonly tracing: Tracing | null;
}

/** Begins to take generations, and runs of maintenance, from the queue. */
export async function beginGenerating(
  config: Config,
  { services, jobs, closing, isClosing, log }: JobDeps,
): Promise<void> {
  const local = await openProviderResponses(path.join(config.dataDirectory, 'answers'));
  const responses = shareResponses(local, services.database);
  const perUser = config.generationsPerUser;
  const worker = makeGenerationWorker({ ...services, responses, perUser });
  closing.add('generations', async (seconds) => {
    await endsWithin(seconds / 2, worker.idle());
    await worker.stop();
  });
  // A call to a provider is paid for, so the stop waits as long as the provider may take.
  closing.addPatient('calls to providers', async () => {
    await endsWithin(PAUSE_SECONDS, jobs.pause());
    await worker.responsesKept();
  });
  await worker.requeueAbandoned().catch((error: unknown) => {
    // A full disk must not keep the server from serving. Overdue generations are looked for each minute.
    if (diskFaultOf(error) === null) throw error;
    log.warn({ err: error }, 'generations are not resumed: the disk takes no writes');
  });
  if (isClosing()) return;
  const { database, storage, imageBytes } = services;
  const maintenance = await jobs.maintenance.work({
    database,
    storage,
    imageBytes,
    retentionMaxShare: config.retentionMaxShare,
    log,
  });
  closing.add('maintenance', (seconds) =>
    endsWithin(Math.min(seconds, MAINTENANCE_SECONDS), maintenance.stop()),
  );
  const webhooks = await startWebhooks({
    database,
    stores: storage.stores.map(({ name }) => name),
    publicUrl: () => addressOf(services),
    poster: services.poster,
    retrySeconds: config.webhookRetrySeconds,
    disableDays: config.webhookDisableDays,
    timeoutSeconds: config.webhookTimeoutSeconds,
    log,
  });
  closing.add('webhooks', (seconds) => endsWithin(Math.min(seconds, WEBHOOK_SECONDS), webhooks.stop()));
  await jobs.work(worker, { perProvider: config.generationsPerProvider, perUser });
}

/** Returns the address of this server; null in a worker without PUBLIC_URL, which does not listen. */
function addressOf({ publicUrl }: Services): string | null {
  try {
    return publicUrl();
  } catch {
    return null;
  }
}

/** Begins to generate, to repair, to purge and to verify. */
export async function beginJobs(config: Config, deps: JobDeps): Promise<void> {
  await beginGenerating(config, deps);
  if (deps.isClosing()) return;
  deps.services.storage.startRepairs();
  const schedules = startSchedules(config, deps);
  deps.closing.add('jobs', () =>
    endsWithin(JOB_SECONDS, Promise.all(schedules.map((schedule) => schedule.stop()))),
  );
}

function startSchedules(config: Config, { services, log, tracing }: JobDeps) {
  const { database, storage, arrivals, maintenanceQueue } = services;
  const deps = { database, storage, log };
  const traced = (name: string, work: () => Promise<void>) => duringJob(tracing, { name }, work);
  const schedules = [
    startSchedule(
      { expression: PURGE_SCHEDULE, atStart: true },
      (signal) => traced('purge', () => runScheduledPurge(deps, config, signal)),
      log,
    ),
    startSchedule(
      { expression: CLEAR_UPLOADS_SCHEDULE },
      (signal) => traced('clear uploads', () => clearUploads({ ...deps, arrivals }, signal)),
      log,
    ),
  ];
  const { maintain } = database;
  if (maintain) {
    const run = async (signal: AbortSignal) => {
      for (const done of await maintain(signal)) log.debug(done, 'maintained the embedded database');
    };
    schedules.push(startSchedule({ expression: MAINTAIN_SCHEDULE }, run, log));
  }
  if (config.verifySchedule !== null) {
    const limits = { seconds: config.verifySeconds, maxBytesPerSecond: config.verifyBytesPerSecond };
    const run = () =>
      traced('start verify', () => startScheduledVerify({ ...deps, maintenanceQueue }, limits));
    schedules.push(startSchedule({ expression: config.verifySchedule }, run, log));
  }
  if (config.retentionSchedule !== null) {
    const { retentionMaxShare } = config;
    const run = () => startScheduledRetention({ ...deps, maintenanceQueue, retentionMaxShare });
    schedules.push(startSchedule({ expression: config.retentionSchedule }, run, log));
  }
  return schedules;
}
