import { InputError } from '../../../errors.ts';
import type { Tool } from '../../../tool/tool.ts';
import type { Image } from '../../image.ts';
import {
  type FoundPicture,
  type PictureSource,
  type ReferenceDeps,
  resolveReferences,
  type SourceOptions,
} from '../references.ts';
import type { GenerateInput } from './generate-input.ts';

type SourceInput = Pick<GenerateInput, 'references' | 'mask' | 'parent'>;

/** The pictures to work from, and the image that is edited. */
export interface Sources {
  readonly references: readonly FoundPicture[];
  readonly mask: FoundPicture | null;
  readonly parent: Image | null;
  /** Path of the parent in the input, for errors. */
  readonly parentPath: readonly string[];
}

/**
 * Returns how many references there will be. Without `references`, the parent is the reference when the tool
 * takes one.
 */
export function countReferences(input: SourceInput, tool: Tool): number {
  const count = input.references?.length ?? 0;
  return count === 0 && input.parent != null && tool.references.max > 0 ? 1 : count;
}

/**
 * Finds the images that the input names, and keeps its files.
 * @throws InputError, and what `resolveReferences` throws.
 */
export async function findSources(
  deps: ReferenceDeps,
  input: SourceInput,
  options: SourceOptions & { readonly tool: Tool },
): Promise<Sources> {
  const at = (source: PictureSource, ...path: string[]) => ({ source, path: ['input', ...path] });
  const given = input.references ?? [];
  const parents = input.parent == null ? [] : [at({ uuid: input.parent }, 'parentId')];
  const [named = null] = await resolveReferences(deps, parents, options);
  const sources = given.map((source, index) => at(source, 'references', String(index)));
  const found = await resolveReferences(deps, sources, options);
  const references = found.length === 0 && named && options.tool.references.max > 0 ? [named] : found;
  const [mask = null] = await resolveReferences(deps, input.mask ? [at(input.mask, 'mask')] : [], options);
  const [first] = references;
  if (mask && first) checkMaskSize(mask, first);
  // Without a named parent, the new image is a version of its first reference.
  const edited = given[0] && 'uuid' in given[0] ? first?.image : null;
  const parentPath = ['input', ...(named ? ['parentId'] : ['references', '0'])];
  return { references, mask, parent: named?.image ?? edited ?? null, parentPath };
}

function checkMaskSize(mask: FoundPicture, first: FoundPicture): void {
  if (mask.width === first.width && mask.height === first.height) return;
  const message = `The mask is ${mask.width}x${mask.height} and the first reference ${first.width}x${first.height}. Send a mask of the same size.`;
  throw new InputError('INVALID_INPUT', message, { path: ['input', 'mask'] });
}
