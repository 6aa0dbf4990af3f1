import { describe, expect, test } from 'vitest';
import { coverageOf } from '../../src/web/design/coverage.ts';
import {
  daysBefore,
  firstDayOf,
  galleryFilterOf,
  imageFilterOf,
  overviewPath,
  parseSelection,
  RANGES,
  type Selection,
} from '../../src/web/overview/selection.ts';
import { type DayRow, makeSeries, stack, sum, ticksOf } from '../../src/web/overview/series.ts';
import { makeRandom, type Random } from './random.ts';

const TODAY = '2026-11-30';

/** Returns rows of random days up to today, one for each day and tool. */
function makeRows(random: Random, days: number): DayRow[] {
  const tools = Array.from({ length: 1 + random.integer(12) }, (_, index) => `tool-${index}`);
  const rows = new Map<string, DayRow>();
  for (let count = random.integer(300); count > 0; count--) {
    const day = daysBefore(TODAY, random.integer(days));
    const tool = random.pick(tools);
    const failed = random.integer(5);
    rows.set(`${day} ${tool}`, { day, tool, total: failed + random.integer(50), failed });
  }
  return [...rows.values()];
}

describe('the series of the overview', () => {
  test('keep every image of the range, whatever the days and tools', () => {
    for (let seed = 1; seed <= 300; seed++) {
      const random = makeRandom(seed);
      const days = random.pick([7, 30, 90, 365, 2000]);
      const rows = makeRows(random, days);
      const from = random.chance(0.5) ? daysBefore(TODAY, days - 1) : undefined;
      const { buckets, tools } = makeSeries(rows, from, TODAY);
      expect(tools.length).toBeLessThanOrEqual(7);
      expect(sum(tools.flatMap(({ failed }) => failed))).toBe(sum(rows.map(({ failed }) => failed)));
      expect(sum(tools.flatMap(({ made }) => made))).toBe(sum(rows.map((row) => row.total - row.failed)));
      for (const { made, failed } of tools) {
        expect(made).toHaveLength(buckets.length);
        expect(failed).toHaveLength(buckets.length);
      }
    }
  });

  test('have buckets without gaps or overlaps, from the first day to today', () => {
    for (let days = 1; days <= 1200; days += 13) {
      const from = daysBefore(TODAY, days - 1);
      const { buckets, step } = makeSeries([], from, TODAY);
      expect(buckets[0]?.from).toBe(from);
      expect(buckets.at(-1)?.to).toBe(TODAY);
      for (const [place, bucket] of buckets.slice(1).entries())
        expect(daysBefore(bucket.from, 1)).toBe(buckets[place]?.to);
      expect(buckets.length).toBeLessThanOrEqual(120);
      // Only the first and the last week or month may be shorter.
      for (const { from: first } of buckets.slice(1)) {
        if (step === 'week') expect(new Date(first).getUTCDay()).toBe(1);
        if (step === 'month') expect(first.slice(8)).toBe('01');
      }
    }
  });

  test('put each image into the bucket of its day', () => {
    const rows = [
      { day: '2026-11-29', tool: 'avatar', total: 3, failed: 1 },
      { day: '2026-11-30', tool: 'avatar', total: 5, failed: 0 },
      { day: '2026-11-30', tool: 'comic', total: 9, failed: 9 },
    ];
    expect(makeSeries(rows, '2026-11-28', TODAY)).toEqual({
      step: 'day',
      buckets: ['2026-11-28', '2026-11-29', '2026-11-30'].map((day) => ({ from: day, to: day })),
      tools: [
        { tool: 'comic', made: [0, 0, 0], failed: [0, 0, 9] },
        { tool: 'avatar', made: [0, 2, 5], failed: [0, 1, 0] },
      ],
    });
  });

  test('name the tools with the most images, and add up the others last', () => {
    const rows = Array.from({ length: 9 }, (_, index) => ({
      day: TODAY,
      tool: `tool-${index}`,
      total: index + 1,
      failed: 0,
    }));
    const { tools } = makeSeries(rows, TODAY, TODAY);
    expect(tools.map(({ tool }) => tool)).toEqual([
      'tool-8',
      'tool-7',
      'tool-6',
      'tool-5',
      'tool-4',
      'tool-3',
      null,
    ]);
    expect(tools.at(-1)?.made).toEqual([1 + 2 + 3]);
    // One tool more than have a name of their own is named too: "others" would stand for it alone.
    expect(makeSeries(rows.slice(0, 7), TODAY, TODAY).tools.map(({ tool }) => tool)).not.toContain(null);
  });

  test('are stacked from the topmost, each with all below it', () => {
    expect(
      stack([
        [1, 2],
        [10, 0],
        [100, 5],
      ]),
    ).toEqual([
      [111, 7],
      [11, 2],
      [1, 2],
    ]);
    expect(stack([])).toEqual([]);
  });

  test('have at most as many ticks as there is room for', () => {
    for (let count = 0; count < 200; count++)
      for (const most of [0, 1, 3.7, 12]) {
        const ticks = ticksOf(count, most);
        expect(ticks.length).toBeLessThanOrEqual(Math.max(1, most));
        expect(ticks.every((tick) => tick < count)).toBe(true);
      }
  });
});

describe('the selection of the overview', () => {
  test('goes into the address and comes back', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = makeRandom(seed);
      const selection: Selection = {
        range: random.pick(RANGES),
        ...(random.chance(0.5) ? { tool: random.pick(['avatar', 'a & b', 'ä?#']) } : {}),
        ...(random.chance(0.5) ? { user: random.pick(['ada', 'x=1', '100%']) } : {}),
      };
      const [, query = ''] = overviewPath(selection).split('?');
      expect(parseSelection(query)).toEqual(selection);
    }
  });

  test('ignores what it does not know', () => {
    expect(parseSelection('range=2d&tool=&user=%20&x=1')).toEqual({ range: '30d' });
  });

  test('asks the API and the gallery for the same days', () => {
    for (const range of RANGES) {
      const { from } = galleryFilterOf({ range, tool: 'avatar', user: 'ada' }, TODAY);
      const filter = imageFilterOf({ range, tool: 'avatar', user: 'ada' }, TODAY);
      expect(filter).toMatchObject({ tool: 'avatar', userId: 'ada' });
      expect('createdAfter' in filter ? filter.createdAfter : undefined).toBe(
        from === undefined ? undefined : `${from}T00:00:00.000Z`,
      );
    }
    expect(firstDayOf('7d', TODAY)).toBe('2026-11-24');
    expect(firstDayOf('1y', '2024-03-01')).toBe('2023-03-03');
  });
});

test('each healthy copy counts once, whatever the server counted in between', () => {
  expect(coverageOf({ copies: 10, neverVerified: 2, verifiedInWeek: 3, verifiedInMonth: 5 })).toEqual({
    week: 3,
    month: 2,
    older: 3,
    never: 2,
  });
  expect(coverageOf({ copies: 4, neverVerified: 0, verifiedInWeek: 5, verifiedInMonth: 4 })).toEqual({
    week: 5,
    month: 0,
    older: 0,
    never: 0,
  });
});
