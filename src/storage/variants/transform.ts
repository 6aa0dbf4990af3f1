/**
 * What is to be made of a picture: read from an address or from GraphQL, written in one way only, so that a signature and a name in the
 * cache mean one thing; and what comes of it for pixels of a given size.
 */
import { InputError } from '../../errors.ts';

export const FITS = ['cover', 'contain', 'inside'] as const;
export type Fit = (typeof FITS)[number];
export const VARIANT_FORMATS = ['webp', 'jpeg', 'png', 'avif'] as const;
export type VariantFormat = (typeof VARIANT_FORMATS)[number];
/** `auto`: the smallest that the asker takes, of those that `negotiate` knows. */
export const ASKED_FORMATS = [...VARIANT_FORMATS, 'auto'] as const;
export type AskedFormat = (typeof ASKED_FORMATS)[number];

/** In pixels; of what is signed. What is not is bounded by VARIANT_SIZES. */
export const MAX_VARIANT_SIDE = 4096;
/** Its encoder takes seconds for each megapixel at its best quality, and cannot be stopped. */
export const MAX_AVIF_SIDE = 2048;
/** Of what is not signed, so that one picture has so many variants and no more. */
export const LISTED_QUALITIES: readonly number[] = [50, 65, 80, 90];

export interface Transform {
  /** In pixels; null: as the other one gives it, or as the original. */
  readonly width: number | null;
  readonly height: number | null;
  /** Only where both are given; null: cover. */
  readonly fit: Fit | null;
  /** null: the original's, and PNG for a GIF. */
  readonly format: AskedFormat | null;
  /** 1 to 100, where the format has one; null: the format's own. */
  readonly quality: number | null;
  /** Whether it may be larger than the original. */
  readonly enlarge: boolean;
}

const NAMES = ['w', 'h', 'fit', 'format', 'quality', 'q', 'enlarge'] as const;
/** They say who may have it, and are looked at elsewhere. */
const SIGNED_NAMES = ['expires', 'signature'] as const;
const KNOWN_NAMES: ReadonlySet<string> = new Set([...NAMES, ...SIGNED_NAMES]);
/** What tools append to links, and pages to an address that is to be fetched anew: an address that is given out stays good with it. */
const APPENDED = /^(?:utm_[a-z]+|fbclid|gclid|msclkid|igshid|mc_[ce]id|dpl|v|t|_)$/;

/** @returns null where the address asks for the original. @throws InputError INVALID_INPUT that says what is allowed. */
export function parseTransform(query: URLSearchParams): Transform | null {
  const given = NAMES.filter((name) => query.has(name));
  const unknown = [...query.keys()].find((name) => !KNOWN_NAMES.has(name) && !APPENDED.test(name));
  if (unknown !== undefined)
    throw invalid(
      `There is no parameter ${JSON.stringify(unknown.slice(0, 50))}; there are ${NAMES.join(', ')}.`,
    );
  if (given.length === 0) return null;
  const twice = given.find((name) => query.getAll(name).length > 1);
  if (twice) throw invalid(`${twice} is given more than once.`);
  const number = (name: (typeof NAMES)[number]) => {
    const text = query.get(name);
    if (text === null) return null;
    if (!/^\d{1,9}$/.test(text)) throw invalid(`${name} is no whole number.`);
    return Number(text);
  };
  if (query.has('q') && query.has('quality')) throw invalid('q and quality are the same; give one of them.');
  const enlarge = query.get('enlarge');
  if (enlarge !== null && enlarge !== '1') throw invalid('enlarge is 1 or left out.');
  return checkTransform({
    width: number('w'),
    height: number('h'),
    fit: oneOf('fit', query.get('fit'), FITS),
    format: oneOf('format', query.get('format'), ASKED_FORMATS),
    quality: number('quality') ?? number('q'),
    enlarge: enlarge === '1',
  });
}

/** Puts into the one form what was said in any. @throws InputError INVALID_INPUT */
export function checkTransform(given: Partial<Transform>): Transform {
  const { width = null, height = null, format = null, quality = null, enlarge = false } = given;
  for (const [name, side] of [
    ['width', width],
    ['height', height],
  ] as const) {
    if (side !== null && !(side >= 1 && side <= MAX_VARIANT_SIDE))
      throw invalid(`The ${name} goes from 1 to ${MAX_VARIANT_SIDE}.`);
  }
  if (format === 'avif' && Math.max(width ?? 0, height ?? 0) > MAX_AVIF_SIDE)
    throw invalid(`AVIF goes up to ${MAX_AVIF_SIDE} pixels a side.`);
  if (quality !== null && !(quality >= 1 && quality <= 100)) throw invalid('The quality goes from 1 to 100.');
  const sized = width !== null || height !== null;
  const fit = width !== null && height !== null && given.fit !== 'cover' ? (given.fit ?? null) : null;
  return { width, height, fit, format, quality, enlarge: sized && enlarge };
}

/** The one spelling of it, as it stands in addresses and is signed. */
export function formatTransform({ width, height, fit, format, quality, enlarge }: Transform): string {
  const query = new URLSearchParams();
  if (width !== null) query.set('w', String(width));
  if (height !== null) query.set('h', String(height));
  if (fit !== null) query.set('fit', fit);
  if (format !== null) query.set('format', format);
  if (quality !== null) query.set('quality', String(quality));
  if (enlarge) query.set('enlarge', '1');
  return String(query);
}

/** Whether it may be had without a signature. */
export function isListed({ width, height, quality }: Transform, sizes: readonly number[]): boolean {
  return (
    [width, height].every((side) => side === null || sizes.includes(side)) &&
    (quality === null || LISTED_QUALITIES.includes(quality))
  );
}

/**
 * The next larger variant that may be had without a signature; the largest, where none is larger. A box that is to be filled is not rounded: it would
 * have other proportions, and show another part of the picture.
 * @throws InputError INVALID_INPUT
 */
export function toListed(transform: Transform, sizes: readonly number[]): Transform {
  const { width, height, fit, quality } = transform;
  const isBox = width !== null && height !== null && fit !== 'inside';
  if (isBox && !(sizes.includes(width) && sizes.includes(height))) {
    throw invalid(
      `Without a signature w and h of a box are each one of ${sizes.join(', ')}. \`Image.url(transform)\` signs others. One side alone, and a box with fit=inside, is rounded up.`,
    );
  }
  return {
    ...transform,
    width: nextListed(width, sizes),
    height: nextListed(height, sizes),
    quality: nextListed(quality, LISTED_QUALITIES),
  };
}

/** @param listed in ascending order. */
function nextListed(value: number | null, listed: readonly number[]): number | null {
  if (value === null) return null;
  return listed.find((each) => each >= value) ?? listed.at(-1) ?? value;
}

/** Refuses what a signature was to allow, and does not. @throws InputError INVALID_INPUT */
export function requireListed(transform: Transform, sizes: readonly number[]): void {
  if (isListed(transform, sizes)) return;
  throw invalid(
    'The signature is not of this address, or it has expired. Ask `Image.url(transform)` for another.',
  );
}

interface Original {
  readonly mimeType: string;
  readonly width: number;
  readonly height: number;
}

/** What is to be made of one picture, in pixels. */
export interface Plan {
  readonly width: number;
  readonly height: number;
  /** fill: the sides have the picture's proportions already. */
  readonly fit: 'fill' | 'cover' | 'contain';
  readonly format: VariantFormat;
  /** null for a format without one. */
  readonly quality: number | null;
}

/** Where none is asked for; null for a format without one. */
export const QUALITY: Readonly<Record<VariantFormat, number | null>> = {
  webp: 80,
  jpeg: 80,
  avif: 50,
  png: null,
};

/** Subtracted from `quality` where `auto` selects AVIF, whose scale of quality is lower than that of WebP. */
const AVIF_LESS_QUALITY = 30;

/**
 * The format that `auto` stands for: the first that the request takes of AVIF (where it is large enough for the picture), WebP, and the original's.
 * PNG where it takes none of them, because every client reads it.
 * @param takes whether the Accept header names a type, or with `any` also by a wildcard.
 */
export function negotiate(
  original: Original,
  transform: Transform,
  { takes, maxSide }: { takes(mimeType: string, any?: 'any'): boolean; maxSide: number },
): Transform {
  const { width, height } = planVariant(original, { ...transform, format: 'webp' }, maxSide);
  const isSmall = Math.max(width, height) <= MAX_AVIF_SIDE;
  const own = formatOf(original.mimeType);
  const format =
    (isSmall && takes('image/avif') && 'avif') ||
    (takes('image/webp') && 'webp') ||
    (takes(`image/${own}`, 'any') && own) ||
    'png';
  const { quality } = transform;
  const isLess = format === 'avif' && quality !== null;
  return { ...transform, format, quality: isLess ? Math.max(1, quality - AVIF_LESS_QUALITY) : quality };
}

/** @param original of one frame, as a browser shows it. @param maxSide what neither side is to pass. */
export function planVariant(original: Original, transform: Transform, maxSide: number): Plan {
  const asked = transform.format === 'auto' ? null : transform.format;
  const format = asked ?? formatOf(original.mimeType);
  const quality = QUALITY[format] === null ? null : (transform.quality ?? QUALITY[format]);
  const bound = format === 'avif' ? Math.min(maxSide, MAX_AVIF_SIDE) : maxSide;
  return { ...sidesOf(original, transform, bound), format, quality };
}

function sidesOf(
  { width, height }: { readonly width: number; readonly height: number },
  transform: Transform,
  maxSide: number,
): Pick<Plan, 'width' | 'height' | 'fit'> {
  const bounded = (scale: number) => Math.min(scale, maxSide / Math.max(width, height));
  const kept = (scale: number) => {
    const by = bounded(transform.enlarge ? scale : Math.min(1, scale));
    return { width: atLeastOne(width * by), height: atLeastOne(height * by), fit: 'fill' as const };
  };
  const { width: w, height: h, fit } = transform;
  if (w === null && h === null) return kept(1);
  if (w === null || h === null || fit === 'inside')
    return kept(Math.min((w ?? Infinity) / width, (h ?? Infinity) / height));
  const by = fit === 'contain' ? Math.min(w / width, h / height) : Math.max(w / width, h / height);
  // A box that the picture would have to grow for is made smaller, and keeps its proportions.
  const less = Math.min(transform.enlarge || by <= 1 ? 1 : 1 / by, maxSide / Math.max(w, h), 1);
  return { width: atLeastOne(w * less), height: atLeastOne(h * less), fit: fit ?? 'cover' };
}

const atLeastOne = (side: number) => Math.max(1, Math.round(side));

function formatOf(mimeType: string): VariantFormat {
  const name = mimeType.slice('image/'.length);
  return (VARIANT_FORMATS as readonly string[]).includes(name) ? (name as VariantFormat) : 'png';
}

function oneOf<Name extends string>(name: string, text: string | null, names: readonly Name[]): Name | null {
  if (text === null || names.includes(text as Name)) return text as Name | null;
  throw invalid(`${name} is one of ${names.join(', ')}.`);
}

function invalid(message: string): InputError {
  return new InputError('INVALID_INPUT', message, { path: ['transform'] });
}
