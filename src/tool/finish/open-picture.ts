/**
 * Opens pictures for finishing. The file is intact and within MAX_IMAGE_PIXELS (storage/picture/picture.ts).
 * A lower limit applies here, because finishing needs several times the memory of the pixels.
 */
import type { Sharp } from 'sharp';
import { openPicture } from '../../storage/picture/decoder.ts';

const MAX_PIXELS = 100_000_000;

/** In pixels. */
export interface Extent {
  readonly width: number;
  readonly height: number;
}

/** Opens the first frame of the picture, rotated as its EXIF orientation says. */
export const openPictureToFinish = (file: string): Promise<Sharp> =>
  openPicture(file, { maxPixels: MAX_PIXELS });
