/** Signed addresses: a new one before the old one ends, and after it was refused. */
import { endOf, waitBeforeRenewal } from './addresses.ts';
import { apply, pause, preload } from './attempt.ts';
import { waitAfter } from './back-off.ts';
import { type Care, log } from './care.ts';
import { visible } from './occasions.ts';
import { type Source, sourceOf } from './settings.ts';

/** Longest wait of one timer, in milliseconds. Browsers limit it to 24 days. */
const DAY = 86_400_000;

/**
 * Gets a new address from the page. Calls at the same time share one renewal.
 * @returns whether there is a new address; false too if the page gave none.
 */
export function renew(care: Care): Promise<boolean> {
  care.renewing ??= takeNew(care).finally(() => {
    care.renewing = null;
  });
  return care.renewing;
}

async function takeNew(care: Care): Promise<boolean> {
  const { settings, source, signal } = care;
  if (!settings.renew) return false;
  try {
    const given = await settings.renew(source.src);
    if (signal.aborted) return false;
    const { src, srcset = '' } = typeof given === 'string' ? { src: given } : given;
    const end = endOf(src);
    if (!src || (end !== null && end <= Date.now())) throw new Error('renew gave an address that has ended');
    care.source = sourceOf({ ...settings, src, srcset: srcset || settings.srcset });
    log(care, 'renewed');
    return true;
  } catch (error) {
    log(care, 'renewal-failed', { message: String(error) });
    return false;
  }
}

/** Renews the address again and again, shortly before it ends, until the signal aborts. */
export async function keepFresh(care: Care): Promise<void> {
  const { signal } = care;
  let failures = 0;
  while (!signal.aborted && care.settings.renew) {
    const end = endOf(care.source.src);
    if (end === null || isOver(care)) return;
    if (!(await untilDue(care, end, failures)) || isOver(care)) return;
    // The loading may have renewed the address in the meantime.
    if (endOf(care.source.src) !== end) continue;
    const isNew = await renew(care);
    if (signal.aborted) return;
    failures = isNew ? 0 : failures + 1;
    if (isNew) await replace(care);
    if (failures < care.settings.attempts) continue;
    // The visitor may be logged out. The picture stays, and the page asks when it is visible again.
    if (!(await pause(DAY, signal, visible.on))) return;
    failures = 0;
  }
}

const isOver = ({ state }: Care) => state === 'failed';

/** Waits until an address must be renewed and the page is visible. A hidden page renews nothing. */
async function untilDue({ settings, signal }: Care, end: number, failures: number): Promise<boolean> {
  let left = failures > 0 ? waitAfter(failures, settings) : waitBeforeRenewal(end, Date.now());
  const due = Date.now() + left;
  while (left > 0) {
    // A timer is late after the machine has slept, so the clock is read whenever the page becomes visible.
    if (!(await pause(Math.min(left, DAY), signal, visible.on))) return false;
    left = due - Date.now();
  }
  const isHidden = () => document.visibilityState === 'hidden';
  while (isHidden()) if (!(await pause(DAY, signal, visible.on))) return false;
  return !signal.aborted;
}

/** Puts the new address into the image. A picture that is shown stays until the new one is there. */
async function replace(care: Care): Promise<void> {
  const { image, source, settings, signal, state } = care;
  if (state === 'loading') apply(image, source, settings);
  if (state !== 'stored') return;
  if (await preload(image, source, signal)) applyIfCurrent(care, source);
}

function applyIfCurrent(care: Care, source: Source): void {
  if (care.source === source && care.state === 'stored') apply(care.image, source, care.settings);
}
