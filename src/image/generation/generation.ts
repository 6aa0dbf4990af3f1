import type { Queryable } from '../../database/database.ts';
import type { PictureSettings } from '../../provider/models.ts';
import { IMAGE_COLUMNS, type ImageRow } from '../image.ts';

/**
 * State of a generation, the work that makes one image. Its row is the truth. A job in the queue only says
 * that it is time to look at the row, and may say so twice or late.
 *
 * waiting → queued → asking → answered → done; each of the first four may become failed or cancelled. The
 * worker records `asking` before it calls the provider, and `answered` before it uses the response. So a
 * worker that finds `asking` without a caller knows that the call may be paid for, and does not call again by
 * itself.
 */
export const GENERATION_STATES = [
  'waiting',
  'queued',
  'asking',
  'answered',
  'done',
  'failed',
  'cancelled',
] as const;
export type GenerationState = (typeof GENERATION_STATES)[number];

/**
 * How the image is made. ask: a provider makes it. compose: from other images. chart: this server draws it.
 */
export type GenerationKind = 'ask' | 'compose' | 'chart';

/** Content of `generations.request`. Everything in it was checked. */
export interface GenerationRequest {
  /** Name of the queue, `lane` in stored JSON: the provider's name, or LOCAL_QUEUE. */
  readonly lane: string;
  readonly tool: string;
  /** Prompt for the provider, with the words that the tool adds. */
  readonly prompt: string;
  /** `WIDTHxHEIGHT` of the finished image. `settings.size` is the size to request from the provider. */
  readonly size: string;
  readonly settings: PictureSettings;
  readonly model: string;
  /** uuids of the reference images. */
  readonly references: readonly string[];
  readonly mask: string | null;
  /** Name of the file, without its extension. */
  readonly stem: string;
  readonly chart: unknown;
}

/** One attempt, as stored in `generations.attempts` and shown in `Image.attempts`. */
export interface Attempt {
  /** ISO 8601. */
  readonly startedAt: string;
  readonly endedAt: string | null;
  /** Error code; null: the attempt succeeded or is under way. */
  readonly code: string | null;
  readonly message: string | null;
  /** Time of the automatic retry; null: none is due. */
  readonly retryAt: string | null;
}

/** Content of `generations.answer`: the provider's response without its bytes. */
export interface RecordedResponse {
  /** Address of the picture; null: the worker that called the provider has the bytes on its disk. */
  readonly address: string | null;
  /** ISO 8601. */
  readonly expiresAt: string | null;
  readonly revisedPrompt: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface Generation {
  readonly imageId: number;
  readonly state: GenerationState;
  readonly kind: GenerationKind;
  readonly request: GenerationRequest;
  /** Ids of the images that must be ready before this one begins. */
  readonly waitsFor: readonly number[];
  readonly attempts: readonly Attempt[];
  /** Number of calls to the provider that were begun. */
  readonly calls: number;
  readonly response: RecordedResponse | null;
  readonly askedAt: Date | null;
  /** Id of the worker that made the last call. */
  readonly askedBy: string | null;
  readonly runAt: Date;
}

export const GENERATION_COLUMNS = `g.image_id AS "imageId", g.state, g.work AS kind, g.request, g.waits_for AS "waitsFor", g.attempts, g.calls,
  g.answer AS response, g.asked_at AS "askedAt", g.asked_by AS "askedBy", g.run_at AS "runAt"`;

/** Most attempts to keep on record. */
const MAX_ATTEMPTS_KEPT = 200;

export async function findGeneration(db: Queryable, imageId: number): Promise<Generation | null> {
  const [row] = await db.query<Generation>(
    `SELECT ${GENERATION_COLUMNS} FROM generations g WHERE g.image_id = $1`,
    [imageId],
  );
  return row ?? null;
}

const OPEN_STATES = ['waiting', 'queued', 'asking', 'answered'] as const;
// The condition must match that of idx_generations_open.
const COUNT_OPEN = `SELECT state, count(*) AS count, greatest(0, extract(epoch FROM now() - min(run_at)))::float8 AS "dueSeconds"
  FROM generations WHERE state IN ('waiting', 'queued', 'asking', 'answered') GROUP BY state`;

/**
 * Counts the generations in each unfinished state. `dueSeconds`: seconds since the oldest of them became due.
 */
export async function countOpenGenerations(
  db: Queryable,
): Promise<{ state: GenerationState; count: number; dueSeconds: number }[]> {
  const rows = await db.query<{ state: GenerationState; count: number; dueSeconds: number }>(COUNT_OPEN);
  return OPEN_STATES.map(
    (state) => rows.find((row) => row.state === state) ?? { state, count: 0, dueSeconds: 0 },
  );
}

/** Returns the attempts with the result of the last one, or with a new one when none is under way. */
export function endAttempt(
  attempts: readonly Attempt[],
  end: { code: string | null; message: string | null; retryAt: Date | null },
): Attempt[] {
  const now = new Date().toISOString();
  const last = attempts.at(-1);
  const open = last && last.endedAt === null ? last : { startedAt: now };
  const before = open === last ? attempts.slice(0, -1) : attempts;
  return [
    ...before,
    {
      startedAt: open.startedAt,
      endedAt: now,
      code: end.code,
      message: end.message,
      retryAt: end.retryAt?.toISOString() ?? null,
    },
  ].slice(-MAX_ATTEMPTS_KEPT);
}

/** Returns the attempts with a new one that is under way. */
export function beginAttempt(attempts: readonly Attempt[]): Attempt[] {
  const begun: Attempt = {
    startedAt: new Date().toISOString(),
    endedAt: null,
    code: null,
    message: null,
    retryAt: null,
  };
  return [...attempts, begun].slice(-MAX_ATTEMPTS_KEPT);
}

/** A job for the queue: one generation that a worker is to look at. */
export interface QueuedGeneration {
  readonly imageId: number;
  /** Name of the provider, or LOCAL_QUEUE. */
  readonly queueName: string;
  readonly userId: string;
  /** When to run the job; null: now. */
  readonly runAt: Date | null;
}

/** Where generations wait for a worker. */
export interface GenerationQueue {
  /** Adds jobs within the transaction: workers see them after its commit. */
  push(transaction: Queryable, generations: readonly QueuedGeneration[]): Promise<void>;
}

/** Queue of the generations that need no provider. */
export const LOCAL_QUEUE = 'local';

/** Queues the generations that wait for an image, once that image is ready or has failed. */
export async function queueDependents(
  queue: GenerationQueue,
  transaction: Queryable,
  imageId: number,
): Promise<void> {
  const waiting = await transaction.query<{ imageId: number | bigint; queueName: string; userId: string }>(
    `SELECT g.image_id AS "imageId", g.request ->> 'lane' AS "queueName", i.user_id AS "userId"
       FROM generations g JOIN generated_images i ON i.id = g.image_id
       WHERE g.state = 'waiting' AND g.waits_for @> ARRAY[$1::bigint]`,
    [imageId],
  );
  const generations = waiting.map((each) => ({ ...each, imageId: Number(each.imageId), runAt: null }));
  if (generations.length > 0) await queue.push(transaction, generations);
}

const CANCEL_UNSTARTED_PARTS = `WITH open AS (
    SELECT g.image_id AS open_id FROM generations g JOIN generated_images i ON i.id = g.image_id
    WHERE i.part_of = $1 AND g.state IN ('waiting', 'queued') ORDER BY g.image_id FOR UPDATE OF g
  ) UPDATE generations g SET state = 'cancelled', updated_at = now() FROM open WHERE g.image_id = open_id RETURNING g.image_id AS "imageId"`;

/** Cancels the parts of a failed image that no worker has begun. @returns ids to pass to `showCancelled`. */
export async function cancelUnstartedParts(transaction: Queryable, imageId: number): Promise<number[]> {
  const parts = await transaction.query<{ imageId: number }>(CANCEL_UNSTARTED_PARTS, [imageId]);
  return parts.map((part) => part.imageId);
}

const SHOW_CANCELLED = `WITH locked AS (
    SELECT id AS locked_id FROM generated_images WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE
  ) UPDATE generated_images i SET status = 'failed', error = $2, error_code = 'CANCELLED', error_retryable = true, updated_at = now()
    FROM locked WHERE i.id = locked_id RETURNING ${IMAGE_COLUMNS}`;

/** Marks images as failed with the code CANCELLED. Their generations must be cancelled before. */
export function showCancelled(
  transaction: Queryable,
  ids: readonly number[],
  message: string,
): Promise<ImageRow[]> {
  return transaction.query<ImageRow>(SHOW_CANCELLED, [ids, message]);
}

/**
 * Errors that make the recorded response useless: the worker discards it, and a retry calls the provider
 * again.
 */
export const UNUSABLE_RESPONSE_CODES: ReadonlySet<string> = new Set([
  'DAMAGED_IMAGE',
  'UNSUPPORTED_TYPE',
  'TOO_LARGE',
  'EMPTY_FILE',
  'SOURCE_EXPIRED',
  'SOURCE_FORBIDDEN',
  'INTERRUPTED',
]);
