/** Attempts to load an image until it is shown or finally not there. */
import { endOf } from './addresses.ts';
import { attempt, clear, pause } from './attempt.ts';
import { judge, type Verdict, waitAfter } from './back-off.ts';
import { type Care, log, millisecondsOf } from './care.ts';
import type { PermanentFailure } from './declarations/robust-image.d.ts';
import { online } from './occasions.ts';
import { probe } from './probe.ts';
import { renew } from './renewal.ts';
import { tell } from './settings.ts';

/** Returns whether the image is shown. False: it failed, or the signal aborted. */
export async function load(care: Care): Promise<boolean> {
  const { image, signal } = care;
  let hasRenewed = false;
  if (hasEnded(care) && care.settings.renew) {
    hasRenewed = true;
    const isNew = await renew(care);
    if (signal.aborted) return false;
    if (!isNew) return fail(care, { reason: 'unrenewed', status: null });
  }
  for (;;) {
    care.attempt++;
    care.enter('loading');
    log(care, 'attempt');
    const { source, settings } = care;
    if (await attempt(image, { source, settings, signal })) return succeed(care);
    if (signal.aborted) return false;
    const address = image.currentSrc || image.src;
    clear(image);
    care.enter('waiting');
    const { status, wait } = await ask(care, address);
    if (signal.aborted) return false;
    const verdict = judge(status);
    if (verdict === 'refused' && care.source.derived) {
      log(care, 'original', { status });
      care.source = { ...care.source, srcset: '', sizes: '', derived: false };
      continue;
    }
    if (verdict !== 'retry' && care.settings.renew && !hasRenewed) {
      hasRenewed = true;
      const isNew = await renew(care);
      if (signal.aborted) return false;
      if (isNew) continue;
      return fail(care, { reason: 'unrenewed', status });
    }
    const reason = reasonOf(verdict, care);
    if (reason !== null) return fail(care, { reason, status });
    if (!(await waitForRetry(care, wait))) return false;
  }
}

const hasEnded = ({ source }: Care) => (endOf(source.src) ?? Infinity) <= Date.now();

function ask(care: Care, address: string): ReturnType<typeof probe> {
  const { image, settings, signal } = care;
  if (settings.probe === false) return Promise.resolve({ status: null, wait: null });
  return probe(address, { crossOrigin: image.crossOrigin, signal });
}

/** Returns why there is no other attempt; null: there is one. Without a network no attempt counts. */
function reasonOf(verdict: Verdict, care: Care): PermanentFailure['reason'] | null {
  if (verdict !== 'retry') return verdict;
  if (!navigator.onLine) {
    care.attempt--;
    return null;
  }
  return care.attempt >= care.settings.attempts ? 'exhausted' : null;
}

async function waitForRetry(care: Care, asked: number | null): Promise<boolean> {
  const { settings, signal } = care;
  const chosen = navigator.onLine ? waitAfter(Math.max(1, care.attempt), settings) : settings.maxDelay;
  const delay = Math.max(chosen, Math.min(asked ?? 0, settings.maxDelay));
  log(care, 'retry', { delay });
  return pause(delay, signal, online.on);
}

function succeed(care: Care): true {
  const { image, settings, attempt } = care;
  const address = image.currentSrc || image.src;
  care.enter('stored');
  log(care, 'stored', { address });
  tell(settings.onStored, { address, attempts: attempt, ms: millisecondsOf(care) });
  return true;
}

function fail(care: Care, why: Pick<PermanentFailure, 'reason' | 'status'>): false {
  const { settings, source, attempt } = care;
  clear(care.image);
  care.enter('failed');
  log(care, 'failed', { status: why.status, message: why.reason });
  tell(settings.onPermanentFailure, {
    address: source.src,
    attempts: attempt,
    ms: millisecondsOf(care),
    ...why,
  });
  return false;
}
