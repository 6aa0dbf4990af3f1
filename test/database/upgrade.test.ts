/**
 * Upgrades from the first version. The database has rows in every table, the rows of another service, and
 * objects of another service that depend on our table. Whatever migrations follow the first one must keep
 * them. Until there is a second migration, the tests with migrations of their own prove that a loss is found.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database, Queryable } from '../../src/database/database.ts';
import { migrate, readMigrationState } from '../../src/database/migrate.ts';
import { PRISMA_DIRECTORY, readMigrations } from '../../src/database/migrations.ts';
import { listForEngine } from '../../src/database/new-migration.ts';
import { openPglite } from '../../src/database/pglite/pglite.ts';
import { TEMPLATE_FILE } from '../../src/database/pglite/template.ts';
import { openPostgresql } from '../../src/database/postgresql.ts';
import { openSchemaEngine } from '../../src/database/schema-engine.ts';
import { countImages } from '../../src/image/list/count.ts';
import { makeDatabase } from '../harness.ts';
import { copyFirstMigration, copyMigrations } from './own-migrations.ts';

const IMAGES = 2000;
const DONE = { pending: [], failed: [], edited: [] };

let directory: string;
let made: Awaited<ReturnType<typeof makeDatabase>>;
let database: Database;

/** Opens a database without tables; on PGlite, with a template, one that has the migrations already. */
async function openDatabase(template?: string): Promise<void> {
  directory = await mkdtemp(path.join(tmpdir(), 'fixative-upgrade-'));
  made = await makeDatabase();
  database = made
    ? await openPostgresql({ url: made.url, poolSize: 4, onError: () => {} })
    : await openPglite({ directory: path.join(directory, 'database'), ...(template ? { template } : {}) });
}

async function closeDatabase(): Promise<void> {
  await database.close();
  await made?.drop();
  await rm(directory, { recursive: true, force: true });
}

/** Applies the first migration by Prisma's engine, as `prisma migrate deploy` does. */
async function applyFirstByEngine(): Promise<void> {
  const first = path.join(directory, 'first');
  await copyFirstMigration(first);
  const schema = path.join(PRISMA_DIRECTORY, 'schema.prisma');
  const text = await readFile(schema, 'utf8');
  await database.withAdapter(async (adapter) => {
    const engine = await openSchemaEngine(adapter, { path: schema, text });
    try {
      await engine.applyMigrations({
        migrationsList: await listForEngine(first),
        filters: { externalTables: [], externalEnums: [] },
      });
    } finally {
      engine.free();
    }
  });
}

/**
 * Every third image without tags, every fourth with one twice, every fifth with one that is too long for an
 * index.
 */
const FILL_IMAGES = `
  INSERT INTO generated_images (user_id, prompt, storage_url, tags, status, metadata, created_at)
    SELECT 'user-' || n % 7, 'a fox ' || n, '/images/' || n || '.png',
      CASE WHEN n % 3 = 0 THEN NULL ELSE ARRAY['all', 'by-' || n % 10] || CASE WHEN n % 4 = 0 THEN ARRAY['all'] ELSE '{}' END
        || CASE WHEN n % 5 = 0 THEN ARRAY[repeat('long ', 200)] ELSE '{}' END END,
      CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'success' END, jsonb_build_object('n', n), now() - n * interval '1 hour'
    FROM generate_series(1, ${IMAGES}) n;
  UPDATE generated_images SET deleted_at = now() WHERE id % 17 = 0;
  UPDATE generated_images SET part_of = 1, part = 'p' || id WHERE id % 23 = 0;`;

/** At least one row in every other table, each column with a value where that is possible. */
const FILL_THE_REST = `
  INSERT INTO blobs (sha256, bytes, mime_type, width, height, thumbhash, condemned_at)
    SELECT lpad(n::text, 64, '0'), n, 'image/png', n, n, 'hash', CASE WHEN n = 5 THEN now() END FROM generate_series(1, 5) n;
  UPDATE generated_images SET blob_id = id, sha256 = lpad(id::text, 64, '0'), bytes = id, mime_type = 'image/png', width = id, height = id,
    thumbhash = 'hash', origin = 'generated', provider = 'sample', model = 'sample', filename = 'fox-' || id || '.png', storage_provider = 'database',
    original_filename = 'Fuchs ' || id || '.png', visibility = 'private', parent_id = 100, request_id = 'request-' || id, message_id = 'message-' || id
    WHERE id <= 4;
  INSERT INTO provenance SELECT id, '{"prompt": "a fox"}', true FROM blobs;
  INSERT INTO copies (blob_id, store, state, key, bytes, verified_at, fingerprint, error, attempts, checked_at, seen_at, healed_at)
    SELECT id, 'database', (ARRAY['PENDING', 'STORED', 'MISSING', 'CORRUPT', 'TOO_LARGE'])[id], sha256, id, now(), 'f', 'e', 1, now(), now(), now() FROM blobs;
  INSERT INTO stored_objects (key, bytes) SELECT sha256, 3 FROM blobs;
  INSERT INTO stored_chunks SELECT id, 0, '\\x00ff80' FROM stored_objects;
  INSERT INTO retired_keys (store, key, sha256, lock_id) SELECT 'database', key, key, gen_random_uuid() FROM stored_objects;
  INSERT INTO verify_runs VALUES ('database', now());
  INSERT INTO generations (image_id, state, work, request, waits_for, attempts, calls, answer, asked_at, asked_by)
    VALUES (6, 'waiting', 'ask', '{"prompt": "a fox"}', '{7,8}', '[{"error": "x"}]', 2, '{"id": 1}', now(), 'worker');
  INSERT INTO generation_requests VALUES ('user-1', 'request-1', repeat('a', 64), '{1,2}');
  INSERT INTO generation_counts VALUES ('user-1', '2026-11-30', 3);
  INSERT INTO import_records VALUES ('urls', 'https://example.org/1.png', 1, repeat('a', 64), 'imported', 'none');
  INSERT INTO upload_targets (user_id, kind, filename, mime_type, bytes, sha256, record, expires_at, completed_at, image_id)
    VALUES ('user-1', 'server', 'fox.png', 'image/png', 3, repeat('a', 64), '{}', now(), now(), 1);
  INSERT INTO tombstones (uuid, user_id, tool_name, filename, sha256, mime_type, bytes, width, height, created_at, deleted_at)
    VALUES (gen_random_uuid(), 'user-1', 'avatar', 'fox.png', repeat('a', 64), 'image/png', 3, 1, 1, now(), now());
  INSERT INTO api_tokens (name, hash, start, user_id, scopes, expires_at, last_used_at, revoked_at)
    VALUES ('token', repeat('a', 64), 'fix_1', 'user-1', '{images:read}', now(), now(), now());
  INSERT INTO shared_values VALUES ('name', 'value');`;

/** At least one row in every table that a migration has added. */
const FILL_ADDED = `
  INSERT INTO maintenance_runs (kind, state, stores, filter, options, started_by, total, problems, error, error_code,
      started_at, heartbeat_at, finished_at, cancel_requested_at)
    VALUES ('VERIFY', 'FAILED', '{database}', '{"userId": "user-1"}', '{"deep": true}', 'root', 5,
      '[{"state": "MISSING"}]', 'e', 'INTERRUPTED', now(), now(), now(), now());
  INSERT INTO audit_entries (actor_kind, actor_name, action, subject_type, subject_id, details)
    VALUES ('token', 'a token', 'image.delete', 'image', 'an image', '{"images": 1}');
  INSERT INTO maintenance_items (run_id, image_id, uuid, reason, bytes, outcome, detail)
    SELECT id, 1, '01a22f9b-6183-7f2b-9862-4662e9ec1118', 'r', 5, 'changed', 'd' FROM maintenance_runs;
  INSERT INTO retention_policies (name, rule) VALUES ('old', '{"maxAgeDays": 30}');
  INSERT INTO webhooks (url, description, event_types, filter, secret, previous_secret, previous_secret_until, disabled_reason, failing_since)
    VALUES ('https://example.org/', 'd', '{image.lost}', '{"tags": ["a"]}', 's', 'p', now(), 'r', now());
  INSERT INTO webhook_outbox (type, data) VALUES ('image.lost', '{}');
  INSERT INTO webhook_events (type, payload, created_at) VALUES ('image.lost', '{}', now());
  INSERT INTO webhook_deliveries (webhook_id, event_id, state, attempts, finished_at)
    SELECT w.id, e.id, 'DELIVERED', '[{"status": 200}]', now() FROM webhooks w, webhook_events e;
  INSERT INTO webhook_durability VALUES (1, true);
  INSERT INTO webhook_outages VALUES ('database');
  INSERT INTO kept_responses (uuid, call, said, bytes) VALUES ('01a22f9b-6183-7f2b-9862-4662e9ec1118', 1, '{}', 'x');`;

/**
 * Another service in the same database: a table that refers to ours, a view and a function that read ours.
 */
const ADD_OTHER_SERVICE = `
  CREATE SCHEMA gallery;
  CREATE TABLE gallery.messages (id int PRIMARY KEY, image_id bigint NOT NULL REFERENCES generated_images(id));
  INSERT INTO gallery.messages SELECT id, id FROM generated_images WHERE id <= 100;
  CREATE VIEW gallery.pictures AS SELECT id, storage_url, status, metadata, message_id FROM generated_images;
  CREATE FUNCTION gallery.urls(who text) RETURNS SETOF text LANGUAGE sql STABLE AS
    $$ SELECT storage_url FROM generated_images WHERE user_id = who ORDER BY created_at DESC $$;`;

const OTHER_SERVICE_READS = [
  'SELECT m.id, p.* FROM gallery.messages m JOIN gallery.pictures p ON p.id = m.image_id ORDER BY m.id',
  `SELECT url FROM gallery.urls('user-3') WITH ORDINALITY AS u(url, at) ORDER BY at`,
  `SELECT id, prompt, model, size, quality, style, n, tags FROM generated_images WHERE tags @> '{by-2}' ORDER BY id`,
];

async function fill(): Promise<void> {
  await database.executeSql(FILL_IMAGES);
  await database.executeSql(FILL_THE_REST);
  await database.executeSql(ADD_OTHER_SERVICE);
}

/** Rows of each table, as lines of JSON with the columns of the first version. */
type Contents = Readonly<Record<string, readonly string[]>>;

async function readColumns(): Promise<Record<string, string>> {
  const tables = await database.query<{ name: string; columns: string }>(
    `SELECT table_name AS name, string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position) AS columns
     FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
     WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND table_name <> '_prisma_migrations' GROUP BY 1`,
  );
  return Object.fromEntries(tables.map(({ name, columns }) => [name, columns]));
}

async function readContents(db: Queryable, columnsByTable: Record<string, string>): Promise<Contents> {
  const contents: Record<string, string[]> = {};
  for (const [table, columns] of Object.entries(columnsByTable)) {
    const rows = await db.query<{ line: string }>(
      `SELECT to_jsonb(kept)::text AS line FROM (SELECT ${columns} FROM ${table}) kept ORDER BY line`,
    );
    contents[table] = rows.map(({ line }) => line);
  }
  return contents;
}

async function readAsOtherService(db: Queryable): Promise<unknown[][]> {
  const read: unknown[][] = [];
  for (const text of OTHER_SERVICE_READS) read.push(await db.query(text));
  return read;
}

/**
 * Reads everything that an upgrade must keep. Returns a function that fails when something of it has changed.
 */
async function remember(): Promise<(db: Queryable) => Promise<void>> {
  const columns = await readColumns();
  const contents = await readContents(database, columns);
  expect(contents.generated_images).toHaveLength(IMAGES);
  expect(Object.entries(contents).filter(([, rows]) => rows.length === 0)).toEqual([]);
  const read = await readAsOtherService(database);
  for (const rows of read) expect(rows.length).toBeGreaterThan(50);
  return async (db) => {
    const now = await readContents(db, columns);
    for (const [table, rows] of Object.entries(contents)) expect(now[table], table).toEqual(rows);
    expect(await readAsOtherService(db)).toEqual(read);
    await expectRightTags(db);
  };
}

/** Checks that the table of tags has the tags of the images, and that counts agree with it. */
async function expectRightTags(db: Queryable): Promise<void> {
  const tags = await db.query(
    `SELECT concat_ws(' ', user_id, tag, created_at, image_id) AS line FROM image_tags ORDER BY line`,
  );
  const meant = await db.query(
    `SELECT DISTINCT concat_ws(' ', i.user_id, tag, i.created_at, i.id) AS line FROM generated_images i, unnest(i.tags) tag
     WHERE i.deleted_at IS NULL AND i.part_of IS NULL AND tag NOT LIKE 'long%' ORDER BY line`,
  );
  expect(tags).toEqual(meant);
  expect(tags.length).toBeGreaterThan(2000);
  const all = await db.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM generated_images WHERE 'all' = ANY(tags) AND deleted_at IS NULL AND part_of IS NULL`,
  );
  expect(await countImages(db, { tags: ['all'] }, 10_000)).toEqual({
    count: all[0]?.count,
    exact: true,
  });
}

/** Reads every row through Prisma's client, by the types of this version. */
async function readByClient(): Promise<number[]> {
  const { prisma } = database;
  const rows = await Promise.all([
    prisma.image.findMany({ include: { blob: true, parent: true, whole: true, generation: true } }),
    prisma.blob.findMany({ include: { copies: true, provenance: true } }),
    prisma.imageTag.findMany({ take: 100 }),
    prisma.storedObject.findMany({ include: { chunks: true } }),
    prisma.retiredKey.findMany(),
    prisma.verifyRun.findMany(),
    prisma.generation.findMany(),
    prisma.generationRequest.findMany(),
    prisma.generationCount.findMany(),
    prisma.importRecord.findMany({ include: { image: true } }),
    prisma.uploadTarget.findMany({ include: { image: true } }),
    prisma.tombstone.findMany(),
    prisma.apiToken.findMany(),
    prisma.sharedValue.findMany(),
    prisma.maintenanceRun.findMany({ include: { items: true } }),
    prisma.retentionPolicy.findMany(),
    prisma.keptResponse.findMany(),
  ]);
  return rows.map((each) => each.length);
}

describe('a database of the first version', () => {
  beforeAll(() => openDatabase());
  afterAll(closeDatabase);

  test('comes up to date with all that it has', async () => {
    await applyFirstByEngine();
    await fill();
    const expectKept = await remember();
    const { pending } = await readMigrationState(database);
    expect(pending).toEqual((await readMigrations()).slice(1).map(({ name }) => name));
    expect(await migrate(database)).toEqual(pending);
    expect(await readMigrationState(database)).toMatchObject(DONE);
    await expectKept(database);
    await database.executeSql(FILL_ADDED);

    const uuids = await database.query(`SELECT DISTINCT uuid FROM generated_images WHERE uuid IS NOT NULL`);
    expect(uuids).toHaveLength(IMAGES);
    expect(await readByClient()).toEqual([IMAGES, 5, 100, 5, 5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);

    // A restart changes nothing.
    expect(await migrate(database)).toEqual([]);
    await expectKept(database);
  });
});

describe('a database of this version', () => {
  let expectKept: Awaited<ReturnType<typeof remember>>;
  beforeAll(async () => {
    await openDatabase(TEMPLATE_FILE);
    await migrate(database);
    await fill();
    await database.executeSql(FILL_ADDED);
    expectKept = await remember();
  });
  afterAll(closeDatabase);

  /** Runs `work` in a transaction that is rolled back, so that the tests share one database. */
  async function rolledBack(work: (db: Queryable) => Promise<void>): Promise<void> {
    const undo = new Error('rolled back');
    await database
      .transaction(async (transaction) => {
        await work(transaction);
        throw undo;
      })
      .catch((error: unknown) => {
        if (error !== undo) throw error;
      });
  }

  test('takes the rows of another service', () =>
    rolledBack(async (db) => {
      const [row] = await db.query<{ id: number }>(
        `INSERT INTO generated_images (request_id, user_id, username, tool_name, prompt, model, size, quality, style, n, storage_url, storage_provider, mime_type,
           bytes, sha256, tags, status, error, metadata, message_id, created_at)
         VALUES ('r', 'user-3', 'Ann', 'avatar', 'a fox', 'm', '1024x1024', 'high', 'vivid', 1, '/old/1.png', 'disk', 'image/png',
           3, repeat('b', 64), '{all,new}', 'success', NULL, '{"n": 1}', 'm-1', now()) RETURNING id`,
      );
      await db.query('INSERT INTO gallery.messages VALUES (5000, $1)', [row?.id]);
      await expectRightTags(db);
      const [first] = await db.query(`SELECT gallery.urls('user-3') AS url LIMIT 1`);
      expect(first).toEqual({ url: '/old/1.png' });
    }));

  test.each([
    ['deletes rows', 'DELETE FROM copies WHERE blob_id = 3'],
    ['changes values', `UPDATE generated_images SET metadata = '{}' WHERE id = 1999`],
    ['drops a column', 'ALTER TABLE upload_targets DROP COLUMN record'],
    ['drops a table', 'DROP TABLE generation_counts'],
    ['empties the table of tags', 'TRUNCATE image_tags'],
    ['drops what another service made', 'DROP VIEW gallery.pictures'],
    ['renames a column that another service reads', 'ALTER TABLE generated_images RENAME user_id TO owner'],
  ])('would show that a migration %s', (_what, sql) =>
    rolledBack(async (db) => {
      await db.query(sql);
      await expect(expectKept(db)).rejects.toThrow();
    }),
  );

  test('keeps everything through a migration that only adds', async () => {
    const later = path.join(directory, 'later');
    await copyMigrations(later, {
      '29990101000000_later': `
        ALTER TABLE generated_images ADD COLUMN later text NOT NULL DEFAULT 'x';
        CREATE INDEX later_index ON generated_images (later);
        ALTER TABLE api_tokens ALTER COLUMN user_id TYPE varchar(300);`,
    });
    expect(await migrate(database, later)).toEqual(['29990101000000_later']);
    await expectKept(database);
  });
});
