import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Source, streamWithFailover } from '../../src/storage/read/failover.ts';
import { type FilesystemStore, openFilesystemStore } from '../../src/storage/stores/filesystem/filesystem.ts';
import { makeMemoryStore } from '../../src/storage/stores/memory.ts';
import { sourceOf } from './store-contract.ts';

const key = 'aa/bb/picture.png';
const content = Buffer.from(Array.from({ length: 700_000 }, (_, at) => (at * 7 + (at >> 8)) & 255));

/** The disk fails after the first part of a file (256 KiB). Another store has the same bytes. */
describe('a store that breaks off in the middle of a file', () => {
  let directory: string;
  let files: FilesystemStore;
  const other = makeMemoryStore('other');
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-failover-'));
    files = await openFilesystemStore({ name: 'files', directory, mayClaim: true });
    await files.put(key, sourceOf(content));
    await other.put(key, sourceOf(content));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  async function read(atFirstPart: () => Promise<void>) {
    const { stream, isUnchanged } = await files.open(key);
    const asked: string[] = [];
    async function* slow() {
      const parts = stream[Symbol.asyncIterator]();
      yield (await parts.next()).value as Buffer;
      await atFirstPart();
      for (let part = await parts.next(); !part.done; part = await parts.next()) yield part.value as Buffer;
    }
    const first: Source = {
      store: 'files',
      opened: {
        stream: Readable.from(slow(), { objectMode: false }),
        ...(isUnchanged ? { isUnchanged } : {}),
      },
    };
    const whole = streamWithFailover(first, { start: 0, end: content.length - 1 }, async (range) => {
      asked.push(`${range.start}`);
      return { store: 'other', opened: await other.open(key, range) };
    });
    const result = await buffer(whole).catch((error: Error) => error);
    stream.destroy();
    return { result, asked };
  }

  async function overwrite() {
    await using file = await open(path.join(directory, key), 'r+');
    // In a later tick of the kernel's clock than the creation of the file.
    await sleep(50);
    await file.write('spoilt', 300_000);
  }

  test('is replaced by another store at the exact byte', async () => {
    for (const stop of [() => sleep(3000), () => Promise.reject(new Error('EIO: i/o error, read'))]) {
      const { result, asked } = await read(stop);
      expect(asked).toEqual([`${256 * 1024}`]);
      expect((result as Buffer).equals(content)).toBe(true);
    }
  });

  test('is not replaced if the file was written to, because the parts that were sent may be wrong', async () => {
    const stops = [
      () => overwrite().then(() => sleep(3000)),
      () => overwrite().then(() => Promise.reject(new Error('EIO: i/o error, read'))),
    ];
    for (const stop of stops) {
      const { result, asked } = await read(stop);
      expect(asked).toEqual([]);
      expect(result).toBeInstanceOf(Error);
      await files.put(key, sourceOf(content));
    }
  });
});
