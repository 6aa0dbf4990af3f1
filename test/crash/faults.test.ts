import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, makeDatabase, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { openS3Server, s3Settings } from '../s3-server.ts';
import { upload } from '../upload.ts';
import { openProxy } from './proxy.ts';

const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

async function read(app: TestApp, image: { url?: string | null } | null | undefined) {
  const response = await app.fetch(new URL(image?.url ?? '').pathname);
  return { status: response.status, sha256: sha256(new Uint8Array(await response.arrayBuffer())) };
}

/** Whether file systems can be mounted here: as root, and not in every container. */
const canMount = (() => {
  try {
    const directory = execFileSync('mktemp', ['-d']).toString().trim();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory], { stdio: 'ignore' });
    execFileSync('umount', [directory]);
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!canMount)('a disk', () => {
  let app: TestApp;
  let disk: string;
  beforeAll(async () => {
    disk = await mkdtemp(path.join(tmpdir(), 'fixative-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk]);
    // The floor is far below the size of the disk, so that the disk itself is what runs full.
    app = await openTestApp({
      GENERATED_IMAGE_DIR: path.join(disk, 'images'),
      MIN_FREE_BYTES: '1',
      HEAL_DELAY_SECONDS: '3600',
    });
  });
  afterAll(async () => {
    await app.close();
    execFileSync('umount', ['-l', disk]);
    await rm(disk, { recursive: true, force: true });
  });

  test('that is full rejects what does not fit, keeps no part of it, and loses nothing', async () => {
    const kept = await upload(app, { content: await makePicture({ seed: 80_000 }) });
    let acknowledged = 1;
    for (let i = 1; ; i++) {
      expect(i, 'a disk of 8 MB takes that much').toBeLessThan(10);
      const { image, userErrors } = await upload(app, {
        content: await makePicture({ width: 700, height: 700, seed: 80_000 + i }),
      });
      if (image) {
        acknowledged++;
        continue;
      }
      expect(['STORE_UNAVAILABLE', 'NO_SPACE']).toContain(userErrors[0]?.code);
      break;
    }
    expect(await app.database.query('SELECT id FROM generated_images')).toHaveLength(acknowledged);
    expect(readFileSync(path.join(disk, 'images', '.fixative-store'), 'utf8')).toContain('filesystem');
    expect(execFileSync('find', [path.join(disk, 'images', '.writing'), '-type', 'f']).toString()).toBe('');
    expect(await read(app, kept.image)).toEqual({ status: 200, sha256: kept.image?.sha256 });
  });

  test('that is read-only serves its images and rejects new ones', async () => {
    const [row] = await app.database.query<{ storage_url: string; sha256: string }>(
      'SELECT storage_url, sha256 FROM generated_images',
    );
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    try {
      const refused = await upload(app, { content: await makePicture({ seed: 80_010 }) });
      expect(refused).toMatchObject({ image: null, userErrors: [{ code: 'STORE_UNAVAILABLE' }] });
      expect(refused.userErrors[0]?.message).toContain('filesystem');
      expect(await read(app, { url: app.url + row?.storage_url })).toEqual({
        status: 200,
        sha256: row?.sha256,
      });
    } finally {
      execFileSync('mount', ['-o', 'remount,rw', disk]);
    }
    const again = await upload(app, { content: await makePicture({ seed: 80_010 }) });
    expect(again.userErrors).toEqual([]);
  });
});

describe('S3 that fails', () => {
  test('is not waited for when it is optional, and is filled when it is back; when it is required, nothing is acknowledged', async () => {
    const s3 = await openS3Server();
    const settings = {
      STORES: 'filesystem,database,s3',
      ...s3Settings(s3),
      HEAL_DELAY_SECONDS: '0',
    };
    const app = await openTestApp(settings);
    try {
      s3.failNext('500', 6);
      const { image, userErrors } = await upload(app, { content: await makePicture({ seed: 81_000 }) });
      expect(userErrors).toEqual([]);
      expect(image?.copies).toMatchObject([
        { state: 'STORED' },
        { state: 'STORED' },
        { store: 's3', state: 'PENDING' },
      ]);
      await app.storage.settled();
      await eventually(async () => {
        await app.database.query(`UPDATE copies SET retry_at = now() WHERE state <> 'STORED'`);
        app.storage.startRepairs();
        await app.storage.settled();
        expect(await app.database.query(`SELECT state FROM copies WHERE store = 's3'`)).toEqual([
          { state: 'STORED' },
        ]);
      });
      // And it is a whole copy: the other two are lost.
      await rm(path.join(app.directory, 'images', image?.copies[0]?.key ?? ''));
      await app.database.query('DELETE FROM stored_objects');
      expect(await read(app, image)).toEqual({ status: 200, sha256: image?.sha256 });
    } finally {
      await app.close();
      await s3.close();
    }
  });
});

describe('a flipped byte', () => {
  test.each(['filesystem', 'database'])(
    'in %s is never served, is found, and is repaired from the other',
    async (store) => {
      const app = await openTestApp({
        HEAL_DELAY_SECONDS: '3600',
        STORES: store === 'filesystem' ? 'filesystem,database' : 'database,filesystem',
      });
      const picture = await makePicture({ seed: 82_000, width: 400, height: 300 });
      const { image } = await upload(app, { content: picture });
      const key = image?.copies[0]?.key ?? '';
      const at = Math.floor(picture.length / 2);
      const file = path.join(app.directory, 'images', key);
      if (store === 'filesystem') {
        const bytes = await readFile(file);
        bytes[at] = (bytes[at] ?? 0) ^ 1;
        await writeFile(file, bytes);
      } else {
        await app.database.query(
          `UPDATE stored_chunks SET data = set_byte(data, ${at}, get_byte(data, ${at}) # 1) WHERE position = 0`,
        );
      }
      expect(await read(app, image)).toEqual({ status: 200, sha256: sha256(picture) });
      const { stores } = await app.storage.verify();
      expect(stores.find((each) => each.store === store)).toMatchObject({ right: 0, corrupt: 1 });
      expect(await app.storage.restore(1)).toMatchObject({ restored: [{ store }], failed: [] });
      expect((await app.storage.verify()).stores.map((each) => each.right)).toEqual([1, 1]);
      await app.close();
    },
  );
});

describe.runIf(process.env.TEST_DATABASE_URL)('on PostgreSQL', () => {
  test('an outage of the database gives errors, marks no copies, and ends when it is back', async () => {
    const database = await makeDatabase();
    const proxy = await openProxy(new URL(database?.url ?? ''));
    const app = await openTestApp({ DATABASE_URL: proxy.url, HEAL_DELAY_SECONDS: '3600' });
    const kept = await upload(app, { content: await makePicture({ seed: 83_000 }) });
    proxy.cut();
    const down = await Promise.allSettled(
      [1, 2, 3].map(async (i) => upload(app, { content: await makePicture({ seed: 83_000 + i }) })),
    );
    for (const outcome of down) {
      if (outcome.status === 'fulfilled') expect(outcome.value.image).toBeNull();
      else expect(String(outcome.reason)).toContain('DATABASE_UNAVAILABLE');
    }
    expect((await app.fetch('/ready')).status).toBe(503);
    expect((await app.fetch('/health')).status).toBe(200);
    proxy.mend();
    await eventually(async () => expect((await app.fetch('/ready')).status).toBe(200));
    expect(await read(app, kept.image)).toEqual({ status: 200, sha256: kept.image?.sha256 });
    const after = await upload(app, { content: await makePicture({ seed: 83_001 }) });
    expect(after.userErrors).toEqual([]);
    const { stores } = await app.storage.verify();
    for (const store of stores)
      expect(store).toMatchObject({ right: 2, missing: 0, corrupt: 0, unreachable: 0 });
    await app.close();
    await proxy.close();
    await database?.drop();
  });

  test('two servers and two verify runs at once agree about the same blobs', async () => {
    const database = await makeDatabase();
    const first = await openTestApp({ DATABASE_URL: database?.url ?? '', HEAL_DELAY_SECONDS: '0' });
    const second = await openTestApp({
      DATABASE_URL: database?.url ?? '',
      GENERATED_IMAGE_DIR: path.join(first.directory, 'images'),
      HEAL_DELAY_SECONDS: '0',
    });
    const pictures = await Promise.all(
      Array.from({ length: 12 }, (_, i) => makePicture({ seed: 84_000 + i })),
    );
    // Uploads the same bytes to both servers at once.
    const results = await Promise.all(
      pictures.flatMap((content) => [upload(first, { content }), upload(second, { content })]),
    );
    for (const { userErrors } of results) expect(userErrors).toEqual([]);
    expect(await first.database.query('SELECT id FROM blobs')).toHaveLength(12);
    for (const { image } of results.slice(0, 8))
      await rm(path.join(first.directory, 'images', image?.copies[0]?.key ?? ''), { force: true });
    await Promise.all([
      first.storage.verify(),
      second.storage.verify(),
      first.storage.verify(),
      second.storage.verify(),
    ]);
    first.storage.startRepairs();
    second.storage.startRepairs();
    await eventually(async () => {
      const { stores } = await second.storage.verify();
      for (const store of stores)
        expect(store).toMatchObject({ right: 12, missing: 0, corrupt: 0, orphans: 0 });
    });
    await second.close();
    await first.close();
    await database?.drop();
  });
});
