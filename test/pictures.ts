/**
 * Pictures for tests, made in memory by the encoders that real programs use, and the ways in which they are spoilt. Every
 * seed gives other bytes and the same seed the same, so that a test can have as many different blobs as it wants.
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

/** Each way of encoding that the house must know, one row for each that has a structure of its own. */
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

/** A picture of soft colours with some grain, so that no encoder can make nothing of it. */
export async function makePicture(request: PictureRequest = {}): Promise<Buffer<ArrayBuffer>> {
  const { format = 'png', width = 64, height = 48, seed = 1 } = request;
  const { frames, encode }: Encoding = ENCODINGS[format];
  const raw = { width, height: height * frames, channels: 3 as const, pageHeight: height };
  // Copied, because a Blob takes no bytes that might be shared, and sharp's type does not say that they are not.
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

/** Numbers in [0, 1), the same for the same seed: mulberry32, https://gist.github.com/tommyettinger/46a874533244883189143505d203312c */
export function makeRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The lengths to which a file of `bytes` is cut in tests: `count` of them from 16 up, near and far from the end. */
export function cutLengths(bytes: number, count = 20): number[] {
  const ends = [1, 2, 3, 4, 8, 12].map((less) => bytes - less);
  const spread = count - ends.length;
  const within = Array.from({ length: spread }, (_, i) => 16 + Math.floor(((bytes - 32) * i) / spread));
  return [...within, ...ends.reverse()];
}

export const PNG_SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');

/** A chunk of a PNG, with its length and CRC. */
export function makePngChunk(type: string, data: Uint8Array = Buffer.alloc(0)): Buffer<ArrayBuffer> {
  const chunk = Buffer.alloc(12 + data.length);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(type, 4, 'latin1');
  chunk.set(data, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length);
  return chunk;
}

/** A PNG whose structure is right and whose header claims so many pixels, with a thousand bytes of black behind it. */
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

/** The chunks of a PNG, each whole, without the signature. */
export function splitPng(png: Buffer): { type: string; chunk: Buffer }[] {
  const chunks: { type: string; chunk: Buffer }[] = [];
  for (let at = PNG_SIGNATURE.length; at < png.length; ) {
    const end = at + 12 + png.readUInt32BE(at);
    chunks.push({ type: png.toString('latin1', at + 4, at + 8), chunk: png.subarray(at, end) });
    at = end;
  }
  return chunks;
}

/** The PNG without its chunks of one type. */
export function withoutPngChunk(png: Buffer, type: string): Buffer<ArrayBuffer> {
  const kept = splitPng(png).filter((part) => part.type !== type);
  return Buffer.concat([PNG_SIGNATURE, ...kept.map((part) => part.chunk)]);
}

/** The PNG with one bit of the CRC of its first chunk of one type turned. sharp reads it as if nothing were wrong. */
export function withWrongCrc(png: Buffer, type = 'IDAT'): Buffer<ArrayBuffer> {
  const wrong = Buffer.from(png);
  let at = PNG_SIGNATURE.length;
  while (wrong.toString('latin1', at + 4, at + 8) !== type) at += 12 + wrong.readUInt32BE(at);
  const crc = at + 8 + wrong.readUInt32BE(at);
  wrong.writeUInt8(wrong.readUInt8(crc) ^ 1, crc);
  return wrong;
}

/** What arrives in place of pictures, with the name that the refusal must give it. */
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
