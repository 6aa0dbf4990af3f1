import type { PictureRequest } from '../../provider/provider.ts';
import type { ImageDeps } from '../image.ts';
import type { GenerationOrder } from './generation.ts';
import { type LooseFiles, readReferences } from './references.ts';

/** What the provider is asked, with the bytes of references and mask. @throws what storage.open throws. */
export async function makeRequest(
  deps: ImageDeps,
  order: GenerationOrder,
  { user, loose }: { readonly user: string; readonly loose?: LooseFiles },
): Promise<PictureRequest> {
  const references = await readReferences(deps, order.references, loose);
  const [mask = null] = order.mask === null ? [] : await readReferences(deps, [order.mask], loose);
  return { model: order.model, prompt: order.prompt, ...order.settings, references, mask, user };
}
