import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { StoreError } from '../../src/errors.ts';
import { keyOf } from '../../src/storage/blob.ts';
import { openFilesystemStore } from '../../src/storage/stores/filesystem/filesystem.ts';
import { makeMemoryStore } from '../../src/storage/stores/memory.ts';
import { openTestApp } from '../harness.ts';
import { describeStore, sourceOf } from './store-contract.ts';

describeStore('memory', async () => ({ store: makeMemoryStore(), close: async () => {} }));

describeStore('filesystem', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-store-'));
  const store = await openFilesystemStore({ name: 'filesystem', directory, mayClaim: true });
  return { store, close: () => rm(directory, { recursive: true }) };
});

describeStore('database', async () => {
  const app = await openTestApp({ STORES: 'database' });
  const [store] = app.storage.stores;
  if (!store) throw new Error('no store');
  return { store, close: async () => void (await app.close()) };
});

describe('the filesystem store', () => {
  async function withStore(
    work: (store: Awaited<ReturnType<typeof openFilesystemStore>>, directory: string) => Promise<void>,
  ) {
    const directory = await mkdtemp(path.join(tmpdir(), 'fixative-store-'));
    try {
      await work(await openFilesystemStore({ name: 'filesystem', directory, mayClaim: true }), directory);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  test('has files that sha256sum verifies by their names', () =>
    withStore(async (store, directory) => {
      const source = sourceOf(randomBytes(5000));
      const key = keyOf(source.sha256, 'image/webp');
      await store.put(key, source);
      const { stdout } = await promisify(execFile)('sha256sum', [path.join(directory, key)]);
      expect(stdout.split(' ')[0]).toBe(path.basename(key, '.webp'));
    }));

  test('notices a write in place whose mtime was set back', () =>
    withStore(async (store, directory) => {
      const source = sourceOf(Buffer.from('aaaa'));
      const key = keyOf(source.sha256, 'image/png');
      const before = await store.put(key, source);
      const file = path.join(directory, key);
      await writeFile(file, 'bbbb');
      await utimes(file, 1, 1);
      expect((await store.stat(key))?.fingerprint).not.toBe(before.fingerprint);
    }));

  test('is unreachable instead of empty when its root is gone', () =>
    withStore(async (store, directory) => {
      const source = sourceOf(randomBytes(100));
      const key = keyOf(source.sha256, 'image/png');
      await store.put(key, source);
      await rm(directory, { recursive: true });
      await expect(store.stat(key)).rejects.toThrow(StoreError);
      await expect(store.open(key)).rejects.toThrow(StoreError);
    }));

  test('deletes files of killed writers, but not those that are being written', () =>
    withStore(async (_store, directory) => {
      const [old, fresh] = ['old', 'fresh'].map((name) => path.join(directory, '.writing', name)) as [
        string,
        string,
      ];
      await mkdir(path.dirname(old));
      await writeFile(old, 'x');
      await utimes(old, Date.now() / 1000 - 3600, Date.now() / 1000 - 3600);
      await writeFile(fresh, 'y');
      await openFilesystemStore({ name: 'again', directory, mayClaim: true });
      await expect(readFile(old)).rejects.toThrow();
      expect(await readFile(fresh, 'utf8')).toBe('y');
    }));

  test('refuses keys that lead out of its root', () =>
    withStore(async (store) => {
      for (const key of ['../x', 'a/../../x', '/etc/passwd', 'a//b', '.hidden', 'a/.b', 'a\0b', '']) {
        await expect(store.stat(key), JSON.stringify(key)).rejects.toThrow(TypeError);
      }
    }));
});
