import { crc32 } from 'node:zlib';
import type { Pieces } from './pieces.ts';

const PNG_SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const PNG_MAX_LENGTH = 2 ** 31 - 1;
/** The bit depths that each colour type may have: https://www.w3.org/TR/png-3/#table111 */
const PNG_BIT_DEPTHS: Readonly<Record<number, readonly number[]>> = {
  0: [1, 2, 4, 8, 16],
  2: [8, 16],
  3: [1, 2, 4, 8],
  4: [8, 16],
  6: [8, 16],
};

/** PNG: a signature, then chunks of length, type, data and CRC, from IHDR to IEND. */
export async function walkPng(file: Pieces): Promise<void> {
  const signature = await file.take(PNG_SIGNATURE.length, 'the signature');
  if (!signature.equals(PNG_SIGNATURE)) throw file.damaged('the signature is wrong');
  let hasData = false;
  for (let first = true; ; first = false) {
    const at = file.offset;
    if (at >= file.size) throw file.damaged(`the file ends at byte ${at}, before an IEND chunk`);
    const head = await file.take(8, 'the head of a chunk');
    const length = head.readUInt32BE(0);
    const type = head.toString('latin1', 4, 8);
    if (!/^[A-Za-z]{4}$/.test(type)) throw file.damaged(`no chunk begins at byte ${at}`);
    if (first !== (type === 'IHDR'))
      throw file.damaged(`the chunk at byte ${at} is ${type}; IHDR comes first and once`);
    if (length > PNG_MAX_LENGTH || length + 4 > file.size - file.offset) {
      throw file.damaged(
        `the ${type} chunk at byte ${at} claims ${length} bytes, and the file ends at byte ${file.size}`,
      );
    }
    const crc = first
      ? await readPngHeader(file, length, crc32(head.subarray(4)))
      : await sumBytes(file, length, crc32(head.subarray(4)), type);
    if ((await file.take(4, `the CRC of ${type}`)).readUInt32BE(0) !== crc) {
      throw file.damaged(`the ${type} chunk at byte ${at} does not fit its CRC`);
    }
    if (type === 'IDAT') hasData = true;
    if (type === 'IEND') break;
  }
  if (!hasData) throw file.damaged('it has no IDAT chunk, so no pixels');
}

async function sumBytes(file: Pieces, length: number, start: number, what: string): Promise<number> {
  let crc = start;
  for (let left = length; left > 0; ) {
    const part = await file.takeSome(left, what);
    crc = crc32(part, crc);
    left -= part.length;
  }
  return crc;
}

/** Checks what IHDR says and returns its CRC. */
async function readPngHeader(file: Pieces, length: number, start: number): Promise<number> {
  if (length !== 13) throw file.damaged(`IHDR has ${length} bytes instead of 13`);
  const data = await file.take(13, 'IHDR');
  const [width, height] = [data.readUInt32BE(0), data.readUInt32BE(4)];
  const [bitDepth, colourType, compression, filter, interlace] = data.subarray(8);
  if (width === 0 || height === 0 || width > PNG_MAX_LENGTH || height > PNG_MAX_LENGTH) {
    throw file.damaged(`IHDR claims ${width} × ${height} pixels`);
  }
  if (!PNG_BIT_DEPTHS[colourType ?? -1]?.includes(bitDepth ?? -1)) {
    throw file.damaged(
      `IHDR claims colour type ${colourType} with bit depth ${bitDepth}, which do not go together`,
    );
  }
  if (compression !== 0 || filter !== 0 || (interlace ?? 2) > 1) {
    throw file.damaged('IHDR claims a method of compression, filtering or interlacing that does not exist');
  }
  return crc32(data, start);
}
