import type { Sharp } from 'sharp';
import { FixativeError } from '../../errors.ts';
import { openPicture } from '../picture/decoder.ts';
import type { Plan, VariantFormat } from './transform.ts';

export interface RenderLimits {
  readonly maxPixels: number;
  readonly seconds: number;
}

/** Background of formats without alpha. */
const WHITE = '#ffffff';
const TRANSPARENT = { r: 0, g: 0, b: 0, alpha: 0 };

const ENCODE: Readonly<Record<VariantFormat, (picture: Sharp, quality: number, pixels: number) => Sharp>> = {
  webp: (picture, quality) => picture.webp({ quality }),
  jpeg: (picture, quality) => picture.flatten({ background: WHITE }).jpeg({ quality }),
  png: (picture) => picture.png(),
  // More effort takes three times as long and saves a few percent of the bytes.
  avif: (picture, quality, pixels) => picture.avif({ quality, effort: pixels > 1_000_000 ? 0 : 2 }),
};

/**
 * Makes a variant of the picture in the file at `path`: the first frame, upright, in sRGB, without metadata.
 * The time limit is soft, because libvips checks it only between pieces of work. The AVIF encoder and the
 * decoders of interlaced PNG and progressive JPEG are one piece each; the limit of pixels bounds those.
 * @throws FixativeError DAMAGED_IMAGE if it cannot be decoded, has too many pixels, or takes too long.
 */
export async function renderVariant(path: string, plan: Plan, limits: RenderLimits): Promise<Buffer> {
  const { width, height, fit, format, quality } = plan;
  const background = format === 'jpeg' ? WHITE : TRANSPARENT;
  try {
    const picture = (await openPicture(path, { maxPixels: limits.maxPixels, sequentialRead: true }))
      .resize(width, height, { fit, background })
      .timeout({ seconds: limits.seconds });
    return await ENCODE[format](picture, quality ?? 80, width * height).toBuffer();
  } catch (cause) {
    throw new FixativeError('DAMAGED_IMAGE', 'No variant can be made of this picture.', { cause });
  }
}
