import { useMutation } from 'urql';
import { faultOf } from '../../client/errors.ts';
import { useMay } from '../../client/session.tsx';
import { showToast } from '../../design/toast.tsx';
import {
  CancelImageDocument,
  PurgeOneImageDocument,
  RetryImageDocument,
  TrashImageDocument,
  UntrashImageDocument,
} from '../../generated/graphql.ts';
import { purged } from '../../state/purged.ts';
import { actions } from '../../text/image.ts';
import { text } from '../../text/shared.ts';

interface Target {
  readonly id: string;
}

export interface ImageActions {
  readonly mayWrite: boolean;
  readonly mayGenerate: boolean;
  readonly isBusy: boolean;
  /** Moves the image to the trash, and offers to undo that. */
  readonly remove: () => Promise<void>;
  readonly undelete: () => Promise<void>;
  /** Deletes the image permanently. Returns whether that succeeded. */
  readonly purge: () => Promise<boolean>;
  /** Generates the image again, with the same request. */
  readonly regenerate: () => Promise<void>;
  readonly cancel: () => Promise<void>;
}

type Outcome = Parameters<typeof faultOf>[0];

/** Says how a mutation ended. Returns whether it succeeded. */
function say(outcome: Outcome, message: string, undo?: () => Promise<void>): boolean {
  const fault = faultOf(outcome);
  if (fault !== null) showToast(fault, { tone: 'bad' });
  else showToast(message, undo ? { action: { label: text.undo, run: undo } } : {});
  return fault === null;
}

/** Returns what can be done with an image as a whole. */
export function useImageActions({ id }: Target): ImageActions {
  const [removal, runRemove] = useMutation(TrashImageDocument);
  const [undeletion, runUndelete] = useMutation(UntrashImageDocument);
  const [purging, runPurge] = useMutation(PurgeOneImageDocument);
  const [retry, runRetry] = useMutation(RetryImageDocument);
  const [cancellation, runCancel] = useMutation(CancelImageDocument);
  const undelete = async () => void say(await runUndelete({ id }), actions.undeleted);
  return {
    mayWrite: useMay('IMAGES_WRITE'),
    mayGenerate: useMay('IMAGES_GENERATE'),
    isBusy: [removal, undeletion, purging, retry, cancellation].some(({ fetching }) => fetching),
    remove: async () => void say(await runRemove({ id }), actions.removed, undelete),
    undelete,
    async purge() {
      const isPurged = say(await runPurge({ id }), actions.purged);
      if (isPurged) purged.tell(id);
      return isPurged;
    },
    regenerate: async () => void say(await runRetry({ id }), actions.retryStarted),
    cancel: async () => void say(await runCancel({ id }), actions.cancelled),
  };
}
