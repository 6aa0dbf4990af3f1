import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Database } from '../../src/database/database.ts';
import { migrate, readMigrationState } from '../../src/database/migrate.ts';
import { openPglite } from '../../src/database/pglite/pglite.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { openSchemaEngine } from '../../src/database/schema-engine.ts';
import { countImages } from '../../src/image/list/count.ts';
import { makeDatabase } from '../harness.ts';

const PRISMA = fileURLToPath(new URL('../../prisma', import.meta.url));
const MIGRATIONS = path.join(PRISMA, 'migrations');

describe('a database with images in it', () => {
  let directory: string;
  let made: Awaited<ReturnType<typeof makeDatabase>>;
  let database: Database;
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-upgrade-'));
    made = await makeDatabase();
    database = made
      ? await openPostgresql({ url: made.url, poolSize: 4, onError: () => {} })
      : await openPglite({ directory });
  });
  afterEach(async () => {
    await database.close();
    await made?.drop();
    await rm(directory, { recursive: true, force: true });
  });

  /** As a server of before the migration of this name left it. */
  async function migrateUntil(name: string): Promise<void> {
    const names = (await readdir(MIGRATIONS)).filter((each) => /^\d/.test(each) && each < name).sort();
    const schema = path.join(PRISMA, 'schema.prisma');
    const text = await readFile(schema, 'utf8');
    await database.withAdapter(async (adapter) => {
      const engine = await openSchemaEngine(adapter, { path: schema, text });
      try {
        await engine.applyMigrations({
          migrationsList: {
            baseDir: MIGRATIONS,
            lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
            shadowDbInitScript: '',
            migrationDirectories: await Promise.all(
              names.map(async (each) => {
                const file = path.join(each, 'migration.sql');
                const value = await readFile(path.join(MIGRATIONS, file), 'utf8');
                return { path: each, migrationFile: { path: file, content: { tag: 'ok' as const, value } } };
              }),
            ),
          },
          filters: { externalTables: [], externalEnums: [] },
        });
      } finally {
        engine.free();
      }
    });
  }

  /** Every third without tags, every fourth with one twice, every fifth with one that is too long for an index. */
  const fill = () =>
    database.query(
      `INSERT INTO generated_images (user_id, prompt, storage_url, tags, status, metadata, created_at)
       SELECT 'user-' || n % 7, 'a fox ' || n, '/images/' || n || '.png',
         CASE WHEN n % 3 = 0 THEN NULL ELSE ARRAY['all', 'by-' || n % 10] || CASE WHEN n % 4 = 0 THEN ARRAY['all'] ELSE '{}' END
           || CASE WHEN n % 5 = 0 THEN ARRAY[repeat('long ', 200)] ELSE '{}' END END,
         CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'success' END, jsonb_build_object('n', n), now() - n * interval '1 hour'
       FROM generate_series(1, 2000) n`,
    );

  const linesOf = async (columns: string) =>
    (
      await database.query<{ line: string }>(
        `SELECT to_jsonb(i)::text AS line FROM (SELECT ${columns} FROM generated_images ORDER BY id) i`,
      )
    ).map(({ line }) => line);
  const OLD_COLUMNS =
    'id, user_id, prompt, storage_url, tags, status, metadata, created_at, updated_at, n, tool_name, bytes, sha256';

  test.each([
    ['the first version', '20261121000001', []],
    [
      'the version before there was a table of tags',
      '20261121193000_scale',
      [
        'UPDATE generated_images SET deleted_at = now() WHERE id % 17 = 0',
        `UPDATE generated_images SET part_of = 1, part = 'p' || id WHERE id % 23 = 0`,
      ],
    ],
  ])('comes up to date from %s with all that it has', async (_what, next, changes) => {
    await migrateUntil(next);
    await fill();
    for (const change of changes) await database.query(change);
    const before = await linesOf(OLD_COLUMNS);
    expect(before).toHaveLength(2000);
    const { pending } = await readMigrationState(database);
    expect(await migrate(database)).toEqual(pending);
    expect(await readMigrationState(database)).toMatchObject({ pending: [], failed: [], edited: [] });
    expect(await linesOf(OLD_COLUMNS)).toEqual(before);

    const uuids = await database.query(`SELECT DISTINCT uuid FROM generated_images WHERE uuid IS NOT NULL`);
    expect(uuids).toHaveLength(2000);
    const tags = await database.query(
      `SELECT concat_ws(' ', user_id, tag, created_at, image_id) AS line FROM image_tags ORDER BY line`,
    );
    const meant = await database.query(
      `SELECT DISTINCT concat_ws(' ', i.user_id, tag, i.created_at, i.id) AS line FROM generated_images i, unnest(i.tags) tag
       WHERE i.deleted_at IS NULL AND i.part_of IS NULL AND tag NOT LIKE 'long%' ORDER BY line`,
    );
    expect(tags).toEqual(meant);
    expect(tags.length).toBeGreaterThan(2000);
    const all = await database.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM generated_images WHERE 'all' = ANY(tags) AND deleted_at IS NULL AND part_of IS NULL`,
    );
    expect(await countImages(database, { tags: ['all'] }, 10_000)).toEqual({
      count: all[0]?.count,
      exact: true,
    });
  });
});
