/** Milliseconds for which a page may be hidden before its events end. */
const MAX_HIDDEN = 30_000;

/** Functions to call when the page is shown after its events had ended. */
const listeners = new Set<() => void>();

/** Calls `listener` when the page is shown again and events were missed. Returns a function that ends it. */
export function onReturn(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/**
 * Runs something while the page is on the screen, and ends it soon after. A browser has six connections for a
 * server without HTTP/2: tabs in the background would use them up.
 * @param start begins it, and returns a function that ends it
 */
export function whileVisible(start: () => () => void): () => void {
  let stop: (() => void) | undefined = document.hidden ? undefined : start();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = () => {
    stop?.();
    stop = undefined;
  };
  const change = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(end, MAX_HIDDEN);
    else if (!stop) {
      stop = start();
      for (const listener of listeners) listener();
    }
  };
  document.addEventListener('visibilitychange', change);
  return () => {
    document.removeEventListener('visibilitychange', change);
    clearTimeout(timer);
    end();
  };
}
