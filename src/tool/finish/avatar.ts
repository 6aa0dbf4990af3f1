import { parseSize } from '../../provider/models.ts';
import type { Finished } from '../tool.ts';
import { chooseCrop } from './crop.ts';
import { cutAndScale } from './to-size.ts';

/**
 * Crops the picture to the avatar's shape around its focus, and scales it. The result is a PNG. Its metadata
 * has `crop` and `focus`, so that a client can centre a circle on the face or crop the original again.
 */
export async function finishAvatar(file: string, size: string): Promise<Finished> {
  const wanted = parseSize(size);
  const chosen = await chooseCrop(file, wanted);
  return {
    bytes: await (await cutAndScale(file, chosen, wanted)).png().toBuffer(),
    variants: [],
    metadata: { crop: chosen.crop, focus: chosen.focus },
  };
}
