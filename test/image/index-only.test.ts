import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database, Queryable } from '../../src/database/database.ts';
import type { ImageFilter } from '../../src/image/list/conditions.ts';
import { countImages } from '../../src/image/list/count.ts';
import { type ImageOrder, listImages } from '../../src/image/list/list.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';

describe('what is counted is read from one index, and from no row', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
    await app.database.query(
      `INSERT INTO generated_images (user_id, prompt, bytes, origin, status)
         SELECT 'u' || n % 20, repeat('p', 300), n, 'generated', CASE WHEN n / 20 % 10 = 0 THEN 'failed' ELSE 'success' END FROM generate_series(1, 40000) n`,
    );
    // Until no other statement sees an older state of the table.
    await eventually(async () => {
      await app.database.query('VACUUM ANALYZE generated_images');
      const [table] = await app.database.query<{ visible: number }>(
        `SELECT relallvisible AS visible FROM pg_class WHERE relname = 'generated_images'`,
      );
      expect(table?.visible).toBeGreaterThan(1000);
    });
  });
  afterAll(() => app.close());

  test('for quotas', async () => {
    const plan = await app.database.query<Record<string, unknown>>(
      `EXPLAIN SELECT count(bytes)::int, coalesce(sum(bytes), 0)::float8 FROM generated_images WHERE user_id = 'u7'`,
    );
    expect(JSON.stringify(plan)).toContain('Index Only Scan using idx_generated_images_user_id_origin');
    const today = await app.database.query<Record<string, unknown>>(
      `EXPLAIN SELECT count(*) FROM generated_images i WHERE user_id = 'u7' AND origin = 'generated' AND created_at >= now() - interval '1 hour'
         AND EXISTS (SELECT 1 FROM generations g WHERE g.image_id = i.id)`,
    );
    expect(JSON.stringify(today)).toContain('Index Only Scan using idx_generated_images_user_id_origin');
  });

  test("for a user's failed images", async () => {
    const plans: unknown[] = [];
    const explained: Queryable = {
      async query(text, values, options) {
        plans.push(await app.database.query(`EXPLAIN ${text}`, values, options));
        return app.database.query(text, values, options);
      },
    };
    const counted = await countImages(explained, { userId: 'u7', status: ['failed'] }, 100_000);
    expect(counted).toEqual({ count: 200, exact: true });
    expect(plans).toHaveLength(1);
    expect(JSON.stringify(plans)).toContain('Index Only Scan using idx_generated_images_unsuccessful');
  });
});

describe('a page between two cursors is an index walk', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
    await app.database.query(
      `INSERT INTO generated_images (user_id, prompt, bytes, tags, created_at)
         SELECT 'u' || n % 400, repeat('p', 300), n, CASE WHEN n % 4 = 0 THEN ARRAY['t'] END, timestamptz '2026-01-01' + make_interval(secs => n)
         FROM generate_series(1, 40000) n`,
    );
    await app.database.executeSql('ANALYZE');
  });
  afterAll(() => app.close());

  const newest: ImageOrder = { field: 'createdAt', direction: 'desc' };
  test.each<[string, ImageFilter, ImageOrder, string]>([
    ['of all', {}, newest, 'idx_generated_images_created_at_id'],
    ['of a user', { userId: 'u7' }, newest, 'idx_generated_images_listed'],
    ['of a tag', { tags: ['t'] }, newest, 'image_tags'],
    ['by bytes', {}, { field: 'bytes', direction: 'asc' }, 'idx_generated_images_bytes_id'],
  ])('%s', async (_name, filter, order, index) => {
    const { edges } = await listImages(app.database, filter, { first: 100, order });
    const range = { after: edges[10]?.cursor ?? null, before: edges[90]?.cursor ?? null };
    for (const size of [{ first: 20 }, { last: 20 }]) {
      const plans: string[] = [];
      const explained: Pick<Database, 'query' | 'snapshot'> = {
        ...app.database,
        async query(text, values, options) {
          plans.push(JSON.stringify(await app.database.query(`EXPLAIN ${text}`, values, options)));
          return app.database.query(text, values, options);
        },
      };
      const page = await listImages(explained, filter, { ...size, ...range, order });
      expect(page.edges.map(({ cursor }) => cursor)).toEqual(
        edges
          .slice(11, 90)
          .map(({ cursor }) => cursor)
          .slice(...('first' in size ? [0, 20] : [-20])),
      );
      expect(plans).toHaveLength(1);
      // Both cursors bound what is read of the index, whose order is that of the list.
      expect(plans[0]).toMatch(new RegExp(`Index (Only )?Scan( Backward)? using \\w*${index}`));
      expect(plans[0]).toMatch(/Index Cond: [^"]*ROW\([^"]* < ROW\([^"]*/);
      expect(plans[0]).toMatch(/Index Cond: [^"]*ROW\([^"]* > ROW\([^"]*/);
      expect(plans[0]).not.toMatch(/"\s*(->\s*)?Sort\b/);
    }
  });
});
