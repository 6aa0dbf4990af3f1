import { expect, test } from 'vitest';
import {
  COPY_STATES,
  DURABILITIES,
  formatFilter,
  type GalleryFilter,
  galleryPath,
  ORDERS,
  parseFilter,
  STATUSES,
} from '../../src/web/state/filter.ts';
import { makeRandom } from './random.ts';

/** Texts that an address must escape. */
const TEXTS = ['fox', 'a b', 'ü&ö=?', '100%', '#1', 'x+y', '"red moon" or owl', '火'];

function makeFilter(seed: number): GalleryFilter {
  const { chance, pick, integer } = makeRandom(seed);
  const maybe = <Value>(key: string, value: () => Value) => (chance(0.3) ? { [key]: value() } : {});
  const some = <Name>(names: readonly Name[]) => {
    const chosen = names.filter(() => chance(0.5));
    return chosen.length > 0 ? chosen : [names[0] as Name];
  };
  const day = () => new Date(Date.UTC(2026, 0, 1 + integer(365))).toISOString().slice(0, 10);
  return {
    ...maybe('words', () => pick(TEXTS)),
    ...maybe('user', () => pick(TEXTS)),
    ...maybe('tool', () => pick(TEXTS)),
    ...maybe('model', () => pick(TEXTS)),
    ...maybe('provider', () => pick(TEXTS)),
    ...maybe('request', () => pick(TEXTS)),
    ...maybe('store', () => pick(TEXTS)),
    ...maybe('tags', () => some(TEXTS)),
    ...maybe('status', () => some(STATUSES)),
    ...maybe('durability', () => some(DURABILITIES)),
    ...maybe('visibility', () => pick(['public', 'private'] as const)),
    ...maybe('trash', () => pick(['include', 'only'] as const)),
    ...maybe('from', day),
    ...maybe('to', day),
    ...maybe('sha256', () => '0f'.repeat(32)),
    ...maybe('copyState', () => pick(COPY_STATES)),
    ...maybe('order', () => pick(ORDERS.slice(1))),
  };
}

test('a filter comes back from its address, whatever its texts contain', () => {
  for (let seed = 1; seed <= 2000; seed++) {
    const filter = makeFilter(seed);
    const query = formatFilter(filter);
    expect(parseFilter(query), `seed ${seed}`).toEqual(filter);
    expect(formatFilter(parseFilter(query))).toBe(query);
  }
});

test('an address with unknown or wrong values shows what is right in it', () => {
  expect(parseFilter('?status=failed&status=x&order=x&from=2026-02-30&sha256=1&page=2&user=%20')).toEqual({
    status: ['failed'],
  });
  expect(parseFilter('durability=damaged').durability).toEqual(['degraded', 'at_risk', 'lost']);
  expect(galleryPath({ order: 'newest' })).toBe('/');
  expect(galleryPath({ durability: ['lost', 'at_risk', 'degraded'] })).toBe('/?durability=damaged');
});
