/** Carries out the steps that next-step.ts decides on. */
import type { Logger } from 'pino';
import { FixativeError } from '../../../errors.ts';
import type { PictureRequest, PictureResponse, Provider } from '../../../provider/provider.ts';
import type { Providers } from '../../../provider/providers.ts';
import { findImageRow, IMAGE_COLUMNS, type Image, type ImageRow } from '../../image.ts';
import { type FinishDeps, finishGeneration, Overtaken } from '../finish.ts';
import {
  beginAttempt,
  findGeneration,
  type Generation,
  type RecordedResponse,
  UNUSABLE_RESPONSE_CODES,
} from '../generation.ts';
import type { Ledger } from '../ledger.ts';
import { makeProviderRequest } from '../provider-request.ts';
import type { KeptResponse } from '../provider-responses.ts';
import { readableOf } from '../readable.ts';
import type { FailurePhase } from '../retry.ts';
import { type RetryWritesDeps, recordWithRetries, writeWithRetries } from '../retry-writes.ts';
import type { SharedResponses } from '../shared-responses.ts';
import type { MissingWorkers } from './missing-workers.ts';
import type { Facts, Step } from './next-step.ts';
import { recordedResponseOf } from './recorded-response.ts';
import type { UnderWay } from './under-way.ts';

export interface StepDeps extends FinishDeps, RetryWritesDeps {
  readonly database: FinishDeps['database'];
  readonly log: Logger;
  readonly providers: Providers;
  readonly responses: SharedResponses;
  readonly ledger: Ledger;
  readonly missingWorkers: MissingWorkers;
}

/** Facts and intermediate results of the generation that a worker works on. */
export interface Progress extends Facts {
  readonly generation: Generation;
  readonly image: Image;
  readonly prepared?: { readonly provider: Provider; readonly request: PictureRequest } | undefined;
  readonly arrived?: PictureResponse | undefined;
  readonly kept?: KeptResponse | null;
}

interface StepContext {
  readonly deps: StepDeps;
  readonly underWay: UnderWay;
}

/** Carries out a step. @returns what the worker knows then; null: there is nothing more to do now. */
export async function carryOut(
  context: StepContext,
  progress: Progress,
  step: Step,
): Promise<Progress | null> {
  const { deps } = context;
  const { generation, image } = progress;
  switch (step.do) {
    case 'read-dependencies':
      return { ...progress, dependencies: await readDependencies(deps, generation) };
    case 'find-response':
      return { ...progress, kept: await deps.responses.find(callOf(progress)) };
    case 'check-caller':
      return { ...progress, callerIsAlive: await deps.responses.isAlive(generation.askedBy ?? '') };
    case 'check-caller-in-database': {
      const seconds = await deps.missingWorkers.secondsMissing(generation.askedBy ?? '');
      return { ...progress, callerMissingSeconds: seconds };
    }
    case 'mark-ready':
      return markReady(deps, progress);
    case 'begin-local':
      return beginLocal(deps, progress);
    case 'prepare-request':
      return prepareRequest(deps, progress);
    case 'claim':
      return claim(deps, progress);
    case 'call-provider':
      return callProvider(context, progress);
    case 'keep-response':
      return keepResponse(context, progress);
    case 'record-response':
      return recordResponse(deps, progress);
    case 'finish':
      return finish(deps, progress);
    case 'discard-response':
      await deps.responses.discard(callOf(progress));
      return null;
    case 'wait':
      await deps.ledger.lookAgain(generation, image, step.seconds);
      return null;
    case 'retry':
      logFailure(deps, progress, step.seconds);
      await shareResponse(deps, progress);
      await recordWithRetries(deps, () => deps.ledger.retryLater(generation, image, step));
      return null;
    case 'fail':
      await fail(deps, progress, step.error);
      return null;
    case 'stop':
      return null;
  }
}

const callOf = ({ generation, image }: Progress) => ({ uuid: image.uuid, number: generation.calls });

/** Runs a part of the work; its error becomes the failure that the next step decides about. */
async function attempt(
  progress: Progress,
  phase: FailurePhase,
  work: () => Promise<Progress | null>,
): Promise<Progress | null> {
  try {
    return await work();
  } catch (error) {
    return { ...progress, failure: { phase, error } };
  }
}

async function readDependencies({ database }: StepDeps, { waitsFor }: Generation): Promise<ImageRow[]> {
  return database.query<ImageRow>(
    `SELECT ${IMAGE_COLUMNS} FROM generated_images i WHERE i.id = ANY($1::bigint[]) ORDER BY i.id`,
    [waitsFor],
  );
}

async function markReady(deps: StepDeps, { generation, image }: Progress): Promise<Progress | null> {
  await deps.ledger.markReady(generation);
  const now = await findGeneration(deps.database, generation.imageId);
  return now?.state === 'queued' ? { generation: now, image } : null;
}

async function beginLocal(deps: StepDeps, { generation, image }: Progress): Promise<Progress | null> {
  const attempts = beginAttempt(generation.attempts);
  if (!(await deps.ledger.beginLocal(generation, attempts))) return null;
  return { generation: { ...generation, state: 'answered', attempts }, image };
}

/** Reads references before the claim: no call is counted when they are missing or a store is down. */
function prepareRequest(deps: StepDeps, progress: Progress): Promise<Progress | null> {
  const { generation, image } = progress;
  return attempt(progress, 'before', async () => {
    const { provider } = deps.providers.find(generation.request.model);
    await deps.storage.requireSpace();
    const request = await makeProviderRequest(deps, generation.request, { user: image.userId });
    return { ...progress, prepared: { provider, request } };
  });
}

async function claim(deps: StepDeps, progress: Progress): Promise<Progress | null> {
  const { generation, image, prepared } = progress;
  const attempts = beginAttempt(generation.attempts);
  if (!(await deps.ledger.claim(generation, image, attempts))) return null;
  // That the provider is being called must be known also after a loss of power.
  await deps.database.flush();
  return {
    generation: { ...generation, state: 'asking', attempts, calls: generation.calls + 1 },
    image,
    prepared,
  };
}

async function callProvider({ underWay }: StepContext, progress: Progress): Promise<Progress | null> {
  const { generation, image, prepared } = progress;
  if (!prepared) throw new TypeError('The request to the provider is not prepared.');
  underWay.beginCall(generation.calls);
  try {
    const arrived = await prepared.provider.generate(prepared.request, underWay.signal);
    return { generation, image, arrived };
  } catch (error) {
    underWay.responseIsKept();
    return { generation, image, failure: { phase: 'asked', error } };
  } finally {
    underWay.endCall();
  }
}

/** Writes the response to the disk. Until then it is nowhere else, so the worker does not stop. */
async function keepResponse({ deps, underWay }: StepContext, progress: Progress): Promise<Progress | null> {
  const { generation, image, arrived } = progress;
  if (!arrived) throw new TypeError('No response has arrived.');
  const said = recordedResponseOf(arrived);
  const bytes = 'bytes' in arrived.picture ? arrived.picture.bytes : null;
  const isKept = await writeWithRetries(deps, image, () =>
    deps.responses.keep(callOf(progress), said, bytes),
  ).finally(() => underWay.responseIsKept());
  // The bytes are still in memory, so they are not read from the disk.
  if (isKept) return { generation, image, kept: { said, open: bytes && (() => readableOf(bytes)) } };
  const message =
    "The provider's picture could not be written to DATA_DIR/answers and is lost. Check the disk, then call regenerateImage.";
  const error = new FixativeError('INTERRUPTED', message, { retryable: true });
  return { generation, image, failure: { phase: 'asked', error } };
}

/** Records a response that is on the disk; waits for the database as long as the process lives. */
async function recordResponse(deps: StepDeps, progress: Progress): Promise<Progress | null> {
  const { generation, image, kept } = progress;
  if (!kept) throw new TypeError('No response is on the disk.');
  const response = kept.said as RecordedResponse;
  if (await recordWithRetries(deps, () => deps.ledger.recordResponse(generation, response))) {
    const askedBy = deps.responses.workerId;
    return { generation: { ...generation, state: 'answered', response, askedBy }, image, kept };
  }
  const now = await findGeneration(deps.database, generation.imageId);
  // Otherwise another worker of this directory has found the response first, and needs it.
  if (now?.calls !== generation.calls || now.state === 'cancelled' || now.state === 'done')
    await deps.responses.discard(callOf(progress));
  return null;
}

/** Stores the image. Does nothing when another worker was faster, or the image was purged. */
function finish(deps: StepDeps, progress: Progress): Promise<Progress | null> {
  const { generation, image, kept } = progress;
  return attempt(progress, 'answered', async () => {
    await finishGeneration(deps, { generation, image, open: kept?.open ?? null }).catch(async (error) => {
      if (error instanceof Overtaken) return;
      // Parts of a purged image cannot be stored.
      if (await findImageRow(deps.database, generation.imageId)) throw error;
    });
    return { generation: { ...generation, state: 'done' }, image };
  });
}

/** Gives a paid picture that cannot be stored now to workers of other machines, too. */
async function shareResponse({ responses, log }: StepDeps, progress: Progress): Promise<void> {
  if (progress.failure?.phase !== 'answered') return;
  await responses.share(callOf(progress)).catch((error: unknown) => {
    log.warn({ err: error, image: progress.image.uuid }, 'could not keep a response in the database');
  });
}

/** Records why there will be no image, and discards a response that is of no more use. */
async function fail(deps: StepDeps, progress: Progress, error: unknown): Promise<void> {
  const { generation, image, failure } = progress;
  const record = async () => {
    const code = await deps.ledger.fail(generation, image, error);
    if (UNUSABLE_RESPONSE_CODES.has(code)) await deps.responses.discard(callOf(progress));
  };
  if (!failure) return record();
  logFailure(deps, progress, null);
  await recordWithRetries(deps, record);
}

function logFailure({ log }: StepDeps, { image, failure }: Progress, seconds: number | null): void {
  const error = failure?.error;
  log[error instanceof FixativeError ? 'warn' : 'error'](
    { image: image.uuid, err: error, retryInSeconds: seconds },
    seconds === null ? 'a generation failed' : 'a generation is tried again',
  );
}
