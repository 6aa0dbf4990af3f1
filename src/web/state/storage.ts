/** Storage of the browser for this tab (`session`) or for good (`local`). */
type Area = 'session' | 'local';

const areaOf = (area: Area): Storage => (area === 'session' ? sessionStorage : localStorage);

/** Returns a kept text; null if there is none, or if the browser allows no storage. */
export function readText(area: Area, key: string): string | null {
  try {
    return areaOf(area).getItem(key);
  } catch {
    return null;
  }
}

/** Keeps a text. Does nothing if the browser allows no storage, or if it is full. */
export function keepText(area: Area, key: string, text: string): void {
  try {
    areaOf(area).setItem(key, text);
  } catch {
    // Nothing depends on it: the next page begins without it.
  }
}
