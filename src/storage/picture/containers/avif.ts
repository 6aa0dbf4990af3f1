import type { Pieces } from './pieces.ts';

interface Box {
  readonly type: string;
  /** Where its content begins and ends in the file. */
  readonly start: number;
  readonly end: number;
}

/** AVIF: boxes to the end of the file; `iloc` in `meta` says where the data of each item lies. */
export async function walkAvif(file: Pieces): Promise<void> {
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

/**
 * How an item's extents are counted, ISO/IEC 14496-12, 8.11.3. By a third way they lie within another item,
 * and need no check.
 */
const ILOC = { FROM_FILE: 0, FROM_IDAT: 1 } as const;

/**
 * Holds each extent of each item against the bytes that are there; tells whether any lies in the file outside
 * of `meta`.
 */
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

/**
 * A field of none, four or eight bytes. Above 2^53 it is not exact, and is past the end of any file all the
 * same.
 */
function readNumber(bytes: Buffer, at: number, width: number): number {
  if (width === 0) return 0;
  return width === 4 ? bytes.readUInt32BE(at) : Number(bytes.readBigUInt64BE(at));
}
