import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { PGlite } from '@electric-sql/pglite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openForeignTable } from '../../src/image/import/foreign-table.ts';
import { type FileOutcome, importDirectory } from '../../src/image/import/import-directory.ts';
import type { ImportResult } from '../../src/image/import/import-run.ts';
import { importTable } from '../../src/image/import/import-table.ts';
import { importUrls, parseAddressList } from '../../src/image/import/import-urls.ts';
import { purgeImage } from '../../src/image/trash/purge.ts';
import { deleteImage } from '../../src/image/trash/trash.ts';
import { runScheduledPurge } from '../../src/job/purge.ts';
import { verifyCopies } from '../../src/storage/repair/verify.ts';
import type { Store } from '../../src/storage/stores/store.ts';
import { type Listener, listen } from '../fetch/fetching.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { pngWith, textChunk } from '../provenance/files.ts';
import { upload } from '../upload.ts';

const quiet = { info() {}, warn() {}, error() {} } as never;
const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
const picture = (seed: number) => makePicture({ seed: 95_000 + seed, width: 8, height: 8 });

/** Each case was found by an attack. An item that cannot be imported must not keep others out. */
describe('one item that fails does not stop the others', () => {
  let app: TestApp;
  let directory: string;
  let source: Listener;
  let foreign: PGlite;
  beforeAll(async () => {
    foreign = await PGlite.create();
    source = await listen(async (request, response) => {
      const name = new URL(request.url ?? '', 'http://x').pathname;
      if (name.startsWith('/ok')) response.end(await picture(Number(name.slice(3))));
      else response.writeHead(403).end();
    });
  });
  afterAll(async () => {
    await source.close();
    await foreign.close();
  });
  beforeEach(async () => {
    app = await openTestApp({ ALLOW_PRIVATE_SOURCES: '127.0.0.1' });
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-bad-'));
  });
  afterEach(async () => {
    await app.close();
    await rm(directory, { recursive: true, force: true });
  });

  const at = (name: string) => `http://127.0.0.1:${source.port}${name}`;
  async function take() {
    const outcomes: FileOutcome[] = [];
    await importDirectory(app, { directory }, (outcome) => outcomes.push(outcome));
    return Object.groupBy(outcomes, ({ outcome }) => outcome);
  }
  async function keepFile(name: string, content: Uint8Array, sidecar?: object) {
    const file = path.join(directory, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
    if (!sidecar) return;
    const said = { fixative: 1, sha256: sha256(content), origin: 'uploaded', prompt: 'x', ...sidecar };
    await writeFile(`${file}.json`, JSON.stringify({ createdAt: '2024-01-01T00:00:00Z', ...said }));
  }

  test('a ComfyUI graph whose links are objects', async () => {
    const graph = { 1: { class_type: 'KSampler', inputs: { positive: [{ toString: 1, valueOf: 1 }, 0] } } };
    const evil = await pngWith(textChunk('prompt', JSON.stringify(graph)));
    await keepFile('a.png', evil);
    await keepFile('b.png', await picture(1));
    expect((await take()).imported).toHaveLength(2);
    expect((await upload(app, { content: evil })).userErrors).toEqual([]);
  });

  test('a sidecar with a day that does not exist, or whose name is taken', async () => {
    await keepFile('a.png', await picture(2), {
      uuid: '01900000-0000-7000-8000-0123456789ab',
      createdAt: '2024-02-30T00:00:00Z',
    });
    // The first keeps the name, the second gets the end of its id behind it, and that is the third one's as
    // well.
    for (const i of [0, 1, 2])
      await keepFile(`${i}/same.png`, await picture(3 + i), {
        uuid: `0190000${i}-0000-7000-8000-0123456789ac`,
      });
    await keepFile('b.png', await picture(6));
    const { imported, refused } = await take();
    expect(imported).toHaveLength(3);
    expect(refused).toMatchObject([{ code: 'INVALID_INPUT' }, { code: 'INVALID_INPUT' }]);
  });

  test('a time that the database cannot store', async () => {
    const results: ImportResult[] = [];
    const list = parseAddressList(`url,createdAt\n${at('/ok6')},-000100-01-01T00:00:00Z\n${at('/ok7')},\n`, {
      userId: 'root',
    });
    await importUrls(app.services, list, {
      concurrency: 1,
      dryRun: false,
      onResult: (result) => results.push(result),
    });
    expect(results.map(({ outcome }) => outcome)).toEqual(['refused', 'imported']);
  });

  async function table(rows: string, options: { baseUrl?: string; writeBack?: boolean } = {}) {
    await foreign.exec(`DROP TABLE IF EXISTS t; ${rows}`);
    const db = {
      query: async (text: string, values: readonly unknown[] = []) =>
        (await foreign.query(text, [...values])).rows,
    };
    const opened = await openForeignTable(db as never, {
      table: 't',
      idColumn: 'id',
      urlColumn: null,
      map: {},
    });
    const results: ImportResult[] = [];
    const writeBack = options.writeBack ? { column: 'storage_url', publicUrl: 'https://me' } : null;
    await importTable(
      { ...app.services, table: opened },
      {
        source: 'table:t',
        user: 'root',
        baseUrl: options.baseUrl ?? null,
        writeBack,
        retryFailed: false,
        concurrency: 1,
        dryRun: false,
        onResult: (result) => results.push(result),
      },
    );
    return results.map(({ outcome, error }) => error?.code ?? outcome);
  }

  test('rows with a number, tags or a text that no column can store', async () => {
    const found =
      await table(`CREATE TABLE t(id int primary key, storage_url text, n bigint, tags jsonb, prompt text);
      INSERT INTO t VALUES (1, '${at('/ok10')}', 3000000000, NULL, ''), (2, '${at('/ok11')}', 1, '[{"toString":1}]', ''), (4, '${at('/ok13')}', 1, NULL, '');
      INSERT INTO t SELECT 3, '${at('/ok12')}', 1, NULL, string_agg(md5(i::text), ' ') FROM generate_series(1, 30000) i`);
    expect(found).toEqual(['INVALID_INPUT', 'imported', 'INVALID_INPUT', 'imported']);
  });

  test('a row with a live address that only a setting forbids is not recorded as lost', async () => {
    const dead = `${at('/gone')}?se=2020-01-01T00:00:00Z&sig=x`;
    const relative = `CREATE TABLE t(id int primary key, storage_url text, original_url text); INSERT INTO t VALUES (1, '/ok20', '${dead}')`;
    expect(await table(relative)).toEqual(['SOURCE_EXPIRED']);
    expect(await table(relative, { baseUrl: at('/') })).toEqual(['imported']);
    const inside = relative.replace("(1, '/ok20'", `(2, 'http://[::1]:${source.port}/ok21'`);
    expect(await table(inside)).toEqual(['SOURCE_FORBIDDEN']);
    expect(await table(inside), 'asked again').toEqual(['SOURCE_FORBIDDEN']);
  });

  test('an id column that is not unique is rejected before an address is overwritten', async () => {
    const shared = `CREATE TABLE t(id text, storage_url text); INSERT INTO t VALUES ('a', '${at('/ok30')}'), ('a', '${at('/ok31')}')`;
    await expect(table(shared, { writeBack: true })).rejects.toThrow(/--id-column/);
    expect((await foreign.query('SELECT storage_url FROM t')).rows[0]).toEqual({ storage_url: at('/ok30') });
  });

  /** The stores as they are, with something done before the first call of one of their methods. */
  function disturbed(method: 'open' | 'stat', once: () => Promise<void>): Store[] {
    let done = false;
    return app.storage.stores.map((store) => {
      const call = async (key: string) => {
        const result = method === 'open' ? await store.open(key) : null;
        const parts: Buffer[] = [];
        for await (const part of result?.stream ?? []) parts.push(part as Buffer);
        if (!done) {
          done = true;
          await once();
        }
        return result ? { ...result, stream: Readable.from(parts) } : store.stat(key);
      };
      return new Proxy(store, {
        get: (target, name) => {
          const value = target[name as keyof Store] as unknown;
          if (name === method) return call;
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
    });
  }
  const looked = (stores: Store[]) => verifyCopies({ database: app.database, stores, healDelaySeconds: 0 });

  test('images that are purged while verify runs are neither put back on record nor counted as lost', async () => {
    for (let i = 0; i < 15; i++) await upload(app, { content: await picture(40 + i) });
    const images = await app.database.prisma.image.findMany({ orderBy: { id: 'asc' } });
    const purge = async (from: number, to: number) => {
      for (const image of images.slice(from, to)) await purgeImage(app, image);
    };
    const first = await looked(disturbed('open', () => purge(0, 1)));
    expect(first.stores).toMatchObject([{ missing: 0 }, { missing: 0 }]);
    const second = await looked(disturbed('stat', () => purge(1, 14)));
    expect(second.stores).toMatchObject([{ missing: 0 }, { missing: 0 }]);
    expect(await app.database.query('SELECT 1 FROM copies')).toHaveLength(2);
  });
});

test('a job that holds its lock leaves a connection for the locks of blobs, even in a pool of one', async () => {
  const app = await openTestApp({ DATABASE_POOL_SIZE: '1' });
  try {
    await upload(app, { content: await picture(80) });
    const [image] = await app.database.prisma.image.findMany();
    await deleteImage(app.services, image ?? { id: 0n });
    await app.database.query(`UPDATE generated_images SET deleted_at = now() - interval '1 day'`);
    await runScheduledPurge(
      { ...app, log: quiet },
      { trashDays: 0, webhookLogDays: 30, auditDays: 365 },
      new AbortController().signal,
    );
    expect(await app.database.query('SELECT 1 FROM generated_images')).toEqual([]);
    expect((await upload(app, { content: await picture(81) })).userErrors).toEqual([]);
  } finally {
    await app.close();
  }
});
