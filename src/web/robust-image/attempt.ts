/** One attempt to load a picture into an `<img>`. */
import type { Settings, Source } from './settings.ts';

/**
 * Sets the addresses. `src` comes last, because it begins the request.
 * @returns whether an address has changed.
 */
export function apply(image: HTMLImageElement, source: Source, settings: Settings): boolean {
  image.alt = settings.alt ?? '';
  image.loading = settings.loading;
  image.decoding = 'async';
  if (image.crossOrigin !== (settings.crossOrigin ?? null)) image.crossOrigin = settings.crossOrigin ?? null;
  set(image, 'sizes', source.sizes);
  const changed = [set(image, 'srcset', source.srcset), set(image, 'src', source.src)];
  return changed.includes(true);
}

/** Removes the addresses. An `<img>` with an address that failed would show as a broken picture. */
export function clear(image: HTMLImageElement): void {
  for (const name of ['srcset', 'sizes']) image.removeAttribute(name);
  // Chromium never frees a lazy image whose `src` is removed after the image has left the page.
  if (image.isConnected) image.removeAttribute('src');
  else if (image.hasAttribute('src')) image.src = '';
}

function set(image: HTMLImageElement, name: string, value: string): boolean {
  if ((image.getAttribute(name) ?? '') === value) return false;
  if (value === '') image.removeAttribute(name);
  else image.setAttribute(name, value);
  return true;
}

/** Returns whether a picture is there now. */
export const isThere = (image: HTMLImageElement): boolean =>
  image.src !== '' && image.complete && image.naturalWidth > 0;

/** Loads a picture. Returns whether it is there; false too when the signal aborts. */
export function attempt(
  image: HTMLImageElement,
  { source, settings, signal }: { source: Source; settings: Settings; signal: AbortSignal },
): Promise<boolean> {
  return new Promise((resolve) => {
    const ending = new AbortController();
    const end = (hasLoaded: boolean) => {
      ending.abort();
      resolve(hasLoaded);
    };
    const options = { signal: ending.signal };
    image.addEventListener('load', () => end(true), options);
    image.addEventListener('error', () => end(false), options);
    signal.addEventListener('abort', () => end(false), options);
    if (apply(image, source, settings)) return;
    // The addresses are those of before: there is a picture, or it failed and nothing would be requested.
    if (isThere(image)) return end(true);
    if (!image.complete) return;
    clear(image);
    apply(image, source, settings);
  });
}

/**
 * Loads the addresses into an image beside the page, so that the picture of the page can change without a
 * gap. Returns whether that worked.
 */
export function preload(image: HTMLImageElement, source: Source, signal: AbortSignal): Promise<boolean> {
  const beside = new Image();
  beside.crossOrigin = image.crossOrigin;
  const sizes = source.srcset && `${Math.max(1, image.clientWidth)}px`;
  const settings = { loading: 'eager', attempts: 1, delay: 0, maxDelay: 0, gap: 'keep' } as const;
  return attempt(beside, {
    source: { ...source, sizes },
    settings: { ...settings, crossOrigin: image.crossOrigin as 'anonymous' | null },
    signal,
  });
}

/** Waits, or less if it is woken. @returns whether the wait is over without an abort. */
export function pause(
  milliseconds: number,
  signal: AbortSignal,
  wake: (signal: AbortSignal, callback: () => void) => void,
): Promise<boolean> {
  return new Promise((resolve) => {
    const ending = new AbortController();
    const end = () => {
      clearTimeout(timer);
      ending.abort();
      resolve(!signal.aborted);
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener('abort', end, { signal: ending.signal });
    wake(ending.signal, end);
    if (signal.aborted) end();
  });
}
