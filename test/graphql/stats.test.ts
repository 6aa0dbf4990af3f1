import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { countStats } from '../../src/image/list/stats.ts';
import {
  type ImageFilter,
  ImageStatsByModelDocument,
  ImageStatsDocument,
  ImageStatsMoreDocument,
} from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { recordSnapshots } from './recorded-snapshots.ts';

describe('imageStats', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
    // Ten images a day, the last of a day a second before midnight in UTC.
    await app.database.query(
      `INSERT INTO generated_images (user_id, prompt, model, origin, tags, status, bytes, created_at, tool_name)
       SELECT 'user-' || i % 4, 'a red fox', 'm' || i % 2, CASE WHEN i % 4 = 0 THEN 'uploaded' ELSE 'generated' END,
         CASE WHEN i % 6 = 0 THEN ARRAY['six'] ELSE NULL END,
         CASE WHEN i % 20 = 0 THEN 'processing' WHEN i % 5 = 0 THEN 'failed' ELSE 'success' END,
         CASE WHEN i % 5 > 0 THEN 2000000000 END,
         TIMESTAMPTZ '2026-01-01 23:59:59Z' + (i - 1) / 10 * INTERVAL '1 day', 'tool-' || i % 3
       FROM generate_series(1, 60) i`,
    );
    await app.database.query(
      `INSERT INTO generated_images (user_id, prompt, deleted_at, tool_name) VALUES ('trash', 'p', now(), 'tool-trash')`,
    );
    await app.database.query(
      `INSERT INTO generated_images (user_id, prompt, part_of, part, tool_name) SELECT 'part', 'p', min(id), 'a', 'tool-part' FROM generated_images`,
    );
  });
  afterAll(() => app.close());

  const stats = async (filter?: ImageFilter) =>
    (await app.ask(ImageStatsDocument, { filter: filter ?? null })).imageStats;

  test('sums up all images, by tool and by day, newest day first', async () => {
    expect(await stats()).toEqual({
      total: 60,
      succeeded: 48,
      failed: 9,
      uniqueUsers: 4,
      totalBytes: 96e9,
      averageBytes: 2e9,
      byTool: [
        { tool: 'tool-0', total: 20, failed: 3, bytes: 32e9 },
        { tool: 'tool-1', total: 20, failed: 3, bytes: 32e9 },
        { tool: 'tool-2', total: 20, failed: 3, bytes: 32e9 },
      ],
      byDay: [6, 5, 4, 3, 2, 1].map((day) => ({
        day: `2026-01-0${day}`,
        total: 10,
        failed: day % 2 === 1 ? 2 : 1,
        bytes: 16e9,
      })),
    });
  });

  test('finds what images finds by the same filter', async () => {
    const cases: [ImageFilter, number][] = [
      [{ userId: 'user-1' }, 15],
      [{ tool: 'tool-1' }, 20],
      [{ userId: 'user-1', tool: 'tool-1' }, 5],
      [{ tags: ['six'] }, 10],
      [{ anyTag: ['six', 'none'], userId: 'user-2' }, 5],
      [{ model: 'm1' }, 30],
      [{ origin: 'UPLOADED' }, 15],
      [{ status: ['FAILED'] }, 9],
      [{ status: ['FAILED', 'SUCCESS'] }, 57],
      [{ createdAfter: '2026-01-02T00:00:00.000Z', createdBefore: '2026-01-03T00:00:00.000Z' }, 10],
      [{ search: 'fox' }, 60],
      [{ copies: { store: 'filesystem' } }, 0],
      [{ userId: 'nobody' }, 0],
      [{ trash: 'ONLY' }, 1],
      [{ trash: 'INCLUDE' }, 61],
      [{ parts: true }, 61],
      [{ parts: true, trash: 'INCLUDE' }, 62],
    ];
    for (const [filter, expected] of cases) {
      const { total, byTool, byDay } = await stats(filter);
      const sum = (each: readonly { total: number }[]) => each.reduce((all, { total }) => all + total, 0);
      expect([total, sum(byTool), sum(byDay)], JSON.stringify(filter)).toEqual([
        expected,
        expected,
        expected,
      ]);
    }
    expect(await stats({ userId: 'nobody' })).toEqual({
      ...{ total: 0, succeeded: 0, failed: 0, uniqueUsers: 0, totalBytes: 0, averageBytes: null },
      ...{ byTool: [], byDay: [] },
    });
    const [part] = (await stats({ parts: true })).byTool.filter(({ tool }) => tool === 'tool-part');
    expect(part).toEqual({ tool: 'tool-part', total: 1, failed: 0, bytes: 0 });
  });

  test('looks at the newest only where there are too many, and says so', async () => {
    const { services } = app;
    const some = await countStats(services, { createdBefore: new Date('2026-01-07') }, { maxCounted: 25 });
    expect(some).toMatchObject({ total: 25, complete: false });
    expect(some.byDay.map(({ day, total }) => [day, total])).toEqual([
      ['2026-01-06', 10],
      ['2026-01-05', 10],
      ['2026-01-04', 5],
    ]);
    // No index finds the images of a model, so only the newest 25 of all images are examined.
    const ofModel = await countStats(
      services,
      { model: 'm1', createdBefore: new Date('2026-01-07') },
      { maxCounted: 25 },
    );
    expect(ofModel).toMatchObject({ total: 12, complete: false });
    expect(await countStats(services, { userId: 'user-1' }, { maxCounted: 25 })).toMatchObject({
      total: 15,
      complete: true,
    });
  });

  test('counts by status, user, model, and day with tool', async () => {
    const sum = async (columns: string, where: string) =>
      app.database.query<Record<string, unknown>>(
        `SELECT ${columns}, count(*) AS total, count(*) FILTER (WHERE status = 'failed') AS failed, coalesce(sum(bytes), 0)::bigint AS bytes
         FROM generated_images i WHERE deleted_at IS NULL AND part_of IS NULL AND ${where} GROUP BY 1, ${columns.includes(',') ? 2 : 1}`,
      );
    await app.database.query(`INSERT INTO generated_images (user_id, prompt, status, created_at, tool_name)
      VALUES ('user-9', 'a wolf', 'pending', '2026-01-03T05:00:00Z', 'tool-9'), ('user-9', 'a wolf', 'pending', '2026-01-04', 'tool-9')`);
    const cases: [ImageFilter, string][] = [
      [{}, 'true'],
      [{ userId: 'user-1' }, `user_id = 'user-1'`],
      [{ tags: ['six'] }, `tags @> ARRAY['six']`],
      [{ search: 'wolf' }, `prompt LIKE '%wolf%'`],
      [{ status: ['FAILED', 'PENDING'] }, `status IN ('failed', 'pending')`],
    ];
    for (const [filter, where] of cases) {
      const about = JSON.stringify(filter);
      const { imageStats: told } = await app.ask(ImageStatsMoreDocument, { filter });
      const [row] = await app.database.query<Record<string, number | Date | null>>(
        `SELECT count(*) FILTER (WHERE status = 'pending') AS pending, count(*) FILTER (WHERE status = 'processing') AS processing,
           min(created_at) FILTER (WHERE status = 'pending') AS oldest
         FROM generated_images WHERE deleted_at IS NULL AND part_of IS NULL AND ${where}`,
      );
      const oldest = row?.oldest instanceof Date ? row.oldest.toISOString() : null;
      expect([told.pending, told.processing, told.oldestPendingAt, told.complete], about).toEqual([
        ...[row?.pending, row?.processing, oldest, true],
      ]);
      const day = `to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day`;
      const days = (await sum(`${day}, tool_name AS tool`, where)).map(({ bytes: _, ...rest }) => rest);
      for (const [list, expected] of [
        [told.byUser, await sum(`user_id AS "userId"`, where)],
        [told.byModel, await sum('model', where)],
        [told.byDayAndTool, days],
      ] as const) {
        expect(list.length, about).toBe(expected.length);
        expect(list, about).toEqual(expect.arrayContaining(expected));
      }
      for (const list of [told.byUser, told.byModel])
        expect(list.map(({ total }) => total)).toEqual(
          list.map(({ total }) => total).toSorted((a, b) => b - a),
        );
      const order = told.byDayAndTool.map((each) => each.day);
      expect(order, about).toEqual(order.toSorted().reverse());
    }
  });

  test('reads the table only for a field that needs it, and the index only for others', async () => {
    const { imageStats } = await app.ask(ImageStatsByModelDocument, { filter: { userId: 'user-1' } });
    expect(imageStats).toEqual({ byModel: [{ model: 'm1', total: 15 }], complete: true });
    const { database, statements } = recordSnapshots(app.database);
    const run = async (...fields: string[]) => {
      statements.length = 0;
      await countStats({ database }, {}, { fields: new Set(fields) });
      return statements.filter((text) => text.startsWith('WITH')).map((text) => /model/.test(text));
    };
    expect(await run('total', 'byUser')).toEqual([false]);
    expect(await run('byModel')).toEqual([true]);
    expect((await run('total', 'byModel')).sort()).toEqual([false, true]);
  });

  test('looks at the newest only for models too', async () => {
    const fields = new Set(['byModel', 'total']);
    const some = await countStats(
      app.services,
      { createdBefore: new Date('2026-01-07') },
      { fields, maxCounted: 25 },
    );
    expect(some.byModel.reduce((sum, { total }) => sum + total, 0)).toBe(25);
    expect(some.complete).toBe(false);
  });

  test('refuses a filter that cannot be', async () => {
    const { errors } = await app.send(ImageStatsDocument, { filter: { userId: 'a\0' } });
    expect(errors).toMatchObject([{ extensions: { code: 'INVALID_INPUT' } }]);
  });
});
