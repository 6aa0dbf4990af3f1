/**
 * Pictures for tests, made in memory by the encoders that real programs use, and ways to damage them. Each
 * seed gives different bytes, always the same ones, so that a test can have as many blobs as it needs.
 */
import { crc32, deflateSync } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import type { PictureType } from '../src/storage/picture/sniff.ts';

interface Encoding {
  readonly mimeType: PictureType;
  readonly extension: string;
  readonly frames: number;
  readonly encode: (picture: Sharp) => Sharp;
}

/** Encodings that the server must support, one for each file structure. */
export const ENCODINGS = {
  png: { mimeType: 'image/png', extension: 'png', frames: 1, encode: (p) => p.png() },
  'png-interlaced': {
    mimeType: 'image/png',
    extension: 'png',
    frames: 1,
    encode: (p) => p.png({ progressive: true }),
  },
  jpeg: { mimeType: 'image/jpeg', extension: 'jpg', frames: 1, encode: (p) => p.jpeg() },
  'jpeg-progressive': {
    mimeType: 'image/jpeg',
    extension: 'jpg',
    frames: 1,
    encode: (p) => p.jpeg({ progressive: true }),
  },
  webp: { mimeType: 'image/webp', extension: 'webp', frames: 1, encode: (p) => p.webp() },
  'webp-lossless': {
    mimeType: 'image/webp',
    extension: 'webp',
    frames: 1,
    encode: (p) => p.webp({ lossless: true }),
  },
  'webp-animated': { mimeType: 'image/webp', extension: 'webp', frames: 3, encode: (p) => p.webp() },
  gif: { mimeType: 'image/gif', extension: 'gif', frames: 1, encode: (p) => p.gif({ effort: 1 }) },
  'gif-animated': { mimeType: 'image/gif', extension: 'gif', frames: 3, encode: (p) => p.gif({ effort: 1 }) },
  avif: { mimeType: 'image/avif', extension: 'avif', frames: 1, encode: (p) => p.avif({ effort: 0 }) },
} as const satisfies Record<string, Encoding>;

export type PictureFormat = keyof typeof ENCODINGS;
export const PICTURE_FORMATS = Object.keys(ENCODINGS) as PictureFormat[];

export interface PictureRequest {
  format?: PictureFormat;
  width?: number;
  height?: number;
  seed?: number;
}

/** Makes a picture of soft colours with some grain, so that no encoder compresses it to almost nothing. */
export async function makePicture(request: PictureRequest = {}): Promise<Buffer<ArrayBuffer>> {
  const { format = 'png', width = 64, height = 48, seed = 1 } = request;
  const { frames, encode }: Encoding = ENCODINGS[format];
  const raw = { width, height: height * frames, channels: 3 as const, pageHeight: height };
  // Copied: a Blob takes no shared memory, and sharp's type does not exclude it.
  return Buffer.from(await encode(sharp(grain(width, height * frames, seed), { raw })).toBuffer());
}

function grain(width: number, height: number, seed: number): Buffer {
  const random = makeRandom(seed);
  const [red, green, blue] = [random() * 256, random() * 256, random() * 256];
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 3) {
      const noise = random() * 32;
      pixels[at] = red + (x * 128) / width + noise;
      pixels[at + 1] = green + (y * 128) / height + noise;
      pixels[at + 2] = blue + ((x + y) * 64) / (width + height) + noise;
    }
  }
  return pixels;
}

/**
 * Generates numbers in [0, 1) from a seed: mulberry32,
 * https://gist.github.com/tommyettinger/46a874533244883189143505d203312c
 */
export function makeRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Returns `count` lengths to truncate a file of `bytes` to, from 16 up, near and far from the end. */
export function cutLengths(bytes: number, count = 20): number[] {
  const ends = [1, 2, 3, 4, 8, 12].map((less) => bytes - less);
  const spread = count - ends.length;
  const within = Array.from({ length: spread }, (_, i) => 16 + Math.floor(((bytes - 32) * i) / spread));
  return [...within, ...ends.reverse()];
}

export const PNG_SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

/** Makes a chunk of a PNG, with its length and CRC. */
export function makePngChunk(type: string, data: Uint8Array = Buffer.alloc(0)): Buffer<ArrayBuffer> {
  const chunk = Buffer.alloc(12 + data.length);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(type, 4, 'latin1');
  chunk.set(data, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length);
  return chunk;
}

/**
 * Makes a PNG with a valid structure whose header claims a size, but with only a thousand bytes of black
 * pixels.
 */
export function makeClaimingPng(width: number, height: number): Buffer<ArrayBuffer> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const pixels = deflateSync(Buffer.alloc(1000));
  return Buffer.concat([
    PNG_SIGNATURE,
    makePngChunk('IHDR', header),
    makePngChunk('IDAT', pixels),
    makePngChunk('IEND'),
  ]);
}

/** Splits a PNG into its chunks, without the signature. */
export function splitPng(png: Buffer): { type: string; chunk: Buffer }[] {
  const chunks: { type: string; chunk: Buffer }[] = [];
  for (let at = PNG_SIGNATURE.length; at < png.length; ) {
    const end = at + 12 + png.readUInt32BE(at);
    chunks.push({ type: png.toString('latin1', at + 4, at + 8), chunk: png.subarray(at, end) });
    at = end;
  }
  return chunks;
}

/** Returns the PNG without its chunks of one type. */
export function withoutPngChunk(png: Buffer, type: string): Buffer<ArrayBuffer> {
  const kept = splitPng(png).filter((part) => part.type !== type);
  return Buffer.concat([PNG_SIGNATURE, ...kept.map((part) => part.chunk)]);
}

/** Returns the PNG with one wrong bit in the CRC of its first chunk of one type. sharp ignores that. */
export function withWrongCrc(png: Buffer, type = 'IDAT'): Buffer<ArrayBuffer> {
  const wrong = Buffer.from(png);
  let at = PNG_SIGNATURE.length;
  while (wrong.toString('latin1', at + 4, at + 8) !== type) at += 12 + wrong.readUInt32BE(at);
  const crc = at + 8 + wrong.readUInt32BE(at);
  wrong.writeUInt8(wrong.readUInt8(crc) ^ 1, crc);
  return wrong;
}

/** Files that are no pictures, each with the name that the error must use. */
export const NOT_PICTURES: readonly { is: string; bytes: Buffer<ArrayBuffer> }[] = [
  { is: 'plain text', bytes: Buffer.from('Just a note that somebody saved as photo.png.\n') },
  {
    is: 'HTML',
    bytes: Buffer.from('<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head></html>'),
  },
  { is: 'SVG', bytes: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>') },
  { is: 'PDF', bytes: Buffer.from('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n', 'latin1') },
  { is: 'JSON', bytes: Buffer.from('{"error":{"code":429,"message":"Rate limit reached"}}') },
];
