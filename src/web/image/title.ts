import { page } from '../text/image.ts';

interface Titled {
  readonly prompt: string;
  readonly originalFilename?: string | null;
  readonly filename?: string | null;
}

/** Most characters of a title. */
const MAX_LENGTH = 60;

/** Returns the title of an image: the first words of its prompt, else its name. */
export function titleOf({ prompt, originalFilename, filename }: Titled): string {
  const words = prompt.trim().replace(/\s+/g, ' ');
  if (words === '') return originalFilename ?? filename ?? page.untitled;
  return firstWords(words, MAX_LENGTH);
}

/** Cuts a text after a word, at most `length` characters from its start. */
export function firstWords(text: string, length: number): string {
  if (text.length <= length) return text;
  const cut = text.slice(0, length + 1).replace(/\s+\S*$/, '');
  // A word longer than a title is cut between two characters.
  const kept = cut.length > length ? [...text].slice(0, length).join('') : cut;
  return `${kept.replace(/[\s,;:.–-]+$/, '')} …`;
}

/** Returns the text alternative of the picture of an image. */
export const altOf = (image: Titled): string => image.prompt.trim().slice(0, 300) || titleOf(image);
