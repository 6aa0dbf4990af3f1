import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { finishAvatar } from '../../src/tool/finish/avatar.ts';
import { finishIcon } from '../../src/tool/finish/icon.ts';
import { finishToSize } from '../../src/tool/finish/to-size.ts';
import type { Finished } from '../../src/tool/tool.ts';
import { makePicture } from '../pictures.ts';
import { draw, drawFace, openFolder, pixelAt } from './pictures.ts';

const keep = openFolder();

interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

function cropOf({ metadata }: Finished): { crop: Area; focus: { x: number; y: number } } {
  return metadata as unknown as { crop: Area; focus: { x: number; y: number } };
}

describe.each([
  ['an avatar', finishAvatar],
  ['an icon', finishIcon],
  ['a picture made to size', finishToSize],
])('%s', (_, finish) => {
  test('leaves the original unchanged', async () => {
    const before = await makePicture({ width: 90, height: 60 });
    const file = await keep(before);
    await finish(file, '32x32');
    expect(Buffer.compare(await readFile(file), before)).toBe(0);
  });

  test('has the same bytes every time', async () => {
    const file = await keep(await makePicture({ width: 90, height: 60 }));
    const [one, other] = await Promise.all([finish(file, '48x48'), finish(file, '48x48')]);
    expect(Buffer.compare(one.bytes, other.bytes)).toBe(0);
    expect(one.metadata).toEqual(other.metadata);
  });

  test('is made from the first frame of an animation', async () => {
    for (const format of ['gif-animated', 'webp-animated'] as const) {
      const file = await keep(await makePicture({ format, width: 60, height: 40 }));
      const { pages, width, height } = await sharp((await finish(file, '32x32')).bytes).metadata();
      expect({ pages: pages ?? 1, width, height }).toEqual({ pages: 1, width: 32, height: 32 });
    }
  });

  test.each(['1x1', '1x500', '500x1', '3x4000'])('can be made from a picture of %s', async (size) => {
    const [width = 1, height = 1] = size.split('x').map(Number);
    const file = await keep(
      await draw(width, height, '<rect width="4000" height="4000" fill="#a33"/>').png().toBuffer(),
    );
    const { bytes } = await finish(file, '64x64');
    expect(await sharp(bytes).metadata()).toMatchObject({ width: 64, height: 64 });
  });

  test('is rejected above the pixel limit', async () => {
    const bomb = sharp({ create: { width: 20_000, height: 6_000, channels: 3, background: '#fff' } });
    const file = await keep(await bomb.png({ compressionLevel: 9 }).toBuffer());
    await expect(finish(file, '64x64')).rejects.toThrow(/pixel/);
  });
});

describe('an avatar', () => {
  test.each([
    [1600, 800, { x: 1200, y: 360, size: 300 }],
    [1600, 800, { x: 300, y: 360, size: 300 }],
    [800, 1200, { x: 400, y: 300, size: 300 }],
    [600, 600, { x: 400, y: 200, size: 150 }],
  ])('from a picture of %d by %d is a square with the face in it', async (width, height, at) => {
    const file = await keep(await drawFace(width, height, at).png().toBuffer());
    const finished = await finishAvatar(file, '512x512');
    expect(await sharp(finished.bytes).metadata()).toMatchObject({ format: 'png', width: 512, height: 512 });
    const { crop, focus } = cropOf(finished);
    expect(crop.width).toBe(Math.min(width, height));
    expect(crop.height).toBe(crop.width);
    expect(crop.x).toBeLessThanOrEqual(at.x - at.size * 0.4);
    expect(crop.x + crop.width).toBeGreaterThanOrEqual(at.x + at.size * 0.4);
    expect(crop.y).toBeLessThanOrEqual(at.y - at.size / 2);
    expect(crop.y + crop.height).toBeGreaterThanOrEqual(at.y + at.size / 2);
    expect(Math.hypot(focus.x - at.x, focus.y - at.y)).toBeLessThan(at.size * 0.75);
  });

  test('reports the crop in pixels after the EXIF rotation', async () => {
    const upright = await drawFace(400, 800, { x: 200, y: 600, size: 200 }).png().toBuffer();
    const file = await keep(
      await sharp(upright).rotate(-90).jpeg().withMetadata({ orientation: 6 }).toBuffer(),
    );
    const finished = await finishAvatar(file, '128x128');
    const { crop } = cropOf(finished);
    expect(crop).toMatchObject({ x: 0, width: 400, height: 400 });
    expect(crop.y).toBeGreaterThan(250);
    const [r = 0, , b = 0] = await pixelAt(finished.bytes, 64, Math.round((600 - crop.y) * 0.32));
    expect(r).toBeGreaterThan(b);
  });
});

describe('an icon', () => {
  const SUBJECT =
    '<circle cx="280" cy="150" r="100" fill="#fc3"/><circle cx="280" cy="150" r="40" fill="#fff"/>';

  test.each(['png', 'jpeg'] as const)(
    'on a single colour loses its background and keeps that colour within the subject, from %s',
    async (format) => {
      const ground = '<rect width="400" height="300" fill="#fff"/>';
      const file = await keep(
        await draw(400, 300, ground + SUBJECT)
          .flatten()
          .toFormat(format)
          .toBuffer(),
      );
      const { bytes, variants, metadata } = await finishIcon(file, '256x256');
      expect(metadata).toEqual({ transparent: true, cutOut: '#ffffff' });
      for (const [picture, side] of [
        [bytes, 256],
        [variants[0]?.bytes ?? bytes, 128],
      ] as const) {
        expect(await sharp(picture).metadata()).toMatchObject({ format: 'png', width: side, height: side });
        for (const [x, y] of [
          [0, 0],
          [side - 1, 0],
          [0, side - 1],
          [side - 1, side - 1],
        ] as const) {
          expect((await pixelAt(picture, x, y))[3]).toBe(0);
        }
        const [r = 0, g = 0, b = 0, a] = await pixelAt(picture, side / 2, side / 2);
        expect(Math.min(r, g, b)).toBeGreaterThan(245);
        expect(a).toBe(255);
        // The subject fills the icon except for its margin.
        expect((await pixelAt(picture, Math.round(side * 0.08), side / 2))[3]).toBe(255);
      }
      expect(variants.map(({ part }) => part)).toEqual(['128']);
    },
  );

  test('has no halo of the background colour', async () => {
    const ground = '<rect width="400" height="300" fill="#0f0"/>';
    const file = await keep(
      await draw(400, 300, `${ground}<circle cx="200" cy="150" r="100" fill="#a00"/>`).png().toBuffer(),
    );
    const { bytes } = await finishIcon(file, '256x256');
    const { data } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
    let green = 0;
    for (let at = 0; at < data.length; at += 4) {
      const [r = 0, g = 0, , a = 0] = data.subarray(at, at + 4);
      if (a > 60 && g > r) green += 1;
    }
    expect(green).toBe(0);
  });

  test('that is already transparent keeps its transparency', async () => {
    const file = await keep(await draw(400, 300, SUBJECT).webp({ lossless: true }).toBuffer());
    const { bytes, metadata } = await finishIcon(file, '256x256');
    expect(metadata).toEqual({ transparent: true });
    expect((await pixelAt(bytes, 0, 0))[3]).toBe(0);
    expect(await pixelAt(bytes, 128, 128)).toEqual([255, 255, 255, 255]);
  });

  test('keeps a background of many colours', async () => {
    const file = await keep(await makePicture({ width: 120, height: 120 }));
    const { bytes, metadata } = await finishIcon(file, '256x256');
    expect(metadata).toEqual({ transparent: false });
    expect((await pixelAt(bytes, 0, 0))[3]).toBe(255);
  });

  test('of a single colour keeps it', async () => {
    const file = await keep(
      await draw(90, 90, '<rect width="90" height="90" fill="#123456"/>').png().toBuffer(),
    );
    const { bytes, metadata } = await finishIcon(file, '64x64');
    expect(metadata).toEqual({ transparent: false });
    expect(await pixelAt(bytes, 32, 32)).toEqual([0x12, 0x34, 0x56, 255]);
  });

  test('of a fully transparent picture is empty', async () => {
    const file = await keep(await draw(90, 90, '').png().toBuffer());
    expect((await pixelAt((await finishIcon(file, '64x64')).bytes, 32, 32))[3]).toBe(0);
  });
});

describe('a picture made to size', () => {
  test('keeps its bytes when it already has the size', async () => {
    const bytes = await makePicture({ format: 'jpeg', width: 64, height: 48 });
    const finished = await finishToSize(await keep(bytes), '64x48');
    expect(Buffer.compare(finished.bytes, bytes)).toBe(0);
    expect(finished).toMatchObject({ variants: [], metadata: {} });
  });

  test.each([
    ['png', 'png'],
    ['jpeg', 'jpeg'],
    ['webp', 'webp'],
    ['gif', 'png'],
    ['avif', 'png'],
  ] as const)('from %s becomes %s of exactly the size', async (format, expected) => {
    const file = await keep(await makePicture({ format, width: 90, height: 60 }));
    const { bytes, metadata } = await finishToSize(file, '50x100');
    expect(await sharp(bytes).metadata()).toMatchObject({ format: expected, width: 50, height: 100 });
    expect(metadata).toMatchObject({ from: { width: 90, height: 60 }, crop: { width: 30, height: 60 } });
  });
});
