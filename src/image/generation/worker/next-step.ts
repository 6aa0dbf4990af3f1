/**
 * Decides the next step of a worker for a generation, as a pure function of the facts that the worker knows.
 * The guarantees of docs/generation.md that concern one worker are decided here. steps.ts carries the steps
 * out. test/generation/next-step.test.ts has a table of states.
 */
import { MAX_PROVIDER_TIMEOUT_SECONDS } from '../../../config/sections/providers.ts';
import { FixativeError } from '../../../errors.ts';
import type { Image } from '../../image.ts';
import type { Generation } from '../generation.ts';
import { type FailurePhase, retryDelaySeconds } from '../retry.ts';

/** An image that must be ready before the generation begins. */
export type Dependency = Pick<Image, 'status' | 'part' | 'error' | 'errorCode' | 'errorRetryable'>;

/** Facts that a worker knows about a generation. undefined: not looked up yet. */
export interface Facts {
  readonly generation: Pick<
    Generation,
    'state' | 'kind' | 'calls' | 'waitsFor' | 'response' | 'askedAt' | 'askedBy' | 'runAt' | 'attempts'
  >;
  readonly image: Pick<Image, 'deletedAt' | 'errorCode'>;
  /** Images that the generation waits for and that still exist. */
  readonly dependencies?: readonly Dependency[];
  /** Request for the provider, with its references. Undefined again after the call. */
  readonly prepared?: unknown;
  /** Response of the provider while it is in memory only. */
  readonly arrived?: unknown;
  /** Response on this machine's disk; null: there is none. */
  readonly kept?: { readonly open: unknown } | null;
  /**
   * Whether the worker that called the provider lives; null: it uses another directory, so this one cannot
   * know.
   */
  readonly callerIsAlive?: boolean | null;
  /** Seconds for which the database has not seen that worker; null: it sees it now. */
  readonly callerMissingSeconds?: number | null;
  /** Error of the last step. */
  readonly failure?: { readonly phase: FailurePhase; readonly error: unknown };
}

export interface Circumstances {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Id of this worker. */
  readonly workerId: string;
  /** 0 to 1, for the jitter of the back-off. */
  readonly random: number;
}

export type Step =
  /** Look up a fact. */
  | { readonly do: 'read-dependencies' | 'find-response' | 'check-caller' | 'check-caller-in-database' }
  /** Move the generation on. */
  | { readonly do: 'mark-ready' | 'begin-local' | 'prepare-request' | 'claim' | 'call-provider' }
  | { readonly do: 'keep-response' | 'record-response' | 'finish' | 'discard-response' }
  /** Look at the generation again after some seconds. */
  | { readonly do: 'wait'; readonly seconds: number }
  | { readonly do: 'retry'; readonly error: unknown; readonly seconds: number }
  | { readonly do: 'fail'; readonly error: unknown }
  | { readonly do: 'stop' };

/** Seconds until the next look at a generation that another worker seems to be working on. */
export const LOOK_AGAIN_SECONDS = 30;
/**
 * Seconds for which a worker with another directory must be missing to count as dead. It may only be
 * reconnecting.
 */
const MISSING_SECONDS = 10;
/**
 * Seconds after the call in which a living worker with another directory may still bring the response: the
 * longest call, and ten minutes to read and keep the response.
 */
const REMOTE_CALL_SECONDS = MAX_PROVIDER_TIMEOUT_SECONDS + 10 * 60;
/** Seconds after the call in which that worker may still bring the bytes of a recorded response. */
const REMOTE_RESPONSE_SECONDS = 24 * 3600;

const DELETED =
  'The image was deleted before it was generated. To generate it, call undeleteImage and then regenerateImage.';
const NO_RESPONSE =
  'The server stopped during the call to the provider. The picture may have been paid for, so the provider was not called again. To call it again, use regenerateImage.';
const NO_BYTES =
  "The provider's picture is not on the disk of this worker, and the worker that has it did not come back. To call the provider again, use regenerateImage.";

/** Returns what to do next. @param facts what the worker knows; each lookup adds one fact. */
export function nextStep(facts: Facts, circumstances: Circumstances): Step {
  if (facts.failure) return afterFailure(facts, facts.failure, circumstances);
  switch (facts.generation.state) {
    case 'waiting':
      return whileWaiting(facts);
    case 'queued':
      return whileQueued(facts, circumstances);
    case 'asking':
      if (facts.arrived !== undefined) return { do: 'keep-response' };
      if (facts.prepared !== undefined) return { do: 'call-provider' };
      return takeOver(facts, circumstances);
    case 'answered':
      return whileAnswered(facts, circumstances);
    case 'failed':
      return facts.image.errorCode === 'INTERRUPTED' ? takeOver(facts, circumstances) : { do: 'stop' };
    case 'done':
    case 'cancelled':
      return { do: 'discard-response' };
  }
}

function afterFailure(
  { generation }: Facts,
  { phase, error }: NonNullable<Facts['failure']>,
  circumstances: Circumstances,
): Step {
  const seconds = retryDelaySeconds(error, { phase, attempts: generation.attempts }, circumstances);
  return seconds === null ? { do: 'fail', error } : { do: 'retry', error, seconds };
}

/**
 * Begins when all images that the generation waits for are ready, and fails when one of them has failed or is
 * gone.
 */
function whileWaiting({ generation, dependencies }: Facts): Step {
  if (dependencies === undefined) return { do: 'read-dependencies' };
  const failed = dependencies.find(({ status }) => status === 'failed');
  if (failed) {
    const subject = failed.part?.replace('-', ' ') ?? 'The image that it is made from';
    const code = (failed.errorCode ?? 'NOT_FOUND') as FixativeError['code'];
    const retryable = failed.errorRetryable ?? false;
    return fail(code, `${subject} failed: ${failed.error}`, retryable);
  }
  if (dependencies.length < generation.waitsFor.length)
    return fail('NOT_FOUND', 'The image that it is made from was removed.', false);
  return dependencies.every(({ status }) => status === 'success') ? { do: 'mark-ready' } : { do: 'stop' };
}

function whileQueued(facts: Facts, { now }: Circumstances): Step {
  const { generation, image, kept, prepared } = facts;
  if (image.deletedAt !== null) return fail('CANCELLED', DELETED, true);
  const early = (generation.runAt.getTime() - now) / 1000;
  if (early > 1) return { do: 'wait', seconds: early };
  if (generation.kind !== 'ask') return { do: 'begin-local' };
  // The response to an earlier call may have come after it was given up: it is paid for.
  if (generation.calls > 0 && kept === undefined) return { do: 'find-response' };
  if (kept) return { do: 'record-response' };
  return prepared === undefined ? { do: 'prepare-request' } : { do: 'claim' };
}

/**
 * The worker that called the provider has died: recover its response, wait for it, or fail with INTERRUPTED.
 */
function takeOver(
  { generation, kept, callerIsAlive, callerMissingSeconds }: Facts,
  { now, workerId }: Circumstances,
): Step {
  if (kept === undefined) return { do: 'find-response' };
  if (kept !== null) return { do: 'record-response' };
  if (generation.state === 'failed') return { do: 'stop' };
  if (callerIsAlive === undefined) return { do: 'check-caller' };
  // This process itself has no call under way for it: the worker takes one job for an image at a time.
  if (callerIsAlive === true && generation.askedBy !== workerId)
    return { do: 'wait', seconds: LOOK_AGAIN_SECONDS };
  if (callerIsAlive === null && secondsSinceCall(generation, now) < REMOTE_CALL_SECONDS) {
    if (callerMissingSeconds === undefined) return { do: 'check-caller-in-database' };
    if (callerMissingSeconds === null) return { do: 'wait', seconds: LOOK_AGAIN_SECONDS };
    if (callerMissingSeconds < MISSING_SECONDS)
      return { do: 'wait', seconds: MISSING_SECONDS - callerMissingSeconds };
  }
  return fail('INTERRUPTED', NO_RESPONSE, true);
}

/** Finishes the image when the bytes of the response are at hand, or when it needs none. */
function whileAnswered({ generation, kept, callerIsAlive }: Facts, { now }: Circumstances): Step {
  const needsBytes = generation.kind === 'ask' && generation.response?.address == null;
  if (!needsBytes) return { do: 'finish' };
  if (kept === undefined) return { do: 'find-response' };
  if (kept?.open) return { do: 'finish' };
  if (callerIsAlive === undefined) return { do: 'check-caller' };
  const seconds = secondsSinceCall(generation, now);
  // The queue gives the next try to any worker. Short waits let the worker that has the bytes get it soon.
  if (callerIsAlive === null && seconds < REMOTE_RESPONSE_SECONDS)
    return { do: 'wait', seconds: Math.min(Math.max(seconds / 10, 2), 2 * LOOK_AGAIN_SECONDS) };
  return fail('INTERRUPTED', NO_BYTES, true);
}

const secondsSinceCall = ({ askedAt }: Pick<Generation, 'askedAt'>, now: number) =>
  (now - (askedAt?.getTime() ?? 0)) / 1000;

function fail(code: FixativeError['code'], message: string, retryable: boolean): Step {
  return { do: 'fail', error: new FixativeError(code, message, { retryable }) };
}
