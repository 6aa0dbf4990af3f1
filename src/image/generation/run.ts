import type { Logger } from 'pino';
import type { Queryable } from '../../database/database.ts';
import { FixativeError } from '../../errors.ts';
import type { Answer } from '../../provider/provider.ts';
import type { Providers } from '../../provider/providers.ts';
import type { Fetcher } from '../../source/fetch.ts';
import type { ImageEvents } from '../events.ts';
import { IMAGE_COLUMNS, type Image, type ImageDeps, type ImageRow, imageOf } from '../image.ts';
import { storable } from '../json.ts';
import type { Answers } from './answers.ts';
import { finishGeneration, Overtaken } from './finish.ts';
import { makeRequest } from './request.ts';
import { retryDelaySeconds } from './retry.ts';
import {
  type Attempt,
  beginAttempt,
  cancelParts,
  endAttempt,
  findGeneration,
  type Generation,
  type GenerationQueue,
  type GenerationState,
  LOCAL_LANE,
  pushWaiting,
  type RecordedAnswer,
  SPOILT,
} from './work.ts';

export interface RunDeps extends ImageDeps {
  readonly providers: Providers;
  readonly queue: GenerationQueue;
  readonly answers: Answers;
  readonly fetcher: Fetcher;
  readonly imageEvents: ImageEvents;
  /** How many generations of one user and provider are asked for at once, in all processes. */
  readonly perUser: number;
  readonly log: Logger;
}

/** What a worker does with the queue. */
export interface GenerationRunner {
  /** Looks at a generation and does what is to be done next; never asks a provider twice for what may be paid already. */
  run(imageId: number): Promise<void>;
  /** Puts back into the queue what is overdue, and what workers of this directory that have died have begun and not finished. */
  adopt(): Promise<void>;
  /** Resolves when this process is at none. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

/** A generation that this process is at. */
interface Running {
  readonly uuid: string;
  readonly cancel: AbortController;
  readonly done: Promise<void>;
  /** The number of the call that is under way; null: none is. */
  call: number | null;
}

/** When to look again at what another worker seems to be at. */
const LOOK_AGAIN_SECONDS = 30;
/** When to look again where a user has as many under way as may be. */
const FULL_SECONDS = 1;
/** How long after it asked a worker with another disk may come back with the answer, and with one that is on record. */
const FOREIGN_CALL_SECONDS = 10 * 60;
const FOREIGN_ANSWER_SECONDS = 24 * 3600;
/** What is not looked at for so long although it is due is put into the queue again; a call may take its time. */
const SWEEP_EVERY_SECONDS = 60;
const OVERDUE_SECONDS = 120;
const OVERDUE_CALL_SECONDS = 15 * 60;
/** How long an image waits for a worker that knows its provider. */
const FORSAKEN_SECONDS = 3600;
/** How long an answer waits in memory for a disk that is away. */
const KEEP_SECONDS = 600;

const CLAIM = `UPDATE generations SET state = 'asking', asked_at = now(), asked_by = $2, calls = calls + 1, attempts = $3::text::jsonb,
  updated_at = now() WHERE image_id = $1 AND state = 'queued' AND calls = $4 RETURNING image_id`;
const ASKING = `SELECT 1 FROM generations g JOIN generated_images i ON i.id = g.image_id
  WHERE g.state = 'asking' AND g.request ->> 'lane' = $1 AND i.user_id = $2 LIMIT $3`;
const BEGIN_LOCAL = `UPDATE generations SET state = 'answered', attempts = $2::text::jsonb, updated_at = now()
  WHERE image_id = $1 AND state = 'queued'`;
// A late answer is taken although the generation was given up as interrupted, or is to be asked for anew: it is paid.
const ANSWERED = `UPDATE generations g SET state = 'answered', answer = $2::text::jsonb, asked_by = $3, updated_at = now()
  WHERE image_id = $1 AND calls = $4 AND (state IN ('asking', 'queued') OR (state = 'failed' AND EXISTS (
    SELECT 1 FROM generated_images i WHERE i.id = g.image_id AND i.error_code = 'INTERRUPTED')))`;
const PROCESSING = `UPDATE generated_images SET status = 'processing', original_url = coalesce($2, original_url), error = NULL, error_code = NULL, error_retryable = NULL,
  updated_at = now() WHERE id = $1 AND status IN ('pending', 'processing', 'failed')`;

export function makeGenerationRunner(deps: RunDeps): GenerationRunner {
  const { database, queue, answers, log } = deps;
  const running = new Map<number, Running>();
  const stopping = new AbortController();
  let unwatch: Promise<() => void> | null = null;

  async function run(imageId: number): Promise<void> {
    unwatch ??= deps.imageEvents.watch(onChange);
    await unwatch;
    const image = await findRow(imageId);
    const generation = await findGeneration(database, imageId);
    if (!image || !generation) return;
    const before = running.get(imageId);
    if (before) {
      // The queue took this process for dead, or it is asked for again after it was cancelled: first one, then the other.
      await before.done;
      return run(imageId);
    }
    const { promise: done, resolve: end } = Promise.withResolvers<void>();
    running.set(imageId, { uuid: image.uuid, cancel: new AbortController(), done, call: null });
    try {
      await step(generation, image);
    } catch (error) {
      log.error({ image: image.uuid, err: error }, 'a generation is left as it is, and looked at again');
      throw error;
    } finally {
      running.delete(imageId);
      end();
    }
  }

  async function step(generation: Generation, image: Image): Promise<void> {
    switch (generation.state) {
      case 'waiting':
        return lookAtWaits(generation, image);
      case 'queued': {
        const early = (generation.runAt.getTime() - Date.now()) / 1000;
        if (image.deletedAt !== null) {
          const message = 'It was deleted before it was made; after undeleteImage, regenerateImage makes it.';
          return fail(generation, image, new FixativeError('CANCELLED', message, { retryable: true }));
        }
        if (early > 1) return lookAgain(generation, image, early);
        return generation.work === 'ask' ? ask(generation, image) : doHere(generation, image);
      }
      case 'asking':
        return takeOver(generation, image);
      case 'answered':
        return finish(generation, image);
      case 'failed':
        return image.errorCode === 'INTERRUPTED' ? takeOver(generation, image) : undefined;
      default:
        return answers.discard(callOf(generation, image));
    }
  }

  /** Goes on when all that it waits for is there, and fails when one of them has failed. */
  async function lookAtWaits(generation: Generation, image: Image): Promise<void> {
    const rows = await database.query<ImageRow>(
      `SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.id = ANY($1::bigint[]) ORDER BY i.id`,
      [generation.waitsFor],
    );
    const failed = rows.find((row) => row.status === 'failed');
    if (failed || rows.length < generation.waitsFor.length) {
      const what = failed?.part?.replace('-', ' ') ?? 'The image that it is made from';
      const why = failed ? `${what} failed: ${failed.error}` : 'What it is made from was removed.';
      const code = (failed?.errorCode ?? 'NOT_FOUND') as FixativeError['code'];
      const error = new FixativeError(code, why, { retryable: failed?.errorRetryable ?? false });
      return fail(generation, image, error);
    }
    if (!rows.every((row) => row.status === 'success')) return;
    await database.query(
      `UPDATE generations SET state = 'queued', updated_at = now() WHERE image_id = $1 AND state = 'waiting'`,
      [generation.imageId],
    );
    const now = await findGeneration(database, generation.imageId);
    if (now?.state === 'queued') await step(now, image);
  }

  async function ask(generation: Generation, image: Image): Promise<void> {
    const late = generation.calls > 0 ? await answers.find(callOf(generation, image)) : null;
    if (late) {
      const recorded = await recordAnswer(generation, image, late.said as RecordedAnswer);
      return recorded ? finish(recorded, image) : undefined;
    }
    const ready = await attempt(generation, image, 'before', async () => {
      const { provider } = deps.providers.find(generation.request.model);
      await deps.storage.requireSpace();
      return { provider, request: await makeRequest(deps, generation.request, { user: image.userId }) };
    });
    if (!ready) return;
    const attempts = beginAttempt(generation.attempts);
    const claimed = await claim(generation, image, attempts);
    if (!claimed) return;
    // What was asked must be known also after a loss of power.
    await database.flush();
    const asking: Generation = { ...generation, state: 'asking', attempts, calls: generation.calls + 1 };
    const run = running.get(generation.imageId) as Running;
    run.call = asking.calls;
    const answer = await attempt(asking, image, 'asked', () =>
      ready.provider.generate(ready.request, run.cancel.signal),
    );
    run.call = null;
    if (!answer) return;
    const recorded = await keepAnswer(asking, image, answer);
    if (recorded) await finish(recorded, image);
  }

  /** Takes the generation, unless as many of the same user and provider are being asked for as may be. */
  async function claim(generation: Generation, image: Image, attempts: readonly Attempt[]): Promise<boolean> {
    const { lane } = generation.request;
    const values = [generation.imageId, answers.workerId, JSON.stringify(attempts), generation.calls];
    return database.transaction(async (transaction) => {
      // One at a time, so that they see each other; the queue's own limit lets those through that come at once.
      await transaction.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
        `fixative:generations:${lane}:${image.userId}`,
      ]);
      const asking = await transaction.query(ASKING, [lane, image.userId, deps.perUser]);
      if (asking.length >= deps.perUser) {
        await push(transaction, generation, image, new Date(Date.now() + FULL_SECONDS * 1000));
        return false;
      }
      const rows = await transaction.query(CLAIM, values);
      if (rows.length > 0) await transaction.query(PROCESSING, [generation.imageId, null]);
      return rows.length > 0;
    });
  }

  /** What needs no provider is begun at once. */
  async function doHere(generation: Generation, image: Image): Promise<void> {
    const attempts = beginAttempt(generation.attempts);
    if (!(await transition(generation, image, BEGIN_LOCAL, { values: [JSON.stringify(attempts)] }))) return;
    await finish({ ...generation, state: 'answered', attempts }, image);
  }

  /** Puts the answer on the disk, then on record; waits for the database as long as the process lives. */
  async function keepAnswer(
    generation: Generation,
    image: Image,
    answer: Answer,
  ): Promise<Generation | null> {
    const { picture } = answer;
    const said = saidOf(answer);
    const bytes = 'bytes' in picture ? picture.bytes : null;
    const kept = await untilKept(() => answers.keep(callOf(generation, image), said, bytes), image);
    if (kept) return recordAnswer(generation, image, said);
    const message = "The provider's picture could not be written to DATA_DIR/answers, and is lost.";
    await untilRecorded(() =>
      fail(generation, image, new FixativeError('INTERRUPTED', message, { retryable: true })),
    );
    return null;
  }

  async function recordAnswer(
    generation: Generation,
    image: Image,
    said: RecordedAnswer,
  ): Promise<Generation | null> {
    const taken = await untilRecorded(() =>
      transition(generation, image, ANSWERED, {
        values: [JSON.stringify(said), answers.workerId, generation.calls],
        address: said.address,
      }),
    );
    if (taken) return { ...generation, state: 'answered', answer: said, askedBy: answers.workerId };
    const now = await findGeneration(database, generation.imageId);
    // Another worker of this directory may have found the answer first, and be at it.
    if (now?.calls !== generation.calls || now.state === 'cancelled' || now.state === 'done')
      await answers.discard(callOf(generation, image));
    return null;
  }

  /** Somebody asked and is gone. Either the answer is here, or it is with another, or it is lost. */
  async function takeOver(generation: Generation, image: Image): Promise<void> {
    const found = await answers.find(callOf(generation, image));
    if (found !== null) {
      const recorded = await recordAnswer(generation, image, found.said as RecordedAnswer);
      if (recorded) await finish(recorded, image);
      return;
    }
    if (generation.state === 'failed') return;
    const lives = await answers.isAlive(generation.askedBy ?? '');
    // In the same process nobody is at it, or `run` would wait for that.
    if (lives === true && generation.askedBy !== answers.workerId)
      return lookAgain(generation, image, LOOK_AGAIN_SECONDS);
    if (lives === null && ageOf(generation) < FOREIGN_CALL_SECONDS)
      return lookAgain(generation, image, LOOK_AGAIN_SECONDS);
    const message =
      'The server stopped while the provider worked. The picture may have been paid for, so the provider was not asked again; regenerateImage asks it.';
    await fail(generation, image, new FixativeError('INTERRUPTED', message, { retryable: true }));
  }

  async function finish(generation: Generation, image: Image): Promise<void> {
    const hasBytes = generation.work === 'ask' && generation.answer?.address == null;
    if (hasBytes && (await answers.find(callOf(generation, image))) === null) {
      const lives = await answers.isAlive(generation.askedBy ?? '');
      if (lives === null && ageOf(generation) < FOREIGN_ANSWER_SECONDS)
        return lookAgain(generation, image, 2 * LOOK_AGAIN_SECONDS);
      const message =
        "The provider's picture is not on the disk of this worker, and the one that has it has not come back. regenerateImage asks anew.";
      return fail(generation, image, new FixativeError('INTERRUPTED', message, { retryable: true }));
    }
    const done = await attempt(generation, image, 'answered', async () => {
      await finishGeneration(deps, generation, image).catch((error) => {
        if (!(error instanceof Overtaken)) throw error;
      });
      return true;
    });
    if (done) await answers.discard(callOf(generation, image));
  }

  /** Does a part of the work; when it fails, puts it off or records why there will be no image. */
  async function attempt<Result>(
    generation: Generation,
    image: Image,
    phase: 'before' | 'asked' | 'answered',
    work: () => Promise<Result>,
  ): Promise<Result | null> {
    try {
      return await work();
    } catch (error) {
      const seconds = retryDelaySeconds(error, { ...generation, phase });
      log[error instanceof FixativeError ? 'warn' : 'error'](
        { image: image.uuid, err: error, retryInSeconds: seconds },
        seconds === null ? 'a generation failed' : 'a generation is tried again',
      );
      await untilRecorded(() =>
        seconds === null ? fail(generation, image, error) : putOff(generation, image, { error, seconds }),
      );
      return null;
    }
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

  async function fail(generation: Generation, image: Image, error: unknown): Promise<void> {
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
      await transaction.query(
        `UPDATE generated_images SET status = 'failed', error = $2, error_code = $3, error_retryable = $4, updated_at = now()
           WHERE id = $1`,
        [generation.imageId, message, code, retryable],
      );
      // Nothing more is paid for a page that will not be.
      if (generation.work === 'compose') await cancelParts(transaction, generation.imageId);
      await pushWaiting(queue, transaction, generation.imageId);
    });
    await database.flush();
    if (SPOILT.has(code)) await answers.discard(callOf(generation, image));
  }

  /** Tries again while a disk is away: the bytes are nowhere else. @returns whether they are kept. */
  async function untilKept(keep: () => Promise<void>, image: Image): Promise<boolean> {
    const until = Date.now() + KEEP_SECONDS * 1000;
    for (let delay = 500; ; delay = Math.min(delay * 2, 10_000)) {
      try {
        await keep();
        return true;
      } catch (error) {
        log.error({ image: image.uuid, err: error }, 'could not write the answer of a provider to the disk');
        if (Date.now() > until || stopping.signal.aborted) return false;
        await pause(delay);
      }
    }
  }

  /** Resolves after a time, or when the worker stops. */
  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(end, ms);
      function end() {
        clearTimeout(timer);
        stopping.signal.removeEventListener('abort', end);
        resolve();
      }
      stopping.signal.addEventListener('abort', end);
    });
  }

  /** Tries again while the database is away: what is to be recorded is known nowhere else. */
  async function untilRecorded<Result>(record: () => Promise<Result>): Promise<Result> {
    for (let delay = 500; ; delay = Math.min(delay * 2, 10_000)) {
      try {
        return await record();
      } catch (error) {
        const isThere = await database.query('SELECT 1').then(
          () => true,
          () => false,
        );
        if (isThere || stopping.signal.aborted) throw error;
        log.warn(
          { err: error },
          'the database is away; what a generation came to is recorded when it is back',
        );
        await pause(delay);
      }
    }
  }

  /** Moves a generation on if it still is where it was, and shows the image as being made. */
  async function transition(
    generation: Generation,
    image: Image,
    statement: string,
    { values, address = null }: { values: readonly unknown[]; address?: string | null },
  ): Promise<boolean> {
    return database.transaction(async (transaction) => {
      const rows = await transaction.query(`${statement} RETURNING image_id`, [
        generation.imageId,
        ...values,
      ]);
      if (rows.length === 0) return false;
      await transaction.query(PROCESSING, [Number(image.id), address]);
      return true;
    });
  }

  async function lookAgain(generation: Generation, image: Image, seconds: number): Promise<void> {
    await push(database, generation, image, new Date(Date.now() + seconds * 1000));
  }

  function push(db: Queryable, generation: Generation, image: Image, runAt: Date): Promise<void> {
    const { lane } = generation.request;
    return queue.push(db, [{ imageId: generation.imageId, lane, userId: image.userId, runAt }]);
  }

  async function findRow(imageId: number): Promise<Image | null> {
    const [row] = await database.query<ImageRow>(
      `SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.id = $1`,
      [imageId],
    );
    return row ? imageOf(row) : null;
  }

  /** What a provider is asked for here may have been cancelled elsewhere, and even be asked for again. */
  function onChange(uuid: string | null): void {
    for (const [imageId, { call, cancel, ...each }] of running) {
      if (call === null || (uuid !== null && each.uuid !== uuid)) continue;
      findGeneration(database, imageId).then(
        (now) => {
          if (now?.calls !== call || now.state === 'cancelled' || now.state === 'queued') cancel.abort();
        },
        () => {},
      );
    }
  }

  /** Puts back what is due and nobody has looked at, such as after the loss of the queue: the rows are the truth. */
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
    const lanes = [...deps.providers.all.map(({ name }) => name), LOCAL_LANE];
    for (const { imageId } of await database.query<{ imageId: number }>(FORSAKEN, [
      lanes,
      FORSAKEN_SECONDS,
    ])) {
      const [generation, image] = [await findGeneration(database, imageId), await findRow(imageId)];
      const provider = generation?.request.lane;
      const message = `No worker has asked the provider ${provider} for an hour, and it is not configured on this one.`;
      const error = new FixativeError('MODEL_UNAVAILABLE', message, { retryable: true });
      if (generation && image) await fail(generation, image, error);
    }
  }

  const sweeper = setInterval(() => {
    sweep().catch((error) => log.warn({ err: error }, 'could not look for generations that are overdue'));
  }, SWEEP_EVERY_SECONDS * 1000);
  sweeper.unref();

  return {
    run,
    async adopt() {
      await sweep();
      const found = [];
      for (const call of await answers.list()) {
        const [row] = await database.query<Adopted>(`${ADOPTED} WHERE i.uuid = $1`, [call.uuid]);
        const isOver = !row || row.calls !== call.number || row.state === 'done' || row.state === 'cancelled';
        if (isOver) await answers.discard(call);
        else if (row.state !== 'failed' || row.errorCode === 'INTERRUPTED') found.push(row);
      }
      found.push(
        ...(await database.query<Adopted>(`${ADOPTED} WHERE g.state = 'asking' AND g.asked_by = ANY($1)`, [
          await answers.dead(),
        ])),
      );
      await queue.push(
        database,
        found.map(({ imageId, lane, userId }) => ({ imageId, lane, userId, runAt: null })),
      );
    },
    async settled() {
      while (running.size > 0) await Promise.all([...running.values()].map(({ done }) => done));
    },
    async stop() {
      clearInterval(sweeper);
      stopping.abort();
      (await unwatch?.catch(() => null))?.();
      await answers.close();
    },
  };
}

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

const ageOf = ({ askedAt }: Generation) => (Date.now() - (askedAt?.getTime() ?? 0)) / 1000;

/** The longest that is kept of what a provider says beside its picture. */
const MAX_METADATA_BYTES = 64 * 1024;

/** What is kept of an answer: text that a database can hold, and not too much of it. */
function saidOf({ picture, revisedPrompt, metadata }: Answer): RecordedAnswer {
  const kept = storable(metadata);
  const isLarge = Buffer.byteLength(JSON.stringify(kept)) > MAX_METADATA_BYTES;
  return storable({
    address: 'address' in picture ? picture.address : null,
    expiresAt: 'address' in picture ? (picture.expiresAt?.toISOString() ?? null) : null,
    revisedPrompt: revisedPrompt?.slice(0, MAX_METADATA_BYTES) ?? null,
    metadata: isLarge ? { dropped: 'The provider said more than is kept.' } : kept,
  });
}

const callOf = (generation: Generation, image: Image) => ({ uuid: image.uuid, number: generation.calls });

function explain(error: unknown, image: Image): { code: string; message: string } {
  if (error instanceof FixativeError) return { code: error.code, message: storable(error.message) };
  return { code: 'INTERNAL', message: `The server failed; its log has it under the image ${image.uuid}.` };
}
