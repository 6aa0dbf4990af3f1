/** Addresses of images of the server: their variants and their signatures. */

/** Widths in the default of VARIANT_SIZES: variants that need no signature. */
export const LISTED_WIDTHS: readonly number[] = [64, 128, 256, 320, 480, 640, 800, 1024, 1280, 1600, 2048];

/** Base of addresses without an origin, where there is no page. */
const NOWHERE = 'http://localhost';

function parse(address: string): URL | null {
  const base = typeof document === 'undefined' ? NOWHERE : document.baseURI;
  return URL.canParse(address, base) ? new URL(address, base) : null;
}

/** Returns whether widths can be asked of an address: it names an image, and no signature limits it. */
export function hasVariants(address: string): boolean {
  const url = parse(address);
  if (url === null || !/^https?:$/.test(url.protocol)) return false;
  return /\/images\/[0-9a-f-]{36}(\/|$)/i.test(url.pathname) && !url.searchParams.has('signature');
}

export interface Candidates {
  readonly widths?: readonly number[] | undefined;
  /** Width of the original in pixels. A variant is never wider. */
  readonly width?: number | null | undefined;
  readonly format?: string | undefined;
}

/** Returns the widths that are worth asking for: up to the first that shows the whole original. */
export function usefulWidths({ widths = LISTED_WIDTHS, width }: Candidates): number[] {
  const sorted = [...new Set(widths)].filter((each) => each > 0).sort((a, b) => a - b);
  if (!width) return sorted;
  const last = sorted.findIndex((each) => each >= width);
  return last < 0 ? sorted : sorted.slice(0, last + 1);
}

/** Returns the attribute srcset for an address of an image; '' if it has no variants. */
export function srcsetOf(address: string, candidates: Candidates): string {
  if (!hasVariants(address)) return '';
  const [before = '', query = ''] = (address.split('#')[0] ?? '').split('?', 2);
  const { width, format = 'webp' } = candidates;
  return usefulWidths(candidates)
    .map((each) => {
      const parameters = new URLSearchParams(query);
      parameters.set('w', String(each));
      parameters.set('format', format);
      // A variant is at most as wide as the original, so this is the width that the browser receives.
      return `${before}?${parameters} ${width ? Math.min(each, width) : each}w`;
    })
    .join(', ');
}

/** Returns the attribute sizes. `auto` is the width in the layout; browsers without it use the rest. */
export function sizesOf(width: number | null | undefined, loading: 'lazy' | 'eager'): string {
  const fallback = width ? `(max-width: ${width}px) 100vw, ${width}px` : '100vw';
  return loading === 'lazy' ? `auto, ${fallback}` : fallback;
}

/** Returns when a signed address ends, in milliseconds since 1970; null if it does not end. */
export function endOf(address: string): number | null {
  const { searchParams } = parse(address) ?? {};
  const expires = searchParams?.get('expires') ?? '';
  return searchParams?.has('signature') && /^\d{1,12}$/.test(expires) ? Number(expires) * 1000 : null;
}

/** Shortest and longest time before the end at which an address is renewed, in milliseconds. */
const LEAD = { least: 5_000, most: 60_000 } as const;

/**
 * Returns the wait until an address is renewed. It leaves a tenth of the remaining time, at least 5 and at
 * most 60 seconds, and up to as much again, so that the images of a page do not all ask at once. It waits at
 * least a third of the time, so that addresses that end soon are not renewed without a pause.
 * @param random returns a number from 0 to 1.
 */
export function waitBeforeRenewal(end: number, now: number, random: () => number = Math.random): number {
  const left = end - now;
  const lead = Math.min(LEAD.most, Math.max(LEAD.least, left / 10), left / 3);
  return Math.max(0, Math.round(left - lead * (1 + random())));
}
