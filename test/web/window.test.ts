import { expect, test } from 'vitest';
import {
  append,
  type Entry,
  entriesOf,
  firstCursor,
  type ListWindow,
  lastCursor,
  MAX_PAGES,
  openWindow,
  PAGE_SIZE,
  prepend,
  remove,
  replace,
} from '../../src/web/grid/list/window.ts';
import { makeRandom } from './random.ts';

interface Item {
  readonly id: string;
  readonly text: string;
}

/** A list on the server: cursors are positions, and new images come at the start. */
function makeServer(count: number) {
  const list = Array.from({ length: count }, (_, index) => count - index);
  const toEntry = (number: number): Entry<Item> => ({
    cursor: String(number),
    node: { id: `id-${number}`, text: '' },
  });
  return {
    list,
    add: () => list.unshift((list[0] ?? 0) + 1),
    purge: (number: number) => list.splice(list.indexOf(number), 1),
    after(cursor: string | undefined) {
      const rest = cursor === undefined ? list : list.filter((number) => number < Number(cursor));
      return { entries: rest.slice(0, PAGE_SIZE).map(toEntry), more: rest.length > PAGE_SIZE };
    },
    before(cursor: string) {
      const rest = list.filter((number) => number > Number(cursor));
      return { entries: rest.slice(-PAGE_SIZE).map(toEntry), more: rest.length > PAGE_SIZE };
    },
  };
}

const numbersOf = (window: ListWindow<Item>) => entriesOf(window).map(({ cursor }) => Number(cursor));

test('a window is always an unbroken part of the list, however it is scrolled, and stays small', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const { integer, next } = makeRandom(seed);
    const server = makeServer(integer(3000));
    const start = integer(server.list.length + 1);
    const first = server.after(String(start));
    let window = openWindow(first.entries, { hasBefore: true, hasAfter: first.more });
    for (let step = 0; step < 60; step++) {
      const action = next();
      const top = firstCursor(window);
      const bottom = lastCursor(window);
      if (action < 0.45 && window.hasAfter && bottom) {
        const { entries, more } = server.after(bottom);
        window = append(window, entries, more);
      } else if (action < 0.9 && window.hasBefore && top) {
        const { entries, more } = server.before(top);
        window = prepend(window, entries, more);
      } else if (action < 0.95) {
        server.add();
        window = { ...window, hasBefore: true };
      } else {
        const gone = numbersOf(window)[integer(50)];
        if (gone === undefined) continue;
        server.purge(gone);
        window = remove(window, new Set([`id-${gone}`]));
      }
      const numbers = numbersOf(window);
      const from = server.list.indexOf(numbers[0] ?? 0);
      expect(numbers, `seed ${seed} step ${step}`).toEqual(server.list.slice(from, from + numbers.length));
      expect(window.pages.length).toBeLessThanOrEqual(MAX_PAGES);
      expect(numbers.length).toBeLessThanOrEqual(MAX_PAGES * 2 * PAGE_SIZE);
      expect(new Set(window.pages.map(({ key }) => key)).size).toBe(window.pages.length);
      if (numbers.length > 0) {
        if (!window.hasBefore) expect(from).toBe(0);
        if (!window.hasAfter) expect(from + numbers.length).toBe(server.list.length);
      }
    }
  }
});

test('scrolling through 10,000 images holds 1,200 of them and returns to the first', () => {
  const server = makeServer(10_000);
  const first = server.after(undefined);
  let window = openWindow(first.entries, { hasBefore: false, hasAfter: first.more });
  let largest = 0;
  while (window.hasAfter) {
    const { entries, more } = server.after(lastCursor(window));
    window = append(window, entries, more);
    largest = Math.max(largest, entriesOf(window).length);
  }
  expect(largest).toBe(MAX_PAGES * PAGE_SIZE);
  expect(numbersOf(window).at(-1)).toBe(1);
  while (window.hasBefore) {
    const { entries, more } = server.before(firstCursor(window) as string);
    window = prepend(window, entries, more);
  }
  expect(numbersOf(window)[0]).toBe(10_000);
  expect(entriesOf(window)).toHaveLength(MAX_PAGES * PAGE_SIZE);
});

test('a few new images join the first page, and a changed image touches its page only', () => {
  const server = makeServer(300);
  const first = server.after(undefined);
  let window = openWindow(first.entries, { hasBefore: false, hasAfter: true });
  window = append(window, server.after('201').entries, true);
  server.add();
  server.add();
  const grown = prepend(window, server.before('300').entries, false);
  expect(grown.pages.map(({ entries }) => entries.length)).toEqual([102, 100]);
  const changed = replace(grown, { id: 'id-150', text: 'new' });
  expect(changed.pages[0]).toBe(grown.pages[0]);
  expect(entriesOf(changed).find(({ node }) => node.id === 'id-150')?.node.text).toBe('new');
  expect(replace(grown, { id: 'id-9', text: '' })).toBe(grown);
});
