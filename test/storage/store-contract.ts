import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NotFoundError, StoreError } from '../../src/errors.ts';
import { keyOf } from '../../src/storage/blob.ts';
import type { BlobSource, Store } from '../../src/storage/stores/store.ts';

export interface ContractSubject {
  readonly store: Store;
  close(): Promise<void>;
}

/** A source with the right hash. */
export function sourceOf(data: Buffer): BlobSource {
  return {
    bytes: data.length,
    sha256: createHash('sha256').update(data).digest('hex'),
    open: () => Readable.from(inPieces(data), { objectMode: false }),
  };
}

function* inPieces(data: Buffer): Generator<Buffer> {
  for (let at = 0; at < data.length; at += 65_000) yield data.subarray(at, at + 65_000);
}

/** Tests the guarantees of every store (stores/store.ts). */
export function describeStore(name: string, open: () => Promise<ContractSubject>): void {
  describe(`the store ${name}`, () => {
    let subject: ContractSubject;
    beforeAll(async () => {
      subject = await open();
    });
    afterAll(() => subject.close());

    /** Puts random bytes of this length. */
    async function put(bytes: number) {
      const data = randomBytes(bytes);
      const source = sourceOf(data);
      const key = keyOf(source.sha256, 'image/png');
      const stat = await subject.store.put(key, source);
      return { data, source, key, stat };
    }

    async function read(key: string, range?: { start: number; end: number }) {
      const { stream } = await subject.store.open(key, range);
      return buffer(stream);
    }

    async function keys() {
      const found: string[] = [];
      for await (const { key } of subject.store.list()) found.push(key);
      return found;
    }

    test.each([1, 1000, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3_000_001])(
      'gives back %i bytes as they were',
      async (bytes) => {
        const { data, key, stat } = await put(bytes);
        expect(stat.bytes).toBe(bytes);
        expect((await read(key)).equals(data)).toBe(true);
        expect(await subject.store.stat(key)).toEqual(stat);
      },
    );

    test('reads a whole object into a buffer if it fits, if the store has readWhole', async ({ skip }) => {
      const { store } = subject;
      if (!store.readWhole) return skip();
      for (const bytes of [1, 256 * 1024, 700_000]) {
        const { data, key } = await put(bytes);
        for (const room of [bytes, bytes + 1, bytes + 300_000]) {
          const memory = Buffer.alloc(room + 100, 7);
          expect(await store.readWhole(key, memory.subarray(0, room))).toBe(bytes);
          expect(memory.subarray(0, bytes).equals(data)).toBe(true);
          expect(memory.subarray(room).equals(Buffer.alloc(100, 7))).toBe(true);
        }
        expect(await store.readWhole(key, Buffer.alloc(bytes - 1))).toBeNull();
      }
      expect(await store.readWhole(keyOf('0'.repeat(64), 'image/png'), Buffer.alloc(10))).toBeNull();
    });

    test('opens every range, also across the borders of chunks', async () => {
      const { data, key } = await put(700_000);
      for (const [start, end] of [
        [0, 0],
        [0, 699_999],
        [5, 10],
        [262_143, 262_144],
        [262_144, 524_287],
        [262_144, 524_288],
        [699_999, 699_999],
      ] as const) {
        expect(
          (await read(key, { start, end })).equals(data.subarray(start, end + 1)),
          `${start}-${end}`,
        ).toBe(true);
      }
    });

    test('returns the stat of the whole object with a range', async () => {
      const { key, stat } = await put(1000);
      const opened = await subject.store.open(key, { start: 10, end: 19 });
      expect(opened.stat).toEqual(stat);
      opened.stream.destroy();
    });

    test('puts an existing object again without changing its bytes', async () => {
      const { data, source, key } = await put(300_000);
      const stat = await subject.store.put(key, source);
      expect(stat.bytes).toBe(300_000);
      expect((await read(key)).equals(data)).toBe(true);
    });

    test('accepts concurrent puts of one key', async () => {
      const data = randomBytes(300_000);
      const source = sourceOf(data);
      const key = keyOf(source.sha256, 'image/png');
      await Promise.all(Array.from({ length: 5 }, () => subject.store.put(key, source)));
      expect((await read(key)).equals(data)).toBe(true);
      expect((await keys()).filter((each) => each === key)).toHaveLength(1);
    });

    test('keeps nothing of a source that breaks off', async () => {
      const source: BlobSource = {
        ...sourceOf(randomBytes(500_000)),
        open: () =>
          Readable.from(
            (function* () {
              yield randomBytes(300_000);
              throw new Error('broke off');
            })(),
          ),
      };
      const key = keyOf(source.sha256, 'image/png');
      await expect(subject.store.put(key, source)).rejects.toThrow(StoreError);
      expect(await subject.store.stat(key)).toBeNull();
      expect(await keys()).not.toContain(key);
    });

    test('keeps nothing of a source that is shorter than its length', async () => {
      const source = { ...sourceOf(randomBytes(1000)), bytes: 1001 };
      const key = keyOf(source.sha256, 'image/png');
      await expect(subject.store.put(key, source)).rejects.toThrow(StoreError);
      expect(await subject.store.stat(key)).toBeNull();
    });

    test('keeps the old bytes when a second put breaks off', async () => {
      const { data, source, key } = await put(1000);
      const broken = { ...source, open: () => Readable.from([randomBytes(10)], { objectMode: false }) };
      await expect(subject.store.put(key, broken)).rejects.toThrow(StoreError);
      expect((await read(key)).equals(data)).toBe(true);
    });

    test('reports absent objects as the contract says', async () => {
      const key = keyOf('0'.repeat(64), 'image/png');
      expect(await subject.store.stat(key)).toBeNull();
      await expect(subject.store.open(key)).rejects.toThrow(NotFoundError);
      await expect(subject.store.delete(key)).resolves.toBeUndefined();
    });

    test('deletes', async () => {
      const { key } = await put(1000);
      await subject.store.delete(key);
      expect(await subject.store.stat(key)).toBeNull();
      expect(await keys()).not.toContain(key);
    });

    test('lists every object with its length', async () => {
      const put5 = await Promise.all([1, 20, 300, 4000, 500_000].map((bytes) => put(bytes)));
      const listed = new Map<string, number>();
      for await (const { key, bytes } of subject.store.list()) listed.set(key, bytes);
      for (const { key, data } of put5) expect(listed.get(key)).toBe(data.length);
    });

    test('changes the fingerprint when other bytes are put', async () => {
      const { key, stat } = await put(1000);
      const other = await subject.store.put(key, sourceOf(randomBytes(1000)));
      expect(other.fingerprint).not.toBe(stat.fingerprint);
    });
  });
}
