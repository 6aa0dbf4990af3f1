import { text } from '../text/shared.ts';

interface Titled {
  readonly prompt: string;
  readonly tool: string;
  readonly originalFilename?: string | null;
  readonly filename?: string | null;
}

/** Most characters of a title and of a text alternative. */
const MAX_LENGTH = { title: 60, alt: 300 };

/** Returns the title of an image: the first words of its prompt, else its name, else its tool. */
export function titleOf(image: Titled, length = MAX_LENGTH.title): string {
  const { prompt, originalFilename, filename, tool } = image;
  const words = prompt.trim().replace(/\s+/g, ' ');
  return words === '' ? (originalFilename ?? filename ?? text.untitled(tool)) : firstWords(words, length);
}

/** Cuts a text after a word, at most `length` characters from its start. */
export function firstWords(words: string, length: number): string {
  if (words.length <= length) return words;
  const cut = words.slice(0, length + 1).replace(/\s+\S*$/, '');
  // A word longer than a title is cut between two characters.
  const kept = cut.length > length ? [...words].slice(0, length).join('') : cut;
  return `${kept.replace(/[\s,;:.–-]+$/, '')} …`;
}

/** Returns the text alternative of the picture of an image. */
export const altOf = (image: Titled): string => titleOf(image, MAX_LENGTH.alt);
