import { useEffect } from 'react';
import { useClient } from 'urql';
import { useLocation, useSearchParams } from 'wouter';
import { messageOf } from '../client/errors.ts';
import { showToast } from '../design/toast.tsx';
import { MakeFromDocument } from '../generated/graphql.ts';
import { make as text } from '../text/make.ts';
import { draftFrom, EMPTY_DRAFT } from './draft.ts';
import { setDraft } from './form-state.ts';
import { defaultModelOf, faultOfSize, type Model, offersOf, type Tool } from './offers.ts';
import { referenceOfImage, setReferences } from './references/pictures.ts';

/**
 * Fills the form from the image that the address names, once: `?from=` makes it again, `?edit=` makes it the
 * reference. Then the address is plain again, so that a reload keeps what was typed since.
 */
export function usePrefill(tools: readonly Tool[], models: readonly Model[]): void {
  const client = useClient();
  const [search] = useSearchParams();
  const [, navigate] = useLocation();
  const from = search.get('from');
  const edit = search.get('edit');
  useEffect(() => {
    const id = edit ?? from;
    if (id === null || tools.length === 0) return undefined;
    let isLeft = false;
    const fill = async () => {
      const { data, error } = await client.query(MakeFromDocument, { id }).toPromise();
      if (isLeft) return undefined;
      navigate('/make', { replace: true });
      const image = data?.image;
      if (!image) return showToast(error ? messageOf(error) : text.notFound, { tone: 'bad' });
      if (edit !== null) {
        const tool = editorOf(tools);
        const size = sizeToKeep(
          image,
          tools.find(({ name }) => name === tool),
          models,
        );
        setDraft({ ...EMPTY_DRAFT, tool, size, parent: image.uuid, tags: image.tags });
        setReferences([referenceOfImage(image)]);
        return undefined;
      }
      const known = {
        tools: tools.map(({ name }) => name),
        models: models.filter(({ available }) => available).map((model) => model.id),
      };
      setDraft(draftFrom(image, known));
      setReferences([]);
      return showToast(text.loadedFrom);
    };
    void fill();
    return () => {
      isLeft = true;
    };
  }, [client, from, edit, tools, models, navigate]);
}

/** Returns the size of an image where the default model can keep it; empty: it cannot. */
function sizeToKeep(
  { width, height }: { readonly width: number | null; readonly height: number | null },
  tool: Tool | undefined,
  models: readonly Model[],
): string {
  if (!tool || width === null || height === null) return '';
  const size = `${width}x${height}`;
  return faultOfSize(size, offersOf(tool, defaultModelOf(tool, models)).size) === null ? size : '';
}

/** Returns the tool that edits one image. */
export const editorOf = (tools: readonly Tool[]) =>
  (tools.find(({ minReferences, maxReferences }) => minReferences === 1 && maxReferences === 1) ?? tools[0])
    ?.name ?? EMPTY_DRAFT.tool;
