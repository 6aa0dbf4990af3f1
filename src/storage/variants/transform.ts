/**
 * What is to be made of a picture: read from an address or from GraphQL, written in one way only, so that a signature and a name in the
 * cache mean one thing; and what comes of it for pixels of a given size.
 */
import { InputError } from '../../errors.ts';

export const FITS = ['cover', 'contain', 'inside'] as const;
export type Fit = (typeof FITS)[number];
export const VARIANT_FORMATS = ['webp', 'jpeg', 'png', 'avif'] as const;
export type VariantFormat = (typeof VARIANT_FORMATS)[number];

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
  readonly format: VariantFormat | null;
  /** 1 to 100, where the format has one; null: the format's own. */
  readonly quality: number | null;
  /** Whether it may be larger than the original. */
  readonly enlarge: boolean;
}

const NAMES = ['w', 'h', 'fit', 'format', 'quality', 'enlarge'] as const;

/** @returns null where the address asks for the original. @throws InputError INVALID_INPUT that says what is allowed. */
export function parseTransform(query: URLSearchParams): Transform | null {
  const given = NAMES.filter((name) => query.has(name));
  if (given.length === 0) return null;
  const twice = given.find((name) => query.getAll(name).length > 1);
  if (twice) throw invalid(`${twice} is given more than once.`);
  const number = (name: (typeof NAMES)[number]) => {
    const text = query.get(name);
    if (text === null) return null;
    if (!/^[1-9]\d{0,4}$/.test(text)) throw invalid(`${name} is no whole number.`);
    return Number(text);
  };
  const enlarge = query.get('enlarge');
  if (enlarge !== null && enlarge !== '1') throw invalid('enlarge is 1 or left out.');
  return checkTransform({
    width: number('w'),
    height: number('h'),
    fit: oneOf('fit', query.get('fit'), FITS),
    format: oneOf('format', query.get('format'), VARIANT_FORMATS),
    quality: number('quality'),
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

/** @throws InputError INVALID_INPUT */
export function requireListed(transform: Transform, sizes: readonly number[]): void {
  if (isListed(transform, sizes)) return;
  throw invalid(
    `Without a signature w and h are one of ${sizes.join(', ')}, and quality one of ${LISTED_QUALITIES.join(', ')}. \`Image.url(transform)\` signs others.`,
  );
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

/** @param original of one frame, as a browser shows it. @param maxSide what neither side is to pass. */
export function planVariant(
  original: { readonly mimeType: string; readonly width: number; readonly height: number },
  transform: Transform,
  maxSide: number,
): Plan {
  const format = transform.format ?? formatOf(original.mimeType);
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
