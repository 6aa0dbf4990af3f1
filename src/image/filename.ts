import { extensionOf } from '../storage/blob.ts';

const MAX_STEM_LENGTH = 80;

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

function stemOf(wish: string): string {
  return wish
    .normalize('NFKD')
    .replace(/^.*[/\\]/s, '')
    .replace(/\.[A-Za-z0-9]{1,5}$/, '')
    .replaceAll(/[^A-Za-z0-9._-]+/g, '-')
    .replaceAll(/\.{2,}/g, '.')
    .replace(/^[.-]+/, '');
}
