import type { Pieces } from '../../storage/picture/containers/pieces.ts';
import { decodeText } from '../../text.ts';
import { type Embedded, takePart } from '../embedded.ts';

const MARKER = { APP1: 0xe1, APP11: 0xeb, COM: 0xfe, SOS: 0xda, EOI: 0xd9 } as const;
const EXIF = Buffer.from('Exif\0\0', 'latin1');
const XMP = Buffer.from('http://ns.adobe.com/xap/1.0/\0', 'latin1');

/**
 * Reads the segments of a JPEG before its first scan. APP1 has EXIF and XMP; APP11 has JUMBF (ISO/IEC
 * 19566-5) with C2PA.
 */
export async function readJpeg(file: Pieces, embedded: Embedded): Promise<void> {
  file.seek(2);
  for (;;) {
    let [code] = await file.take(1, 'a marker');
    // Skips stray bytes before a marker, as viewers do.
    while (code !== 0xff) [code] = await file.take(1, 'a marker');
    while (code === 0xff) [code] = await file.take(1, 'a marker');
    if (code === MARKER.SOS || code === MARKER.EOI) return;
    // These markers have no segment.
    if (code === undefined || code === 0 || code === 1 || (code >= 0xd0 && code <= 0xd8)) continue;
    const length = (await file.take(2, 'a segment')).readUInt16BE(0) - 2;
    if (length < 0) return;
    if (code !== MARKER.APP1 && code !== MARKER.APP11 && code !== MARKER.COM) {
      file.skip(length, 'a segment');
      continue;
    }
    if (code === MARKER.APP11) {
      // Content credentials may fill hundreds of segments. The beginning of the first one identifies them.
      const head = await file.take(Math.min(length, 128), 'a segment');
      if (head.toString('latin1', 0, 2) === 'JP' && head.includes('c2pa'))
        embedded.hasContentCredentials = true;
      file.skip(length - head.length, 'a segment');
      continue;
    }
    const segment = await takePart(file, embedded, length);
    if (segment === null) continue;
    if (code === MARKER.COM) embedded.addText('Comment', decodeText(segment));
    else if (startsWith(segment, EXIF)) embedded.exif ??= segment.subarray(EXIF.length);
    else if (startsWith(segment, XMP)) embedded.xmp ??= decodeText(segment.subarray(XMP.length));
  }
}

const startsWith = (bytes: Buffer, head: Buffer) => bytes.subarray(0, head.length).equals(head);
