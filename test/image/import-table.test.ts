import { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeImportReport } from '../../src/command/import/import-report.ts';
import { runImportTable } from '../../src/command/import/import-table.ts';
import type { Queryable } from '../../src/database/database.ts';
import { openForeignDatabase } from '../../src/database/foreign.ts';
import { openForeignTable } from '../../src/image/import/foreign-table.ts';
import { importTable } from '../../src/image/import/import-table.ts';
import { type Listener, listen } from '../fetch/fetching.ts';
import { makeDatabase, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';

/** The table of the other system, as it was given. */
const TABLE = `CREATE TABLE generated_images (
  id BIGSERIAL PRIMARY KEY, request_id TEXT, user_id VARCHAR(32) NOT NULL, username TEXT,
  tool_name TEXT NOT NULL DEFAULT 'generateUserImage', prompt TEXT NOT NULL, provider VARCHAR(50), model TEXT,
  size VARCHAR(20), quality VARCHAR(20), style VARCHAR(20), n INTEGER DEFAULT 1, filename TEXT UNIQUE,
  storage_url TEXT NOT NULL, storage_provider VARCHAR(50), original_url TEXT, mime_type VARCHAR(50), bytes INTEGER,
  tags TEXT[], status VARCHAR(20) DEFAULT 'success', error TEXT, metadata JSONB, message_id TEXT,
  created_at TIMESTAMPTZ DEFAULT now(), updated_at TIMESTAMPTZ DEFAULT now(), permanent TEXT)`;

const SOURCE = 'table:elsewhere/app/generated_images';
const PAST = 'se=2020-01-01T00:00:00Z&sig=secret';

interface Foreign extends Queryable {
  readonly url: string | null;
  close(): Promise<void>;
}

/** Another database: a second PGlite, or a second database of the PostgreSQL on which the tests run. */
async function openForeign(): Promise<Foreign> {
  const database = await makeDatabase();
  if (database) {
    const opened = await openForeignDatabase({ url: database.url, readOnly: false });
    const close = async () => {
      await opened.close();
      await database.drop();
    };
    return { ...opened, url: database.url, close };
  }
  const pglite = await PGlite.create();
  return {
    url: null,
    query: async <Row>(text: string, values: readonly unknown[] = []) =>
      (await pglite.query<Row>(text, [...values])).rows,
    close: () => pglite.close(),
  };
}

/** How the row behaves whose number this is: of ten, five are alive. */
const KINDS = [
  'alive',
  'alive',
  'alive',
  'alive',
  'alive',
  'expired',
  'slow',
  'lying',
  'big',
  'other',
] as const;
const ROWS = 500;
const HANGING = [9, 19, 29];

describe('import table', () => {
  let app: TestApp;
  let source: Listener;
  let foreign: Foreign;
  let base: string;
  let hang = true;
  let asked: string[] = [];

  beforeAll(async () => {
    source = await listen(async (request, response) => {
      const { pathname } = new URL(request.url ?? '', 'http://a');
      asked.push(pathname);
      const [, kind = '', seed = '1'] = pathname.split('/');
      const picture = () => makePicture({ seed: Number(seed), width: 16, height: 16 });
      if (kind === 'alive' || (kind === 'hanging' && !hang)) response.end(await picture());
      else if (kind === 'slow') setTimeout(async () => response.end(await picture()), 150);
      else if (kind === 'lying')
        response.writeHead(200, { 'content-type': 'image/png' }).end('<!doctype html><title>Sign in</title>');
      else if (kind === 'big') response.end(Buffer.alloc(60_000, 1));
      else if (kind === 'expired') response.writeHead(403).end('<Error/>');
      else if (kind !== 'hanging') response.writeHead(404).end();
    });
    base = `http://127.0.0.1:${source.port}`;
    foreign = await openForeign();
    app = await openTestApp({
      ALLOW_PRIVATE_SOURCES: '127.0.0.1',
      // Sources that hang exceed it; those that a busy machine delays do not.
      FETCH_TIMEOUT_SECONDS: '4',
      MAX_UPLOAD_BYTES: '50 KiB',
    });
    await foreign.query(TABLE);
    for (let i = 0; i < ROWS; i++) {
      const kind = KINDS[i % 10];
      const expired = `${base}/expired/${i}?${PAST}`;
      const storageUrl =
        kind === 'expired'
          ? expired
          : kind === 'other'
            ? HANGING.includes(i)
              ? `${base}/hanging/${i}`
              : expired
            : i % 20 === 1
              ? `/alive/${i}`
              : `${base}/${kind}/${i}?se=2099-01-01T00:00:00Z&sig=secret${i}`;
      await foreign.query(
        `INSERT INTO generated_images (request_id, user_id, username, tool_name, prompt, provider, model, size, quality, style, n, filename,
           storage_url, storage_provider, original_url, mime_type, bytes, tags, status, error, metadata, message_id, created_at)
         VALUES ($1, $2, 'Ann', 'avatar', $3, 'openai', 'dall-e-3', '1024x1024', 'hd', 'vivid', 2, $4, $5, 'azure', $6, 'image/png', 1, $7,
           'success', NULL, $8, $9, $10)`,
        [
          ...[`r${i}`, `user${i % 7}`, `prompt ${i}`, `file ${i}.png`, storageUrl],
          kind === 'other' && !HANGING.includes(i) ? `${base}/alive/${i}` : null,
          [`tag${i % 3}`, 'all'],
          JSON.stringify({ row: i }),
          `m${i}`,
          new Date(Date.UTC(2024, 0, 1, 0, i)).toISOString(),
        ],
      );
    }
    // An image that the other system has not finished, and one that failed there.
    await foreign.query(
      `INSERT INTO generated_images (user_id, prompt, storage_url, status, error)
       VALUES ('u', 'later', '', 'processing', NULL), ('u', 'refused there', '', 'failed', 'content policy')`,
    );
  });
  afterAll(async () => {
    await app.close();
    await foreign.close();
    await source.close();
  });

  const run = async (
    options: {
      table?: object;
      baseUrl?: string;
      writeBack?: string;
      retryFailed?: boolean;
      dryRun?: boolean;
    } = {},
  ) => {
    asked = [];
    let out = '';
    const write = (more: string) => {
      out += more;
    };
    const terminal = { out: write, note: () => {}, interactive: false };
    const { dryRun = false, retryFailed = false, baseUrl = base, writeBack } = options;
    const report = makeImportReport(terminal, { json: true, dryRun });
    const table = await openForeignTable(foreign, {
      ...{ table: 'generated_images', idColumn: 'id', urlColumn: null, map: {}, ...options.table },
    });
    const { written } = await importTable(
      { ...app.services, table },
      {
        ...report,
        ...{ concurrency: 8, dryRun, retryFailed, baseUrl, source: SOURCE, user: 'root' },
        writeBack: writeBack ? { column: writeBack, publicUrl: 'https://images.test' } : null,
      },
    );
    const code = report.finish();
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    return { code, written, lines, summary: lines.at(-1), out };
  };
  const images = (where: object = {}) =>
    app.database.prisma.image.findMany({ where, orderBy: { id: 'asc' } });
  const count = (where: object) => app.database.prisma.image.count({ where });

  test('says what it would fetch and fetches nothing', async () => {
    const { summary, lines } = await run({ dryRun: true });
    expect(summary).toMatchObject({ known: 0, planned: ROWS + 2, imported: 0 });
    expect(lines[0]).toMatchObject({ type: 'planned', expiresAt: '2099-01-01T00:00:00.000Z' });
    expect(asked).toEqual([]);
    expect(await images()).toEqual([]);
  });

  test('brings over 500 rows, alive, expired, slow, lying and big', async () => {
    const { summary, code, out } = await run();
    // Half of the hundred others are at their original address; three hang; one failed where it came from.
    expect(summary).toMatchObject({ known: 0, imported: 250 + 50 + 47 + 1, refused: 150 + 3, skipped: 1 });
    expect(code).toBe(3);
    expect(out).not.toContain('secret');
    expect(await count({ status: 'success' })).toBe(347);
    for (const [errorCode, number] of Object.entries({
      ...{ SOURCE_EXPIRED: 50, UNSUPPORTED_TYPE: 50, TOO_LARGE: 50, PROVIDER_FAILED: 1 },
    }))
      expect(await count({ status: 'failed', errorCode }), errorCode).toBe(number);

    const [alive] = await images({ prompt: 'prompt 12' });
    expect(alive).toMatchObject({
      ...{ requestId: 'r12', userId: 'user5', username: 'Ann', toolName: 'avatar', provider: 'openai', n: 2 },
      ...{ model: 'dall-e-3', size: '1024x1024', quality: 'hd', style: 'vivid', tags: ['tag0', 'all'] },
      ...{ metadata: { row: 12 }, messageId: 'm12', origin: 'imported', mimeType: 'image/png' },
      createdAt: new Date(Date.UTC(2024, 0, 1, 0, 12)),
      filename: expect.stringMatching(/^file-12-.*\.png$/),
    });
    const bytes = await app.fetch(alive?.storageUrl ?? '');
    const expected = await makePicture({ seed: 12, width: 16, height: 16 });
    expect(Buffer.from(await bytes.arrayBuffer()).equals(expected)).toBe(true);

    const [expired] = await images({ prompt: 'prompt 5' });
    expect(expired).toMatchObject({
      ...{
        status: 'failed',
        errorCode: 'SOURCE_EXPIRED',
        errorRetryable: false,
        storageUrl: '',
        blobId: null,
      },
      ...{
        originalUrl: `${base}/expired/5?${PAST}`,
        tags: ['tag2', 'all'],
        model: 'dall-e-3',
        userId: 'user5',
      },
      createdAt: new Date(Date.UTC(2024, 0, 1, 0, 5)),
    });
    expect(await images({ prompt: 'refused there' })).toMatchObject([{ error: 'content policy' }]);
  });

  test('adds nothing the second time but what may work by then', async () => {
    hang = false;
    const { summary, code, written } = await run({ writeBack: 'permanent' });
    expect(asked.sort()).toEqual(HANGING.map((i) => `/hanging/${i}`).sort());
    expect(summary).toMatchObject({ known: 498, imported: 3, refused: 0, skipped: 1 });
    expect(code).toBe(0);
    // Those that the first run kept are written back by this one.
    expect(written).toBe(350);
    const rows = await foreign.query<{ permanent: string; prompt: string }>(
      'SELECT permanent, prompt FROM generated_images WHERE permanent IS NOT NULL',
    );
    expect(rows).toHaveLength(350);
    for (const { permanent, prompt } of rows.slice(0, 20)) {
      const [image] = await images({ prompt });
      expect(permanent).toBe(`https://images.test${image?.storageUrl}`);
    }
    const third = await run({ writeBack: 'permanent' });
    expect([third.written, third.summary, asked]).toMatchObject([
      0,
      { known: 501, imported: 0, refused: 0 },
      [],
    ]);
    expect(await images()).toHaveLength(ROWS + 1);
  });

  test('puts what was lost into the image that stands for it, when it is told to try again', async () => {
    const [before] = await images({ prompt: 'prompt 5' });
    await foreign.query(`UPDATE generated_images SET storage_url = $1 WHERE prompt = 'prompt 5'`, [
      `${base}/alive/9005`,
    ]);
    const { summary } = await run({ retryFailed: true });
    expect(summary).toMatchObject({ imported: 1, refused: 149 });
    const [after] = await images({ prompt: 'prompt 5' });
    expect(after).toMatchObject({ id: before?.id, status: 'success', error: null, errorCode: null });
    expect(await images()).toHaveLength(ROWS + 1);
  });

  test('reads any other table', async () => {
    await foreign.query(
      `CREATE TABLE "odd ""table" ("the id" TEXT PRIMARY KEY, "Link" TEXT, owner TEXT, caption TEXT, labels TEXT, extra TEXT, made BIGINT)`,
    );
    await foreign.query(
      `INSERT INTO "odd ""table" VALUES ('a''; DROP TABLE x', $1, 'own', 'a cap', 'x; y', '{"k":1}', 1700000000), ('b', 'alive/9102', NULL, NULL, NULL, '[1]', NULL),
       ('c', NULL, NULL, NULL, NULL, NULL, NULL), ('d', $1, $2, NULL, NULL, NULL, NULL)`,
      [`${base}/alive/9101`, 'o'.repeat(256)],
    );
    const map = { owner: 'userId', caption: 'prompt', labels: 'tags', extra: 'metadata', made: 'created_at' };
    const table = { table: 'odd "table', idColumn: 'the id', urlColumn: 'Link', map };
    const { summary, lines } = await run({ table });
    expect(summary).toMatchObject({ imported: 2, refused: 2 });
    expect(await images({ userId: 'own' })).toMatchObject([
      { prompt: 'a cap', tags: ['x', 'y'], metadata: { k: 1 }, createdAt: new Date(1700000000_000) },
    ]);
    expect(await images({ userId: 'root', status: 'success' })).toMatchObject([{ metadata: { value: [1] } }]);
    expect(
      lines.filter(({ type }) => type === 'refused').map(({ subject, code }) => [subject, code]),
    ).toEqual(
      expect.arrayContaining([
        ['row c', 'SOURCE_FAILED'],
        ['row d', 'INVALID_INPUT'],
      ]),
    );
  });

  test.each([
    [{ table: 'nothing' }, /no table nothing/],
    [{ table: 'a"; DROP TABLE b' }, /no table/],
    [{ idColumn: 'nothing' }, /no column "nothing"/],
    [{ urlColumn: 'nothing' }, /no column "nothing"/],
    [{ map: { prompt: 'nothing' } }, /no field "nothing"/],
    [{ map: { nothing: 'prompt' } }, /no column "nothing"/],
  ])('refuses %j', async (table, message) => {
    await expect(run({ table })).rejects.toThrow(message);
  });

  test('leaves a relative address to a run that knows what to', async () => {
    await foreign.query(`CREATE TABLE bare (id INT PRIMARY KEY, url TEXT)`);
    await foreign.query(`INSERT INTO bare VALUES (77001, '/alive/9201')`);
    const report = makeImportReport(
      { out: () => {}, note: () => {}, interactive: false },
      { json: false, dryRun: false },
    );
    const table = await openForeignTable(foreign, {
      table: 'bare',
      idColumn: 'id',
      urlColumn: 'url',
      map: {},
    });
    const before = await images();
    await importTable(
      { ...app.services, table },
      {
        ...{
          ...report,
          concurrency: 1,
          dryRun: false,
          retryFailed: false,
          baseUrl: null,
          source: 'table:bare',
        },
        ...{ user: 'root', writeBack: null },
      },
    );
    expect(report.finish()).toBe(3);
    expect(await images()).toHaveLength(before.length);
    expect(await app.database.prisma.importRecord.count({ where: { source: 'table:bare' } })).toBe(0);
  });

  test('of two runs at once makes one image of a row, also where one of them cannot have its bytes', async () => {
    const waiting = new Map<string, (() => void)[]>();
    const picture = await makePicture({ seed: 9301, width: 16, height: 16 });
    // Answers the first request with 403 once the second has arrived. The second request of `/late` gets the
    // bytes 300 ms later.
    const both = await listen(async (request, response) => {
      const { pathname } = new URL(request.url ?? '', 'http://a');
      const others = waiting.get(pathname) ?? [];
      waiting.set(pathname, others);
      const isLast = others.length > 0;
      if (isLast) for (const go of others) go();
      else await new Promise<void>((resolve) => others.push(resolve));
      if (isLast && pathname === '/late') setTimeout(() => response.end(picture), 300);
      else response.writeHead(403).end();
    });
    await foreign.query(`CREATE TABLE twice (id INT PRIMARY KEY, url TEXT, prompt TEXT)`);
    for (const [index, name] of ['gone', 'late'].entries()) {
      const url = `http://127.0.0.1:${both.port}/${name}?${PAST}`;
      await foreign.query('INSERT INTO twice VALUES ($1, $2, $3)', [index, url, name]);
    }
    const table = await openForeignTable(foreign, {
      ...{ table: 'twice', idColumn: 'id', urlColumn: 'url', map: {} },
    });
    const outcomes: string[] = [];
    const runOnce = () =>
      importTable(
        { ...app.services, table },
        {
          ...{ concurrency: 2, dryRun: false, retryFailed: false, baseUrl: null, source: 'table:twice' },
          ...{ user: 'twice', writeBack: null },
          onResult: ({ outcome }) => void outcomes.push(outcome),
        },
      );
    await Promise.all([runOnce(), runOnce()]);
    expect(outcomes.sort()).toEqual(['imported', 'refused', 'refused', 'skipped']);
    expect((await images({ userId: 'twice' })).map(({ prompt, status }) => [prompt, status]).sort()).toEqual([
      ['gone', 'failed'],
      ['late', 'success'],
    ]);
    await both.close();
  });

  test('leaves a lost row alone when the image that stands for it is purged while it is tried again', async () => {
    await foreign.query(`CREATE TABLE purged (id INT PRIMARY KEY, url TEXT)`);
    await foreign.query('INSERT INTO purged VALUES (1, $1)', [`${base}/expired/9302?${PAST}`]);
    const table = await openForeignTable(foreign, {
      ...{ table: 'purged', idColumn: 'id', urlColumn: 'url', map: {} },
    });
    const outcomes: string[] = [];
    const runOnce = (retryFailed: boolean, before = async () => {}) =>
      importTable(
        {
          ...app.services,
          table: {
            ...table,
            async read(ids) {
              await before();
              return table.read(ids);
            },
          },
        },
        {
          ...{ concurrency: 1, dryRun: false, retryFailed, baseUrl: null, source: 'table:purged' },
          ...{ user: 'purged', writeBack: null, onResult: ({ outcome }) => void outcomes.push(outcome) },
        },
      );
    await runOnce(false);
    expect(await images({ userId: 'purged' })).toMatchObject([{ status: 'failed' }]);
    await runOnce(true, async () => {
      await app.database.query(`DELETE FROM generated_images WHERE user_id = 'purged'`);
    });
    expect(outcomes).toEqual(['refused', 'skipped']);
    expect(await images({ userId: 'purged' })).toEqual([]);
  });

  test.runIf(process.env.TEST_DATABASE_URL)(
    'reads over the wire, and cannot write unless told to',
    async () => {
      const url = foreign.url ?? '';
      const readOnly = await openForeignDatabase({ url, readOnly: true });
      await expect(readOnly.query('DELETE FROM generated_images')).rejects.toThrow(/read-only/);
      await readOnly.close();
      let out = '';
      const write = (more: string) => {
        out += more;
      };
      const command = {
        ...{
          databaseUrl: url,
          table: 'public.bare',
          idColumn: 'id',
          urlColumn: 'url',
          map: [],
          baseUrl: base,
        },
        ...{ retryFailed: false, user: 'root', concurrency: 2, dryRun: false, json: false, publicUrl: null },
      };
      const terminal = { out: write, note: () => {}, interactive: false };
      expect(await runImportTable(app.services, command, terminal)).toBe(0);
      expect(out).toBe('1 imported.\n');
      const record = await app.database.prisma.importRecord.findFirstOrThrow({ where: { key: '77001' } });
      expect(record.source).toBe(`table:${new URL(url).host}${new URL(url).pathname}/public.bare`);
      expect(record.source).not.toContain(new URL(url).password);
    },
  );
});
