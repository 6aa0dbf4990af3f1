import { randomInt } from 'node:crypto';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { makePngChunk, makeRandom } from '../test/pictures.ts';

/** Makes a file with bytes that no other call has made. */
export type MakeUnique = () => Buffer;

export interface Picture {
  readonly about: string;
  readonly picture: MakeUnique;
}

/** Makes PNGs, the format of most providers. */
export async function makePaintings(): Promise<Picture> {
  const png = await sharp(paint(), { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .png()
    .toBuffer();
  return { about: `a PNG of ${SIDE} × ${SIDE} pixels, ${sizeOf(png)}`, picture: uniquePng(png) };
}

export async function makePhotographs(): Promise<Picture> {
  const [width, height] = [2 * SIDE, 1.5 * SIDE];
  const jpeg = await sharp(photograph(), { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer();
  return { about: `a JPEG of ${width} × ${height} pixels, ${sizeOf(jpeg)}`, picture: uniqueJpeg(jpeg) };
}

const sizeOf = (bytes: Buffer) => `${(bytes.length / 1e6).toFixed(2)} MB`;

/** Pixels of a side, as of most providers. */
const SIDE = 1024;

/** Returns pixels with soft forms and some grain, as painted by a model; about 1 MB in PNG. */
function paint(): Buffer {
  return pixels(SIDE, SIDE, 3);
}

function photograph(): Buffer {
  return pixels(2 * SIDE, 1.5 * SIDE, 14);
}

function pixels(width: number, height: number, grain: number): Buffer {
  const random = makeRandom(7);
  const all = Buffer.alloc(width * height * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const noise = random() * grain;
      const form = 60 * Math.sin(x / 97) * Math.cos(y / 61) + 40 * Math.sin((x + y) / 23);
      for (let channel = 0; channel < 3; channel++) all[at++] = 120 + form * (1 - channel / 4) + noise;
    }
  }
  return all;
}

/** Adds a private chunk with new content at each call: the pixels stay the same, the bytes differ. */
function uniquePng(png: Buffer): MakeUnique {
  const end = png.subarray(-12);
  const chunk = makePngChunk('fxBn', Buffer.alloc(16));
  const template = Buffer.concat([png.subarray(0, -12), chunk, end]);
  const at = png.length - 12;
  let count = 0;
  const run = randomInt(2 ** 47);
  return () => {
    const copy = Buffer.from(template);
    copy.writeDoubleBE(run, at + 8);
    copy.writeDoubleBE(count++, at + 16);
    copy.writeUInt32BE(crc32(copy.subarray(at + 4, at + 24)), at + 24);
    return copy;
  };
}

/** Adds a comment segment with new content at each call, after the start marker. */
function uniqueJpeg(jpeg: Buffer): MakeUnique {
  const comment = Buffer.from([0xff, 0xfe, 0, 18, ...Buffer.alloc(16)]);
  const template = Buffer.concat([jpeg.subarray(0, 2), comment, jpeg.subarray(2)]);
  let count = 0;
  const run = randomInt(2 ** 47);
  return () => {
    const copy = Buffer.from(template);
    copy.writeDoubleBE(run, 6);
    copy.writeDoubleBE(count++, 14);
    return copy;
  };
}
