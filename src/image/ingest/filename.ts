import { extensionOf } from '../../storage/blob.ts';

const MAX_STEM_LENGTH = 80;
const MAX_ORIGINAL_LENGTH = 255;

/** An ending as most types of files have one; what begins with a digit is a part of the name: `v1.5`. */
const ENDING = /\.[A-Za-z][A-Za-z0-9]{0,4}$/;
/** Endings of pictures, and of what pictures are often called by mistake. */
const EXTENSION =
  /\.(png|apng|jpe?g|jpe|jfif|pjpeg|webp|gif|avif|heic|heif|bmp|tiff?|svg|ico|jxl|jp2|psd|raw|dng|html?|txt|bin|dat|tmp|upload)$/i;

/** Letters that no normalization parts into a letter and a mark. */
const LETTERS: Readonly<Record<string, string>> = {
  ...{ ß: 'ss', ẞ: 'SS', æ: 'ae', Æ: 'AE', œ: 'oe', Œ: 'OE', ø: 'o', Ø: 'O', ł: 'l', Ł: 'L' },
  ...{ đ: 'd', Đ: 'D', ð: 'd', Ð: 'D', þ: 'th', Þ: 'Th', ħ: 'h', Ħ: 'H', ı: 'i', ŋ: 'ng', Ŋ: 'NG' },
};

/**
 * Makes the name under which an image is offered: letters, digits, dash, underscore and dots within, never at the front; unique
 * by the end of the image's uuid; its ending says what the bytes are, whatever the given name said.
 * @param wish the name that a client gave or a tool proposes; nothing of it is trusted.
 */
export function makeFilename(wish: string, image: { uuid: string; mimeType: string }): string {
  const stem = stemOf(wish)
    // The name that it has already stays as it is.
    .replace(new RegExp(`-${image.uuid.slice(-12)}$`), '')
    .slice(0, MAX_STEM_LENGTH)
    .replace(/[.-]+$/, '');
  return `${stem || 'image'}-${image.uuid.slice(-12)}.${extensionOf(image.mimeType)}`;
}

/** The same without what makes it unique: whoever takes it sees to that. */
export function exactFilename(wish: string, mimeType: string): string {
  const stem = stemOf(wish)
    .slice(0, MAX_STEM_LENGTH)
    .replace(/[.-]+$/, '');
  return `${stem || 'image'}.${extensionOf(mimeType)}`;
}

/**
 * The name of a file as its sender wrote it, in whatever script, to be kept beside the one that is made of it: without folders, without
 * characters that control a terminal or the direction of text, in NFC, up to 255 characters.
 * @returns null where nothing is left.
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

/** The original name of a file with the ending of what it is offered as. @param extension without its dot. */
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
