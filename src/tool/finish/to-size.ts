import { readFile } from 'node:fs/promises';
import { parseSize } from '../../provider/models.ts';
import { measurePicture } from '../../storage/picture/decoder.ts';
import type { Finished } from '../tool.ts';
import { type Crop, chooseCrop } from './crop.ts';
import { openPictureToFinish } from './open-picture.ts';

/**
 * Crops the picture to the shape of `size` around its focus, and scales it to exactly that size. A picture
 * that already has the size keeps its bytes. JPEG and WebP keep their format; all others become PNG.
 */
export async function finishToSize(file: string, size: string): Promise<Finished> {
  const wanted = parseSize(size);
  const { width, height, format } = await measurePicture(file);
  if (width === wanted.width && height === wanted.height) {
    return { bytes: await readFile(file), variants: [], metadata: {} };
  }
  const chosen = await chooseCrop(file, wanted);
  const picture = await cutAndScale(file, chosen, wanted);
  const encoded =
    format === 'jpeg'
      ? picture.jpeg({ quality: 92 })
      : format === 'webp'
        ? picture.webp({ quality: 92 })
        : picture.png();
  return {
    bytes: await encoded.toBuffer(),
    variants: [],
    metadata: { from: { width, height }, ...chosen },
  };
}

/** Cuts out the crop and scales it to exactly `wanted`. */
export async function cutAndScale(file: string, { crop }: Crop, wanted: { width: number; height: number }) {
  return (await openPictureToFinish(file))
    .extract({ left: crop.x, top: crop.y, width: crop.width, height: crop.height })
    .resize(wanted.width, wanted.height, { fit: 'fill' });
}
