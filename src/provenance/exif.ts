import { decodeText } from '../text.ts';

/**
 * The fields of EXIF that describe a picture's origin,
 * https://www.cipa.jp/std/documents/download_e.html?DC-008-Translation-2023-E
 */
export interface Exif {
  readonly description: string | null;
  readonly make: string | null;
  readonly model: string | null;
  readonly software: string | null;
  readonly takenAt: string | null;
  readonly userComment: string | null;
}

const TAG = {
  DESCRIPTION: 0x010e,
  MAKE: 0x010f,
  MODEL: 0x0110,
  SOFTWARE: 0x0131,
  EXIF_IFD: 0x8769,
  TAKEN_AT: 0x9003,
  OFFSET: 0x9011,
  USER_COMMENT: 0x9286,
} as const;

/**
 * Bytes of one value by field type: BYTE, ASCII, LONG, UNDEFINED, UTF-8. Fields of other types are ignored.
 */
const WIDTHS: Readonly<Record<number, number>> = { 1: 1, 2: 1, 4: 4, 7: 1, 129: 1 };
/** Most entries that are read of one directory. Real files have dozens. */
const MAX_ENTRIES = 500;

/**
 * Reads the first directory of a TIFF structure and its EXIF directory. Fields that point outside of the
 * structure are ignored.
 * @returns null when the bytes are not TIFF
 */
export function parseExif(tiff: Buffer): Exif | null {
  const order = tiff.toString('latin1', 0, 4);
  if (order !== 'II*\0' && order !== 'MM\0*') return null;
  const little = order === 'II*\0';
  const main = readDirectory(tiff, long(tiff, 4, little), little);
  const pointer = main.get(TAG.EXIF_IFD);
  const camera = pointer?.length === 4 ? readDirectory(tiff, long(pointer, 0, little), little) : null;
  const text = (tag: number, from: ReadonlyMap<number, Buffer> | null = main) => {
    const value = from?.get(tag);
    return value === undefined ? null : decodeText(value).replace(/\0.*$/s, '').trim() || null;
  };
  const comment = camera?.get(TAG.USER_COMMENT);
  return {
    description: text(TAG.DESCRIPTION),
    make: text(TAG.MAKE),
    model: text(TAG.MODEL),
    software: text(TAG.SOFTWARE),
    takenAt: exifTimeToIso(text(TAG.TAKEN_AT, camera), text(TAG.OFFSET, camera)),
    userComment: comment === undefined ? null : decodeComment(comment, little),
  };
}

function readDirectory(tiff: Buffer, at: number, little: boolean): Map<number, Buffer> {
  const fields = new Map<number, Buffer>();
  if (at + 2 > tiff.length) return fields;
  const count = Math.min(short(tiff, at, little), MAX_ENTRIES);
  for (let entry = at + 2, left = count; left > 0 && entry + 12 <= tiff.length; entry += 12, left -= 1) {
    const width = WIDTHS[short(tiff, entry + 2, little)];
    if (width === undefined) continue;
    const bytes = width * long(tiff, entry + 4, little);
    // A value of up to four bytes is stored in place of its offset.
    const from = bytes <= 4 ? entry + 8 : long(tiff, entry + 8, little);
    if (from + bytes <= tiff.length)
      fields.set(short(tiff, entry, little), tiff.subarray(from, from + bytes));
  }
  return fields;
}

const short = (bytes: Buffer, at: number, little: boolean) =>
  little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
const long = (bytes: Buffer, at: number, little: boolean) =>
  at + 4 > bytes.length ? bytes.length : little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);

/** Decodes a UserComment. Its first eight bytes name the character set. */
function decodeComment(value: Buffer, little: boolean): string | null {
  const charset = value.toString('latin1', 0, 8).replace(/[\0 ]+$/, '');
  const rest = value.subarray(8);
  if (charset === 'UNICODE') return decodeUtf16(rest, little);
  if (charset === 'JIS') return new TextDecoder('iso-2022-jp').decode(rest);
  return decodeText(charset === 'ASCII' || charset === '' ? rest : value);
}

/**
 * Decodes UTF-16. Writers disagree on the byte order, so the bytes decide: in the right order, most texts
 * have more characters below U+0100.
 */
function decodeUtf16(bytes: Buffer, little: boolean): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  let [even, odd] = [0, 0];
  for (let at = 0; at + 1 < bytes.length; at += 2) {
    if (bytes[at] === 0) even += 1;
    if (bytes[at + 1] === 0) odd += 1;
  }
  const isLittle = even === odd ? little : odd > even;
  return new TextDecoder(isLittle ? 'utf-16le' : 'utf-16be').decode(bytes);
}

/** Translates `2024:05:01 10:20:30` and `+02:00` into ISO 8601; null when the calendar has no such time. */
function exifTimeToIso(text: string | null, offset: string | null): string | null {
  const [, year, month, day, time] = /^(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)/.exec(text ?? '') ?? [];
  if (!year) return null;
  const zone = /^[+-]\d\d:\d\d$/.test(offset ?? '') ? offset : '';
  const iso = `${year}-${month}-${day}T${time}`;
  const date = new Date(`${iso}Z`);
  // JavaScript reads 31 February as a day in March.
  const exists = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(iso);
  return exists ? `${iso}${zone}` : null;
}
