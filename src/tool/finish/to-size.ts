import { readFile } from 'node:fs/promises';
import { parseSize } from '../../provider/models.ts';
import { measurePicture } from '../../storage/picture/decoder.ts';
import type { Finished } from '../tool.ts';
import { type Crop, chooseCrop } from './crop.ts';
import { openPicture } from './picture.ts';

/**
 * Makes the picture exactly as large as was asked for: cut to its shape around what the eye goes to, then scaled. What has the size
 * already keeps its very bytes. JPEG and WebP stay what they are; everything else becomes a PNG.
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

export async function cutAndScale(file: string, { crop }: Crop, wanted: { width: number; height: number }) {
  return (await openPicture(file))
    .extract({ left: crop.x, top: crop.y, width: crop.width, height: crop.height })
    .resize(wanted.width, wanted.height, { fit: 'fill' });
}
