import type { ImageBytes } from '../../image/bytes.ts';
import { withExtension } from '../../image/ingest/filename.ts';
import { extensionOf } from '../../storage/blob.ts';

/**
 * Returns `Content-Disposition: inline` with the name of an image (RFC 6266). `filename` is ASCII for every
 * client. `filename*` is the original name; clients that know it prefer it.
 * @param extension extension of a variant, without its dot. Default: the original image.
 */
export function dispositionOf(
  { filename, originalFilename, blob }: Pick<ImageBytes, 'filename' | 'originalFilename' | 'blob'>,
  extension?: string,
): string {
  const name = extension === undefined ? filename : `${filename.replace(/\.[^.]*$/, '')}.${extension}`;
  const plain = `inline; filename="${name.replaceAll(/[^A-Za-z0-9._-]/g, '_')}"`;
  if (originalFilename === null) return plain;
  const original = withExtension(originalFilename, extension ?? extensionOf(blob.mimeType));
  return `${plain}; filename*=UTF-8''${encode(original)}`;
}

/**
 * Encodes a value by RFC 8187 (3.2.1), which does not allow four characters that encodeURIComponent keeps.
 */
const encode = (text: string) =>
  encodeURIComponent(text.toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
