import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/database/database.ts';
import { openPglite } from '../../src/database/pglite/pglite.ts';
import { wasShutDown } from '../../src/database/pglite/pglite-disk.ts';
import { TEMPLATE_FILE } from '../../src/database/pglite/template.ts';

describe.skipIf(process.env.TEST_DATABASE_URL)('the embedded database', () => {
  let directory: string;
  let database: Database;
  const open = () => openPglite({ directory: path.join(directory, 'database'), template: TEMPLATE_FILE });
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-vacuum-'));
    database = await open();
    await database.executeSql(
      'CREATE TABLE "Large" (id serial PRIMARY KEY, data bytea); ALTER TABLE "Large" ALTER data SET STORAGE EXTERNAL',
    );
    // Makes the last checkpoint recent: that of the template dates from when the template was built.
    await database.executeSql('CHECKPOINT');
  });
  afterEach(async () => {
    await database.close();
    await rm(directory, { recursive: true, force: true });
  });

  /** Waits until the session has reported its counters, which it does at most once a second. */
  const told = () => new Promise((resolve) => setTimeout(resolve, 1100));
  const maintain = async () => {
    await told();
    await database.query('SELECT 1');
    return (await database.maintain?.())?.map(({ statement }) => statement);
  };
  const megabytes = async () => {
    const [row] = await database.query<{ bytes: number }>(
      `SELECT pg_total_relation_size('"Large"') AS bytes`,
    );
    return Math.round((row?.bytes ?? 0) / 1024 / 1024);
  };
  const fill = (rows: number) =>
    database.query(
      `INSERT INTO "Large" (data) SELECT decode(repeat(md5(n::text), 8192), 'hex') FROM generate_series(1, $1) n`,
      [rows],
    );

  test('reuses the space of deleted rows, also of those deleted before a start', async () => {
    await fill(100);
    const full = await megabytes();
    expect(full).toBeGreaterThan(12);
    await database.query('DELETE FROM "Large"');
    expect(await megabytes()).toBe(full);
    expect(await maintain()).toContain('VACUUM public."Large"');
    await fill(100);
    expect(await megabytes()).toBeLessThanOrEqual(full + 1);

    await database.query('DELETE FROM "Large" WHERE id % 4 <> 0');
    await database.close();
    database = await open();
    expect(await maintain()).toEqual(
      expect.arrayContaining(['ANALYZE public."Large"', 'VACUUM public."Large"']),
    );
    await fill(75);
    expect(await megabytes()).toBeLessThanOrEqual(full + 1);
  });

  test('updates row counts, and does nothing when nothing has changed', async () => {
    await fill(60);
    await database.query('UPDATE "Large" SET id = id + 1000');
    expect(await maintain()).toContain('ANALYZE public."Large"');
    expect(await database.query(`SELECT reltuples AS rows FROM pg_class WHERE relname = 'Large'`)).toEqual([
      { rows: 60 },
    ]);
    expect(await maintain()).toEqual([]);
  });

  test('frees its log when it is large', async () => {
    const segments = async () =>
      (await readdir(path.join(directory, 'database', 'pg_wal'))).filter((name) => name.length === 24).length;
    expect(await maintain()).not.toContain('CHECKPOINT');
    for (let round = 0; round < 3; round++) {
      await fill(600);
      expect(await maintain()).toContain('CHECKPOINT');
    }
    // Those that are to be written next are among them.
    expect(await segments()).toBeLessThan(12);
    expect(await maintain()).not.toContain('CHECKPOINT');
  });

  test('knows whether it was closed cleanly or has a log to replay', async () => {
    const home = path.join(directory, 'database');
    expect(await wasShutDown(home)).toBe(false);
    await database.close();
    expect(await wasShutDown(home)).toBe(true);
    database = await open();
    expect(await wasShutDown(home)).toBe(false);
    expect(await wasShutDown(path.join(directory, 'nothing'))).toBe(false);
  });

  test('stops when its signal is aborted', async () => {
    await fill(10);
    await told();
    expect(await database.maintain?.(AbortSignal.abort())).toEqual([]);
  });
});
