/**
 * Proves by its container that a picture is whole. Decoders tolerate damage: sharp returns pixels for a PNG
 * whose tail is cut, whose checksums are wrong or whose end is missing. An archive that trusted the decoder
 * would keep half a picture permanently. So the check walks the structure on disk, from the first byte to the
 * mark that ends the picture. It compares every length and every checksum with the bytes.
 *
 * Guarantees:
 * - A picture that was cut anywhere before its end is refused with DAMAGED_IMAGE and the place of the damage.
 * - Memory does not grow with the file: one piece of 256 KiB is read at a time.
 * - Nothing is decoded.
 *
 * Assumptions: the file system is sound, and no process writes to the file during the check.
 *
 * Limits:
 * - Any bytes are allowed after the end of a picture. Cameras and tools append maps, second pictures and
 *   manifests there. Decoders skip them, and the original is never rewritten. A loss within such a trailer is
 *   not found.
 * - AVIF has no end mark: the picture ends with the file, and every box must fit.
 * - Only PNG has checksums. In other formats, a changed byte within the compressed data is found by the
 *   decoder or not at all.
 *
 * Follows PNG, https://www.w3.org/TR/png-3/#5DataRep; JPEG, https://www.w3.org/Graphics/JPEG/itu-t81.pdf,
 * annex B; GIF, https://www.w3.org/Graphics/GIF/spec-gif89a.txt; WebP,
 * https://www.rfc-editor.org/rfc/rfc9649#section-2; AVIF, https://aomediacodec.github.io/av1-avif/, on the
 * ISO base media file format, ISO/IEC 14496-12.
 */

import type { LocalFile } from '../files/local-file.ts';
import { walkAvif } from './containers/avif.ts';
import { walkGif } from './containers/gif.ts';
import { walkJpeg } from './containers/jpeg.ts';
import { Pieces } from './containers/pieces.ts';
import { walkPng } from './containers/png.ts';
import { walkWebp } from './containers/webp.ts';
import { type PictureType, TYPE_NAMES } from './sniff.ts';

const WALKS: Readonly<Record<PictureType, (file: Pieces) => Promise<void>>> = {
  'image/png': walkPng,
  'image/jpeg': walkJpeg,
  'image/webp': walkWebp,
  'image/gif': walkGif,
  'image/avif': walkAvif,
};

/**
 * Proves that the picture in a file is whole, as the container of `mimeType` tells.
 *
 * @throws FixativeError DAMAGED_IMAGE, naming what is wrong and at which byte; TooLargeError above
 *   MAX_FRAMES; the error of the file system as it is
 */
export async function proveWhole(
  file: Pick<LocalFile, 'bytes' | 'reader'>,
  mimeType: PictureType,
): Promise<void> {
  const pieces = new Pieces(file, TYPE_NAMES[mimeType]);
  try {
    await WALKS[mimeType](pieces);
  } finally {
    pieces.close();
  }
}
