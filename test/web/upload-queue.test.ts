import { describe, expect, test } from 'vitest';
import {
  backOff,
  CONCURRENCY,
  EMPTY_QUEUE,
  isOpen,
  MAX_TRIES,
  nextToSend,
  nextWake,
  type Queue,
  type QueueEvent,
  reduce,
  type UploadItem,
} from '../../src/web/upload/queue.ts';
import { milestoneOf, summarise } from '../../src/web/upload/summary.ts';
import { makeRandom, type Random } from './random.ts';

const added = (count: number, bytes = 1000): QueueEvent => ({
  type: 'add',
  items: Array.from({ length: count }, (_, index) => ({ name: `${index}.png`, bytes, refusal: null })),
});

const failure = (id: number, more: Partial<Extract<QueueEvent, { type: 'failed' }>> = {}): QueueEvent => ({
  type: 'failed',
  id,
  problem: 'away',
  wait: null,
  holds: false,
  now: 0,
  random: 1,
  ...more,
});

const run = (queue: Queue, ...events: QueueEvent[]) => events.reduce(reduce, queue);

/** Sends what may be sent. */
const startAll = (queue: Queue, now: number) =>
  nextToSend(queue, now).reduce((state, { id }) => reduce(state, { type: 'start', id }), queue);

describe('the queue of uploads', () => {
  test('sends a few at once, in their order', () => {
    const queue = startAll(run(EMPTY_QUEUE, added(10)), 0);
    expect(queue.items.filter(({ state }) => state === 'sending').map(({ id }) => id)).toEqual([0, 1, 2]);
    expect(nextToSend(queue, 0)).toEqual([]);
    const next = run(queue, { type: 'stored', id: 1, image: 'a', isNew: true });
    expect(nextToSend(next, 0).map(({ id }) => id)).toEqual([3]);
  });

  test('waits twice as long after each failure, then gives up', () => {
    let queue = run(EMPTY_QUEUE, added(1));
    const waits: number[] = [];
    for (let now = 0; nextToSend(queue, now).length > 0; now = queue.items[0]?.notBefore ?? 0) {
      queue = run(startAll(queue, now), failure(0, { now }));
      waits.push((queue.items[0]?.notBefore ?? 0) - now);
      if (queue.items[0]?.state === 'failed') break;
      expect(nextToSend(queue, now)).toEqual([]);
      expect(nextWake(queue, now)).toBe(queue.items[0]?.notBefore);
    }
    expect(waits.slice(0, -1)).toEqual([1000, 2000, 4000, 8000, 16_000]);
    expect(queue.items[0]).toMatchObject({ state: 'failed', tries: MAX_TRIES, problem: 'away' });
    expect(run(queue, { type: 'retry', id: 0 }).items[0]).toMatchObject({ state: 'waiting', tries: 0 });
  });

  test('sends nothing while the server asks to wait, or while it is paused', () => {
    const busy = run(startAll(run(EMPTY_QUEUE, added(5)), 0), failure(0, { wait: 7000, holds: true }));
    expect(nextToSend(busy, 6999)).toEqual([]);
    expect(nextWake(busy, 0)).toBe(7000);
    expect(nextToSend(busy, 7000)).toHaveLength(1);
    const paused = run(busy, { type: 'pause' });
    expect(nextToSend(paused, 8000)).toEqual([]);
    expect(nextWake(paused, 0)).toBeNull();
    expect(nextToSend(run(paused, { type: 'resume' }), 8000)).toHaveLength(1);
  });

  test('ignores what comes after an item was cancelled', () => {
    const queue = run(startAll(run(EMPTY_QUEUE, added(2)), 0), { type: 'cancel', id: 0 });
    const late = run(queue, { type: 'progress', id: 0, sent: 5 }, failure(0), {
      type: 'stored',
      id: 0,
      image: 'a',
      isNew: true,
    });
    expect(late).toEqual(queue);
    expect(run(queue, { type: 'cancelAll' }).items.map(({ state }) => state)).toEqual([
      'cancelled',
      'cancelled',
    ]);
    expect(run(queue, { type: 'clear' })).toEqual(queue);
    expect(run(queue, { type: 'cancelAll' }, { type: 'clear' })).toEqual(EMPTY_QUEUE);
  });

  test('waits at most half a minute, and at least half of the back-off', () => {
    for (let tries = 1; tries < 20; tries++) {
      expect(backOff(tries, 1)).toBeLessThanOrEqual(30_000);
      expect(backOff(tries, 0)).toBe(backOff(tries, 1) / 2);
    }
  });
});

/** Whether an item breaks a promise. The server's word is final: stored or refused. */
const isWrong = (item: UploadItem, index: number, was: UploadItem | undefined) =>
  item.id !== index ||
  item.tries > MAX_TRIES ||
  item.sent > (item.bytes ?? 0) ||
  (was !== undefined && ['stored', 'existing', 'refused'].includes(was.state) && item !== was);

/** One random step of a person, the network or the server. */
function step(queue: Queue, random: Random, now: number): QueueEvent {
  const id = random.integer(Math.max(1, queue.items.length));
  return random.pick<QueueEvent>([
    added(random.integer(3)),
    { type: 'progress', id, sent: random.integer(1500) },
    { type: 'stored', id, image: `image-${id}`, isNew: random.chance(0.8) },
    { type: 'refused', id, problem: 'damaged' },
    failure(id, {
      now,
      random: random.next(),
      holds: random.chance(0.2),
      wait: random.chance(0.5) ? 500 : null,
    }),
    { type: 'cancel', id },
    { type: 'retry', id },
    { type: random.pick(['pause', 'resume', 'resume', 'retryAll']) },
  ]);
}

test.each(Array.from({ length: 30 }, (_, seed) => seed))('holds its promises in schedule %i', (seed) => {
  const random = makeRandom(seed);
  let queue = run(EMPTY_QUEUE, added(6));
  let now = 0;
  for (let count = 0; count < 250; count++) {
    now += random.integer(2000);
    const before = queue;
    queue = reduce(startAll(queue, now), step(queue, random, now));
    expect(queue.items.filter(({ state }) => state === 'sending').length).toBeLessThanOrEqual(CONCURRENCY);
    expect(queue.items.filter((item, index) => isWrong(item, index, before.items[index]))).toEqual([]);
    const summary = summarise(queue);
    expect(summary.total - summary.open).toBe(queue.items.filter((item) => !isOpen(item)).length);
    expect(summary.share).toBeGreaterThanOrEqual(0);
    expect(summary.share).toBeLessThanOrEqual(1);
  }
  // Whatever happened, the queue comes to an end when each attempt succeeds.
  queue = run(queue, { type: 'resume' });
  for (let count = 0; summarise(queue).open > 0; count++) {
    expect(count).toBeLessThan(2000);
    queue = startAll(queue, now);
    const sending = queue.items.find(({ state }) => state === 'sending');
    if (sending) queue = reduce(queue, { type: 'stored', id: sending.id, image: 'x', isNew: true });
    else now = nextWake(queue, now) ?? Number.NaN;
  }
  expect(milestoneOf(summarise(queue))).toBe(1);
});

test('counts a file whose bytes another file of the queue has as one that exists', () => {
  const stored = (id: number): QueueEvent => ({ type: 'stored', id, image: 'same', isNew: true });
  const queue = run(startAll(run(EMPTY_QUEUE, added(2)), 0), stored(1), stored(0));
  expect(queue.items.map(({ state }) => state)).toEqual(['existing', 'stored']);
});

test('tells of a quarter, a half, three quarters and the end', () => {
  let queue = run(EMPTY_QUEUE, added(100));
  const said: number[] = [];
  for (let id = 0; id < 100; id++) {
    queue = run(queue, { type: 'start', id }, { type: 'stored', id, image: 'x', isNew: true });
    const milestone = milestoneOf(summarise(queue));
    if (milestone !== (said.at(-1) ?? 0)) said.push(milestone);
  }
  expect(said).toEqual([0.25, 0.5, 0.75, 1]);
});
