import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Queryable } from '../../src/database/database.ts';
import { countImages } from '../../src/image/count.ts';
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
