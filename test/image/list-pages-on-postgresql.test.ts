import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database, Queryable } from '../../src/database/database.ts';
import { listImages } from '../../src/image/list/list.ts';
import { makeDatabase, openTestApp, type TestApp } from '../harness.ts';

describe.runIf(process.env.TEST_DATABASE_URL)('a list, while others write', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
    // Rarer than that a first look would fill a page.
    await app.database.executeSql(`INSERT INTO generated_images (user_id, prompt, tool_name, model, created_at)
      SELECT 'u', 'p ' || n, 't', CASE WHEN n % 60 = 0 THEN 'rare' ELSE 'other' END, timestamptz '2026-01-01' + make_interval(secs => n)
      FROM generate_series(1, 60000) n`);
    await app.database.executeSql('ANALYZE');
  });
  afterAll(() => app.close());

  /** Returns a database in which another client writes just before the query for the end of a scan. */
  function meanwhile(write: string): { db: Pick<Database, 'query' | 'snapshot'>; wrote: () => boolean } {
    let done = false;
    const { query, snapshot } = app.database;
    const between = (state: Queryable): Queryable => ({
      async query(text, values, options) {
        if (/ OFFSET \d+ LIMIT 2$/.test(text) && !done) {
          done = true;
          await app.database.executeSql(write);
        }
        return state.query(text, values, options);
      },
    });
    return {
      db: { ...between({ query }), snapshot: (work) => snapshot((state) => work(between(state))) },
      wrote: () => done,
    };
  }
  const page = async (db: Pick<Database, 'query' | 'snapshot'>) =>
    (await listImages(db, { model: 'rare' }, { first: 30 })).edges.map(({ node }) => node.prompt);

  test.each([
    [
      'makes images',
      `INSERT INTO generated_images (user_id, prompt, tool_name, model, created_at)
        SELECT 'u', 'new', 't', 'other', timestamptz '2026-06-01' + make_interval(secs => n) FROM generate_series(1, 200) n`,
    ],
    [
      'puts images into the trash',
      `UPDATE generated_images SET deleted_at = now() WHERE id IN (SELECT id FROM generated_images
        WHERE model = 'other' AND deleted_at IS NULL ORDER BY created_at DESC LIMIT 300)`,
    ],
  ])('has each image once and none too few, when somebody %s', async (_, write) => {
    const before = await page(app.database);
    const { db, wrote } = meanwhile(write);
    expect(await page(db)).toEqual(before);
    expect(wrote()).toBe(true);
    expect(await page(app.database)).toEqual(before);
  });
});

describe.runIf(process.env.TEST_DATABASE_URL)('a service that writes images', () => {
  test('is lent no rights by the triggers, whatever operators it makes', async () => {
    const made = await makeDatabase();
    if (!made) throw new Error('There is no PostgreSQL.');
    const app = await openTestApp({ DATABASE_URL: made.url });
    const role = `writer_${randomBytes(6).toString('hex')}`;
    // As PostgreSQL 14 lets every role create in the schema public.
    await app.database.executeSql(`CREATE ROLE ${role} LOGIN PASSWORD 'x'; GRANT CREATE, USAGE ON SCHEMA public TO ${role};
        GRANT SELECT, INSERT, UPDATE ON generated_images TO ${role}; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO ${role}`);
    const url = new URL(made.url);
    url.username = role;
    url.password = 'x';
    const writer = new pg.Client(url.href);
    await writer.connect();
    try {
      await writer.query(`CREATE TABLE callers (who text); GRANT ALL ON callers TO PUBLIC;
        CREATE FUNCTION same(a varchar, b varchar) RETURNS boolean LANGUAGE plpgsql AS
          $$ BEGIN INSERT INTO public.callers VALUES (current_user); RETURN a::text OPERATOR(pg_catalog.=) b::text; END $$;
        CREATE OPERATOR public.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = same)`);
      await writer.query(
        `INSERT INTO generated_images (user_id, prompt, tool_name, tags) VALUES ('u', 'p', 't', ARRAY['a'])`,
      );
      await writer.query(`UPDATE generated_images SET tags = ARRAY['b']`);
      const { rows } = await writer.query('SELECT DISTINCT who FROM callers');
      expect(rows.filter(({ who }) => who !== role)).toEqual([]);
      expect(await app.database.query('SELECT user_id AS u, tag FROM image_tags')).toEqual([
        { u: 'u', tag: 'b' },
      ]);
    } finally {
      await writer.end();
      await app.close();
      const root = new pg.Client(made.url);
      await root.connect();
      await root.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
      await root.end();
      await made.drop();
    }
  });
});
