import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { countStats } from '../../src/image/list/stats.ts';
import { type ImageFilter, ImageStatsDocument } from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';

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

  test('refuses a filter that cannot be', async () => {
    const { errors } = await app.send(ImageStatsDocument, { filter: { userId: 'a\0' } });
    expect(errors).toMatchObject([{ extensions: { code: 'INVALID_INPUT' } }]);
  });
});
