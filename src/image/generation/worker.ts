import type { Logger } from 'pino';
import { FixativeError } from '../../errors.ts';
import type { Fetcher } from '../../fetch/fetch.ts';
import type { Answer } from '../../provider/provider.ts';
import type { Providers } from '../../provider/providers.ts';
import type { ImageEvents } from '../events/events.ts';
import { findImageRow, IMAGE_COLUMNS, type Image, type ImageDeps, type ImageRow } from '../image.ts';
import type { IngestDeps } from '../ingest/ingest.ts';
import { storable } from '../json.ts';
import { finishGeneration, Overtaken, readableOf } from './finish.ts';
import {
  beginAttempt,
  findGeneration,
  type Generation,
  type GenerationQueue,
  type RecordedAnswer,
  SPOILT,
} from './generation.ts';
import { makeLedger } from './ledger.ts';
import { makeOverdue } from './overdue.ts';
import type { Answers, FoundAnswer } from './provider-responses.ts';
import { makeRequest } from './request.ts';
import { retryDelaySeconds } from './retry.ts';
import { makePatience } from './retry-writes.ts';

export interface RunDeps extends ImageDeps, IngestDeps {
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
  /** Resolves when no provider is asked any more, and what was answered is on the disk: the rest can be done by a later process. */
  answered(): Promise<void>;
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
  /** Resolves when that call has failed, or its answer is on the disk; null: none was made. */
  asked: Promise<void> | null;
}

/** When to look again at what another worker seems to be at. */
const LOOK_AGAIN_SECONDS = 30;
/** For so long a worker with another disk is missing before it is taken for dead: its connection may only be made again. */
const MISSING_SECONDS = 10;
/** How long after it asked a worker with another disk may come back with the answer, and with one that is on record. */
const FOREIGN_CALL_SECONDS = 10 * 60;
const FOREIGN_ANSWER_SECONDS = 24 * 3600;

export function makeGenerationRunner(deps: RunDeps): GenerationRunner {
  const { database, answers, log } = deps;
  const running = new Map<number, Running>();
  const stopping = new AbortController();
  const ledger = makeLedger({ ...deps, workerId: answers.workerId });
  const { untilKept, untilRecorded } = makePatience({ database, log, signal: stopping.signal });
  const lanes = deps.providers.all.map(({ name }) => name);
  const overdue = makeOverdue({ ...deps, ledger, lanes });
  let unwatch: Promise<() => void> | null = null;
  let announced: Promise<void> | null = null;
  /** Workers with other disks that are missing: since when, and when that was last seen, in milliseconds of performance.now(). */
  const missing = new Map<string, { since: number; seen: number }>();

  async function run(imageId: number): Promise<void> {
    unwatch ??= deps.imageEvents.watch(onChange);
    announced ??= database.announce(answers.workerId);
    await Promise.all([unwatch, announced]);
    const [image, generation] = await Promise.all([
      findImageRow(database, imageId),
      findGeneration(database, imageId),
    ]);
    if (!image || !generation) return;
    const before = running.get(imageId);
    if (before) {
      // The queue took this process for dead, or it is asked for again after it was cancelled: first one, then the other.
      await before.done;
      return run(imageId);
    }
    const { promise: done, resolve: end } = Promise.withResolvers<void>();
    running.set(imageId, { uuid: image.uuid, cancel: new AbortController(), done, call: null, asked: null });
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
        if (early > 1) return ledger.lookAgain(generation, image, early);
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
    await ledger.ready(generation);
    const now = await findGeneration(database, generation.imageId);
    if (now?.state === 'queued') await step(now, image);
  }

  async function ask(generation: Generation, image: Image): Promise<void> {
    const late = generation.calls > 0 ? await answers.find(callOf(generation, image)) : null;
    if (late) {
      const recorded = await recordAnswer(generation, image, late.said as RecordedAnswer);
      return recorded ? finish(recorded, image, late.open) : undefined;
    }
    const ready = await attempt(generation, image, 'before', async () => {
      const { provider } = deps.providers.find(generation.request.model);
      await deps.storage.requireSpace();
      return { provider, request: await makeRequest(deps, generation.request, { user: image.userId }) };
    });
    if (!ready) return;
    const attempts = beginAttempt(generation.attempts);
    const claimed = await ledger.claim(generation, image, attempts);
    if (!claimed) return;
    // What was asked must be known also after a loss of power.
    await database.flush();
    const asking: Generation = { ...generation, state: 'asking', attempts, calls: generation.calls + 1 };
    const run = running.get(generation.imageId) as Running;
    run.call = asking.calls;
    const asked = Promise.withResolvers<void>();
    run.asked = asked.promise;
    const answer = await attempt(asking, image, 'asked', () =>
      ready.provider.generate(ready.request, run.cancel.signal).catch((error) => {
        asked.resolve();
        throw error;
      }),
    );
    run.call = null;
    if (!answer) return;
    const recorded = await keepAnswer(asking, image, answer, asked.resolve);
    if (recorded) await finish(recorded, image, openerOf(answer));
  }

  /** What needs no provider is begun at once. */
  async function doHere(generation: Generation, image: Image): Promise<void> {
    const attempts = beginAttempt(generation.attempts);
    if (!(await ledger.beginHere(generation, attempts))) return;
    await finish({ ...generation, state: 'answered', attempts }, image);
  }

  /** Puts the answer on the disk, then on record; waits for the database as long as the process lives. */
  async function keepAnswer(
    generation: Generation,
    image: Image,
    answer: Answer,
    onKept: () => void,
  ): Promise<Generation | null> {
    const { picture } = answer;
    const said = saidOf(answer);
    const bytes = 'bytes' in picture ? picture.bytes : null;
    const kept = await untilKept(image, () => answers.keep(callOf(generation, image), said, bytes)).finally(
      onKept,
    );
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
    const taken = await untilRecorded(() => ledger.answered(generation, said));
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
      if (recorded) await finish(recorded, image, found.open);
      return;
    }
    if (generation.state === 'failed') return;
    const lives = await answers.isAlive(generation.askedBy ?? '');
    // In the same process nobody is at it, or `run` would wait for that.
    if (lives === true && generation.askedBy !== answers.workerId)
      return ledger.lookAgain(generation, image, LOOK_AGAIN_SECONDS);
    if (lives === null && ageOf(generation) < FOREIGN_CALL_SECONDS) {
      const seconds = await secondsMissing(generation.askedBy ?? '');
      if (seconds === null) return ledger.lookAgain(generation, image, LOOK_AGAIN_SECONDS);
      if (seconds < MISSING_SECONDS) return ledger.lookAgain(generation, image, MISSING_SECONDS - seconds);
    }
    const message =
      'The server stopped while the provider worked. The picture may have been paid for, so the provider was not asked again; regenerateImage asks it.';
    await fail(generation, image, new FixativeError('INTERRUPTED', message, { retryable: true }));
  }

  /** For how long a worker with another disk has been missing, as far as this process has seen; null: it lives. */
  async function secondsMissing(workerId: string): Promise<number | null> {
    const now = performance.now();
    if (await database.isAnnounced(workerId)) {
      missing.delete(workerId);
      return null;
    }
    const before = missing.get(workerId);
    // It may have been there between two looks that are far apart.
    const since = before && now - before.seen < 2 * LOOK_AGAIN_SECONDS * 1000 ? before.since : now;
    missing.set(workerId, { since, seen: now });
    return (now - since) / 1000;
  }

  /** @param here opens the picture that was answered, where it is at hand already. */
  async function finish(
    generation: Generation,
    image: Image,
    here: FoundAnswer['open'] = null,
  ): Promise<void> {
    const hasBytes = generation.work === 'ask' && generation.answer?.address == null;
    const open = hasBytes ? (here ?? (await answers.find(callOf(generation, image)))?.open ?? null) : null;
    if (hasBytes && open === null) {
      const lives = await answers.isAlive(generation.askedBy ?? '');
      if (lives === null && ageOf(generation) < FOREIGN_ANSWER_SECONDS)
        return ledger.lookAgain(generation, image, 2 * LOOK_AGAIN_SECONDS);
      const message =
        "The provider's picture is not on the disk of this worker, and the one that has it has not come back. regenerateImage asks anew.";
      return fail(generation, image, new FixativeError('INTERRUPTED', message, { retryable: true }));
    }
    const done = await attempt(generation, image, 'answered', async () => {
      await finishGeneration(deps, { generation, image, open }).catch(async (error) => {
        if (error instanceof Overtaken) return;
        // Purged meanwhile, so that its parts could not be kept.
        if (await findImageRow(database, generation.imageId)) throw error;
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
        seconds === null
          ? fail(generation, image, error)
          : ledger.putOff(generation, image, { error, seconds }),
      );
      return null;
    }
  }

  /** Records why there will be no image, and keeps no answer that is of no use. */
  async function fail(generation: Generation, image: Image, error: unknown): Promise<void> {
    const code = await ledger.fail(generation, image, error);
    if (SPOILT.has(code)) await answers.discard(callOf(generation, image));
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

  return {
    run,
    adopt: overdue.adopt,
    async answered() {
      await Promise.all([...running.values()].map(({ asked }) => asked));
    },
    async settled() {
      while (running.size > 0) await Promise.all([...running.values()].map(({ done }) => done));
    },
    async stop() {
      overdue.stop();
      stopping.abort();
      (await unwatch?.catch(() => null))?.();
      await answers.close();
    },
  };
}

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

/** A picture that has just come, as it would be opened on the disk. */
function openerOf({ picture }: Answer): FoundAnswer['open'] {
  return 'bytes' in picture ? () => readableOf(picture.bytes) : null;
}

const callOf = (generation: Generation, image: Image) => ({ uuid: image.uuid, number: generation.calls });
