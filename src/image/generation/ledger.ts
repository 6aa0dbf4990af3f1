import type { Database, Queryable } from '../../database/database.ts';
import { FixativeError } from '../../errors.ts';
import type { Image } from '../image.ts';
import { storable } from '../json.ts';
import {
  type Attempt,
  cancelImages,
  cancelParts,
  endAttempt,
  type Generation,
  type GenerationQueue,
  type GenerationState,
  pushWaiting,
  type RecordedAnswer,
} from './generation.ts';

/**
 * Where a generation is moved on. Each move is one statement that only happens where the generation still is what it was when it was read, by its state
 * and by the number of the call: of two workers that come with the same news, or with old news, one has no effect.
 */
export interface Ledger {
  /** queued → asking, unless as many of the same user and provider are being asked for as may be: then it is put off. */
  claim(generation: Generation, image: Image, attempts: readonly Attempt[]): Promise<boolean>;
  /** queued → answered, for what needs no provider. */
  beginHere(generation: Generation, attempts: readonly Attempt[]): Promise<boolean>;
  /** → answered; also what comes late, as long as nobody asked again. */
  answered(generation: Generation, said: RecordedAnswer): Promise<boolean>;
  /** → where it can be tried from again, at a time. */
  putOff(generation: Generation, image: Image, why: { error: unknown; seconds: number }): Promise<void>;
  /** → failed, with the image, and what of it is not begun. @returns the code. */
  fail(generation: Generation, image: Image, error: unknown): Promise<string>;
  /** waiting → queued. */
  ready(generation: Generation): Promise<void>;
  /** Has it looked at again. */
  lookAgain(generation: Generation, image: Image, seconds: number): Promise<void>;
}

export interface LedgerDeps {
  readonly database: Database;
  readonly queue: GenerationQueue;
  readonly workerId: string;
  /** How many generations of one user and provider are asked for at once, in all processes. */
  readonly perUser: number;
}

/** When to look again where a user has as many under way as may be. */
const FULL_SECONDS = 1;

const NOT_BEGUN = 'Another part of the same image failed before this one was begun.';

const CLAIM = `UPDATE generations SET state = 'asking', asked_at = now(), asked_by = $2, calls = calls + 1, attempts = $3::text::jsonb,
  updated_at = now() WHERE image_id = $1 AND state = 'queued' AND calls = $4`;
const ASKING = `SELECT 1 FROM generations g JOIN generated_images i ON i.id = g.image_id
  WHERE g.state = 'asking' AND g.request ->> 'lane' = $1 AND i.user_id = $2 LIMIT $3`;
const BEGIN_LOCAL = `UPDATE generations SET state = 'answered', attempts = $2::text::jsonb, updated_at = now()
  WHERE image_id = $1 AND state = 'queued'`;
// A late answer is taken although the generation was given up as interrupted, or is to be asked for anew: it is paid.
const ANSWERED = `UPDATE generations g SET state = 'answered', answer = $2::text::jsonb, asked_by = $3, updated_at = now()
  WHERE image_id = $1 AND calls = $4 AND (state IN ('asking', 'queued') OR (state = 'failed' AND EXISTS (
    SELECT 1 FROM generated_images i WHERE i.id = g.image_id AND i.error_code = 'INTERRUPTED')))`;
/**
 * A move with what it shows of the image, in one statement: what says so already is not written again, for that would be a row more, with an entry in
 * every index, and news to whoever watches.
 * @param address the parameter that is the provider's address of the picture, or null.
 */
const shown = (
  move: string,
  address: string,
) => `WITH moved AS (${move} RETURNING image_id AS moved_id), shown AS (
    UPDATE generated_images SET status = 'processing', original_url = coalesce(${address}::text, original_url), error = NULL,
      error_code = NULL, error_retryable = NULL, updated_at = now()
    FROM moved WHERE id = moved_id AND (status IN ('pending', 'failed')
      OR (status = 'processing' AND (${address}::text IS NOT NULL OR error_code IS NOT NULL)))
  ) SELECT moved_id FROM moved`;
const CLAIM_AND_SHOW = shown(CLAIM, 'NULL');
const BEGIN_LOCAL_AND_SHOW = shown(BEGIN_LOCAL, 'NULL');
const ANSWERED_AND_SHOW = shown(ANSWERED, '$5');

export function makeLedger({ database, queue, workerId, perUser }: LedgerDeps): Ledger {
  /** Takes the generation, unless as many of the same user and provider are being asked for as may be. */
  async function claim(generation: Generation, image: Image, attempts: readonly Attempt[]): Promise<boolean> {
    const { lane } = generation.request;
    const values = [generation.imageId, workerId, JSON.stringify(attempts), generation.calls];
    return database.transaction(async (transaction) => {
      // One at a time, so that they see each other; the queue's own limit lets those through that come at once.
      await transaction.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
        `fixative:generations:${lane}:${image.userId}`,
      ]);
      const asking = await transaction.query(ASKING, [lane, image.userId, perUser]);
      if (asking.length >= perUser) {
        await push(transaction, generation, image, new Date(Date.now() + FULL_SECONDS * 1000));
        return false;
      }
      return (await transaction.query(CLAIM_AND_SHOW, values)).length > 0;
    });
  }

  async function putOff(
    generation: Generation,
    image: Image,
    { error, seconds }: { error: unknown; seconds: number },
  ): Promise<void> {
    const retryAt = new Date(Date.now() + seconds * 1000);
    const attempts = endAttempt(generation.attempts, { ...explain(error, image), retryAt });
    const back: GenerationState = generation.state === 'asking' ? 'queued' : generation.state;
    await database.transaction(async (transaction) => {
      const rows = await transaction.query(
        `UPDATE generations SET state = $3, run_at = $4, attempts = $5::text::jsonb, updated_at = now()
           WHERE image_id = $1 AND state = $2 AND calls = $6 RETURNING image_id`,
        [generation.imageId, generation.state, back, retryAt, JSON.stringify(attempts), generation.calls],
      );
      if (rows.length > 0) await push(transaction, generation, image, retryAt);
    });
    await database.flush();
  }

  async function fail(generation: Generation, image: Image, error: unknown): Promise<string> {
    const { code, message } = explain(error, image);
    const retryable = error instanceof FixativeError ? error.retryable : true;
    const attempts = endAttempt(generation.attempts, { code, message, retryAt: null });
    await database.transaction(async (transaction) => {
      const rows = await transaction.query(
        `UPDATE generations SET state = 'failed', attempts = $3::text::jsonb, updated_at = now()
           WHERE image_id = $1 AND state = $2 AND calls = $4 RETURNING image_id`,
        [generation.imageId, generation.state, JSON.stringify(attempts), generation.calls],
      );
      if (rows.length === 0) return;
      // Nothing more is paid for a page that will not be.
      const parts = generation.work === 'compose' ? await cancelParts(transaction, generation.imageId) : [];
      await transaction.query(
        `UPDATE generated_images SET status = 'failed', error = $2, error_code = $3, error_retryable = $4, updated_at = now()
           WHERE id = $1`,
        [generation.imageId, message, code, retryable],
      );
      if (parts.length > 0) await cancelImages(transaction, parts, NOT_BEGUN);
      await pushWaiting(queue, transaction, generation.imageId);
    });
    await database.flush();
    return code;
  }

  /** Moves a generation on if it still is where it was, and shows the image as being made. */
  async function transition(
    generation: Generation,
    statement: string,
    values: readonly unknown[],
  ): Promise<boolean> {
    return (await database.query(statement, [generation.imageId, ...values])).length > 0;
  }

  function push(db: Queryable, generation: Generation, image: Image, runAt: Date): Promise<void> {
    const { lane } = generation.request;
    return queue.push(db, [{ imageId: generation.imageId, lane, userId: image.userId, runAt }]);
  }

  return {
    claim,
    putOff,
    fail,
    beginHere: (generation, attempts) =>
      transition(generation, BEGIN_LOCAL_AND_SHOW, [JSON.stringify(attempts)]),
    answered: (generation, said) =>
      transition(generation, ANSWERED_AND_SHOW, [
        JSON.stringify(said),
        workerId,
        generation.calls,
        said.address,
      ]),
    async ready({ imageId }) {
      await database.query(
        `UPDATE generations SET state = 'queued', updated_at = now() WHERE image_id = $1 AND state = 'waiting'`,
        [imageId],
      );
    },
    lookAgain: (generation, image, seconds) =>
      push(database, generation, image, new Date(Date.now() + seconds * 1000)),
  };
}

function explain(error: unknown, image: Image): { code: string; message: string } {
  if (error instanceof FixativeError) return { code: error.code, message: storable(error.message) };
  return { code: 'INTERNAL', message: `The server failed; its log has it under the image ${image.uuid}.` };
}
