import { parseSize } from '../../provider/models.ts';
import type { Finished } from '../tool.ts';
import { chooseCrop } from './crop.ts';
import { cutAndScale } from './to-size.ts';

/**
 * Cuts the picture to a square around what the eye goes to and makes a PNG of it, with `crop` and `focus` in its metadata: so that
 * a client which shows it in a circle, or an editor who cuts the original anew, knows where the face is.
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
