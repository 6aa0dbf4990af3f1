import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrate, readMigrationState } from '../../src/database/migrate.ts';
import { diffMigrations } from '../../src/database/new-migration.ts';
import { openTestApp, type TestApp } from '../harness.ts';

describe('the database', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  test('is up to date after a start, with the bookkeeping of Prisma', async () => {
    const state = await readMigrationState(app.database);
    expect(state).toMatchObject({ pending: [], failed: [], edited: [] });
    expect(state.applied.length).toBeGreaterThan(0);
    expect(await migrate(app.database)).toEqual([]);
  });

  test('has every column and index that other services know', async () => {
    const columns = await app.database.query<{ line: string }>(
      `SELECT concat_ws(' ', column_name, data_type, character_maximum_length, CASE is_nullable WHEN 'NO' THEN 'NOT NULL' END) AS line
       FROM information_schema.columns WHERE table_name = 'generated_images'`,
    );
    const lines = columns.map(({ line }) => line);
    for (const expected of [
      'id bigint NOT NULL',
      'request_id text',
      'user_id character varying 255 NOT NULL',
      'username text',
      'tool_name text NOT NULL',
      'prompt text NOT NULL',
      'model text',
      'size character varying 20',
      'quality character varying 20',
      'style character varying 20',
      'n integer',
      'storage_url text NOT NULL',
      'storage_provider character varying 50',
      'mime_type character varying 50',
      'bytes integer',
      'sha256 character 64',
      'tags ARRAY',
      'status character varying 20 NOT NULL',
      'error text',
      'metadata jsonb',
      'message_id text',
      'created_at timestamp with time zone NOT NULL',
    ]) {
      expect(lines).toContain(expected);
    }
    const indexes = await app.database.query<{ name: string; definition: string }>(
      `SELECT indexname AS name, indexdef AS definition FROM pg_indexes WHERE tablename = 'generated_images'`,
    );
    const definitions = Object.fromEntries(
      indexes.map(({ name, definition }) => [name, definition.replace(/.* USING /, '')]),
    );
    expect(definitions).toMatchObject({
      idx_generated_images_user_id_created_at: 'btree (user_id, created_at DESC)',
      idx_generated_images_request_id: 'btree (request_id)',
      idx_generated_images_status: expect.stringMatching(/^btree \(status\) WHERE .*status.* <> 'success'/),
      idx_generated_images_storage_url: 'btree (storage_url)',
      idx_generated_images_metadata_gin: 'gin (metadata)',
      idx_generated_images_tags_gin: 'gin (tags)',
    });
  });

  test('takes the INSERT of a service that knows only the old columns, and gives it a UUID of version 7', async () => {
    const before = Date.now();
    const [row] = await app.database.query<{ uuid: string; n: number; tool_name: string; status: string }>(
      `INSERT INTO generated_images (user_id, prompt, storage_url) VALUES ('u', 'p', '/old/address.png') RETURNING *`,
    );
    expect(row).toMatchObject({ n: 1, tool_name: 'generateUserImage', status: 'success' });
    expect(row?.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const time = Number.parseInt((row?.uuid ?? '').replaceAll('-', '').slice(0, 12), 16);
    expect(Math.abs(time - before)).toBeLessThan(60_000);
  });

  test('keeps pieces of images as they are, out of line', async () => {
    const [row] = await app.database.query<{ storage: string }>(
      `SELECT attstorage AS storage FROM pg_attribute WHERE attrelid = 'stored_chunks'::regclass AND attname = 'data'`,
    );
    expect(row?.storage).toBe('e');
  });
});

test('schema.prisma says what the migrations say; `npm run migrate:new` writes the difference', async () => {
  expect(await diffMigrations()).toMatch(/empty migration|^\s*$/);
});

test('the migrations name what schema.prisma cannot say', async () => {
  const schema = await readFile(new URL('../../prisma/schema.prisma', import.meta.url), 'utf8');
  for (const name of [
    'idx_generated_images_status',
    'idx_generated_images_unsuccessful',
    'idx_generated_images_prompt_search',
    'idx_generated_images_bytes_id',
  ]) {
    expect(schema).toContain(name);
  }
});
