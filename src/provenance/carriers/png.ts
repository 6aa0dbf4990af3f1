import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import type { Pieces } from '../../storage/picture/containers/pieces.ts';
import { decodeText } from '../../text.ts';
import { type Embedded, LIMITS, takePart } from '../embedded.ts';

const inflated = promisify(inflate);
const XMP_KEYWORD = 'XML:com.adobe.xmp';

/** PNG: tEXt, zTXt and iTXt, https://www.w3.org/TR/png-3/#11textinfo; eXIf; caBX of C2PA; comf, in which ComfyUI's SaveAnimatedPNG writes what tEXt has elsewhere. */
export async function readPng(file: Pieces, embedded: Embedded): Promise<void> {
  file.seek(8);
  for (;;) {
    const head = await file.take(8, 'a chunk');
    const length = head.readUInt32BE(0);
    const type = head.toString('latin1', 4, 8);
    if (type === 'IEND') return;
    if (type === 'caBX') embedded.hasContentCredentials = true;
    if (type === 'tEXt' || type === 'zTXt' || type === 'iTXt' || type === 'comf') {
      const data = await takePart(file, embedded, length);
      if (data) await addText(type, data, embedded);
    } else if (type === 'eXIf') {
      const data = await takePart(file, embedded, length);
      embedded.exif ??= data;
    } else file.skip(length, 'a chunk');
    file.skip(4, 'the CRC of a chunk');
  }
}

async function addText(type: string, data: Buffer, embedded: Embedded): Promise<void> {
  const end = data.indexOf(0);
  // A keyword has 1 to 79 bytes.
  if (end < 1 || end > 79) return;
  const keyword = data.toString('latin1', 0, end);
  const text = await textOf(type, data.subarray(end + 1), embedded);
  if (text === null) return;
  if (keyword === XMP_KEYWORD) embedded.xmp ??= text;
  else embedded.addText(keyword, text);
}

async function textOf(type: string, data: Buffer, embedded: Embedded): Promise<string | null> {
  if (type === 'tEXt' || type === 'comf') return decodeText(data);
  if (type === 'zTXt') return data[0] === 0 ? unpack(data.subarray(1), embedded) : null;
  // iTXt: whether it is compressed, by which method, then language and translated keyword, each with a NUL behind it.
  const language = data.indexOf(0, 2);
  const translated = language === -1 ? -1 : data.indexOf(0, language + 1);
  if (translated === -1) return null;
  const text = data.subarray(translated + 1);
  if (data[0] === 0) return decodeText(text);
  return data[0] === 1 && data[1] === 0 ? unpack(text, embedded) : null;
}

/** Never inflates more than a part may have: a bomb is left out. */
async function unpack(data: Buffer, embedded: Embedded): Promise<string | null> {
  try {
    const bytes = await inflated(data, { maxOutputLength: LIMITS.partBytes });
    return embedded.admits(bytes.length) ? decodeText(bytes) : null;
  } catch {
    return null;
  }
}
