import type { Logger } from 'pino';
import type { Database } from '../../database/database.ts';
import { FixativeError } from '../../errors.ts';
import { findImageRow } from '../image.ts';
import { findGeneration, type GenerationQueue, type GenerationState, LOCAL_LANE } from './generation.ts';
import type { Ledger } from './ledger.ts';
import type { Answers } from './provider-responses.ts';

export interface OverdueDeps {
  readonly database: Database;
  readonly queue: GenerationQueue;
  readonly answers: Answers;
  readonly ledger: Ledger;
  /** The providers that are configured here. */
  readonly lanes: readonly string[];
  readonly log: Logger;
}

/** How soon the others of one directory see that a worker has died. */
const LOOK_FOR_DEAD_EVERY_SECONDS = 5;
/** What is not looked at for so long although it is due is put into the queue again; a call may take its time. */
const SWEEP_EVERY_SECONDS = 60;
const OVERDUE_SECONDS = 120;
const OVERDUE_CALL_SECONDS = 15 * 60;
/** How long an image waits for a worker that knows its provider. */
const FORSAKEN_SECONDS = 3600;

interface Adopted {
  readonly imageId: number;
  readonly lane: string;
  readonly userId: string;
  readonly state: GenerationState;
  readonly calls: number;
  readonly errorCode: string | null;
}

const ADOPTED = `SELECT g.image_id AS "imageId", g.request ->> 'lane' AS lane, i.user_id AS "userId", g.state, g.calls,
  i.error_code AS "errorCode" FROM generations g JOIN generated_images i ON i.id = g.image_id`;

const OVERDUE = `UPDATE generations g SET updated_at = now() FROM generated_images i
  WHERE i.id = g.image_id AND g.image_id IN (
    SELECT image_id FROM generations WHERE state IN ('waiting', 'queued', 'asking', 'answered')
      AND greatest(run_at, updated_at) < now() - make_interval(secs => CASE WHEN state = 'asking' THEN $2::float8 ELSE $1::float8 END)
      ORDER BY updated_at LIMIT 100 FOR UPDATE SKIP LOCKED
  ) RETURNING g.image_id AS "imageId", g.request ->> 'lane' AS lane, i.user_id AS "userId"`;

const FORSAKEN = `SELECT image_id AS "imageId" FROM generations
  WHERE state = 'queued' AND NOT request ->> 'lane' = ANY($1::text[]) AND run_at < now() - make_interval(secs => $2::float8) LIMIT 100`;

/** Finds what the queue has lost or a worker has left, now and then: the rows are the truth. */
export function makeOverdue({ database, queue, answers, ledger, lanes, log }: OverdueDeps) {
  /** Throws away the answers that nothing will be made of, such as those of a failed image that was purged. @returns those of the others. */
  async function sweepAnswers(): Promise<Adopted[]> {
    const found: Adopted[] = [];
    for (const call of await answers.list()) {
      const [row] = await database.query<Adopted>(`${ADOPTED} WHERE i.uuid = $1`, [call.uuid]);
      const isOver = !row || row.calls !== call.number || row.state === 'done' || row.state === 'cancelled';
      if (isOver) await answers.discard(call);
      else if (row.state !== 'failed' || row.errorCode === 'INTERRUPTED') found.push(row);
    }
    return found;
  }

  /** Puts back what is due and nobody has looked at. */
  async function sweep(): Promise<void> {
    await database.transaction(async (transaction) => {
      const overdue = await transaction.query<{ imageId: number; lane: string; userId: string }>(OVERDUE, [
        OVERDUE_SECONDS,
        OVERDUE_CALL_SECONDS,
      ]);
      await queue.push(
        transaction,
        overdue.map((each) => ({ ...each, runAt: null })),
      );
    });
    for (const { imageId } of await database.query<{ imageId: number }>(FORSAKEN, [
      [...lanes, LOCAL_LANE],
      FORSAKEN_SECONDS,
    ])) {
      const [generation, image] = [
        await findGeneration(database, imageId),
        await findImageRow(database, imageId),
      ];
      const provider = generation?.request.lane;
      const message = `No worker has asked the provider ${provider} for an hour, and it is not configured on this one.`;
      const error = new FixativeError('MODEL_UNAVAILABLE', message, { retryable: true });
      if (generation && image) await ledger.fail(generation, image, error);
    }
  }

  /** What dead workers had begun is in the queue again. A mark of a dead worker stays for a day. */
  const buried = new Set<string>();

  const push = (found: readonly Adopted[]) =>
    queue.push(
      database,
      found.map(({ imageId, lane, userId }) => ({ imageId, lane, userId, runAt: null })),
    );

  /** Puts back what workers of this directory that have died have begun and not finished. */
  async function bury(): Promise<void> {
    const dead = (await answers.dead()).filter((id) => !buried.has(id));
    if (dead.length === 0) return;
    await push(
      await database.query<Adopted>(`${ADOPTED} WHERE g.state = 'asking' AND g.asked_by = ANY($1)`, [dead]),
    );
    for (const id of dead) buried.add(id);
  }

  const every = (seconds: number, work: () => Promise<unknown>) =>
    setInterval(() => {
      work().catch((error) => log.warn({ err: error }, 'could not look for generations that are overdue'));
    }, seconds * 1000).unref();
  const timers = [
    every(LOOK_FOR_DEAD_EVERY_SECONDS, bury),
    every(SWEEP_EVERY_SECONDS, async () => {
      await sweep();
      await push(await sweepAnswers());
    }),
  ];

  return {
    /** Puts back into the queue what is overdue, and what workers of this directory that have died have begun and not finished. */
    async adopt() {
      await sweep();
      await push(await sweepAnswers());
      await bury();
    },
    stop: () => {
      for (const timer of timers) clearInterval(timer);
    },
  };
}
