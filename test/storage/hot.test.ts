import { mkdtemp, readdir, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeBuffers } from '../../src/storage/read/buffers.ts';
import { makeMemoryCache } from '../../src/storage/read/memory-cache.ts';
import { makeOpenFiles } from '../../src/storage/stores/filesystem/open-files.ts';

describe('bytes in memory', () => {
  const thing = (bytes: number) => Buffer.alloc(bytes, 1);

  test('are kept when they are asked for a second time, up to a bound, and those that are hot stay', () => {
    const hot = makeMemoryCache({ maxBytes: 1000, maxObjectBytes: 200 });
    expect([hot.wants('a', 100), hot.wants('a', 100)]).toEqual([false, true]);
    expect([hot.wants('large', 201), hot.wants('large', 201)]).toEqual([false, false]);
    for (let i = 0; i < 10; i++) hot.keep(String(i), String(i), thing(100), hot.now);
    expect(hot.bytes).toBe(1000);
    hot.get('0');
    hot.keep('10', '10', thing(100), hot.now);
    expect([hot.bytes, hot.get('0')?.length, hot.get('1')]).toEqual([1000, 100, null]);
    hot.keep('0', '0', thing(150), hot.now);
    expect(hot.bytes).toBeLessThanOrEqual(1000);
  });

  test('are not driven out by a walk over more than there is room for, time and again', () => {
    const hot = makeMemoryCache({ maxBytes: 1000, maxObjectBytes: 100 });
    for (let i = 0; i < 10; i++) hot.keep(`hot ${i}`, '', thing(100), hot.now);
    let wanted = 0;
    for (let round = 0; round < 5; round++)
      for (let i = 0; i < 100; i++) if (hot.wants(`cold ${i}`, 100)) wanted++;
    expect(wanted).toBe(0);
  });

  test('are forgotten with their owner, also what was being read then', () => {
    const hot = makeMemoryCache({ maxBytes: 1000, maxObjectBytes: 100 });
    const before = hot.now;
    hot.keep('blob', 'blob', thing(10), before);
    hot.keep('variant', 'blob', thing(10), before);
    hot.forget('blob');
    expect([hot.get('blob'), hot.get('variant'), hot.bytes]).toEqual([null, null, 0]);
    hot.keep('variant', 'blob', thing(10), before);
    expect(hot.get('variant')).toBeNull();
    hot.keep('variant', 'blob', thing(10), hot.now);
    expect(hot.get('variant')?.length).toBe(10);
  });

  test('are none where there is no room at all', () => {
    const hot = makeMemoryCache({ maxBytes: 0, maxObjectBytes: 100 });
    expect([hot.wants('a', 1), hot.wants('a', 1)]).toEqual([false, false]);
    hot.keep('a', 'a', thing(1), 0);
    expect(hot.get('a')).toBeNull();
  });
});

test('buffers are used again once they are given back, and are counted while they are out', () => {
  const MiB = 1024 * 1024;
  const buffers = makeBuffers({ maxOutBytes: 2 * MiB, maxKeptBytes: MiB });
  const first = buffers.take(MiB) as Buffer;
  const second = buffers.take(1_000_000) as Buffer;
  expect([first.length >= MiB, second.length >= 1_000_000, buffers.take(1)]).toEqual([true, true, null]);
  buffers.give(first);
  expect(buffers.take(MiB)).toBe(first);
  buffers.lose(second);
  buffers.give(first);
  expect(buffers.out).toBe(0);
  expect(buffers.take(1_000_000)).not.toBe(second);
});

describe.each([
  ['at once', true],
  ['beside', false],
])('files that are kept open and looked at %s', (_, isLocal) => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-open-files-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  const descriptors = async () => {
    const links = await Promise.all(
      (await readdir('/proc/self/fd')).map((each) => readlink(`/proc/self/fd/${each}`).catch(() => '')),
    );
    return links.filter((link) => link.startsWith(directory)).length;
  };
  const file = async (name: string, text: string) => {
    const at = path.join(directory, name);
    await writeFile(at, text);
    return at;
  };
  const read = async (files: ReturnType<typeof makeOpenFiles>, at: string, start: number, end: number) => {
    const buffer = Buffer.alloc(100);
    const stats = await files.read(at, { start, end }, buffer);
    return stats && buffer.toString('latin1', 0, end - start + 1);
  };

  test.skipIf(process.platform !== 'linux')('are no more than so many, and none after the end', async () => {
    const files = makeOpenFiles(3, isLocal);
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => file(`f${i}`, `content ${i}`)));
    const texts = await Promise.all([...all, ...all].map((at) => read(files, at, 0, 7)));
    expect(new Set(texts)).toEqual(new Set(['content ']));
    expect(files.count).toBe(3);
    await expect.poll(descriptors).toBe(3);
    files.close();
    await expect.poll(descriptors).toBe(0);
  });

  test('show what they are now: another file in their place, and what was written into them', async () => {
    const files = makeOpenFiles(3, isLocal);
    const at = await file('one', 'former');
    expect(await read(files, at, 0, 5)).toBe('former');
    await rename(await file('two', 'latter'), at);
    // The one that was open is found to have changed, which its fingerprint says, and is forgotten.
    await read(files, at, 0, 5);
    expect(await read(files, at, 0, 5)).toBe('latter');
    await writeFile(at, 'short');
    expect(await read(files, at, 0, 5)).toBeNull();
    expect(await read(files, at, 1, 3)).toBe('hor');
    await rm(at);
    files.forget(at);
    await expect(read(files, at, 0, 1)).rejects.toMatchObject({ code: 'ENOENT' });
    files.close();
  });
});
