import type { PictureRequest } from '../../provider/provider.ts';
import type { ImageDeps } from '../image.ts';
import type { GenerationRequest } from './generation.ts';
import { readReferences, type TransientFiles } from './references.ts';

/**
 * Returns the request for the provider, with the bytes of references and mask.
 * @throws what storage.open throws.
 */
export async function makeProviderRequest(
  deps: ImageDeps,
  request: GenerationRequest,
  { user, files }: { readonly user: string; readonly files?: TransientFiles },
): Promise<PictureRequest> {
  const references = await readReferences(deps, request.references, files);
  const [mask = null] = request.mask === null ? [] : await readReferences(deps, [request.mask], files);
  return { model: request.model, prompt: request.prompt, ...request.settings, references, mask, user };
}
