import { expect, test } from 'vitest';
import { applyChanges, openImageList, type Tile } from '../../src/web/grid/list/list.ts';
import type { ListSource, PageResult } from '../../src/web/grid/list/source.ts';
import { entriesOf, PAGE_SIZE } from '../../src/web/grid/list/window.ts';
import { makeRandom, type Random } from './random.ts';

const makeTile = (number: number, changes: Partial<Tile> = {}): Tile => ({
  id: `id-${number}`,
  uuid: `uuid-${number}`,
  createdAt: new Date(Date.UTC(2026, 0, 1) + number * 60_000).toISOString(),
  deletedAt: null,
  status: 'SUCCESS',
  url: null,
  width: 3,
  height: 2,
  bytes: 1,
  size: null,
  thumbhash: null,
  prompt: '',
  originalFilename: null,
  userId: 'root',
  tool: 'avatar',
  model: null,
  provider: null,
  tags: [],
  visibility: 'PUBLIC',
  pinned: false,
  durability: 'DURABLE',
  requestId: null,
  sha256: null,
  error: null,
  ...changes,
});

/** A source that answers after a few turns, in no fixed order, as a network does. */
function makeNetwork({ integer, chance }: Random, count: number) {
  const tiles = Array.from({ length: count }, (_, index) => makeTile(count - index));
  let receive: (tile: Tile) => void = () => {};
  const isKept = ({ deletedAt }: Tile) => deletedAt === null;
  const source: ListSource = {
    async fetchPage({ first = 0, after, last = 0, before }): Promise<PageResult> {
      for (let turns = integer(6); turns > 0; turns--) await Promise.resolve();
      if (chance(0.1)) return { fault: 'no connection' };
      const kept = tiles.filter(isKept);
      const numberOf = ({ id }: Tile) => Number(id.slice(3));
      const rest = kept.filter(
        (tile) =>
          (after === undefined || numberOf(tile) < Number(after)) &&
          (before === undefined || numberOf(tile) > Number(before)),
      );
      const page = first > 0 ? rest.slice(0, first) : rest.slice(-last);
      return {
        entries: page.map((node) => ({ cursor: String(numberOf(node)), node })),
        hasNextPage: first > 0 ? rest.length > first : before !== undefined,
        hasPreviousPage: first > 0 ? after !== undefined : rest.length > last,
      };
    },
    subscribe(listener) {
      receive = listener;
      return () => {};
    },
    onReconnect: () => () => {},
  };
  return {
    source,
    tiles,
    add() {
      const tile = makeTile(Number(tiles[0]?.id.slice(3) ?? 0) + 1);
      tiles.unshift(tile);
      receive(tile);
    },
    remove(index: number) {
      const tile = tiles[index];
      if (!tile) return;
      const gone = { ...tile, deletedAt: '2026-02-01T00:00:00Z' };
      tiles[index] = gone;
      receive(gone);
    },
  };
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 2));

test('a list is an unbroken part of what the server has, whatever happens meanwhile', async () => {
  for (let seed = 1; seed <= 25; seed++) {
    const random = makeRandom(seed);
    const network = makeNetwork(random, 1 + random.integer(2500));
    const list = openImageList({}, network.source, { at: 'start' });
    for (let step = 0; step < 60; step++) {
      const action = random.next();
      if (action < 0.4) void list.loadAfter();
      else if (action < 0.7) void list.loadBefore();
      else if (action < 0.75) void list.open({ at: 'cursor', cursor: String(random.integer(2500)) });
      else if (action < 0.85) network.add();
      else if (action < 0.95) network.remove(random.integer(network.tiles.length));
      else list.setAtStart(random.chance(0.5));
      if (random.chance(0.7)) await settle();
      const { window, stale } = list.state.get();
      const shown = entriesOf(window).map(({ node }) => node.id);
      const order = network.tiles.map(({ id }) => id);
      const from = order.indexOf(shown[0] ?? '');
      const between = order.slice(from, from + order.slice(from).indexOf(shown.at(-1) ?? '') + 1);
      const gone = new Set(network.tiles.filter(({ deletedAt }) => deletedAt !== null).map(({ id }) => id));
      // An image that was deleted before its page was loaded is not there; one that was shown stays, marked.
      expect(between.filter((id) => !gone.has(id))).toEqual(shown.filter((id) => !gone.has(id)));
      expect(new Set(shown).size).toBe(shown.length);
      for (const id of stale) expect(gone.has(id)).toBe(true);
      expect(window.pages.every(({ entries }) => entries.length <= 3 * PAGE_SIZE)).toBe(true);
    }
    list.close();
  }
}, 30_000);

test('tells new images from old ones that were changed, and marks those that left', () => {
  const first = makeTile(500);
  const state = {
    window: {
      pages: [{ key: 1, entries: [{ cursor: '500', node: first }] }],
      hasBefore: false,
      hasAfter: true,
    },
    phase: 'ready',
    error: null,
    before: 'idle',
    after: 'idle',
    arrivals: new Set<string>(),
    stale: new Set<string>(),
    since: first.createdAt,
    changes: 0,
    start: { at: 'start' },
    opened: 1,
  } as const;
  const filter = { tool: 'avatar' };
  const after = applyChanges(filter, state, [
    makeTile(501),
    makeTile(502, { tool: 'comic' }),
    makeTile(100),
    { ...first, tool: 'comic' },
  ]);
  expect([...after.arrivals]).toEqual(['id-501']);
  expect([...after.stale]).toEqual(['id-500']);
  const back = applyChanges(filter, { ...state, ...after }, [
    first,
    makeTile(501, { deletedAt: first.createdAt }),
  ]);
  expect([...back.arrivals, ...back.stale]).toEqual([]);
});
