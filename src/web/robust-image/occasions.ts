/** Events of the window that images wait for, with one listener for all images of a page. */

export interface Occasion {
  /** Calls back at each event until the signal aborts. */
  on(signal: AbortSignal, callback: () => void): void;
}

function makeOccasion(type: string, target: () => EventTarget, isMeant: () => boolean): Occasion {
  const waiting = new Set<() => void>();
  const hear = () => {
    if (isMeant()) for (const callback of [...waiting]) callback();
  };
  return {
    on(signal, callback) {
      if (signal.aborted) return;
      if (waiting.size === 0) target().addEventListener(type, hear);
      waiting.add(callback);
      signal.addEventListener(
        'abort',
        () => {
          waiting.delete(callback);
          if (waiting.size === 0) target().removeEventListener(type, hear);
        },
        { once: true },
      );
    },
  };
}

export const online: Occasion = makeOccasion(
  'online',
  () => window,
  () => true,
);

export const visible: Occasion = makeOccasion(
  'visibilitychange',
  () => document,
  () => document.visibilityState === 'visible',
);
