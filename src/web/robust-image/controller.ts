import { endOf } from './addresses.ts';
import { makeAppearance } from './appearance.ts';
import { apply, clear, isThere } from './attempt.ts';
import { type Care, millisecondsOf } from './care.ts';
import type {
  RobustImageController,
  RobustImageOptions,
  RobustImageState,
} from './declarations/robust-image.d.ts';
import { load } from './loading.ts';
import { keepFresh } from './renewal.ts';
import { keyOf, settle, sourceOf, tell } from './settings.ts';

/**
 * Loads an image into an `<img>`: retries what may pass, shows nothing of what is finally not there, and
 * renews signed addresses.
 */
export function robustImage(image: HTMLImageElement, options: RobustImageOptions): RobustImageController {
  let settings = settle(options);
  const appearance = makeAppearance(image);
  let ending = new AbortController();
  let care = begin();

  /** @param state of a picture that is there already, and was told of. */
  function begin(state: 'pending' | 'stored' = 'pending'): Care {
    const { signal } = ending;
    const next: Care = {
      image,
      signal,
      settings,
      source: sourceOf(settings),
      state,
      attempt: 0,
      started: performance.now(),
      renewing: null,
      renewal: null,
      enter: (entered) => enter(next, entered),
    };
    if (next.source.src === '') clear(image);
    else if (state !== 'stored') void load(next);
    refresh(next);
    return next;
  }

  function enter(entered: Care, state: RobustImageState): void {
    if (entered.signal.aborted) return;
    const hasChanged = entered.state !== state;
    entered.state = state;
    appearance.show(state, entered.settings, millisecondsOf(entered));
    if (hasChanged) tell(entered.settings.onState, state);
  }

  function beginAnew(state?: 'stored'): void {
    ending.abort();
    ending = new AbortController();
    care = begin(state);
  }

  return {
    get state() {
      return care.state;
    },
    update(given) {
      const before = settings;
      settings = settle(given);
      care.settings = settings;
      const isSame = keyOf(before) === keyOf(settings);
      if (ending.signal.aborted)
        return beginAnew(isSame && care.state === 'stored' && isThere(image) ? 'stored' : undefined);
      if (!isSame) {
        if (care.state === 'failed' || !isNewSignature(before.src, settings.src)) return beginAnew();
        care.source = sourceOf(settings);
        if (care.state === 'loading') apply(image, care.source, settings);
      }
      refresh(care);
    },
    stop() {
      ending.abort();
      appearance.stop();
      // An image that is not there yet is not downloaded for a page that it has left.
      if (care.state !== 'stored') clear(image);
    },
  };
}

/** Shows the options, and renews the address from now on. A lazy image may wait longer than it is valid. */
function refresh(care: Care): void {
  care.image.alt = care.settings.alt ?? '';
  care.enter(care.state);
  if (care.source.src === '' || !care.settings.renew) return;
  care.renewal ??= keepFresh(care).finally(() => {
    care.renewal = null;
  });
}

/** Returns whether two addresses differ in their signature only. The picture that is shown can stay. */
function isNewSignature(before: string | null | undefined, after: string | null | undefined): boolean {
  if (!before || !after || endOf(before) === null || endOf(after) === null) return false;
  const unsigned = (address: string) =>
    address.replace(/([?&])(?:expires|signature)=[^&]*/g, '$1').replace(/[?&]+$/, '');
  return unsigned(before) === unsigned(after);
}
