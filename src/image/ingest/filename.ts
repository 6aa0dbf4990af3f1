import { extensionOf } from '../../storage/blob.ts';

const MAX_STEM_LENGTH = 80;
const MAX_ORIGINAL_LENGTH = 255;

/** A file extension. One that begins with a digit is a part of the name: `v1.5`. */
const ENDING = /\.[A-Za-z][A-Za-z0-9]{0,4}$/;
/** Extensions of pictures, and those that pictures often have by mistake. */
const EXTENSION =
  /\.(png|apng|jpe?g|jpe|jfif|pjpeg|webp|gif|avif|heic|heif|bmp|tiff?|svg|ico|jxl|jp2|psd|raw|dng|html?|txt|bin|dat|tmp|upload)$/i;

/** Letters that Unicode normalization does not split into a letter and a mark. */
const LETTERS: Readonly<Record<string, string>> = {
  ß: 'ss',
  ẞ: 'SS',
  æ: 'ae',
  Æ: 'AE',
  œ: 'oe',
  Œ: 'OE',
  ø: 'o',
  Ø: 'O',
  ł: 'l',
  Ł: 'L',
  đ: 'd',
  Đ: 'D',
  ð: 'd',
  Ð: 'D',
  þ: 'th',
  Þ: 'Th',
  ħ: 'h',
  Ħ: 'H',
  ı: 'i',
  ŋ: 'ng',
  Ŋ: 'NG',
};

/**
 * Returns a safe and unique filename: ASCII letters, digits, `-`, `_`, and `.` but not at the beginning. The
 * end of the uuid makes it unique, and the extension follows from the type of the bytes.
 * @param wish untrusted name from a client, or from a tool.
 */
export function makeFilename(wish: string, image: { uuid: string; mimeType: string }): string {
  const stem = stemOf(wish)
    // A name that was made here stays as it is.
    .replace(new RegExp(`-${image.uuid.slice(-12)}$`), '')
    .slice(0, MAX_STEM_LENGTH)
    .replace(/[.-]+$/, '');
  return `${stem || 'image'}-${image.uuid.slice(-12)}.${extensionOf(image.mimeType)}`;
}

/** Returns a safe filename. It is not unique; the caller must check that (claim-name.ts). */
export function exactFilename(wish: string, mimeType: string): string {
  const stem = stemOf(wish)
    .slice(0, MAX_STEM_LENGTH)
    .replace(/[.-]+$/, '');
  return `${stem || 'image'}.${extensionOf(mimeType)}`;
}

/**
 * Returns the name of a file as its sender wrote it, in any script, to store beside the safe one. Removes
 * folders and characters that control a terminal or the direction of text. In NFC, at most 255 characters.
 * @returns null when nothing is left.
 */
export function originalNameOf(wish: string): string | null {
  const name = baseOf(wish.toWellFormed())
    .replaceAll(/[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu, '')
    .normalize('NFC')
    .trim();
  if (name === '' || name === '.' || name === '..') return null;
  const characters = [...name];
  if (characters.length <= MAX_ORIGINAL_LENGTH) return name;
  const ending = EXTENSION.exec(name)?.[0] ?? '';
  return characters.slice(0, MAX_ORIGINAL_LENGTH - ending.length).join('') + ending;
}

/** Returns a name with another extension. @param extension without its dot. */
export function withExtension(originalName: string, extension: string): string {
  return `${originalName.replace(EXTENSION, '')}.${extension}`;
}

const baseOf = (name: string) => name.replace(/^.*[/\\]/s, '');

function stemOf(wish: string): string {
  return baseOf(wish)
    .replace(ENDING, '')
    .replaceAll(/[^\p{ASCII}]/gu, (letter) => LETTERS[letter] ?? letter)
    .normalize('NFKD')
    .replaceAll(/\p{M}+/gu, '')
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replaceAll(/\.{2,}/g, '.')
    .replace(/^[.-]+/, '');
}
