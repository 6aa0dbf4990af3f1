import { cp, link, mkdir, readdir, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { runClaim } from '../../src/command/claim.ts';
import { runRestore } from '../../src/command/restore.ts';
import type { Terminal } from '../../src/command/terminal.ts';
import type { Database } from '../../src/database/database.ts';
import { keyOf } from '../../src/storage/blob.ts';
import { quarantineOrphans } from '../../src/storage/repair/orphans.ts';
import type { Verification } from '../../src/storage/service.ts';
import { makeMemoryStore } from '../../src/storage/stores/memory.ts';
import type { Store } from '../../src/storage/stores/store.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { sourceOf } from './store-contract.ts';

const quiet: Terminal = { out: () => {}, note: () => {}, interactive: false };
const restoreAll = { ids: [], all: true, dryRun: false, maxMissing: 10, orphanGraceSeconds: 0, json: false };

/** Each test is an accident that must not become a loss. */
describe('repair cannot lose data', () => {
  let app: TestApp;
  let seed = 0;
  beforeEach(async () => {
    app = await openTestApp({ HEAL_DELAY_SECONDS: '3600' });
  });
  afterEach(() => app.close());

  const root = () => path.join(app.directory, 'images');
  async function keep(count: number) {
    const keys: string[] = [];
    for (let i = 0; i < count; i++) {
      const { image } = await upload(app, { content: await makePicture({ seed: 20_000 + seed++ }) });
      keys.push(image?.copies[0]?.key ?? '');
    }
    return keys;
  }
  const states = async (store: string) =>
    Object.fromEntries(
      (
        await app.database.query<{ state: string; count: number }>(
          'SELECT state, count(*) FROM copies WHERE store = $1 GROUP BY state',
          [store],
        )
      ).map(({ state, count }) => [state, count]),
    );
  const tally = async (name: string, options = {}) =>
    (await app.storage.verify(options)).stores.find((store) => store.store === name);
  const images = async () => (await app.files('images')).filter((name) => !name.startsWith('.'));

  test('an unmounted disk leaves an empty directory: no copy is missing, nothing is written there', async () => {
    const [key = ''] = await keep(3);
    await rename(root(), `${root()}-disk`);
    await mkdir(root());
    expect(await tally('filesystem')).toMatchObject({ right: 0, missing: 0, unreachable: 3 });
    expect(await states('filesystem')).toEqual({ STORED: 3 });
    const refused = await upload(app, { content: await makePicture({ seed: 30_000 }) });
    expect(refused).toMatchObject({
      image: null,
      userErrors: [{ __typename: 'StoreError', code: 'STORE_UNAVAILABLE' }],
    });
    expect(refused.userErrors[0]?.message).toContain('npm run fixative -- claim filesystem');
    await runRestore(app, restoreAll, quiet);
    expect(await readdir(root())).toEqual([]);
    await rm(root(), { recursive: true });
    await rename(`${root()}-disk`, root());
    expect(await tally('filesystem')).toMatchObject({ right: 3, unreachable: 0 });
    expect(key).not.toBe('');
  });

  test('a lost directory is filled again after an operator claims the new one', async () => {
    const keys = await keep(3);
    const before = await Promise.all(keys.map((key) => readFile(path.join(root(), key))));
    await rm(root(), { recursive: true });
    expect(await runRestore(app, restoreAll, quiet), 'the directory could not be asked').toBe(3);
    await expect(readdir(root())).rejects.toThrow();
    await runClaim(app.storage, 'filesystem', quiet);
    expect(await runRestore(app, { ...restoreAll, maxMissing: 100 }, quiet)).toBe(0);
    for (const [i, key] of keys.entries())
      expect((await readFile(path.join(root(), key))).equals(before[i] as Buffer)).toBe(true);
    expect(await states('filesystem')).toEqual({ STORED: 3 });
  });

  test('verify reports copies that were healed since the last run, and condemned copies that are left', async () => {
    const [key = ''] = await keep(3);
    await app.storage.verify();
    await rm(path.join(root(), key));
    expect(await tally('filesystem')).toMatchObject({ right: 2, missing: 1, healed: 0, condemned: 0 });
    expect(await runRestore(app, restoreAll, quiet)).toBe(0);
    expect(await tally('filesystem')).toMatchObject({ right: 3, missing: 0, healed: 1 });
    expect(await tally('filesystem')).toMatchObject({ right: 3, missing: 0, healed: 0 });
    await app.database.query(
      'UPDATE blobs SET condemned_at = now() WHERE id = (SELECT min(blob_id) FROM copies)',
    );
    for (const store of ['filesystem', 'database'])
      expect(await tally(store)).toMatchObject({ right: 2, healed: 0, condemned: 1 });
  });

  test('verify stops if too much is missing, unless it is forced', async () => {
    const keys = await keep(14);
    for (const key of keys.slice(0, 12)) await rm(path.join(root(), key));
    await expect(app.storage.verify()).rejects.toMatchObject({
      code: 'STOPPED',
      message: expect.stringContaining('--max-missing 100'),
    });
    await expect(runRestore(app, restoreAll, quiet)).rejects.toMatchObject({ code: 'STOPPED' });
    expect(await images()).toHaveLength(2);
    expect(await runRestore(app, { ...restoreAll, maxMissing: 100 }, quiet)).toBe(0);
    expect(await images()).toHaveLength(14);
  });

  test('with the wrong database every file is an orphan, and none is moved', async () => {
    await keep(14);
    await app.database.query('DELETE FROM generated_images');
    await app.database.query('DELETE FROM copies');
    await app.database.query('DELETE FROM blobs');
    expect(await tally('filesystem')).toMatchObject({ orphans: 14 });
    await expect(runRestore(app, restoreAll, quiet)).rejects.toMatchObject({ code: 'STOPPED' });
    expect(await images()).toHaveLength(14);
    expect(await app.files('quarantine')).toEqual([]);
  });

  test('an object that a crash left without a record goes into quarantine complete, with a line in the manifest', async () => {
    await keep(2);
    const picture = await makePicture({ seed: 40_000 });
    const source = sourceOf(picture);
    const key = keyOf(source.sha256, 'image/png');
    for (const store of app.storage.stores) await store.put(key, source);
    await writeFile(path.join(root(), 'holiday.jpg'), 'not ours');
    expect(await tally('filesystem')).toMatchObject({ right: 2, orphans: 1 });
    expect(await tally('database')).toMatchObject({ right: 2, orphans: 1 });

    // The record of a young object may still be written.
    await runRestore(app, { ...restoreAll, orphanGraceSeconds: 3600 }, quiet);
    expect(await app.files('quarantine')).toEqual([]);
    await runRestore(app, { ...restoreAll, dryRun: true }, quiet);
    expect(await app.files('quarantine')).toEqual([]);

    await runRestore(app, restoreAll, quiet);
    for (const store of app.storage.stores) expect(await store.stat(key)).toBeNull();
    const quarantined = await app.files('quarantine');
    expect(quarantined).toHaveLength(3);
    const day = quarantined[0]?.split('/')[0] ?? '';
    expect(
      (await readFile(path.join(app.directory, 'quarantine', day, 'filesystem', path.basename(key)))).equals(
        picture,
      ),
    ).toBe(true);
    const manifest = await readFile(path.join(app.directory, 'quarantine', day, 'manifest.ndjson'), 'utf8');
    expect(
      manifest
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { store: 'filesystem', key, sha256: source.sha256, bytes: picture.length },
      { store: 'database', key, sha256: source.sha256, bytes: picture.length },
    ]);
    // Files of other programs were ignored.
    expect(await readFile(path.join(root(), 'holiday.jpg'), 'utf8')).toBe('not ours');

    // It is deleted only after QUARANTINE_DAYS.
    const directory = path.join(app.directory, 'quarantine');
    await cp(path.join(directory, day), path.join(directory, '2020-01-01'), { recursive: true });
    await runRestore(app, restoreAll, quiet);
    expect((await app.files('quarantine')).map((name) => name.split('/')[0])).not.toContain('2020-01-01');
    expect(await app.files('quarantine')).toHaveLength(3);
  });

  test('two servers that move the same orphan, one after losing its lock, leave it complete in quarantine', async () => {
    const picture = await makePicture({ seed: 40_500 });
    const source = sourceOf(picture);
    const memory = makeMemoryStore();
    await memory.put(keyOf(source.sha256, 'image/png'), source);
    let reading = 0;
    const both = Promise.withResolvers<void>();
    const store: Store = {
      ...memory,
      async open(...args) {
        const opened = await memory.open(...args);
        if (++reading === 2) both.resolve();
        return {
          ...opened,
          stream: Readable.from(
            (async function* () {
              yield picture.subarray(0, 100);
              await both.promise;
              yield picture.subarray(100);
            })(),
          ),
        };
      },
    };
    const directory = path.join(app.directory, 'quarantine');
    const options = { directory, graceSeconds: 0, maxMissingPercent: 100 };
    const server = (lock: string): Database => ({
      ...app.database,
      exclusively: (_, work) => app.database.exclusively(lock, work),
    });
    await Promise.all(
      ['held', 'lost'].map((lock) => quarantineOrphans({ database: server(lock) }, store, options)),
    );
    const file = (await app.files('quarantine')).filter((name) => !name.endsWith('manifest.ndjson'));
    expect(file).toHaveLength(1);
    expect((await readFile(path.join(directory, file[0] ?? ''))).equals(picture)).toBe(true);
  });

  test('an orphan that becomes a blob during the check stays', async () => {
    const picture = await makePicture({ seed: 41_000 });
    const source = sourceOf(picture);
    const key = keyOf(source.sha256, 'image/png');
    const [filesystem] = app.storage.stores;
    if (!filesystem) throw new Error('no store');
    await filesystem.put(key, source);
    const results = await Promise.all([
      upload(app, { content: picture }),
      app.storage.quarantine('filesystem', { graceSeconds: 0 }),
      upload(app, { content: picture }),
      app.storage.quarantine('filesystem', { graceSeconds: 0 }),
    ]);
    expect(results[0]).toMatchObject({ userErrors: [], image: { status: 'SUCCESS' } });
    expect(await tally('filesystem')).toMatchObject({ right: 1, missing: 0, corrupt: 0, orphans: 0 });
  });

  test('a copy that was restored meanwhile is not recorded as bad by an older examination', async () => {
    const [key = ''] = await keep(1);
    const file = path.join(root(), key);
    const right = await readFile(file);
    await writeFile(file, Buffer.alloc(right.length));
    const results = await Promise.all([
      app.storage.verify(),
      app.storage.restore(1, { deep: true }),
      app.storage.verify(),
      app.storage.restore(1, { deep: true }),
    ]);
    expect(results).toHaveLength(4);
    await app.storage.restore(1, { deep: true });
    expect((await readFile(file)).equals(right)).toBe(true);
    expect(await states('filesystem')).toEqual({ STORED: 1 });
  });

  test('decay, which changes no time and no size, is found by verify, repaired, and not served after that', async () => {
    const [key = ''] = await keep(1);
    const file = path.join(root(), key);
    const right = await readFile(file);
    await writeFile(file, Buffer.alloc(right.length, 1));
    // Simulates decay: the record gets the fingerprint that the file has now.
    const stat = await app.storage.stores[0]?.stat(key);
    await app.database.query(`UPDATE copies SET fingerprint = $1 WHERE store = 'filesystem'`, [
      stat?.fingerprint,
    ]);
    expect(await tally('filesystem')).toMatchObject({ right: 0, corrupt: 1 });
    const [image] = await app.database.query<{ storage_url: string }>(
      'SELECT storage_url FROM generated_images',
    );
    const response = await app.fetch(image?.storage_url ?? '');
    expect(Buffer.from(await response.arrayBuffer()).equals(right)).toBe(true);
    expect(await states('filesystem')).toEqual({ CORRUPT: 1 });
    await runRestore(app, restoreAll, quiet);
    expect((await readFile(file)).equals(right)).toBe(true);
    expect(await tally('filesystem')).toMatchObject({ right: 1, corrupt: 0 });
  });

  test('a copy that is not on record is served when no other is left', async () => {
    const [key = ''] = await keep(1);
    await app.database.query(`DELETE FROM copies WHERE store = 'filesystem'`);
    await app.database.query('DELETE FROM stored_objects');
    const [image] = await app.database.query<{ storage_url: string }>(
      'SELECT storage_url FROM generated_images',
    );
    const response = await app.fetch(image?.storage_url ?? '');
    expect(response.status).toBe(200);
    expect(Buffer.from(await response.arrayBuffer()).equals(await readFile(path.join(root(), key)))).toBe(
      true,
    );
  });

  test('restore with a filter restores the matching images only', async () => {
    const pictures = await Promise.all([1, 2, 3].map((i) => makePicture({ seed: 45_000 + i })));
    for (const [i, content] of pictures.entries()) await upload(app, { content }, { userId: `user${i}` });
    for (const name of await images()) await rm(path.join(root(), name));
    expect(await runRestore(app, { ...restoreAll, all: false, filter: { userId: 'user1' } }, quiet)).toBe(0);
    expect((await images()).map((name) => path.basename(name, '.png'))).toEqual([
      sourceOf(pictures[1] as Buffer).sha256,
    ]);
  });

  test('a dry run reports what it would do and changes nothing', async () => {
    const [key = ''] = await keep(2);
    await rm(path.join(root(), key));
    const lines: string[] = [];
    await runRestore(
      app,
      { ...restoreAll, dryRun: true, json: true },
      { ...quiet, out: (text) => void lines.push(text) },
    );
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      dryRun: true,
      restored: [{ store: 'filesystem' }],
      source: 'database',
    });
    expect(await images()).toHaveLength(1);
  });

  test('an image whose bytes are lost can still be read', async () => {
    const [key = ''] = await keep(1);
    await rm(path.join(root(), key));
    await app.database.query('DELETE FROM stored_objects');
    expect(await app.storage.verify()).toMatchObject({
      lostCount: 1,
      lost: [expect.stringMatching(/^[0-9a-f]{64}$/)],
    });
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ images { nodes { id durability sha256 copies { store state } } } }' }),
    });
    expect(await response.json()).toMatchObject({
      data: {
        images: { nodes: [{ durability: 'LOST', copies: [{ state: 'MISSING' }, { state: 'MISSING' }] }] },
      },
    });
  });
});

describe('verify', () => {
  let app: TestApp;
  beforeEach(async () => {
    app = await openTestApp({ HEAL_DELAY_SECONDS: '3600' });
    for (let i = 0; i < 5; i++) await upload(app, { content: await makePicture({ seed: 50_000 + i }) });
  });
  afterEach(() => app.close());

  test('reaches every copy by runs with a small budget, the one unseen for longest first', async () => {
    const seen: number[] = [];
    for (let run = 0; run < 4; run++) {
      const result = await app.storage.verify({ limit: 3 });
      seen.push(result.copies);
      expect(result).toMatchObject({
        of: 10,
        complete: false,
        stores: [{ orphans: null }, { orphans: null }],
      });
    }
    expect(seen).toEqual([3, 3, 3, 3]);
    const [row] = await app.database.query<{ oldest: boolean }>(
      'SELECT bool_and(checked_at > (SELECT max(created_at) FROM copies)) AS oldest FROM copies',
    );
    expect(row?.oldest).toBe(true);
    expect(await app.storage.verify({ percent: 50 })).toMatchObject({ copies: 5, of: 10 });
    expect(await app.storage.verify()).toMatchObject({ copies: 10, of: 10, complete: true });
  });

  test('goes by the hash of the bytes that it read, whatever happens to the file meanwhile', async () => {
    const [store] = app.storage.stores;
    if (store?.name !== 'filesystem') throw new Error('The files are not read first.');
    const fileOf = (key: string) => path.join(app.directory, 'images', key);
    const open = store.open;
    const whileRead = async (disturb: (file: string) => Promise<void>) => {
      const reading = vi.spyOn(store, 'open').mockImplementation(async (key, range) => {
        const opened = await open(key, range);
        await disturb(fileOf(key));
        return opened;
      });
      try {
        return tallyOf(await app.storage.verify({ stores: ['filesystem'], limit: 1 }));
      } finally {
        expect(reading).toHaveBeenCalledOnce();
        reading.mockRestore();
      }
    };
    const tallyOf = ({ stores }: Verification) => stores[0];
    const states = () =>
      app.database.query("SELECT state, count(*) FROM copies WHERE store = 'filesystem' GROUP BY state");

    // A backup may link the file: that changes the ctime and no byte.
    const linked = await whileRead((file) => link(file, path.join(app.directory, path.basename(file))));
    expect(linked).toMatchObject({ right: 1, corrupt: 0, unreachable: 0 });
    expect(await states()).toEqual([{ state: 'STORED', count: 5 }]);
    const written = await whileRead(async (file) => {
      const { size } = await stat(file);
      await writeFile(file, Buffer.alloc(size));
    });
    expect(written).toMatchObject({ right: 0, corrupt: 1 });
    // A file that was written to after the read is not proven.
    expect(await app.storage.verify({ stores: ['filesystem'] })).toMatchObject({
      stores: [{ right: 4, corrupt: 1 }],
    });
  });

  test('without deep, finds missing and truncated files and reads none', async () => {
    const [one = '', two = '', three = ''] = await app
      .files('images')
      .then((names) => names.filter((name) => !name.startsWith('.')));
    await rm(path.join(app.directory, 'images', one));
    await writeFile(path.join(app.directory, 'images', two), 'short');
    const right = await readFile(path.join(app.directory, 'images', three));
    const fast = await app.storage.verify({ deep: false });
    expect(fast.stores[0]).toMatchObject({ right: 3, missing: 1, corrupt: 1, bytes: 0 });
    await writeFile(path.join(app.directory, 'images', three), Buffer.alloc(right.length));
    const deep = await app.storage.verify();
    expect(deep.stores[0]).toMatchObject({ right: 2, missing: 1, corrupt: 2 });
  });

  test('limits the read rate', async () => {
    const begun = Date.now();
    const { stores } = await app.storage.verify({ maxBytesPerSecond: 100_000 });
    const bytes = stores.reduce((sum, store) => sum + store.bytes, 0);
    expect(Date.now() - begun).toBeGreaterThan((bytes / 100_000) * 1000 * 0.8);
  });
});

describe('optional stores', () => {
  test('are filled in the background, also after an outage', async () => {
    const backup = makeMemoryStore('backup');
    let away = true;
    const { StoreError } = await import('../../src/errors.ts');
    const app = await openTestApp(
      { HEAL_DELAY_SECONDS: '0' },
      {
        stores: async (database) => {
          const { makeDatabaseStore } = await import('../../src/storage/stores/database/database-store.ts');
          return [
            makeDatabaseStore({ name: 'database', database }),
            {
              ...backup,
              put: async (key, source) => {
                if (away) throw new StoreError('backup is away.', 'backup');
                return backup.put(key, source);
              },
            },
          ];
        },
        required: ['database'],
      },
    );
    const { image, userErrors } = await upload(app, { content: await makePicture({ seed: 60_000 }) });
    expect(userErrors).toEqual([]);
    expect(image?.copies).toMatchObject([
      { store: 'database', state: 'STORED' },
      { store: 'backup', state: 'PENDING' },
    ]);
    await eventually(async () => {
      const [copy] = await app.database.query<{ attempts: number; error: string; later: boolean }>(
        `SELECT attempts, error, retry_at > now() AS later FROM copies WHERE store = 'backup'`,
      );
      expect(copy).toMatchObject({ attempts: 1, error: 'backup is away.', later: true });
    });
    away = false;
    await app.database.query(`UPDATE copies SET retry_at = now() WHERE store = 'backup'`);
    app.storage.startRepairs();
    await eventually(async () => {
      const [copy] = await app.database.query(
        `SELECT state, attempts, error FROM copies WHERE store = 'backup'`,
      );
      expect(copy).toEqual({ state: 'STORED', attempts: 0, error: null });
    });
    await app.close();
  });
});

describe('a disk that is nearly full', () => {
  test('refuses uploads and generations with a reason, before a provider is paid', async () => {
    // Twice what is free: less than a quarter of it would stop the embedded database from writing, and there
    // is no database yet.
    const { bavail, bsize } = await statfs(tmpdir());
    const app = await openTestApp({ MIN_FREE_BYTES: String(2 * bavail * bsize) });
    const refused = await upload(app, { content: await makePicture() });
    expect(refused).toMatchObject({ image: null, userErrors: [{ code: 'NO_SPACE' }] });
    expect(refused.userErrors[0]?.message).toContain('MIN_FREE_BYTES');
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query:
          'mutation { generateImage(input: { prompt: "x", model: "sample" }) { images { id } userErrors { code } } }',
      }),
    });
    expect(await response.json()).toMatchObject({
      data: { generateImage: { images: [], userErrors: [{ code: 'NO_SPACE' }] } },
    });
    expect(await app.database.query('SELECT 1 FROM generated_images')).toEqual([]);
    await app.close();
  });
});
