/**
 * How finishing opens a picture: the file that a provider gave, whole and within MAX_IMAGE_PIXELS already (storage/picture.ts), and
 * bounded here once more, because what is made of it may take several times its pixels. Only the first frame is read.
 */
import sharp, { type Sharp } from 'sharp';

export const MAX_PIXELS = 100_000_000;

export interface Extent {
  readonly width: number;
  readonly height: number;
}

/** The picture as a browser shows it: its first frame, after the orientation that EXIF asks for. */
export function openPicture(file: string): Sharp {
  return sharp(file, { limitInputPixels: MAX_PIXELS, failOn: 'error', pages: 1 }).autoOrient();
}

/** Reads the header only. */
export async function measurePicture(file: string): Promise<Extent & { readonly format: string }> {
  const { autoOrient, format } = await sharp(file, { limitInputPixels: MAX_PIXELS, pages: 1 }).metadata();
  return { ...autoOrient, format };
}
