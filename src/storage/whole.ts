/**
 * Whether a picture is whole, proven on its container. Decoders forgive: sharp gives pixels for a PNG whose tail is cut,
 * whose checksums are wrong or whose end is missing, and an archive that believed it would keep half a picture for ever. So
 * the structure is walked on disk from the first byte to the mark that ends the picture, and every length, and every
 * checksum that the format has, is held against the bytes that are there.
 *
 * Guarantees: a picture that was cut anywhere before its end is refused with DAMAGED_IMAGE and the place of the damage; no
 * memory grows with the file (one piece of 256 KiB); nothing is decoded. It trusts the file system, and that nobody writes
 * to the file meanwhile.
 *
 * What it does not do. Bytes after the end of a picture are allowed, whatever they are: cameras and tools append maps,
 * second pictures and manifests there, decoders pass over them, and the original is never rewritten. So a loss within such
 * a trailer cannot be seen. In AVIF alone there is no end but the file's, and every box must fit. Only PNG has checksums:
 * in the others a changed byte within the compressed data is found by the decoder, or by nobody.
 *
 * Follows PNG, https://www.w3.org/TR/png-3/#5DataRep; JPEG, https://www.w3.org/Graphics/JPEG/itu-t81.pdf, annex B; GIF,
 * https://www.w3.org/Graphics/GIF/spec-gif89a.txt; WebP, https://www.rfc-editor.org/rfc/rfc9649#section-2; AVIF,
 * https://aomediacodec.github.io/av1-avif/, on the ISO base media file format, ISO/IEC 14496-12.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { FixativeError } from '../errors.ts';
import { type PictureType, TYPE_NAMES } from './sniff.ts';

const WALKS: Readonly<Record<PictureType, (file: Pieces) => Promise<void>>> = {
  'image/png': walkPng,
  'image/jpeg': walkJpeg,
  'image/webp': walkWebp,
  'image/gif': walkGif,
  'image/avif': walkAvif,
};

/**
 * Proves that the picture in the file at `path` is whole, as the container of `mimeType` tells.
 *
 * @throws FixativeError DAMAGED_IMAGE, naming what is wrong and at which byte; TOO_LARGE above MAX_FRAMES; the error of
 *   the file system as it is
 */
export async function proveWhole(path: string, mimeType: PictureType): Promise<void> {
  await using handle = await open(path);
  const { size } = await handle.stat();
  await WALKS[mimeType](new Pieces(handle, size, TYPE_NAMES[mimeType]));
}

/**
 * The most frames that an animation may have: at ten a second, a quarter of an hour. Decoders keep some 200 bytes for each
 * frame before they decode any, so that millions of frames of one pixel, in a file of a few megabytes, would fill the memory.
 */
export const MAX_FRAMES = 10_000;

/** How much of a file is in memory at a time. */
export const PIECE_BYTES = 256 * 1024;

/** A file read forwards through one buffer. Buffers that it hands out are views, good until the next call that awaits. */
class Pieces {
  readonly size: number;
  readonly #handle: FileHandle;
  readonly #type: string;
  readonly #buffer = Buffer.allocUnsafeSlow(PIECE_BYTES);
  /** Where in the file the buffer begins, how much of it is filled, and how much of that is read. */
  #from = 0;
  #filled = 0;
  #read = 0;

  constructor(handle: FileHandle, size: number, type: string) {
    this.#handle = handle;
    this.size = size;
    this.#type = type;
  }

  /** The offset in the file of the next byte. */
  get offset(): number {
    return this.#from + this.#read;
  }

  /** What is in memory from the next byte on. */
  get ahead(): Buffer {
    return this.#buffer.subarray(Math.min(this.#read, this.#filled), this.#filled);
  }

  /** Goes to an offset, without looking whether the file reaches so far. */
  seek(offset: number): void {
    if (offset < this.#from) {
      this.#from = offset;
      this.#filled = 0;
    }
    this.#read = offset - this.#from;
  }

  /** Brings at least `count` bytes ahead, and as many more as a piece holds; false when the file ends before. */
  async fill(count: number): Promise<boolean> {
    if (this.#filled - this.#read >= count) return true;
    const kept = Math.max(0, this.#filled - this.#read);
    this.#buffer.copyWithin(0, this.#filled - kept, this.#filled);
    this.#from = this.offset;
    this.#read = 0;
    this.#filled = kept;
    while (this.#filled < count) {
      const room = this.#buffer.length - this.#filled;
      const { bytesRead } = await this.#handle.read(
        this.#buffer,
        this.#filled,
        room,
        this.#from + this.#filled,
      );
      if (bytesRead === 0) return false;
      this.#filled += bytesRead;
    }
    return true;
  }

  /** The next `count` bytes, at most a piece of them. */
  async take(count: number, what: string): Promise<Buffer> {
    if (!(await this.fill(count))) throw this.damaged(`the file ends at byte ${this.size}, within ${what}`);
    const bytes = this.#buffer.subarray(this.#read, this.#read + count);
    this.#read += count;
    return bytes;
  }

  /** Some of the next bytes: at least one, at most `count`. */
  async takeSome(count: number, what: string): Promise<Buffer> {
    if (!(await this.fill(1))) throw this.damaged(`the file ends at byte ${this.size}, within ${what}`);
    const bytes = this.ahead.subarray(0, count);
    this.#read += bytes.length;
    return bytes;
  }

  /** Passes over bytes without reading them. */
  skip(count: number, what: string): void {
    if (count > this.size - this.offset) {
      throw this.damaged(
        `${what} needs ${count} bytes at byte ${this.offset}, and the file ends at byte ${this.size}`,
      );
    }
    this.seek(this.offset + count);
  }

  /** Checks the number of frames met so far. */
  countFrames(frames: number): void {
    if (frames <= MAX_FRAMES) return;
    throw new FixativeError(
      'TOO_LARGE',
      `The ${this.#type} has more than ${MAX_FRAMES} frames. Send a shorter one.`,
    );
  }

  damaged(how: string): FixativeError {
    return new FixativeError('DAMAGED_IMAGE', `The ${this.#type} is damaged: ${how}.`);
  }
}

// ── PNG: a signature, then chunks of length, type, data and CRC, from IHDR to IEND ──────────────────────────────────────

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

async function walkPng(file: Pieces): Promise<void> {
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

// ── JPEG: markers, most with a segment; after SOS, compressed data up to the next marker; EOI ends it ───────────────────

const JPEG = {
  STUFFED: 0x00,
  TEM: 0x01,
  RST0: 0xd0,
  RST7: 0xd7,
  SOI: 0xd8,
  EOI: 0xd9,
  SOS: 0xda,
  MARKER: 0xff,
} as const;
/** What begins a frame, SOF0 to SOF15, is in the range with three that do not: DHT, JPG and DAC. */
const JPEG_NO_FRAME = new Set([0xc4, 0xc8, 0xcc]);

async function walkJpeg(file: Pieces): Promise<void> {
  const start = await file.take(2, 'the start marker');
  if (start[0] !== JPEG.MARKER || start[1] !== JPEG.SOI) throw file.damaged('it does not begin with SOI');
  let hasFrame = false;
  let hasScan = false;
  for (;;) {
    const code = await takeMarker(file);
    const at = file.offset - 2;
    if (code === JPEG.EOI) break;
    if (code === JPEG.SOI)
      throw file.damaged(`another picture begins at byte ${at}, before this one has ended`);
    if (code === JPEG.TEM) continue;
    const name = `the segment 0xFF${code.toString(16).toUpperCase().padStart(2, '0')} at byte ${at}`;
    const length = (await file.take(2, name)).readUInt16BE(0);
    if (length < 2) throw file.damaged(`${name} has an impossible length`);
    file.skip(length - 2, name);
    if (code >= 0xc0 && code <= 0xcf && !JPEG_NO_FRAME.has(code)) hasFrame = true;
    if (code === JPEG.SOS) {
      if (!hasFrame) throw file.damaged(`a scan begins at byte ${at}, before any frame header`);
      hasScan = true;
    }
  }
  if (!hasScan) throw file.damaged('it ends without a scan, so without pixels');
}

/**
 * Passes over compressed data to the next marker, and over it too; returns its code. A marker is 0xFF and a code; 0xFF 0x00
 * is a stuffed byte of data, RST0 to RST7 stand within data, and any number of 0xFF may fill up before a marker (B.1.1). By
 * the same way it passes over stray bytes between segments, as libjpeg does and every viewer with it.
 *
 * Photographs are mostly this data, with one 0xFF in some 250 bytes: the hops are native searches.
 */
async function takeMarker(file: Pieces): Promise<number> {
  for (;;) {
    const { ahead } = file;
    let at = ahead.indexOf(JPEG.MARKER);
    while (at !== -1 && at + 1 < ahead.length) {
      const code = ahead[at + 1] as number;
      if (code === JPEG.STUFFED || (code >= JPEG.RST0 && code <= JPEG.RST7)) {
        at += 2;
        // Looking before hopping keeps data made of nothing but stuffed bytes from costing a search for each.
        if (ahead[at] !== JPEG.MARKER) at = ahead.indexOf(JPEG.MARKER, at);
      } else if (code === JPEG.MARKER) {
        at += 1;
      } else {
        file.seek(file.offset + at + 2);
        return code;
      }
    }
    // A 0xFF at the very end stays ahead, to be seen together with its code.
    file.seek(file.offset + (at === -1 ? ahead.length : at));
    if (!(await file.fill(2)))
      throw file.damaged(`the file ends at byte ${file.size}, before the end marker (EOI)`);
  }
}

// ── GIF: a header, then extensions and frames whose data is in sub-blocks, to the trailer ───────────────────────────────

const GIF = { EXTENSION: 0x21, FRAME: 0x2c, TRAILER: 0x3b } as const;

async function walkGif(file: Pieces): Promise<void> {
  const header = await file.take(13, 'the header');
  const version = header.toString('latin1', 0, 6);
  if (version !== 'GIF87a' && version !== 'GIF89a') throw file.damaged('the signature is wrong');
  skipColourTable(file, header[10]);
  let frames = 0;
  for (;;) {
    const at = file.offset;
    if (at >= file.size) throw file.damaged(`the file ends at byte ${at}, before the trailer`);
    const [kind] = await file.take(1, 'a block');
    if (kind === GIF.TRAILER) break;
    if (kind === GIF.EXTENSION) {
      await file.take(1, `the extension at byte ${at}`);
    } else if (kind === GIF.FRAME) {
      skipColourTable(file, (await file.take(9, `the frame at byte ${at}`))[8]);
      await file.take(1, `the frame at byte ${at}`);
      file.countFrames(++frames);
    } else {
      throw file.damaged(`no block begins at byte ${at}`);
    }
    await skipSubBlocks(file);
  }
  if (frames === 0) throw file.damaged('it has no frame, so no pixels');
}

function skipColourTable(file: Pieces, flags = 0): void {
  if (flags & 0x80) file.skip(3 * 2 ** ((flags & 0x07) + 1), 'a colour table');
}

async function skipSubBlocks(file: Pieces): Promise<void> {
  for (;;) {
    // A sub-block is 256 bytes at most, so all but one in a thousand are ahead, and are passed without awaiting.
    const length = file.ahead[0] ?? ((await file.fill(1)) ? file.ahead[0] : undefined);
    if (length === undefined)
      throw file.damaged(`the file ends at byte ${file.size}, within the data of a block`);
    file.skip(1 + length, 'a sub-block');
    if (length === 0) return;
  }
}

// ── WebP: one RIFF chunk of the form WEBP, and in it chunks; the frames of an animation hold chunks again ───────────────

async function walkWebp(file: Pieces): Promise<void> {
  const header = await file.take(12, 'the RIFF header');
  if (header.toString('latin1', 0, 4) !== 'RIFF' || header.toString('latin1', 8, 12) !== 'WEBP') {
    throw file.damaged('the RIFF header is wrong');
  }
  const end = 8 + header.readUInt32LE(4);
  if (end > file.size) throw file.damaged(`RIFF claims ${end} bytes, and the file ends at byte ${file.size}`);
  if ((await walkRiff(file, end, false)) === 0)
    throw file.damaged('it has no VP8 or VP8L chunk, so no pixels');
}

/** Walks the chunks up to `end`, and counts the pictures among them. */
async function walkRiff(file: Pieces, end: number, inFrame: boolean): Promise<number> {
  let pictures = 0;
  while (file.offset < end) {
    const at = file.offset;
    if (end - at < 8)
      throw file.damaged(`no chunk begins at byte ${at}, and ${end - at} bytes are left over`);
    const head = await file.take(8, 'the head of a chunk');
    const type = head.toString('latin1', 0, 4);
    const length = head.readUInt32LE(4);
    const chunkEnd = file.offset + length;
    if (chunkEnd > end) {
      throw file.damaged(
        `the chunk at byte ${at} claims ${length} bytes, and what holds it ends at byte ${end}`,
      );
    }
    if (type === 'VP8 ' || type === 'VP8L') file.countFrames(++pictures);
    if (type === 'ANMF' && !inFrame) {
      file.skip(16, 'the head of a frame');
      if ((await walkRiff(file, chunkEnd, true)) === 0)
        throw file.damaged(`the frame at byte ${at} has no pixels`);
      file.countFrames(++pictures);
    }
    // A chunk of odd length is followed by a byte of padding, which some writers leave out where nothing comes after.
    file.seek(chunkEnd + (length % 2));
  }
  return pictures;
}

// ── AVIF: boxes to the end of the file; `iloc` in `meta` says where the data of each item lies ──────────────────────────

interface Box {
  readonly type: string;
  /** Where its content begins and ends in the file. */
  readonly start: number;
  readonly end: number;
}

async function walkAvif(file: Pieces): Promise<void> {
  let meta: Box | null = null;
  let hasData = false;
  for (let first = true; file.offset < file.size; first = false) {
    const box = await takeBox(file, file.size);
    if (first !== (box.type === 'ftyp'))
      throw file.damaged(`a box ${box.type} is where ftyp belongs, first and once`);
    if (box.type === 'meta') meta ??= box;
    if (box.type === 'mdat') hasData = true;
    file.seek(box.end);
  }
  if (meta === null) throw file.damaged('it has no meta box');
  const refersToFile = await walkMeta(file, meta);
  if (refersToFile && !hasData) throw file.damaged('it has no mdat box, so no pixels');
}

async function takeBox(file: Pieces, within: number): Promise<Box> {
  const at = file.offset;
  const head = await file.take(8, `the box at byte ${at}`);
  const type = head.toString('latin1', 4, 8);
  let size = head.readUInt32BE(0);
  if (size === 0) size = within - at; // to the end of what holds it
  if (size === 1) size = Number((await file.take(8, `the box at byte ${at}`)).readBigUInt64BE(0));
  if (at + size < file.offset || at + size > within) {
    throw file.damaged(
      `the box at byte ${at} claims ${size} bytes, and what holds it ends at byte ${within}`,
    );
  }
  return { type, start: file.offset, end: at + size };
}

async function walkMeta(file: Pieces, meta: Box): Promise<boolean> {
  let iloc: Box | null = null;
  let idatBytes = 0;
  file.seek(meta.start + 4); // version and flags
  while (file.offset < meta.end) {
    const box = await takeBox(file, meta.end);
    if (box.type === 'iloc') iloc ??= box;
    if (box.type === 'idat') idatBytes = box.end - box.start;
    file.seek(box.end);
  }
  if (iloc === null) throw file.damaged('its meta box has no iloc box, so nothing says where the pixels are');
  return walkItemLocations(file, iloc, idatBytes);
}

/** How an item's extents are counted, ISO/IEC 14496-12, 8.11.3. By a third way they lie within another item, and need no check. */
const ILOC = { FROM_FILE: 0, FROM_IDAT: 1 } as const;

/** Holds each extent of each item against the bytes that are there; tells whether any lies in the file outside of `meta`. */
async function walkItemLocations(file: Pieces, iloc: Box, idatBytes: number): Promise<boolean> {
  const what = `the iloc box at byte ${iloc.start - 8}`;
  file.seek(iloc.start);
  const head = await file.take(6, what);
  const version = head[0] as number;
  const [offsetBytes, lengthBytes, baseBytes, reserved] = [
    head.readUInt8(4) >> 4,
    head.readUInt8(4) & 15,
    head.readUInt8(5) >> 4,
    head.readUInt8(5) & 15,
  ];
  const indexBytes = version === 0 ? 0 : reserved;
  if (
    version > 2 ||
    [offsetBytes, lengthBytes, baseBytes, indexBytes].some((width) => ![0, 4, 8].includes(width))
  ) {
    throw file.damaged(`${what} is not of a known form`);
  }
  const idBytes = version < 2 ? 2 : 4;
  const methodBytes = version === 0 ? 0 : 2;
  const items = (await file.take(idBytes, what)).readUIntBE(0, idBytes);
  if (items === 0) throw file.damaged(`${what} lists no item`);

  let refersToFile = false;
  for (let item = 0; item < items; item += 1) {
    const entry = await file.take(idBytes + methodBytes + 2 + baseBytes + 2, what);
    const method = methodBytes === 0 ? ILOC.FROM_FILE : entry.readUInt16BE(idBytes) & 15;
    if (entry.readUInt16BE(idBytes + methodBytes) !== 0)
      throw file.damaged('a part of it is in another file');
    const base = readNumber(entry, idBytes + methodBytes + 2, baseBytes);
    const extents = entry.readUInt16BE(entry.length - 2);
    const end = method === ILOC.FROM_FILE ? file.size : method === ILOC.FROM_IDAT ? idatBytes : Infinity;
    if (method === ILOC.FROM_FILE && extents > 0) refersToFile = true;
    for (let extent = 0; extent < extents; extent += 1) {
      const bytes = await file.take(indexBytes + offsetBytes + lengthBytes, what);
      const from = base + readNumber(bytes, indexBytes, offsetBytes);
      const to = from + readNumber(bytes, indexBytes + offsetBytes, lengthBytes);
      if (to > end) throw file.damaged(`the data of an item reaches to byte ${to}, and there are ${end}`);
    }
    if (file.offset > iloc.end) throw file.damaged(`${what} lists more than it holds`);
  }
  return refersToFile;
}

/** A field of none, four or eight bytes. Above 2^53 it is not exact, and is past the end of any file all the same. */
function readNumber(bytes: Buffer, at: number, width: number): number {
  if (width === 0) return 0;
  return width === 4 ? bytes.readUInt32BE(at) : Number(bytes.readBigUInt64BE(at));
}
