import { mkdtemp, readdir, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeMemoryCache } from '../../src/storage/cache/memory-cache.ts';
import { makeBuffers } from '../../src/storage/read/buffers.ts';
import { makeOpenFiles } from '../../src/storage/stores/filesystem/open-files.ts';

describe('the memory cache', () => {
  const thing = (bytes: number) => Buffer.alloc(bytes, 1);

  test('admits an object at its second request, stays within its limit, and keeps hot objects', () => {
    const cache = makeMemoryCache({ maxBytes: 1000, maxObjectBytes: 200 });
    expect([cache.wants('a', 100), cache.wants('a', 100)]).toEqual([false, true]);
    expect([cache.wants('large', 201), cache.wants('large', 201)]).toEqual([false, false]);
    for (let i = 0; i < 10; i++) cache.keep(String(i), String(i), thing(100), cache.now);
    expect(cache.bytes).toBe(1000);
    cache.get('0');
    cache.keep('10', '10', thing(100), cache.now);
    expect([cache.bytes, cache.get('0')?.length, cache.get('1')]).toEqual([1000, 100, null]);
    cache.keep('0', '0', thing(150), cache.now);
    expect(cache.bytes).toBeLessThanOrEqual(1000);
  });

  test('evicts nothing during repeated scans over more objects than it holds', () => {
    const cache = makeMemoryCache({ maxBytes: 1000, maxObjectBytes: 100 });
    for (let i = 0; i < 10; i++) cache.keep(`hot ${i}`, '', thing(100), cache.now);
    let wanted = 0;
    for (let round = 0; round < 5; round++)
      for (let i = 0; i < 100; i++) if (cache.wants(`cold ${i}`, 100)) wanted++;
    expect(wanted).toBe(0);
  });

  test('forgets all entries of an owner, also those that are being read', () => {
    const cache = makeMemoryCache({ maxBytes: 1000, maxObjectBytes: 100 });
    const before = cache.now;
    cache.keep('blob', 'blob', thing(10), before);
    cache.keep('variant', 'blob', thing(10), before);
    cache.forget('blob');
    expect([cache.get('blob'), cache.get('variant'), cache.bytes]).toEqual([null, null, 0]);
    cache.keep('variant', 'blob', thing(10), before);
    expect(cache.get('variant')).toBeNull();
    cache.keep('variant', 'blob', thing(10), cache.now);
    expect(cache.get('variant')?.length).toBe(10);
  });

  test('caches nothing with a limit of 0', () => {
    const cache = makeMemoryCache({ maxBytes: 0, maxObjectBytes: 100 });
    expect([cache.wants('a', 1), cache.wants('a', 1)]).toEqual([false, false]);
    cache.keep('a', 'a', thing(1), 0);
    expect(cache.get('a')).toBeNull();
  });
});

test('buffers are reused after they are given back, and counted while they are in use', () => {
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
  ['local', true],
  ['remote', false],
])('open files on a %s file system', (_, isLocal) => {
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

  test.skipIf(process.platform !== 'linux')(
    'stay within their limit, and are all closed by close()',
    async () => {
      const files = makeOpenFiles(3, isLocal);
      const all = await Promise.all(Array.from({ length: 20 }, (_, i) => file(`f${i}`, `content ${i}`)));
      const texts = await Promise.all([...all, ...all].map((at) => read(files, at, 0, 7)));
      expect(new Set(texts)).toEqual(new Set(['content ']));
      expect(files.count).toBe(3);
      await expect.poll(descriptors).toBe(3);
      files.close();
      await expect.poll(descriptors).toBe(0);
    },
  );

  test('show a replacement and a write in place', async () => {
    const files = makeOpenFiles(3, isLocal);
    const at = await file('one', 'former');
    expect(await read(files, at, 0, 5)).toBe('former');
    await rename(await file('two', 'latter'), at);
    // This read finds that the open file has changed and drops it.
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
