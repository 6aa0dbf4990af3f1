import type { Pieces } from '../../storage/picture/containers/pieces.ts';
import { decodeText } from '../../text.ts';
import { type Embedded, takePart } from '../embedded.ts';

/**
 * Reads the chunks `EXIF` and `XMP ` of a WebP (https://www.rfc-editor.org/rfc/rfc9649#section-2.7.1.5), and
 * `C2PA`.
 */
export async function readWebp(file: Pieces, embedded: Embedded): Promise<void> {
  const end = Math.min(file.size, 8 + (await file.take(12, 'the RIFF header')).readUInt32LE(4));
  while (file.offset + 8 <= end) {
    const head = await file.take(8, 'a chunk');
    const type = head.toString('latin1', 0, 4);
    const length = head.readUInt32LE(4);
    if (type === 'C2PA') embedded.hasContentCredentials = true;
    if (type === 'EXIF') {
      const data = await takePart(file, embedded, length);
      // Some writers keep the prefix that EXIF has in JPEG.
      if (data) embedded.exif ??= data.toString('latin1', 0, 6) === 'Exif\0\0' ? data.subarray(6) : data;
    } else if (type === 'XMP ') {
      const data = await takePart(file, embedded, length);
      if (data) embedded.xmp ??= decodeText(data);
    } else file.skip(length, 'a chunk');
    file.seek(file.offset + (length % 2));
  }
}
