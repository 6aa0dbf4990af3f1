import type { Logger } from 'pino';
import type { Fetcher } from '../../fetch/fetch.ts';
import type { Providers } from '../../provider/providers.ts';
import type { ImageEvents } from '../events/events.ts';
import { findImageRow, type ImageDeps } from '../image.ts';
import type { IngestDeps } from '../ingest/ingest.ts';
import { findGeneration, type GenerationQueue } from './generation.ts';
import { makeLedger } from './ledger.ts';
import { makeOverdue } from './overdue.ts';
import type { SharedResponses } from './shared-responses.ts';
import { makeMissingWorkers } from './worker/missing-workers.ts';
import { nextStep } from './worker/next-step.ts';
import { carryOut, type Progress, type StepDeps } from './worker/steps.ts';
import { makeGenerationsUnderWay, type UnderWay } from './worker/under-way.ts';

export interface WorkerDeps extends ImageDeps, IngestDeps {
  readonly providers: Providers;
  readonly queue: GenerationQueue;
  readonly responses: SharedResponses;
  readonly fetcher: Fetcher;
  readonly imageEvents: ImageEvents;
  /** Most calls under way for one user and provider, in all processes. */
  readonly perUser: number;
  readonly log: Logger;
}

/** Carries out generations, as the queue delivers them. */
export interface GenerationWorker {
  /**
   * Carries out the next steps of a generation. Never repeats a call to a provider that may be paid for.
   */
  process(imageId: number): Promise<void>;
  /** Queues overdue generations, and those that dead workers of this directory have not finished. */
  requeueAbandoned(): Promise<void>;
  /**
   * Resolves when no call is under way and every response is on the disk. A later process can do the rest.
   */
  responsesKept(): Promise<void>;
  /** Resolves when this process works on no generation. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export function makeGenerationWorker(deps: WorkerDeps): GenerationWorker {
  const { database, responses, log } = deps;
  const { workerId } = responses;
  const stopping = new AbortController();
  const ledger = makeLedger({ ...deps, workerId });
  const missingWorkers = makeMissingWorkers(database);
  const stepDeps: StepDeps = { ...deps, ledger, missingWorkers, signal: stopping.signal };
  const underWay = makeGenerationsUnderWay(database);
  const overdue = makeOverdue({ ...deps, ledger, providerNames: deps.providers.all.map(({ name }) => name) });
  let watching: Promise<() => void> | null = null;
  let announced: Promise<void> | null = null;

  /**
   * Hears of cancelled generations, and tells other servers that this worker lives. Begins with the first
   * generation.
   */
  async function begin(): Promise<void> {
    watching ??= deps.imageEvents.watch(underWay.onChange);
    announced ??= database.announce(workerId);
    await Promise.all([watching, announced]);
  }

  async function process(imageId: number): Promise<void> {
    await begin();
    const [image, generation] = await Promise.all([
      findImageRow(database, imageId),
      findGeneration(database, imageId),
    ]);
    if (!image || !generation) return;
    const earlier = underWay.get(imageId);
    if (earlier) {
      // The queue took this process for dead, or the image was cancelled and requested again.
      await earlier.done;
      return process(imageId);
    }
    await underWay.during(imageId, image.uuid, (entry) =>
      takeSteps(stepDeps, { generation, image }, entry).catch((error: unknown) => {
        log.error({ image: image.uuid, err: error }, 'a generation is left as it is, and looked at again');
        throw error;
      }),
    );
  }

  return {
    process,
    requeueAbandoned: overdue.requeueAbandoned,
    responsesKept: underWay.responsesKept,
    idle: underWay.idle,
    async stop() {
      overdue.stop();
      stopping.abort();
      (await watching?.catch(() => null))?.();
      await responses.close();
    },
  };
}

/** Takes steps until there is nothing more to do now. */
async function takeSteps(deps: StepDeps, begun: Progress, underWay: UnderWay): Promise<void> {
  const { workerId } = deps.responses;
  for (let progress: Progress | null = begun; progress !== null; ) {
    const step = nextStep(progress, { now: Date.now(), random: Math.random(), workerId });
    progress = await carryOut({ deps, underWay }, progress, step);
  }
}
