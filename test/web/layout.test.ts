import { expect, test } from 'vitest';
import { aspectOf, layoutRows, type Row, targetHeight } from '../../src/web/grid/layout.ts';
import { makeRandom } from './random.ts';

const GAP = 4;
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const widthOf = ({ widths }: Row) => sum(widths) + GAP * (widths.length - 1);

/** Proportions like those of real lists: most from a few sizes, some from cameras and banners. */
function makeAspects(seed: number, count: number): number[] {
  const { chance, pick, next } = makeRandom(seed);
  return Array.from({ length: count }, () =>
    aspectOf({ width: chance(0.8) ? pick([512, 768, 1024]) : Math.ceil(next() * 4000), height: 768 }),
  );
}

test('rows hold every image once, in order, and fill the width to the pixel', () => {
  for (let seed = 1; seed <= 300; seed++) {
    const { integer, chance } = makeRandom(seed);
    const width = 320 + integer(3600);
    const aspects = makeAspects(seed, 1 + integer(150));
    const target = targetHeight(width);
    const ends = chance(0.5);
    const rows = layoutRows(aspects, { width, gap: GAP, target, ends });
    expect(rows.flatMap(({ start, widths }) => widths.map((_, index) => start + index))).toEqual([
      ...aspects.keys(),
    ]);
    for (const [index, row] of rows.entries()) {
      expect(widthOf(row), `seed ${seed} row ${index}`).toBeLessThanOrEqual(width);
      if (index < rows.length - 1) expect(widthOf(row), `seed ${seed} row ${index}`).toBe(width);
      expect(row.height).toBeLessThanOrEqual(Math.ceil(target * 1.75));
      for (const [at, tile] of row.widths.entries())
        expect(Math.abs(tile / row.height - (aspects[row.start + at] as number))).toBeLessThan(0.06);
    }
  }
});

test('rows of a full page are near the target height on every screen', () => {
  for (const width of [360, 390, 768, 1400, 1920, 3840])
    for (let seed = 1; seed <= 50; seed++) {
      const target = targetHeight(width);
      const rows = layoutRows(makeAspects(seed, 100), { width, gap: GAP, target, ends: false });
      const mean = sum(rows.map(({ height }) => height)) / rows.length;
      expect(Math.abs(mean / target - 1), `${width} seed ${seed}`).toBeLessThan(0.2);
      expect(rows.every((row) => widthOf(row) === width || row.height >= target * 1.7)).toBe(true);
    }
});

test('the last row of the list is not stretched', () => {
  const options = { width: 1000, gap: GAP, target: 200 };
  const [, last] = layoutRows([1, 1, 1, 1, 1, 1], { ...options, ends: true });
  expect(last).toMatchObject({ height: 200, widths: [200] });
  expect(layoutRows([1], { ...options, ends: true })[0]).toMatchObject({ height: 200, widths: [200] });
  expect(layoutRows([], { ...options, ends: true })).toEqual([]);
});

test('an image without bytes has the proportions of the requested size', () => {
  expect(aspectOf({ size: '768x512' })).toBe(1.5);
  expect(aspectOf({ size: 'auto' })).toBe(1);
  expect(aspectOf({ width: null, height: null, size: null })).toBe(1);
  expect(aspectOf({ width: 100, height: 400, size: '1x1' })).toBe(0.5);
  expect(aspectOf({ width: 9000, height: 100 })).toBe(3);
});
