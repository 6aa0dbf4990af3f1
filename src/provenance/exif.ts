import { decodeText } from '../text.ts';

/** The few fields of EXIF that say where a picture comes from, https://www.cipa.jp/std/documents/download_e.html?DC-008-Translation-2023-E */
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

/** Bytes of one value of each field type that is read: BYTE, ASCII, LONG, UNDEFINED, UTF-8. */
const WIDTHS: Readonly<Record<number, number>> = { 1: 1, 2: 1, 4: 4, 7: 1, 129: 1 };
/** A directory of a real file has some dozens. */
const MAX_ENTRIES = 500;

/** Reads a TIFF structure, two directories of it and nothing that these do not name; a field that lies outside of it is left out. */
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
    takenAt: timeOf(text(TAG.TAKEN_AT, camera), text(TAG.OFFSET, camera)),
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
    // What fits into the place of the offset stands there itself.
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

/** UserComment begins with eight bytes that name its characters. */
function decodeComment(value: Buffer, little: boolean): string | null {
  const charset = value.toString('latin1', 0, 8).replace(/[\0 ]+$/, '');
  const rest = value.subarray(8);
  if (charset === 'UNICODE') return decodeUtf16(rest, little);
  if (charset === 'JIS') return new TextDecoder('iso-2022-jp').decode(rest);
  return decodeText(charset === 'ASCII' || charset === '' ? rest : value);
}

/** Writers disagree on the order of the bytes, so the text decides: in most text more characters lie below U+0100 in the right order. */
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

/** `2024:05:01 10:20:30` and `+02:00` as ISO 8601. */
export function timeOf(text: string | null, offset: string | null): string | null {
  const [, year, month, day, time] = /^(\d{4}):(\d\d):(\d\d) (\d\d:\d\d:\d\d)/.exec(text ?? '') ?? [];
  if (!year) return null;
  const zone = /^[+-]\d\d:\d\d$/.test(offset ?? '') ? offset : '';
  const iso = `${year}-${month}-${day}T${time}`;
  const date = new Date(`${iso}Z`);
  // JavaScript takes the 31st of February for a day in March.
  const exists = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(iso);
  return exists ? `${iso}${zone}` : null;
}
