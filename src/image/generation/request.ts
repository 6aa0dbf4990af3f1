import type { PictureRequest } from '../../provider/provider.ts';
import type { ImageDeps } from '../image.ts';
import { readReferences } from '../references.ts';
import type { GenerationOrder } from './work.ts';

/** What the provider is asked, with the bytes of references and mask. @throws what storage.open throws. */
export async function makeRequest(
  deps: ImageDeps,
  order: GenerationOrder,
  user: string,
): Promise<PictureRequest> {
  const references = await readReferences(deps, order.references);
  const [mask = null] = order.mask === null ? [] : await readReferences(deps, [order.mask]);
  return { model: order.model, prompt: order.prompt, ...order.settings, references, mask, user };
}
