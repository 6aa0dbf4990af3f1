import { useRef, useState } from 'react';
import { NoResponse, type Posted, post } from '../client/post.ts';
import { formatCount, formatTime } from '../design/format.ts';
import {
  type GenerateImageInput,
  GenerateImagesDocument,
  type GenerateImagesMutation,
  type MakeFaultFragment,
} from '../generated/graphql.ts';
import { randomId } from '../state/random-id.ts';
import { make as text } from '../text/make.ts';
import { text as shared } from '../text/shared.ts';
import { EMPTY_DRAFT, type FieldName } from './draft.ts';
import { addMade } from './results/made.ts';

/** Faults by field; `form`: no field of the form is to blame. */
export type SentFaults = Readonly<Partial<Record<FieldName | 'form', string>>>;

interface Submit {
  readonly isBusy: boolean;
  readonly faults: SentFaults;
  readonly send: (input: GenerateImageInput) => Promise<void>;
  readonly forget: () => void;
}

/**
 * Sends the form. A request whose response was lost is sent again with the same `requestId`, so that nothing
 * is made twice.
 */
export function useSubmit(): Submit {
  const [isBusy, setBusy] = useState(false);
  const [faults, setFaults] = useState<SentFaults>({});
  const lost = useRef<{ readonly input: string; readonly requestId: string } | null>(null);
  async function send(input: GenerateImageInput): Promise<void> {
    const key = JSON.stringify(input, (_name, value) => (value instanceof File ? value.size : value));
    const requestId = lost.current?.input === key ? lost.current.requestId : randomId('make');
    setBusy(true);
    setFaults({});
    try {
      const posted = await post(GenerateImagesDocument, { input: { ...input, requestId } });
      lost.current = null;
      addMade(posted.data?.generateImage?.images ?? []);
      setFaults(faultsOf(posted));
      if (posted.data?.generateImage?.images.length) showNewest();
    } catch (error) {
      if (!(error instanceof NoResponse)) throw error;
      lost.current = { input: key, requestId };
      setFaults({ form: navigator.onLine ? text.lostAnswer : shared.offline });
    } finally {
      setBusy(false);
    }
  }
  return { isBusy, faults, send, forget: () => setFaults({}) };
}

/** Scrolls to the newest image, which is below the form on a phone. */
function showNewest(): void {
  requestAnimationFrame(() => document.querySelector('#made li')?.scrollIntoView({ block: 'nearest' }));
}

function faultsOf({ data, errors, retryAfterSeconds }: Posted<GenerateImagesMutation>): SentFaults {
  const [error] = errors;
  if (error) {
    const advice = retryAfterSeconds === null ? '' : ` ${text.waitAdvice(secondsOf(retryAfterSeconds))}`;
    return { form: error.message + advice };
  }
  const faults: Partial<Record<FieldName | 'form', string>> = {};
  for (const fault of data?.generateImage?.userErrors ?? [])
    faults[fieldOf(fault.path)] ??= [fault.message, adviceOf(fault)].filter(Boolean).join(' ');
  return faults;
}

/** Returns the field of the form that a path of the input leads to. */
function fieldOf([, name]: readonly string[]): FieldName | 'form' {
  if (name === 'panels' || name === 'pages') return 'parts';
  if (name === 'parentId') return 'references';
  const others: readonly string[] = ['character', 'references', 'mask', 'background'];
  return name !== undefined && (others.includes(name) || Object.hasOwn(EMPTY_DRAFT, name))
    ? (name as FieldName)
    : 'form';
}

const secondsOf = (seconds: number) => text.seconds(formatCount(Math.ceil(seconds)));

/** Says what to do about an error. */
function adviceOf(fault: MakeFaultFragment): string {
  switch (fault.__typename) {
    case 'OverloadedError':
      return text.waitAdvice(secondsOf(fault.retryAfterSeconds));
    case 'QuotaExceededError':
      return fault.resetsAt === null ? text.quotaFull : text.quotaResets(formatTime(fault.resetsAt));
    case 'ProviderError':
      if (fault.providerRetryAfterSeconds !== null)
        return text.waitAdvice(secondsOf(fault.providerRetryAfterSeconds));
      return fault.retryable ? text.retryable : '';
    default:
      return '';
  }
}
