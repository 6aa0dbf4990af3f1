import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { beforeEach, describe, expect, test } from 'vitest';
import { NotFoundError, StoreError } from '../../src/errors.ts';
import { withCircuit } from '../../src/storage/stores/circuit.ts';
import { makeMemoryStore } from '../../src/storage/stores/memory.ts';
import type { Store } from '../../src/storage/stores/store.ts';
import { describeStore, sourceOf } from './store-contract.ts';

describeStore('behind a circuit', async () => ({
  store: withCircuit(makeMemoryStore()),
  close: async () => {},
}));

describe('a circuit', () => {
  const KEY = 'aa/bb/aabb.png';
  let time: number;
  let asked: number;
  /** How the store fails: not at all, at once with this error, or in the middle of a stream. */
  let wrong: Error | null;
  let breaksOff: boolean;
  let store: Store;

  const gone = () => new StoreError('it is gone.', 'memory');

  beforeEach(async () => {
    [time, asked, wrong, breaksOff] = [0, 0, null, false];
    const memory = makeMemoryStore();
    await memory.put(KEY, sourceOf(Buffer.from('abc')));
    const answer = async <Answer>(ask: () => Promise<Answer>) => {
      asked++;
      if (wrong) throw wrong;
      return ask();
    };
    const flaky: Store = {
      ...memory,
      put: (key, source) => answer(() => memory.put(key, source)),
      stat: (key) => answer(() => memory.stat(key)),
      delete: (key) => answer(() => memory.delete(key)),
      open: (key) =>
        answer(async () => {
          const opened = await memory.open(key);
          if (!breaksOff) return opened;
          const stream = Readable.from(
            (function* () {
              yield Buffer.from('a');
              throw gone();
            })(),
          );
          return { ...opened, stream };
        }),
      list: async function* () {
        yield* await answer(async () => memory.list());
      },
    };
    store = withCircuit(flaky, { failures: 3, openSeconds: 30, now: () => time });
  });

  const fail = async (times: number) => {
    for (let left = times; left > 0; left--) await expect(store.stat(KEY)).rejects.toThrow(StoreError);
  };
  const read = async () => buffer((await store.open(KEY)).stream);

  test('opens after the given number of failures in a row', async () => {
    wrong = gone();
    await fail(3);
    expect(asked).toBe(3);
    await fail(10);
    expect(asked).toBe(3);
    const error = (await store.open(KEY).catch((cause: unknown) => cause)) as StoreError;
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ store: 'memory', retryable: true, cause: wrong });
    expect(error.message).toBe(
      'memory has failed 3 times in a row and is not asked again for 30 s. The last error: it is gone.',
    );
  });

  test.each([
    ['put', (each: Store) => each.put(KEY, sourceOf(Buffer.from('abc')))],
    ['open', (each: Store) => each.open(KEY)],
    ['delete', (each: Store) => each.delete(KEY)],
    [
      'list',
      async (each: Store) => {
        for await (const _object of each.list());
      },
    ],
  ] as const)('counts %s, and holds it back', async (_verb, ask) => {
    wrong = gone();
    for (let left = 5; left > 0; left--) await expect(ask(store)).rejects.toThrow(StoreError);
    expect(asked).toBe(3);
  });

  test('resets the count after a success, and NotFoundError is one', async () => {
    for (const answer of [null, new NotFoundError('none')]) {
      wrong = gone();
      await fail(2);
      wrong = answer;
      await store.stat(KEY).catch(() => {});
    }
    wrong = gone();
    await fail(2);
    wrong = null;
    await expect(store.stat(KEY)).resolves.not.toBeNull();
  });

  test('says when it opens and closes, once each', async () => {
    const said: string[] = [];
    const options = { onOpen: () => said.push('open'), onClose: () => said.push('close') };
    store = withCircuit(store, { ...options, failures: 1, now: () => time });
    await store.stat(KEY);
    wrong = gone();
    for (let left = 4; left > 0; left--) {
      await fail(1);
      time += 30_000;
    }
    wrong = null;
    time += 60_000;
    await store.stat(KEY);
    await store.stat(KEY);
    expect(said).toEqual(['open', 'close']);
  });

  test('lets one request probe after the time, and closes when it succeeds', async () => {
    wrong = gone();
    await fail(3);
    time = 29_999;
    await fail(1);
    expect(asked).toBe(3);
    time = 30_000;
    wrong = null;
    const [probe, other] = await Promise.allSettled([store.stat(KEY), store.stat(KEY)]);
    expect([probe.status, other.status]).toEqual(['fulfilled', 'rejected']);
    expect(asked).toBe(4);
    await store.stat(KEY);
    expect(asked).toBe(5);
  });

  test('stays open for the same time again when the probe fails', async () => {
    wrong = gone();
    await fail(3);
    time = 30_000;
    await fail(1);
    expect(asked).toBe(4);
    wrong = null;
    time = 59_999;
    await fail(1);
    expect(asked).toBe(4);
    time = 60_000;
    await store.stat(KEY);
  });

  test('counts no permanent failure, and no error of the caller', async () => {
    for (const error of [
      new StoreError('no key.', 'memory', { retryable: false }),
      new TypeError('not a key'),
    ]) {
      wrong = error;
      for (let left = 5; left > 0; left--) await expect(store.stat(KEY)).rejects.toBe(error);
    }
    expect(asked).toBe(10);
  });

  test('admits the next probe when one ended with an error that does not count', async () => {
    wrong = gone();
    await fail(3);
    time = 30_000;
    wrong = new TypeError('not a key');
    await expect(store.stat(KEY)).rejects.toBe(wrong);
    wrong = null;
    await store.stat(KEY);
  });

  test('counts streams that break off, also between successful requests', async () => {
    breaksOff = true;
    for (let left = 3; left > 0; left--) {
      await store.stat(KEY);
      await expect(read()).rejects.toThrow('it is gone.');
    }
    await fail(1);
    // The probe succeeds, but no stream has yet: one that breaks off opens the circuit again.
    time = 30_000;
    await store.stat(KEY);
    await expect(read()).rejects.toThrow('it is gone.');
    await fail(1);
    time = 60_000;
    breaksOff = false;
    expect((await read()).toString()).toBe('abc');
    breaksOff = true;
    await expect(read()).rejects.toThrow('it is gone.');
    await store.stat(KEY);
  });

  test('counts no stream that its reader destroyed', async () => {
    for (let left = 5; left > 0; left--) {
      const { stream } = await store.open(KEY);
      stream.destroy(new Error('hung up'));
      await new Promise((resolve) => stream.once('close', resolve));
    }
    await store.stat(KEY);
  });
});
