/**
 * How finishing opens a picture: the file that a provider gave, whole and within MAX_IMAGE_PIXELS already (storage/picture/picture.ts), and
 * bounded here once more, because what is made of it may take several times its pixels. Only the first frame is read.
 */
import type { Sharp } from 'sharp';
import { openPicture as open } from '../../storage/picture/decoder.ts';

const MAX_PIXELS = 100_000_000;

export interface Extent {
  readonly width: number;
  readonly height: number;
}

/** The picture as a browser shows it: its first frame, after the orientation that EXIF asks for. */
export const openPicture = (file: string): Promise<Sharp> => open(file, { maxPixels: MAX_PIXELS });
