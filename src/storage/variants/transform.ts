/**
 * Transforms: how a variant differs from its original. A transform is read from a URL or from GraphQL and has
 * one canonical spelling, which signatures and cache names depend on. planVariant applies it to a picture of
 * a given size.
 */
import { InputError } from '../../errors.ts';

export const FITS = ['cover', 'contain', 'inside'] as const;
export type Fit = (typeof FITS)[number];
export const VARIANT_FORMATS = ['webp', 'jpeg', 'png', 'avif'] as const;
export type VariantFormat = (typeof VARIANT_FORMATS)[number];
/** `auto`: chosen by `negotiate` from the Accept header. */
export const ASKED_FORMATS = [...VARIANT_FORMATS, 'auto'] as const;
export type AskedFormat = (typeof ASKED_FORMATS)[number];

/** Largest side of a signed variant, in pixels. Unsigned ones have the sides in VARIANT_SIZES. */
export const MAX_VARIANT_SIDE = 4096;
/**
 * Largest side of an AVIF, in pixels. The encoder takes seconds per megapixel at its best quality and cannot
 * be stopped.
 */
export const MAX_AVIF_SIDE = 2048;
/** Qualities of unsigned variants. They limit the number of variants of a picture. */
export const LISTED_QUALITIES: readonly number[] = [50, 65, 80, 90];

export interface Transform {
  /** Sides in pixels; null: by the proportions from the other side, or that of the original. */
  readonly width: number | null;
  readonly height: number | null;
  /** Set only with both sides; null: cover. */
  readonly fit: Fit | null;
  /** null: the format of the original, or PNG for a GIF. */
  readonly format: AskedFormat | null;
  /** 1 to 100; null: the default of the format. */
  readonly quality: number | null;
  /** Whether the variant may be larger than the original. */
  readonly enlarge: boolean;
}

const NAMES = ['w', 'h', 'fit', 'format', 'quality', 'q', 'enlarge'] as const;
/** Parameters of a signed URL, which are checked elsewhere. */
const SIGNED_NAMES = ['expires', 'signature'] as const;
const KNOWN_NAMES: ReadonlySet<string> = new Set([...NAMES, ...SIGNED_NAMES]);
/**
 * Parameters that analytics tools and cache busters append to links. They are ignored, so that published
 * links still work.
 */
const APPENDED = /^(?:utm_[a-z]+|fbclid|gclid|msclkid|igshid|mc_[ce]id|dpl|v|t|_)$/;

/** @returns null for a URL of the original. @throws InputError INVALID_INPUT, with what is allowed. */
export function parseTransform(query: URLSearchParams): Transform | null {
  const given = NAMES.filter((name) => query.has(name));
  const unknown = [...query.keys()].find((name) => !KNOWN_NAMES.has(name) && !APPENDED.test(name));
  if (unknown !== undefined)
    throw invalidTransform(
      `There is no parameter ${JSON.stringify(unknown.slice(0, 50))}. Use one of: ${NAMES.join(', ')}.`,
    );
  if (given.length === 0) return null;
  const twice = given.find((name) => query.getAll(name).length > 1);
  if (twice) throw invalidTransform(`${twice} is given more than once; give it once.`);
  const number = (name: (typeof NAMES)[number]) => {
    const text = query.get(name);
    if (text === null) return null;
    if (!/^\d{1,9}$/.test(text)) throw invalidTransform(`${name} must be a whole number.`);
    return Number(text);
  };
  if (query.has('q') && query.has('quality'))
    throw invalidTransform('q and quality are the same; give one of them.');
  const enlarge = query.get('enlarge');
  if (enlarge !== null && enlarge !== '1') throw invalidTransform('enlarge must be 1 or left out.');
  return checkTransform({
    width: number('w'),
    height: number('h'),
    fit: oneOf('fit', query.get('fit'), FITS),
    format: oneOf('format', query.get('format'), ASKED_FORMATS),
    quality: number('quality') ?? number('q'),
    enlarge: enlarge === '1',
  });
}

/** Returns the canonical form of a transform. @throws InputError INVALID_INPUT */
export function checkTransform(given: Partial<Transform>): Transform {
  const { width = null, height = null, format = null, quality = null, enlarge = false } = given;
  for (const [name, side] of [
    ['width', width],
    ['height', height],
  ] as const) {
    if (side !== null && !(side >= 1 && side <= MAX_VARIANT_SIDE))
      throw invalidTransform(`The ${name} is ${side}; it must be 1 to ${MAX_VARIANT_SIDE} pixels.`);
  }
  if (format === 'avif' && Math.max(width ?? 0, height ?? 0) > MAX_AVIF_SIDE)
    throw invalidTransform(
      `A side of an AVIF can have up to ${MAX_AVIF_SIDE} pixels. Choose another format or smaller sides.`,
    );
  if (quality !== null && !(quality >= 1 && quality <= 100))
    throw invalidTransform(`The quality is ${quality}; it must be 1 to 100.`);
  const sized = width !== null || height !== null;
  const fit = width !== null && height !== null && given.fit !== 'cover' ? (given.fit ?? null) : null;
  return { width, height, fit, format, quality, enlarge: sized && enlarge };
}

/** Returns the canonical spelling, as it is used in URLs and signed. */
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

/** Returns whether the variant is available without a signature. */
export function isListed({ width, height, quality }: Transform, sizes: readonly number[]): boolean {
  return (
    [width, height].every((side) => side === null || sizes.includes(side)) &&
    (quality === null || LISTED_QUALITIES.includes(quality))
  );
}

/**
 * Rounds a transform up to the next variant that is available without a signature, or down to the largest. A
 * box with fit cover or contain is not rounded, because other proportions would show another part of the
 * picture.
 * @throws InputError INVALID_INPUT
 */
export function toListed(transform: Transform, sizes: readonly number[]): Transform {
  const { width, height, fit, quality } = transform;
  const isBox = width !== null && height !== null && fit !== 'inside';
  if (isBox && !(sizes.includes(width) && sizes.includes(height))) {
    throw invalidTransform(
      `Without a signature, w and h of a box must each be one of ${sizes.join(', ')}. \`Image.url(transform)\` signs others. One side alone, and a box with fit=inside, is rounded up.`,
    );
  }
  return {
    ...transform,
    width: nextListed(width, sizes),
    height: nextListed(height, sizes),
    quality: nextListed(quality, LISTED_QUALITIES),
  };
}

/** Returns the next listed value, or the largest. @param listed in ascending order. */
function nextListed(value: number | null, listed: readonly number[]): number | null {
  if (value === null) return null;
  return listed.find((each) => each >= value) ?? listed.at(-1) ?? value;
}

/** Refuses a variant that needs a signature and has no valid one. @throws InputError INVALID_INPUT */
export function requireListed(transform: Transform, sizes: readonly number[]): void {
  if (isListed(transform, sizes)) return;
  throw invalidTransform(
    'The signature does not match this URL, or it has expired. Query `Image.url(transform)` for a new one.',
  );
}

interface Original {
  readonly mimeType: string;
  readonly width: number;
  readonly height: number;
}

/** A transform applied to one picture. Sides in pixels. */
export interface Plan {
  readonly width: number;
  readonly height: number;
  /** fill: the sides already have the proportions of the picture. */
  readonly fit: 'fill' | 'cover' | 'contain';
  readonly format: VariantFormat;
  /** null for a format without a quality. */
  readonly quality: number | null;
}

/** Default quality of each format; null for a format without one. */
export const QUALITY: Readonly<Record<VariantFormat, number | null>> = {
  webp: 80,
  jpeg: 80,
  avif: 50,
  png: null,
};

/** Subtracted from `quality` if `auto` chooses AVIF: its scale is lower than that of WebP. */
const AVIF_LESS_QUALITY = 30;

/**
 * Chooses the format for `auto`: the first that the request accepts of AVIF (unless the picture is too large
 * for it), WebP, and the format of the original. PNG if it accepts none of them, because every client reads
 * it.
 * @param takes whether the Accept header names a type; with `any` also by a wildcard.
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

/**
 * Applies a transform.
 * @param original sides of one frame, as a browser shows it.
 * @param maxSide limit of both sides.
 */
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
  // A box that the picture is too small for shrinks and keeps its proportions.
  const shrink = Math.min(transform.enlarge || by <= 1 ? 1 : 1 / by, maxSide / Math.max(w, h), 1);
  return { width: atLeastOne(w * shrink), height: atLeastOne(h * shrink), fit: fit ?? 'cover' };
}

const atLeastOne = (side: number) => Math.max(1, Math.round(side));

function formatOf(mimeType: string): VariantFormat {
  const name = mimeType.slice('image/'.length);
  return (VARIANT_FORMATS as readonly string[]).includes(name) ? (name as VariantFormat) : 'png';
}

function oneOf<Name extends string>(name: string, text: string | null, names: readonly Name[]): Name | null {
  if (text === null || names.includes(text as Name)) return text as Name | null;
  throw invalidTransform(`${name} must be one of ${names.join(', ')}.`);
}

function invalidTransform(message: string): InputError {
  return new InputError('INVALID_INPUT', message, { path: ['transform'] });
}
