import type { SourceImageFragment } from '../../generated/graphql.ts';
import { randomId } from '../../state/random-id.ts';
import { makeSignal } from '../../state/signal.ts';
import { keepText, readText } from '../../state/storage.ts';
import type { MaskHistory } from '../mask/history.ts';

/** A picture to generate from: a file of this computer, or an image of the gallery. */
export type Reference = { readonly key: string; readonly url: string } & (
  | { readonly file: File }
  | { readonly image: SourceImageFragment }
);

export interface Mask {
  readonly file: File;
  readonly url: string;
  /** Strokes, so that the mask can be changed. */
  readonly history: MaskHistory;
}

export interface Pictures {
  readonly references: readonly Reference[];
  /** Mask over the first reference; null: there is none. */
  readonly mask: Mask | null;
}

const KEY = 'fixative-make-references';

const signal = makeSignal<Pictures>({ references: readKept(), mask: null });

/** References and mask of the form. */
export const pictures = { get: signal.get, subscribe: signal.subscribe };

export const referenceOfFile = (file: File): Reference => ({
  key: randomId('file'),
  file,
  url: URL.createObjectURL(file),
});

export function referenceOfImage(image: SourceImageFragment): Reference {
  return { key: image.uuid, image, url: image.url ?? '' };
}

/**
 * Replaces the references. A mask stays as long as the first reference does. Returns whether the mask went.
 */
export function setReferences(references: readonly Reference[]): boolean {
  const { references: former, mask } = signal.get();
  const keys = new Set(references.map(({ key }) => key));
  for (const each of former) if ('file' in each && !keys.has(each.key)) URL.revokeObjectURL(each.url);
  const keeps = references[0]?.key === former[0]?.key;
  if (mask && !keeps) URL.revokeObjectURL(mask.url);
  signal.set({ references, mask: keeps ? mask : null });
  keep(references);
  return mask !== null && !keeps;
}

export function setMask(file: File | null, history: MaskHistory): void {
  const { references, mask } = signal.get();
  if (mask) URL.revokeObjectURL(mask.url);
  signal.set({ references, mask: file ? { file, url: URL.createObjectURL(file), history } : null });
}

/** Keeps the images of the gallery for a reload; files of this computer cannot be kept. */
function keep(references: readonly Reference[]): void {
  const images = references.flatMap((each) => ('image' in each ? [each.image] : []));
  keepText('session', KEY, JSON.stringify(images));
}

function readKept(): readonly Reference[] {
  try {
    const images: unknown = JSON.parse(readText('session', KEY) ?? '[]');
    return Array.isArray(images) ? images.filter(isImage).map(referenceOfImage) : [];
  } catch {
    return [];
  }
}

function isImage(value: unknown): value is SourceImageFragment {
  return typeof (value as SourceImageFragment | null)?.uuid === 'string' && 'url' in (value as object);
}
