/**
 * Decoder of ThumbHash (https://evanw.github.io/thumbhash/, MIT), a placeholder of about 25 bytes, and a
 * writer of small PNGs, so that the picture fits a data address.
 */

export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue and alpha of each pixel, row by row. */
  readonly rgba: Uint8Array;
}

/** Longest side of a decoded placeholder, in pixels. */
const SIDE = 32;

interface Header {
  readonly bits: number;
  readonly more: number;
  readonly hasAlpha: boolean;
  readonly lx: number;
  readonly ly: number;
  readonly ratio: number;
}

function readHeader(hash: Uint8Array): Header {
  const at = (index: number) => hash[index] ?? 0;
  const bits = at(0) | (at(1) << 8) | (at(2) << 16);
  const more = at(3) | (at(4) << 8);
  const hasAlpha = bits >> 23 !== 0;
  const isLandscape = more >> 15 !== 0;
  const long = hasAlpha ? 5 : 7;
  const short = more & 7;
  const [x, y] = isLandscape ? [long, short] : [short, long];
  return { bits, more, hasAlpha, lx: Math.max(3, x), ly: Math.max(3, y), ratio: x / y };
}

/** Coefficients of one channel, with the number of those in x and y. */
interface Channel {
  readonly dc: number;
  readonly nx: number;
  readonly ny: number;
  readonly ac: readonly number[];
}

function readChannels(hash: Uint8Array, { bits, more, hasAlpha, lx, ly }: Header): Channel[] {
  let nibble = (hasAlpha ? 6 : 5) * 2;
  const read = (dc: number, nx: number, ny: number, scale: number): Channel => {
    const ac: number[] = [];
    for (let cy = 0; cy < ny; cy++)
      for (let cx = cy ? 0 : 1; cx * ny < nx * (ny - cy); cx++, nibble++)
        ac.push(((((hash[nibble >> 1] ?? 0) >> ((nibble & 1) * 4)) & 15) / 7.5 - 1) * scale);
    return { dc, nx, ny, ac };
  };
  const alpha = hash[5] ?? 0;
  // The factor of 1.25 compensates for the quantization of the colours.
  return [
    read((bits & 63) / 63, lx, ly, ((bits >> 18) & 31) / 31),
    read(((bits >> 6) & 63) / 31.5 - 1, 3, 3, (((more >> 3) & 63) / 63) * 1.25),
    read(((bits >> 12) & 63) / 31.5 - 1, 3, 3, (((more >> 9) & 63) / 63) * 1.25),
    ...(hasAlpha ? [read((alpha & 15) / 15, 5, 5, (alpha >> 4) / 15)] : []),
  ];
}

function valueAt({ dc, nx, ny, ac }: Channel, fx: readonly number[], fy: readonly number[]): number {
  let value = dc;
  let index = 0;
  for (let cy = 0; cy < ny; cy++)
    for (let cx = cy ? 0 : 1; cx * ny < nx * (ny - cy); cx++)
      value += (ac[index++] ?? 0) * (fx[cx] ?? 0) * (fy[cy] ?? 0) * 2;
  return value;
}

/** Returns cos(π/n · (i + ½) · c) for each position i and each of the 7 coefficients c. */
function cosines(n: number): number[][] {
  return Array.from({ length: n }, (_, i) =>
    Array.from({ length: 7 }, (_, c) => Math.cos((Math.PI / n) * (i + 0.5) * c)),
  );
}

/** Decodes a hash. Returns null if it is too short to be one. */
export function decodeThumbhash(hash: Uint8Array): Pixels | null {
  if (hash.length < 5) return null;
  const header = readHeader(hash);
  const { ratio } = header;
  if (!(ratio > 0 && ratio < 100)) return null;
  const width = Math.round(ratio > 1 ? SIDE : SIDE * ratio);
  const height = Math.round(ratio > 1 ? SIDE / ratio : SIDE);
  const channels = readChannels(hash, header);
  const [columns, rows] = [cosines(width), cosines(height)];
  const rgba = new Uint8Array(width * height * 4);
  let at = 0;
  for (const fy of rows)
    for (const fx of columns) {
      const [l = 0, p = 0, q = 0, a = 1] = channels.map((channel) => valueAt(channel, fx, fy));
      const blue = l - (2 / 3) * p;
      const red = (3 * l - blue + q) / 2;
      for (const value of [red, red - q, blue, a]) rgba[at++] = Math.max(0, 255 * Math.min(1, value));
    }
  return { width, height, rgba };
}

const bigEndian = (value: number) => [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255];

function crc32(bytes: readonly number[]): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}

function chunk(type: string, data: readonly number[]): number[] {
  const named = [...[...type].map((letter) => letter.charCodeAt(0)), ...data];
  return [...bigEndian(data.length), ...named, ...bigEndian(crc32(named))];
}

/** Returns an uncompressed PNG, of at most 65,535 bytes of pixels. */
export function writePng({ width, height, rgba }: Pixels): Uint8Array {
  const raw: number[] = [];
  for (let y = 0; y < height; y++) raw.push(0, ...rgba.subarray(y * width * 4, (y + 1) * width * 4));
  let [a, b] = [1, 0];
  for (const byte of raw) {
    a = (a + byte) % 65_521;
    b = (b + a) % 65_521;
  }
  const { length } = raw;
  const block = [1, length & 255, length >> 8, ~length & 255, (~length >> 8) & 255, ...raw];
  return Uint8Array.from([
    ...[137, 80, 78, 71, 13, 10, 26, 10],
    ...chunk('IHDR', [...bigEndian(width), ...bigEndian(height), 8, 6, 0, 0, 0]),
    ...chunk('IDAT', [0x78, 1, ...block, b >> 8, b & 255, a >> 8, a & 255]),
    ...chunk('IEND', []),
  ]);
}

/** Placeholders that were decoded last. A page often shows an image twice, or again after scrolling. */
const decoded = new Map<string, string | null>();
const MAX_DECODED = 200;

/** Returns the placeholder as a data address; null if the text is not a hash in base64. */
export function placeholderOf(thumbhash: string): string | null {
  const known = decoded.get(thumbhash);
  if (known !== undefined) return known;
  const address = decodeAddress(thumbhash);
  if (decoded.size >= MAX_DECODED) decoded.delete(decoded.keys().next().value ?? '');
  decoded.set(thumbhash, address);
  return address;
}

function decodeAddress(thumbhash: string): string | null {
  try {
    const hash = Uint8Array.from(atob(thumbhash), (letter) => letter.charCodeAt(0));
    const pixels = decodeThumbhash(hash);
    return pixels && `data:image/png;base64,${btoa(String.fromCharCode(...writePng(pixels)))}`;
  } catch {
    return null;
  }
}
