import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSpooler, type Spool, type Spooler } from '../../src/storage/spool/spool.ts';
import { openFilesystemStore } from '../../src/storage/stores/filesystem/filesystem.ts';

test('a stream that fails while its file is being opened leaves no file behind', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-spool-'));
  try {
    const spooler = await openSpooler({ directory, maxBytes: 100, space: { require: async () => {} } });
    const failing = () => new Readable({ read() {} }).destroy(new Error('hung up'));
    const outcomes = await Promise.allSettled(Array.from({ length: 300 }, () => spooler.receive(failing())));
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
    expect(spooler.count).toBe(0);
    expect(await readdir(directory)).toEqual([]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

describe('small spools, which are kept in memory too', () => {
  let root: string;
  let spooler: Spooler;
  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'fixative-spool-'));
    spooler = await openSpooler({ directory: root, maxBytes: 1e8, space: { require: async () => {} } });
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const receive = (bytes: Buffer, size = 65_536) =>
    spooler.receive(Readable.from(cut(bytes, size), { objectMode: false }));
  /** Overwrites the file. @returns whether the spool reads the file, and not its memory. */
  async function isRead(spool: Spool): Promise<boolean> {
    const bytes = await buffer(spool.open());
    await writeFile(spool.path, Buffer.alloc(spool.bytes));
    const now = await buffer(spool.open());
    expect(now).toHaveLength(spool.bytes);
    return !now.equals(bytes);
  }

  test.each([
    ['is what is small', 1_900_000, 65_536, false],
    ['is not what is large', 2 ** 21, 65_536, true],
    ['is not what comes in crumbs', 100_000, 10, true],
  ])('%s', async (_what, length, size, read) => {
    const bytes = randomBytes(length);
    const spool = await receive(bytes, size);
    expect(await readFile(spool.path)).toEqual(bytes);
    expect(await buffer(spool.open())).toEqual(bytes);
    const places = [0, 1, 65_535, 65_536, 70_000, length - 1, length, length + 1];
    for (const place of places) {
      const part = Buffer.alloc(150_000);
      const { bytesRead } = await spool.reader.read(part, 7, 140_000, place);
      expect(part.subarray(7, 7 + bytesRead)).toEqual(bytes.subarray(place, place + 140_000));
    }
    expect(spool.isInMemory).toBe(!read);
    expect(await isRead(spool)).toBe(read);
    await spool.discard();
  });

  test('take 32 MiB in total at most, and none after they are discarded', async () => {
    const spools: Spool[] = [];
    for (let n = 0; n < 20; n++) spools.push(await receive(randomBytes(1_900_000)));
    const read = await Promise.all(spools.map(isRead));
    expect(read).toEqual(Array.from({ length: 20 }, (_, n) => n >= 17));
    for (const spool of spools) await Promise.all([spool.discard(), spool.discard()]);
    const after = await receive(randomBytes(1_900_000));
    expect(await isRead(after)).toBe(false);
    await after.discard();
  });
});

describe('a spool whose file a store takes over', () => {
  const bytes = randomBytes(700_001);
  const key = 'ab/cd/abcd.png';
  let root: string;
  let spooler: Spooler;

  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'fixative-spool-'));
    spooler = await openSpooler({
      directory: path.join(root, 'spool'),
      maxBytes: 1e6,
      space: { require: async () => {} },
    });
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const receive = () => spooler.receive(Readable.from(cut(bytes, 65_536), { objectMode: false }));
  const openStore = (directory: string) => openFilesystemStore({ name: 'files', directory, mayClaim: true });

  test('is written once: the store has the same file', async () => {
    const spool = await receive();
    const before = await stat(spool.path);
    const store = await openStore(path.join(root, 'images'));
    await store.put(key, spool);
    const file = path.join(root, 'images', key);
    expect((await stat(file)).ino).toBe(before.ino);
    expect(await readFile(file)).toEqual(bytes);
    expect(await readdir(path.join(root, 'spool'))).toEqual([]);
    await spool.discard();
  });

  test('can be read by streams that were opened before and after', async () => {
    const spool = await receive();
    const begun = spool.open();
    const store = await openStore(path.join(root, 'images'));
    await store.put(key, spool);
    expect(await buffer(begun)).toEqual(bytes);
    expect(await buffer(spool.open())).toEqual(bytes);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(spool.sha256);
    await spool.discard();
    await expect(buffer(spool.open())).rejects.toThrow();
  });

  test('keeps its fingerprint when the spool is discarded', async () => {
    const spool = await receive();
    const store = await openStore(path.join(root, 'images'));
    const put = await store.put(key, spool);
    await spool.discard();
    await spool.discard();
    expect(await store.stat(key)).toEqual(put);
    expect(spooler.count).toBe(0);
  });

  test('is moved to one of two stores, and copied to the other', async () => {
    const spool = await receive();
    const stores = await Promise.all(['one', 'two'].map((name) => openStore(path.join(root, name))));
    await Promise.all(stores.map((store) => store.put(key, spool)));
    for (const name of ['one', 'two']) expect(await readFile(path.join(root, name, key))).toEqual(bytes);
    await spool.discard();
    for (const store of stores) expect(await store.stat(key)).toMatchObject({ bytes: bytes.length });
  });

  test('is copied into another file system', async ({ skip }) => {
    const other = await mkdtemp('/dev/shm/fixative-spool-').catch(() => null);
    if (other === null || (await stat(other)).dev === (await stat(root)).dev) return skip();
    try {
      const spool = await receive();
      await mkdir(path.join(other, 'images'));
      const store = await openStore(path.join(other, 'images'));
      await store.put(key, spool);
      expect(await readFile(path.join(other, 'images', key))).toEqual(bytes);
      expect(await buffer(spool.open())).toEqual(bytes);
      await spool.discard();
      expect(await readdir(path.join(root, 'spool'))).toEqual([]);
    } finally {
      await rm(other, { recursive: true, force: true });
    }
  });

  test('keeps its file when the store fails', async () => {
    const spool = await receive();
    const store = await openStore(path.join(root, 'images'));
    await rm(path.join(root, 'images', '.fixative-store'));
    await expect(store.put(key, spool)).rejects.toThrow('.fixative-store');
    expect(await readFile(spool.path)).toEqual(bytes);
    await spool.discard();
    expect(await readdir(path.join(root, 'spool'))).toEqual([]);
  });
});

function* cut(all: Buffer, size: number) {
  for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size);
}
