import type { Posted } from '../client/post.ts';
import type { AddedImageFragment, AddFaultFragment } from '../generated/graphql.ts';
import { upload as text } from '../text/upload.ts';

/**
 * How an attempt ended. After `stopped`, no other item would fare better: the queue pauses until the person
 * has acted.
 */
export type Outcome =
  | { readonly type: 'stored'; readonly image: string; readonly isNew: boolean }
  | { readonly type: 'refused'; readonly problem: string; readonly image?: string }
  | FailedOutcome
  | { readonly type: 'stopped'; readonly problem: string };

interface FailedOutcome {
  readonly type: 'failed';
  readonly problem: string;
  /** Milliseconds to wait before the next attempt; null: the usual back-off. */
  readonly wait: number | null;
  /** Whether the server may have stored the image all the same. */
  readonly isUncertain: boolean;
}

/** Payload of `uploadImage` or `importImage`. */
export interface AddPayload {
  readonly image: AddedImageFragment | null;
  readonly userErrors: readonly AddFaultFragment[];
}

/** Codes after which the same request may succeed. */
const PASSING: ReadonlySet<string> = new Set([
  'OVERLOADED',
  'RATE_LIMITED',
  'DATABASE_UNAVAILABLE',
  'IDENTITY_UNAVAILABLE',
  'STORE_UNAVAILABLE',
  'TIMED_OUT',
  'UPLOAD_INTERRUPTED',
  'SOURCE_FAILED',
  'INTERNAL',
]);

/** Codes that every other item would get too. */
const STOPPING: ReadonlySet<string> = new Set(['UNAUTHENTICATED', 'FORBIDDEN', 'QUOTA_EXCEEDED', 'NO_SPACE']);

/** Codes after which the server may have done what was asked. */
const UNCERTAIN: ReadonlySet<string> = new Set(['DATABASE_UNAVAILABLE', 'TIMED_OUT', 'INTERNAL']);

/** The outcome of a request without a response. */
export const unanswered = (): FailedOutcome => ({
  type: 'failed',
  problem: text.noResponse,
  wait: null,
  isUncertain: true,
});

/**
 * Returns the outcome of an attempt.
 * @param requestId of the batch: an image that has it was made by the batch
 */
export function outcomeOf(
  posted: Pick<Posted<unknown>, 'retryAfterSeconds' | 'errors'>,
  payload: AddPayload | null,
  requestId: string,
): Outcome {
  const [error] = posted.errors;
  if (error) return outcomeOfFault(error, posted.retryAfterSeconds);
  const [fault] = payload?.userErrors ?? [];
  if (fault?.__typename === 'DuplicateError' && fault.image)
    return { type: 'refused', problem: fault.message, image: fault.image.uuid };
  if (fault) {
    const wait = fault.__typename === 'OverloadedError' ? fault.retryAfterSeconds : null;
    return outcomeOfFault(fault, wait);
  }
  const image = payload?.image;
  if (!image) return { ...unanswered(), problem: text.unexpected };
  return { type: 'stored', image: image.uuid, isNew: image.requestId === requestId };
}

function outcomeOfFault(
  { code, message }: { readonly code: string; readonly message: string },
  waitSeconds: number | null,
): Outcome {
  if (STOPPING.has(code)) return { type: 'stopped', problem: message };
  if (!PASSING.has(code) && waitSeconds === null) return { type: 'refused', problem: message };
  return {
    type: 'failed',
    problem: message,
    wait: waitSeconds === null ? null : waitSeconds * 1000,
    isUncertain: UNCERTAIN.has(code),
  };
}

/**
 * Whether a duplicate is the image that an earlier attempt for the same item made, whose response was lost.
 */
export const isOwnImage = (
  image: Pick<AddedImageFragment, 'requestId' | 'originalFilename'>,
  item: { readonly requestId: string; readonly name: string },
) => image.requestId === item.requestId && image.originalFilename === item.name;
