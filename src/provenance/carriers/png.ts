import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import type { Pieces } from '../../storage/picture/containers/pieces.ts';
import { decodeText } from '../../text.ts';
import { type Embedded, LIMITS, takePart } from '../embedded.ts';

const inflated = promisify(inflate);
const XMP_KEYWORD = 'XML:com.adobe.xmp';

/**
 * Reads the chunks of a PNG: tEXt, zTXt and iTXt (https://www.w3.org/TR/png-3/#11textinfo), eXIf, and caBX of
 * C2PA. `comf` is the tEXt of ComfyUI's node SaveAnimatedPNG.
 */
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
  // The standard allows keywords of 1 to 79 bytes.
  if (end < 1 || end > 79) return;
  const keyword = data.toString('latin1', 0, end);
  const text = await decodeChunkText(type, data.subarray(end + 1), embedded);
  if (text === null) return;
  if (keyword === XMP_KEYWORD) embedded.xmp ??= text;
  else embedded.addText(keyword, text);
}

async function decodeChunkText(type: string, data: Buffer, embedded: Embedded): Promise<string | null> {
  if (type === 'tEXt' || type === 'comf') return decodeText(data);
  if (type === 'zTXt') return data[0] === 0 ? inflateText(data.subarray(1), embedded) : null;
  // iTXt: compression flag, compression method, then language and translated keyword, each ended by NUL.
  const language = data.indexOf(0, 2);
  const translated = language === -1 ? -1 : data.indexOf(0, language + 1);
  if (translated === -1) return null;
  const text = data.subarray(translated + 1);
  if (data[0] === 0) return decodeText(text);
  return data[0] === 1 && data[1] === 0 ? inflateText(text, embedded) : null;
}

/** Decompresses a text; null when it is faulty or larger than the limit, so that a bomb is never expanded. */
async function inflateText(data: Buffer, embedded: Embedded): Promise<string | null> {
  try {
    const bytes = await inflated(data, { maxOutputLength: LIMITS.partBytes });
    return embedded.admits(bytes.length) ? decodeText(bytes) : null;
  } catch {
    return null;
  }
}
