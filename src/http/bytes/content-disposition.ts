import type { ImageBytes } from '../../image/bytes.ts';
import { withExtension } from '../../image/ingest/filename.ts';
import { extensionOf } from '../../storage/blob.ts';

/**
 * `Content-Disposition: inline` with the name of an image (RFC 6266): in ASCII for every client, and as the sender of the file wrote it by
 * `filename*`, which clients that know it prefer.
 * @param extension of a variant, without its dot; without it the image is offered as it came.
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

/** As RFC 8187 (3.2.1) writes a value; encodeURIComponent leaves four characters that are not allowed there. */
const encode = (text: string) =>
  encodeURIComponent(text.toWellFormed()).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
