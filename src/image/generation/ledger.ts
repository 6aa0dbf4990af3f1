import type { Database, Queryable } from '../../database/database.ts';
import { FixativeError } from '../../errors.ts';
import type { Image } from '../image.ts';
import { storable } from '../json.ts';
import {
  type Attempt,
  cancelUnstartedParts,
  endAttempt,
  type Generation,
  type GenerationQueue,
  type GenerationState,
  queueDependents,
  type RecordedResponse,
  showCancelled,
} from './generation.ts';

/**
 * Changes the state of generations. Each change is one statement that takes effect only when the generation
 * still has the state and the call number with which it was read. So of two workers with the same or with old
 * news, one has no effect.
 */
export interface Ledger {
  /**
   * queued → asking. When the user has `perUser` calls to this provider under way, queues the generation for
   * later.
   */
  claim(generation: Generation, image: Image, attempts: readonly Attempt[]): Promise<boolean>;
  /** queued → answered, for a generation that needs no provider. */
  beginLocal(generation: Generation, attempts: readonly Attempt[]): Promise<boolean>;
  /** → answered. Also takes a late response, as long as no later call was made. */
  recordResponse(generation: Generation, response: RecordedResponse): Promise<boolean>;
  /** → the state from which to retry, after `seconds`. */
  retryLater(generation: Generation, image: Image, why: { error: unknown; seconds: number }): Promise<void>;
  /** → failed, with the image and its parts that no worker has begun. @returns the error code. */
  fail(generation: Generation, image: Image, error: unknown): Promise<string>;
  /** waiting → queued. */
  markReady(generation: Generation): Promise<void>;
  /** Queues the generation for another look after `seconds`. */
  lookAgain(generation: Generation, image: Image, seconds: number): Promise<void>;
}

export interface LedgerDeps {
  readonly database: Database;
  readonly queue: GenerationQueue;
  readonly workerId: string;
  /** Most calls under way for one user and provider, in all processes. */
  readonly perUser: number;
}

export function makeLedger(deps: LedgerDeps): Ledger {
  const { database, workerId } = deps;
  return {
    claim: (generation, image, attempts) => claim(deps, { generation, image }, attempts),
    beginLocal: (generation, attempts) =>
      changes(database, BEGIN_LOCAL_AND_SHOW, [generation.imageId, JSON.stringify(attempts)]),
    recordResponse: ({ imageId, calls }, response) =>
      changes(database, RECORD_RESPONSE_AND_SHOW, [
        imageId,
        JSON.stringify(response),
        workerId,
        calls,
        response.address,
      ]),
    retryLater: (generation, image, why) => retryLater(deps, { generation, image }, why),
    fail: (generation, image, error) => fail(deps, { generation, image }, error),
    async markReady({ imageId }) {
      await database.query(MARK_READY, [imageId]);
    },
    lookAgain: (generation, image, seconds) =>
      queueFor(deps, database, { generation, image, runAt: after(seconds) }),
  };
}

/** Seconds until the next look when the user has too many calls under way. */
const USER_LIMIT_SECONDS = 1;

const NOT_BEGUN = 'Another part of the same image failed before this one was begun.';

const CLAIM = `UPDATE generations SET state = 'asking', asked_at = now(), asked_by = $2, calls = calls + 1, attempts = $3::text::jsonb,
  updated_at = now() WHERE image_id = $1 AND state = 'queued' AND calls = $4`;
const ASKING = `SELECT 1 FROM generations g JOIN generated_images i ON i.id = g.image_id
  WHERE g.state = 'asking' AND g.request ->> 'lane' = $1 AND i.user_id = $2 LIMIT $3`;
const BEGIN_LOCAL = `UPDATE generations SET state = 'answered', attempts = $2::text::jsonb, updated_at = now()
  WHERE image_id = $1 AND state = 'queued'`;
// Takes a late response although the generation failed as interrupted or waits for another call: it is paid
// for.
const RECORD_RESPONSE = `UPDATE generations g SET state = 'answered', answer = $2::text::jsonb, asked_by = $3, updated_at = now()
  WHERE image_id = $1 AND calls = $4 AND (state IN ('asking', 'queued') OR (state = 'failed' AND EXISTS (
    SELECT 1 FROM generated_images i WHERE i.id = g.image_id AND i.error_code = 'INTERRUPTED')))`;
const MARK_READY = `UPDATE generations SET state = 'queued', updated_at = now() WHERE image_id = $1 AND state = 'waiting'`;
const RETRY_LATER = `UPDATE generations SET state = $3, run_at = $4, attempts = $5::text::jsonb, updated_at = now()
  WHERE image_id = $1 AND state = $2 AND calls = $6 RETURNING image_id`;
const FAIL = `UPDATE generations SET state = 'failed', attempts = $3::text::jsonb, updated_at = now()
  WHERE image_id = $1 AND state = $2 AND calls = $4 RETURNING image_id`;
const SHOW_FAILED = `UPDATE generated_images SET status = 'failed', error = $2, error_code = $3, error_retryable = $4, updated_at = now()
  WHERE id = $1`;

/**
 * Updates the generation and the image's status in one statement. Skips the image when nothing changes:
 * another row version would cost an entry in every index, and notify everybody who watches.
 * @param address the parameter with the provider's address of the picture, or NULL.
 */
const andShow = (
  change: string,
  address: string,
) => `WITH moved AS (${change} RETURNING image_id AS moved_id), shown AS (
    UPDATE generated_images SET status = 'processing', original_url = coalesce(${address}::text, original_url), error = NULL,
      error_code = NULL, error_retryable = NULL, updated_at = now()
    FROM moved WHERE id = moved_id AND (status IN ('pending', 'failed')
      OR (status = 'processing' AND (${address}::text IS NOT NULL OR error_code IS NOT NULL)))
  ) SELECT moved_id FROM moved`;
const CLAIM_AND_SHOW = andShow(CLAIM, 'NULL');
const BEGIN_LOCAL_AND_SHOW = andShow(BEGIN_LOCAL, 'NULL');
const RECORD_RESPONSE_AND_SHOW = andShow(RECORD_RESPONSE, '$5');

interface Subject {
  readonly generation: Generation;
  readonly image: Image;
}

async function claim(
  deps: LedgerDeps,
  { generation, image }: Subject,
  attempts: readonly Attempt[],
): Promise<boolean> {
  const { lane } = generation.request;
  const values = [generation.imageId, deps.workerId, JSON.stringify(attempts), generation.calls];
  return deps.database.transaction(async (transaction) => {
    // One claim at a time for a user and provider. pg-boss's own limit is not exact when several workers look
    // at once.
    await transaction.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
      `fixative:generations:${lane}:${image.userId}`,
    ]);
    const asking = await transaction.query(ASKING, [lane, image.userId, deps.perUser]);
    if (asking.length >= deps.perUser) {
      await queueFor(deps, transaction, { generation, image, runAt: after(USER_LIMIT_SECONDS) });
      return false;
    }
    return changes(transaction, CLAIM_AND_SHOW, values);
  });
}

async function retryLater(
  deps: LedgerDeps,
  { generation, image }: Subject,
  { error, seconds }: { error: unknown; seconds: number },
): Promise<void> {
  const retryAt = after(seconds);
  const attempts = endAttempt(generation.attempts, { ...explain(error, image), retryAt });
  const back: GenerationState = generation.state === 'asking' ? 'queued' : generation.state;
  await deps.database.transaction(async (transaction) => {
    const rows = await transaction.query(RETRY_LATER, [
      generation.imageId,
      generation.state,
      back,
      retryAt,
      JSON.stringify(attempts),
      generation.calls,
    ]);
    if (rows.length > 0) await queueFor(deps, transaction, { generation, image, runAt: retryAt });
  });
  await deps.database.flush();
}

async function fail(
  { database, queue }: LedgerDeps,
  { generation, image }: Subject,
  error: unknown,
): Promise<string> {
  const { imageId, state, calls } = generation;
  const { code, message } = explain(error, image);
  const retryable = error instanceof FixativeError ? error.retryable : true;
  const attempts = endAttempt(generation.attempts, { code, message, retryAt: null });
  await database.transaction(async (transaction) => {
    const rows = await transaction.query(FAIL, [imageId, state, JSON.stringify(attempts), calls]);
    if (rows.length === 0) return;
    // A page that failed needs no more panels, so no more calls are paid for.
    const parts = generation.kind === 'compose' ? await cancelUnstartedParts(transaction, imageId) : [];
    await transaction.query(SHOW_FAILED, [imageId, message, code, retryable]);
    if (parts.length > 0) await showCancelled(transaction, parts, NOT_BEGUN);
    await queueDependents(queue, transaction, imageId);
  });
  await database.flush();
  return code;
}

/** Runs a statement that returns the rows it has changed. @returns whether it has changed any. */
async function changes(db: Queryable, statement: string, values: readonly unknown[]): Promise<boolean> {
  return (await db.query(statement, values)).length > 0;
}

function queueFor(
  { queue }: LedgerDeps,
  db: Queryable,
  { generation, image, runAt }: Subject & { readonly runAt: Date },
): Promise<void> {
  const { imageId, request } = generation;
  return queue.push(db, [{ imageId, queueName: request.lane, userId: image.userId, runAt }]);
}

const after = (seconds: number) => new Date(Date.now() + seconds * 1000);

function explain(error: unknown, image: Image): { code: string; message: string } {
  if (error instanceof FixativeError) return { code: error.code, message: storable(error.message) };
  const message = `The server failed with an unexpected error. Search its log for the image ${image.uuid}.`;
  return { code: 'INTERNAL', message };
}
