import type { Logger } from 'pino';
import type { Database } from '../../database/database.ts';
import { FixativeError } from '../../errors.ts';
import { findImageRow } from '../image.ts';
import { findGeneration, type GenerationQueue, type GenerationState, LOCAL_QUEUE } from './generation.ts';
import type { Ledger } from './ledger.ts';
import type { SharedResponses } from './shared-responses.ts';

export interface OverdueDeps {
  readonly database: Database;
  readonly queue: GenerationQueue;
  readonly responses: SharedResponses;
  readonly ledger: Ledger;
  /** Names of the providers that this server has configured. */
  readonly providerNames: readonly string[];
  readonly log: Logger;
}

/** How often to look for dead workers of the same directory. */
const DEAD_WORKERS_EVERY_SECONDS = 5;
/** How often to look for overdue generations. */
const SWEEP_EVERY_SECONDS = 60;
/** Seconds after which a due generation that no worker has looked at goes back into the queue. */
const OVERDUE_SECONDS = 120;
/** Seconds after which a generation whose provider is being called goes back: a call may take long. */
const OVERDUE_CALL_SECONDS = 15 * 60;
/** Time that an image waits for a worker that has its provider configured. */
const NO_PROVIDER_SECONDS = 3600;

interface QueueKey {
  readonly imageId: number;
  readonly queueName: string;
  readonly userId: string;
}

interface ResponseOwner extends QueueKey {
  readonly state: GenerationState;
  readonly calls: number;
  readonly errorCode: string | null;
}

const SELECT = `SELECT g.image_id AS "imageId", g.request ->> 'lane' AS "queueName", i.user_id AS "userId", g.state, g.calls,
  i.error_code AS "errorCode" FROM generations g JOIN generated_images i ON i.id = g.image_id`;

const TAKE_OVERDUE = `UPDATE generations g SET updated_at = now() FROM generated_images i
  WHERE i.id = g.image_id AND g.image_id IN (
    SELECT image_id FROM generations WHERE state IN ('waiting', 'queued', 'asking', 'answered')
      AND greatest(run_at, updated_at) < now() - make_interval(secs => CASE WHEN state = 'asking' THEN $2::float8 ELSE $1::float8 END)
      ORDER BY updated_at LIMIT 100 FOR UPDATE SKIP LOCKED
  ) RETURNING g.image_id AS "imageId", g.request ->> 'lane' AS "queueName", i.user_id AS "userId"`;

const WITHOUT_PROVIDER = `SELECT image_id AS "imageId" FROM generations
  WHERE state = 'queued' AND NOT request ->> 'lane' = ANY($1::text[]) AND run_at < now() - make_interval(secs => $2::float8) LIMIT 100`;

/**
 * Finds generations that the queue has lost or a dead worker has left. The rows in the database are the
 * truth.
 */
export function makeOverdue(deps: OverdueDeps) {
  // The lock file of a dead worker stays for a day; its generations are queued once.
  const handled = new Set<string>();

  const sweep = async () => {
    await queueOverdue(deps);
    await failWithoutProvider(deps);
    await queueNow(deps, await sweepResponses(deps));
    await deps.responses.sweepShared();
  };
  const every = (seconds: number, work: () => Promise<unknown>) =>
    setInterval(() => {
      work().catch((error) => deps.log.warn({ err: error }, 'could not look for overdue generations'));
    }, seconds * 1000).unref();
  const timers = [
    every(DEAD_WORKERS_EVERY_SECONDS, () => queueOfDeadWorkers(deps, handled)),
    every(SWEEP_EVERY_SECONDS, sweep),
  ];

  return {
    /** Queues overdue generations, and those that dead workers of this directory have not finished. */
    async requeueAbandoned() {
      await sweep();
      await queueOfDeadWorkers(deps, handled);
    },
    stop: () => {
      for (const timer of timers) clearInterval(timer);
    },
  };
}

/** Queues due generations that no worker has looked at. */
async function queueOverdue({ database, queue }: OverdueDeps): Promise<void> {
  await database.transaction(async (transaction) => {
    const overdue = await transaction.query<QueueKey>(TAKE_OVERDUE, [OVERDUE_SECONDS, OVERDUE_CALL_SECONDS]);
    await queue.push(
      transaction,
      overdue.map((each) => ({ ...each, runAt: null })),
    );
  });
}

/** Fails generations whose provider no worker has configured for an hour. */
async function failWithoutProvider({ database, ledger, providerNames }: OverdueDeps): Promise<void> {
  const values = [[...providerNames, LOCAL_QUEUE], NO_PROVIDER_SECONDS];
  for (const { imageId } of await database.query<{ imageId: number }>(WITHOUT_PROVIDER, values)) {
    const generation = await findGeneration(database, imageId);
    const image = await findImageRow(database, imageId);
    if (!generation || !image) continue;
    const message = `No worker has called the provider ${generation.request.lane} for an hour, and this server has not configured it. Configure the provider, then call regenerateImage.`;
    await ledger.fail(
      generation,
      image,
      new FixativeError('MODEL_UNAVAILABLE', message, { retryable: true }),
    );
  }
}

/**
 * Discards responses that no image will be made of, such as those of a failed image that was purged.
 * @returns the generations of the other responses.
 */
async function sweepResponses({ database, responses }: OverdueDeps): Promise<ResponseOwner[]> {
  const wanted: ResponseOwner[] = [];
  for (const call of await responses.list()) {
    const [row] = await database.query<ResponseOwner>(`${SELECT} WHERE i.uuid = $1`, [call.uuid]);
    const isOver = !row || row.calls !== call.number || row.state === 'done' || row.state === 'cancelled';
    if (isOver) await responses.discard(call);
    else if (row.state !== 'failed' || row.errorCode === 'INTERRUPTED') wanted.push(row);
  }
  return wanted;
}

/** Queues the generations that dead workers of this directory were calling a provider for. */
async function queueOfDeadWorkers(deps: OverdueDeps, handled: Set<string>): Promise<void> {
  const dead = (await deps.responses.findDeadWorkers()).filter((id) => !handled.has(id));
  if (dead.length === 0) return;
  const asked = `${SELECT} WHERE g.state = 'asking' AND g.asked_by = ANY($1)`;
  await queueNow(deps, await deps.database.query<QueueKey>(asked, [dead]));
  for (const id of dead) handled.add(id);
}

function queueNow({ database, queue }: OverdueDeps, found: readonly QueueKey[]): Promise<void> {
  return queue.push(
    database,
    found.map(({ imageId, queueName, userId }) => ({ imageId, queueName, userId, runAt: null })),
  );
}
