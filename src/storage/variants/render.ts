import type { Sharp } from 'sharp';
import { FixativeError } from '../../errors.ts';
import { openPicture } from '../picture/decoder.ts';
import type { Plan, VariantFormat } from './transform.ts';

export interface RenderLimits {
  readonly maxPixels: number;
  readonly seconds: number;
}

/** Without alpha there has to be something behind the picture. */
const PAPER = '#ffffff';
const NOTHING = { r: 0, g: 0, b: 0, alpha: 0 };

const ENCODE: Readonly<Record<VariantFormat, (picture: Sharp, quality: number, pixels: number) => Sharp>> = {
  webp: (picture, quality) => picture.webp({ quality }),
  jpeg: (picture, quality) => picture.flatten({ background: PAPER }).jpeg({ quality }),
  png: (picture) => picture.png(),
  // More effort takes three times as long, for some percent of the bytes.
  avif: (picture, quality, pixels) => picture.avif({ quality, effort: pixels > 1_000_000 ? 0 : 2 }),
};

/**
 * Makes a variant of the picture in the file at `path`: of its first frame, upright, in sRGB, without any metadata.
 * The time is a soft limit: libvips looks at it between pieces of work, and neither the encoder of AVIF nor a decoder that has to have all pixels at
 * once (interlaced PNG, progressive JPEG) is such a piece. What bounds those is the number of pixels.
 * @throws FixativeError DAMAGED_IMAGE where it cannot be decoded, has too many pixels, or takes too long.
 */
export async function renderVariant(path: string, plan: Plan, limits: RenderLimits): Promise<Buffer> {
  const { width, height, fit, format, quality } = plan;
  const background = format === 'jpeg' ? PAPER : NOTHING;
  try {
    const picture = (await openPicture(path, { maxPixels: limits.maxPixels, sequentialRead: true }))
      .resize(width, height, { fit, background })
      .timeout({ seconds: limits.seconds });
    return await ENCODE[format](picture, quality ?? 80, width * height).toBuffer();
  } catch (cause) {
    throw new FixativeError('DAMAGED_IMAGE', 'No variant can be made of this picture.', { cause });
  }
}
