import { expect, test } from 'vitest';
import { chipsOf, toggled, withPart } from '../../src/web/gallery/conditions.ts';
import { monthsOf, startOfMonth } from '../../src/web/gallery/days.ts';
import { makeLayout, moveFocus, rowAt, topsOf } from '../../src/web/grid/rows.ts';
import { formatFilter, parseFilter } from '../../src/web/state/filter.ts';
import { makeRandom } from './random.ts';

test('months have the sum of their days, and begin at the day that comes first in the list', () => {
  const days = [
    { day: '2026-01-03', total: 2 },
    { day: '2026-01-01', total: 5 },
    { day: '2025-12-31', total: 1 },
  ];
  for (const [list, isOldestFirst] of [[days, false] as const, [days.toReversed(), true] as const]) {
    const months = monthsOf(list);
    const january = months.find(({ month }) => month === '2026-01');
    expect(january).toMatchObject({ count: 7, first: '2026-01-01', last: '2026-01-03', startsYear: true });
    expect(january && startOfMonth(january, isOldestFirst)).toBe(isOldestFirst ? '2026-01-01' : '2026-01-03');
    expect(months.map(({ count }) => count)).toEqual(isOldestFirst ? [1, 7] : [7, 1]);
  }
});

test('each chip removes one condition and nothing else', () => {
  const filter = parseFilter(
    'tool=a&tag=x&tag=y&status=failed&durability=damaged&from=2026-01-01&order=oldest',
  );
  expect(chipsOf(filter).map(({ label }) => label)).toEqual([
    'Tool: a',
    '#x',
    '#y',
    'Failed',
    'Damaged',
    'From: 2026-01-01',
  ]);
  expect(chipsOf(filter).map(({ without }) => chipsOf(without).length)).toEqual([5, 5, 5, 5, 5, 5]);
  expect(chipsOf(filter).every(({ without }) => without.order === 'oldest')).toBe(true);
  expect(formatFilter(withPart({ tags: ['x'] }, 'tags', toggled(['x'], 'x')))).toBe('');
});

test('arrows reach every image, and a row is found by its distance', () => {
  const { integer } = makeRandom(7);
  const entries = Array.from({ length: 90 }, (_, index) => ({
    cursor: String(index),
    node: { id: String(index), width: 300 + integer(500), height: 400 },
  }));
  const rows = makeLayout()(
    { pages: [{ key: 1, entries }], hasBefore: false, hasAfter: false },
    900,
  ) as never;
  const walk = (from: string, direction: 'left' | 'right' | 'up' | 'down') => {
    const seen = [from];
    for (let at = from; ; ) {
      const next = moveFocus(rows, at, direction);
      if (next === at) return seen;
      seen.push(next);
      at = next;
    }
  };
  expect(walk('0', 'right')).toEqual(entries.map(({ node }) => node.id));
  expect(walk('89', 'left')).toHaveLength(90);
  const count = (rows as readonly unknown[]).length;
  expect(walk('0', 'down')).toHaveLength(count);
  const tops = topsOf(rows);
  for (let row = 0; row < count; row++) {
    expect(rowAt(tops, tops[row] as number)).toBe(row);
    expect(rowAt(tops, (tops[row + 1] as number) - 1)).toBe(row);
  }
  expect(rowAt(tops, -50)).toBe(0);
  expect(rowAt([0], 10)).toBe(0);
});
