import { formatCount } from '../../design/format.ts';
import { showToast } from '../../design/toast.tsx';
import type { SourceImageFragment } from '../../generated/graphql.ts';
import { make as text } from '../../text/make.ts';
import { pictures, type Reference, referenceOfFile, referenceOfImage, setReferences } from './pictures.ts';

function put(references: readonly Reference[]): void {
  if (setReferences(references)) showToast(text.maskGone);
}

/** Adds references as long as there is room. With room for one alone, the last one stays. */
function add(added: readonly Reference[], max: number): void {
  const { references } = pictures.get();
  const keys = new Set(references.map(({ key }) => key));
  const all = [...references, ...added.filter(({ key }) => !keys.has(key))];
  if (max > 1 && all.length > max) showToast(text.tooMany(formatCount(max)), { tone: 'bad' });
  put(max === 1 ? all.slice(-1) : all.slice(0, max));
}

export function addFiles(files: readonly File[], max: number): void {
  const images = files.filter(({ type }) => type.startsWith('image/'));
  if (images.length < files.length) showToast(text.notImage, { tone: 'bad' });
  if (images.length > 0) add(images.map(referenceOfFile), max);
}

export const addImage = (image: SourceImageFragment, max: number): void =>
  add([referenceOfImage(image)], max);

export function move(index: number, by: number): void {
  const { references } = pictures.get();
  const moved = references[index];
  if (moved) put(references.toSpliced(index, 1).toSpliced(index + by, 0, moved));
}

export const remove = (index: number): void => put(pictures.get().references.toSpliced(index, 1));
