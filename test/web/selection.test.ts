import { expect, test } from 'vitest';
import { runQueue } from '../../src/web/grid/bulk/queue.ts';
import { deselect, extend, NOTHING, selectAll, toggle } from '../../src/web/grid/list/selection.ts';
import { makeRandom } from './random.ts';

const ORDER = Array.from({ length: 40 }, (_, index) => `id-${index}`);

test('a range goes from the last image that was toggled, in both directions', () => {
  const one = toggle(NOTHING, 'id-5');
  expect([...extend(one, 'id-8', ORDER).ids]).toEqual(['id-5', 'id-6', 'id-7', 'id-8']);
  const both = extend(extend(one, 'id-8', ORDER), 'id-3', ORDER);
  expect([...both.ids].sort()).toEqual(['id-3', 'id-4', 'id-5', 'id-6', 'id-7', 'id-8']);
  expect([...toggle(both, 'id-6').ids].sort()).toEqual(['id-3', 'id-4', 'id-5', 'id-7', 'id-8']);
});

test('a range from an image that is no longer loaded selects the one image', () => {
  expect([...extend({ ids: new Set(['old']), anchor: 'old' }, 'id-2', ORDER).ids]).toEqual(['old', 'id-2']);
  const all = selectAll(toggle(NOTHING, 'old'), ORDER);
  expect(all.ids.size).toBe(41);
  expect(deselect(all, new Set(ORDER)).ids).toEqual(new Set(['old']));
});

test('a queue runs every task once, never more at a time than it may, and reports each failure', async () => {
  for (let seed = 1; seed <= 30; seed++) {
    const { integer, chance } = makeRandom(seed);
    const tasks = Array.from({ length: integer(60) }, (_, index) => index);
    const failing = new Set(tasks.filter(() => chance(0.2)));
    const ran: number[] = [];
    const progress: number[] = [];
    const size = seed % 2 ? 1 : 7;
    let running = 0;
    let most = 0;
    const outcomes = await runQueue(tasks, {
      concurrency: 4,
      onProgress: (done) => progress.push(done),
      size,
      async run(batch) {
        ran.push(...batch);
        expect(batch.length).toBeLessThanOrEqual(size);
        most = Math.max(most, ++running);
        for (let turns = integer(5); turns > 0; turns--) await Promise.resolve();
        running--;
        const [task = 0] = batch;
        if (size === 1 && failing.has(task) && task % 2) throw new Error(`thrown ${task}`);
        return batch.map((each) => (failing.has(each) ? `failed ${each}` : null));
      },
    });
    expect(ran.sort((a, b) => a - b)).toEqual(tasks);
    expect(most).toBeLessThanOrEqual(4);
    expect(outcomes.map(({ task }) => task)).toEqual(tasks);
    expect(outcomes.filter(({ fault }) => fault !== null).map(({ task }) => task)).toEqual([...failing]);
    const batches = Array.from({ length: Math.ceil(tasks.length / size) }, (_, index) => index);
    expect(progress).toHaveLength(batches.length);
    expect(progress.at(-1) ?? 0).toBe(tasks.length);
  }
});

test('a stopped queue begins no more tasks', async () => {
  const controller = new AbortController();
  const outcomes = await runQueue([1, 2, 3, 4, 5, 6, 7, 8], {
    concurrency: 2,
    signal: controller.signal,
    onProgress: (done) => done === 3 && controller.abort(),
    size: 1,
    run: async () => [null],
  });
  expect(outcomes.length).toBeGreaterThanOrEqual(3);
  expect(outcomes.length).toBeLessThanOrEqual(4);
});
