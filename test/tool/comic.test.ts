import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { composeComic, type PanelArea, panelSizes } from '../../src/tool/comic.ts';
import { draw, openFolder, pixelAt } from './pictures.ts';

const keep = openFolder();
const COLOURS = ['#ff0000', '#00ff00', '#0000ff', '#ffff00', '#ff00ff', '#00ffff'];
let panels: { file: string }[] = [];

beforeAll(async () => {
  panels = await Promise.all(
    COLOURS.map(async (colour, i) => {
      const [width, height] = [300 + 40 * i, 400 - 30 * i];
      const picture = draw(width, height, `<rect width="${width}" height="${height}" fill="${colour}"/>`);
      return { file: await keep(await picture.png().toBuffer()) };
    }),
  );
});

describe('a comic page', () => {
  test.each([1, 2, 3, 4, 5, 6])('of %d panels shows each in its frame, in order', async (count) => {
    const { bytes, metadata } = await composeComic(panels.slice(0, count));
    const page = await sharp(bytes).metadata();
    expect(page).toMatchObject({ format: 'png', width: 1024 });
    expect(page.height).toBeLessThan(2048);
    const areas = metadata.places as readonly PanelArea[];
    expect(areas).toHaveLength(count);
    for (const [i, { x, y, width, height }] of areas.entries()) {
      const [r = 0, g = 0, b = 0] = await pixelAt(bytes, x + (width >> 1), y + (height >> 1));
      expect(`#${Buffer.from([r, g, b]).toString('hex')}`).toBe(COLOURS[i]);
      expect(await pixelAt(bytes, x - 1, y + 5)).toEqual([0x11, 0x11, 0x11, 255]);
      expect(await pixelAt(bytes, x + width, y + height)).toEqual([0x11, 0x11, 0x11, 255]);
      const before = areas[i - 1];
      if (before) expect(y > before.y || (y === before.y && x >= before.x + before.width)).toBe(true);
      expect(x + width).toBeLessThan(1024);
      expect(y + height).toBeLessThan(page.height);
    }
    expect(await pixelAt(bytes, 2, 2)).toEqual([255, 255, 255, 255]);
    expect(panelSizes(count)).toEqual(areas.map(({ width, height }) => `${width}x${height}`));
  });

  test('has the same bytes every time', async () => {
    const [one, other] = await Promise.all([composeComic(panels), composeComic(panels)]);
    expect(Buffer.compare(one.bytes, other.bytes)).toBe(0);
  });

  test.each([256, 777, 2048])('can be %d pixels wide', async (width) => {
    const { bytes } = await composeComic(panels.slice(0, 5), { width });
    expect((await sharp(bytes).metadata()).width).toBe(width);
  });

  test('is white where a panel is transparent', async () => {
    const file = await keep(await draw(100, 100, '').png().toBuffer());
    const { bytes } = await composeComic([{ file }]);
    expect(await pixelAt(bytes, 512, 512)).toEqual([255, 255, 255, 255]);
  });

  test.each([0, 7])('is rejected for %d panels', async (count) => {
    const many = Array.from({ length: count }, () => panels[0] ?? { file: '' });
    await expect(composeComic(many)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      inputPath: ['input', 'panels'],
    });
  });
});
