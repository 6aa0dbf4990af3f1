import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { measurePicture, openPicture } from '../../src/storage/picture/decoder.ts';
import { type Chance, COMPARE_SEED, makeChance } from '../compare/chance.ts';
import { CHROMIUM, openBrowser, type TestBrowser } from './chromium.ts';

/** Logical screens, including those that libnsgif overrides. */
const SCREENS = '640x480 640x512 800x600 1024x768 641x480 0x0 0x30 50x40 100x100 2049x10 2100x2100'
  .split(' ')
  .map((size) => size.split('x').map(Number));

describe.skipIf(!CHROMIUM)('a GIF', () => {
  let opened: TestBrowser;
  beforeAll(async () => {
    opened = await openBrowser();
  });
  afterAll(() => opened?.close());

  test('has the size and the pixels that Chromium shows', async () => {
    const page = await opened.browser.newPage();
    for (let at = 0; at < 44; at++) {
      const seed = COMPARE_SEED + at;
      const gif = makeGif(makeChance(seed), at);
      const theirs = await page.evaluate(
        async (address) => {
          const image = new Image();
          image.src = address;
          await image.decode();
          const canvas = document.createElement('canvas');
          [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
          const context = canvas.getContext('2d') as CanvasRenderingContext2D;
          context.drawImage(image, 0, 0);
          const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
          const hash = data.reduce((sum, byte) => (Math.imul(sum, 31) + byte) | 0, 0);
          return { width: canvas.width, height: canvas.height, hash };
        },
        `data:image/gif;base64,${gif.toString('base64')}`,
      );
      const measured = await measurePicture(gif);
      const { data } = await (await openPicture(gif, { maxPixels: 1e8 }))
        .ensureAlpha()
        .raw()
        .toBuffer({ resolveWithObject: true });
      // Transparent pixels have no colour in a canvas.
      for (let pixel = 0; pixel < data.length; pixel += 4)
        if (data[pixel + 3] === 0) data.fill(0, pixel, pixel + 3);
      const hash = data.reduce((sum, byte) => (Math.imul(sum, 31) + byte) | 0, 0);
      const { width, height } = measured;
      expect({ width, height, hash }, `seed ${seed}`).toEqual(theirs);
    }
  }, 120_000);
});

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly transparent: boolean;
}

/** Makes one or two frames of noise in four colours, anywhere on the screen and beyond it. */
function makeGif(chance: Chance, at: number): Buffer {
  const [screenWidth = 1, screenHeight = 1] = SCREENS[at % SCREENS.length] ?? [];
  const frames = chance.many(1, 2, (): Frame => {
    const [left, top] = chance.of(0.25) ? [0, 0] : [chance.below(120), chance.below(120)];
    const whole = chance.of(0.2) && screenWidth * screenHeight > 0;
    const size = whole
      ? { left: 0, top: 0, width: screenWidth, height: screenHeight }
      : { left, top, width: 1 + chance.below(60), height: 1 + chance.below(60) };
    // Some tools write a frame without pixels first. Browsers refuse a picture without a size.
    const isEmpty = screenWidth * screenHeight > 0 && chance.of(0.1);
    return {
      ...size,
      ...(isEmpty ? { width: 0, height: chance.below(3) } : {}),
      transparent: chance.of(0.5),
    };
  });
  const bytes: number[] = [
    ...Buffer.from('GIF89a'),
    ...short(screenWidth),
    ...short(screenHeight),
    0x81,
    0,
    0,
  ];
  bytes.push(...[0, 0, 0, 200, 10, 40, 10, 200, 40, 255, 255, 255]);
  const parts: Buffer[] = [Buffer.from(bytes)];
  for (const { left, top, width, height, transparent } of frames) {
    const control = [0x21, 0xf9, 4, (transparent ? 1 : 0) | (1 << 2), 10, 0, transparent ? 2 : 0, 0];
    const head = [0x2c, ...short(left), ...short(top), ...short(width), ...short(height), 0];
    parts.push(Buffer.from([...control, ...head]), pack(chance, width * height));
  }
  return Buffer.concat([...parts, Buffer.from([0x3b])]);
}

const short = (value: number) => [value & 255, value >> 8];

/**
 * Encodes random pixels of two bits as LZW (GIF89a, appendix F). The table is cleared before codes need more
 * than three bits.
 */
function pack(chance: Chance, pixels: number): Buffer {
  const [CLEAR, END] = [4, 5];
  const codes: number[] = [];
  for (let at = 0; at < pixels; at++) {
    if (at % 2 === 0) codes.push(CLEAR);
    codes.push(chance.below(4));
  }
  codes.push(END);
  const data = Buffer.alloc(Math.ceil((codes.length * 3) / 8));
  codes.forEach((code, index) => {
    const bit = index * 3;
    const shifted = code << (bit % 8);
    data[bit >> 3] = (data[bit >> 3] ?? 0) | (shifted & 255);
    if (shifted > 255) data[(bit >> 3) + 1] = shifted >> 8;
  });
  const blocks: Buffer[] = [Buffer.from([2])];
  for (let from = 0; from < data.length; from += 255) {
    const block = data.subarray(from, from + 255);
    blocks.push(Buffer.from([block.length]), block);
  }
  return Buffer.concat([...blocks, Buffer.from([0])]);
}
