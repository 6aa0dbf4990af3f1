import type { Queryable } from '../../database/database.ts';
import type { PictureSettings } from '../../provider/models.ts';
import { IMAGE_COLUMNS, type ImageRow } from '../image.ts';

/**
 * A generation: what is to be done to make one image, and how far it is. Its row is the truth; the queue only says that it is time to
 * look at it, and may say so twice or late.
 *
 * waiting → queued → asking → answered → done, and failed or cancelled from each of them. `asking` is on record before a provider is
 * asked, `answered` before anything is done with what it gave: so whoever finds `asking` and nobody at work knows that the provider may
 * have been paid, and does not ask again by itself.
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

/** ask: a provider makes it. compose: it is made of other images. chart: it is drawn here. */
export type GenerationWork = 'ask' | 'compose' | 'chart';

/** What `generations.request` holds; all of it was checked. */
export interface GenerationOrder {
  /** The queue that it goes through: the provider's name, or `local`. */
  readonly lane: string;
  readonly tool: string;
  /** As the provider is asked, with the words of the tool. */
  readonly prompt: string;
  /** `WIDTHxHEIGHT` of the image in the end; `settings.size` is what the provider is asked for. */
  readonly size: string;
  readonly settings: PictureSettings;
  readonly model: string;
  /** uuids of images. */
  readonly references: readonly string[];
  readonly mask: string | null;
  /** Of the file, without its ending. */
  readonly stem: string;
  readonly chart: unknown;
}

/** One try, as `generations.attempts` keeps it and `Image.attempts` shows it. */
export interface Attempt {
  /** ISO 8601. */
  readonly startedAt: string;
  readonly endedAt: string | null;
  /** What came of it; null: it succeeded, or is under way. */
  readonly code: string | null;
  readonly message: string | null;
  /** When it is tried again by itself, if it is. */
  readonly retryAt: string | null;
}

/** What `generations.answer` holds: what the provider said, but for its bytes. */
export interface RecordedAnswer {
  /** null: the bytes lie in the answers of the worker that asked. */
  readonly address: string | null;
  /** ISO 8601. */
  readonly expiresAt: string | null;
  readonly revisedPrompt: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface Generation {
  readonly imageId: number;
  readonly state: GenerationState;
  readonly work: GenerationWork;
  readonly request: GenerationOrder;
  readonly waitsFor: readonly number[];
  readonly attempts: readonly Attempt[];
  readonly calls: number;
  readonly answer: RecordedAnswer | null;
  readonly askedAt: Date | null;
  readonly askedBy: string | null;
  readonly runAt: Date;
}

export const GENERATION_COLUMNS = `g.image_id AS "imageId", g.state, g.work, g.request, g.waits_for AS "waitsFor", g.attempts, g.calls,
  g.answer, g.asked_at AS "askedAt", g.asked_by AS "askedBy", g.run_at AS "runAt"`;

/** The most tries that are kept on record. */
const MAX_ATTEMPTS_KEPT = 200;

export async function findGeneration(db: Queryable, imageId: number): Promise<Generation | null> {
  const [row] = await db.query<Generation>(
    `SELECT ${GENERATION_COLUMNS} FROM generations g WHERE g.image_id = $1`,
    [imageId],
  );
  return row ?? null;
}

const OPEN_STATES = ['waiting', 'queued', 'asking', 'answered'] as const;
// The condition is that of idx_generations_open.
const COUNT_OPEN = `SELECT state, count(*) AS count, greatest(0, extract(epoch FROM now() - min(run_at)))::float8 AS "dueSeconds"
  FROM generations WHERE state IN ('waiting', 'queued', 'asking', 'answered') GROUP BY state`;

/** How many generations are in each state that is not an end, and for how long the longest is due. */
export async function countOpenGenerations(
  db: Queryable,
): Promise<{ state: GenerationState; count: number; dueSeconds: number }[]> {
  const rows = await db.query<{ state: GenerationState; count: number; dueSeconds: number }>(COUNT_OPEN);
  return OPEN_STATES.map(
    (state) => rows.find((row) => row.state === state) ?? { state, count: 0, dueSeconds: 0 },
  );
}

/** The attempts with what came of the last one. */
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

/** One generation that is to be looked at. */
export interface QueuedGeneration {
  readonly imageId: number;
  readonly lane: string;
  readonly userId: string;
  /** null: now. */
  readonly runAt: Date | null;
}

/** Where generations wait for a worker. */
export interface GenerationQueue {
  /** Says that generations are to be looked at; they are in the queue when the transaction is committed. */
  push(transaction: Queryable, generations: readonly QueuedGeneration[]): Promise<void>;
}

/** The lane of what needs no provider. */
export const LOCAL_LANE = 'local';

/** Has those looked at that wait for an image which is there now, or has failed. */
export async function pushWaiting(
  queue: GenerationQueue,
  transaction: Queryable,
  imageId: number,
): Promise<void> {
  const waiting = await transaction.query<{ imageId: number | bigint; lane: string; userId: string }>(
    `SELECT g.image_id AS "imageId", g.request ->> 'lane' AS lane, i.user_id AS "userId"
       FROM generations g JOIN generated_images i ON i.id = g.image_id
       WHERE g.state = 'waiting' AND g.waits_for @> ARRAY[$1::bigint]`,
    [imageId],
  );
  const generations = waiting.map((each) => ({ ...each, imageId: Number(each.imageId), runAt: null }));
  if (generations.length > 0) await queue.push(transaction, generations);
}

const CANCEL_PARTS = `WITH open AS (
    SELECT g.image_id AS open_id FROM generations g JOIN generated_images i ON i.id = g.image_id
    WHERE i.part_of = $1 AND g.state IN ('waiting', 'queued') ORDER BY g.image_id FOR UPDATE OF g
  ) UPDATE generations g SET state = 'cancelled', updated_at = now() FROM open WHERE g.image_id = open_id RETURNING g.image_id AS "imageId"`;

/** Ends what is not begun of an image that will not be. @returns which images `cancelImages` is to say so of. */
export async function cancelParts(transaction: Queryable, imageId: number): Promise<number[]> {
  const parts = await transaction.query<{ imageId: number }>(CANCEL_PARTS, [imageId]);
  return parts.map((part) => part.imageId);
}

const CANCEL_IMAGES = `WITH locked AS (
    SELECT id AS locked_id FROM generated_images WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE
  ) UPDATE generated_images i SET status = 'failed', error = $2, error_code = 'CANCELLED', error_retryable = true, updated_at = now()
    FROM locked WHERE i.id = locked_id RETURNING ${IMAGE_COLUMNS}`;

/** Shows images as cancelled, once their generations are. */
export function cancelImages(
  transaction: Queryable,
  ids: readonly number[],
  message: string,
): Promise<ImageRow[]> {
  return transaction.query<ImageRow>(CANCEL_IMAGES, [ids, message]);
}

/** After these the answer that is on record is of no use, and the provider is asked anew. */
export const SPOILT: ReadonlySet<string> = new Set([
  'DAMAGED_IMAGE',
  'UNSUPPORTED_TYPE',
  'TOO_LARGE',
  'EMPTY_FILE',
  'SOURCE_EXPIRED',
  'SOURCE_FORBIDDEN',
  'INTERRUPTED',
]);
