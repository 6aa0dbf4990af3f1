/** Compares statistics with sums over the same rows in memory. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runStats } from '../../src/command/stats.ts';
import { findStores } from '../../src/image/list/durability.ts';
import { countStats } from '../../src/image/list/stats.ts';
import { findVerifyAges } from '../../src/storage/verify-ages.ts';
import { makeChance } from '../compare/chance.ts';
import { DurabilityStatsDocument, type ImageFilter, ImageStatsTableDocument } from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { recordSnapshots } from './recorded-snapshots.ts';

const STORES = ['filesystem', 'memory'] as const;
const DAY_MS = 86_400_000;

interface Made {
  readonly id: number;
  readonly user: string;
  readonly model: string | null;
  readonly provider: string | null;
  readonly visibility: string;
  readonly status: string;
  readonly code: string | null;
  readonly bytes: number | null;
  readonly createdAt: Date;
  /** State and age of the verification, in days, by store; null: no bytes. */
  readonly copies: Readonly<Record<string, { state: string; verifiedDays: number | null }>> | null;
  /** Seconds in the queue and of the attempt; null: no generation. */
  readonly generation: { queue: number; took: number | null; cost: unknown } | null;
}

function makeImages(seed: number, count: number): Made[] {
  const chance = makeChance(seed);
  return Array.from({ length: count }, (_, at) => {
    const status = chance.oneOf(['success', 'success', 'success', 'failed', 'pending', 'processing']);
    const isDone = status === 'success';
    const isMade = chance.of(0.7);
    return {
      id: at + 1,
      user: `user-${chance.below(3)}`,
      model: chance.of(0.2) ? null : `m${chance.below(4)}`,
      provider: chance.of(0.2) ? null : `p${chance.below(3)}`,
      visibility: chance.oneOf(['public', 'private', 'team']),
      status,
      code: status === 'failed' ? chance.oneOf(['TIMED_OUT', 'REFUSED_HERE', 'CANCELLED', null]) : null,
      bytes: isDone ? 1 + chance.below(1000) : null,
      createdAt: new Date(Date.UTC(2026, 0, 1 + chance.below(9), chance.below(24), chance.below(60))),
      copies: isDone
        ? Object.fromEntries(
            STORES.map((store) => [
              store,
              {
                state: chance.oneOf(['STORED', 'STORED', 'STORED', 'MISSING', 'PENDING']),
                verifiedDays: chance.of(0.2) ? null : chance.below(120) + 0.5,
              },
            ]),
          )
        : null,
      generation: isMade
        ? {
            queue: chance.below(100) / 4,
            took: isDone ? 0.5 + chance.below(200) / 8 : null,
            // Only a number is a cost.
            cost: chance.oneOf([0.25, 0.5, 1, null, '7']),
          }
        : null,
    };
  });
}

async function store(app: TestApp, images: readonly Made[]): Promise<void> {
  await app.database.query(
    `INSERT INTO blobs (id, sha256, bytes, mime_type, width, height, thumbhash)
     SELECT (i->>'id')::bigint, lpad(i->>'id', 64, '0'), (i->>'bytes')::int, 'image/png', 1, 1, ''
     FROM jsonb_array_elements($1::jsonb) i WHERE i->>'bytes' IS NOT NULL`,
    [JSON.stringify(images)],
  );
  await app.database.query(
    `INSERT INTO copies (blob_id, store, state, key, verified_at, retry_at)
     SELECT (i->>'id')::bigint, c.key, c.value->>'state', i->>'id',
       now() - (c.value->>'verifiedDays')::float8 * interval '1 day', now() + interval '1 day'
     FROM jsonb_array_elements($1::jsonb) i, jsonb_each(i->'copies') c WHERE jsonb_typeof(i->'copies') = 'object'`,
    [JSON.stringify(images)],
  );
  await app.database.query(
    `INSERT INTO generated_images (id, user_id, prompt, model, provider, visibility, status, error_code, bytes, created_at, blob_id)
     SELECT (i->>'id')::bigint, i->>'user', 'p', i->>'model', i->>'provider', i->>'visibility', i->>'status', i->>'code',
       (i->>'bytes')::int, (i->>'createdAt')::timestamptz, CASE WHEN i->>'bytes' IS NOT NULL THEN (i->>'id')::bigint END
     FROM jsonb_array_elements($1::jsonb) i`,
    [JSON.stringify(images)],
  );
  const generations = images.flatMap(({ id, status, generation }) => {
    if (!generation) return [];
    const asked = Date.UTC(2026, 1, 1);
    const ended = generation.took === null ? null : new Date(asked + generation.took * 1000).toISOString();
    return [
      {
        id,
        state: status === 'success' ? 'done' : 'failed',
        run: new Date(asked - generation.queue * 1000),
        asked: new Date(asked),
        attempts: [
          { startedAt: 'never', endedAt: 'never' },
          { startedAt: new Date(asked), endedAt: ended },
        ],
        answer: status === 'success' ? { metadata: { costUsd: generation.cost } } : null,
      },
    ];
  });
  await app.database.query(
    `INSERT INTO generations (image_id, state, work, request, attempts, answer, run_at, asked_at)
     SELECT (g->>'id')::bigint, g->>'state', 'ask', '{}', g->'attempts', nullif(g->'answer', 'null'), (g->>'run')::timestamptz, (g->>'asked')::timestamptz
     FROM jsonb_array_elements($1::jsonb) g`,
    [JSON.stringify(generations)],
  );
}

type Entry = Record<string, unknown> & { total: number };

/** Groups images by a value, as the statistics do. */
function groupsOf(images: readonly Made[], name: string, of: (image: Made) => unknown): Entry[] {
  return [...Map.groupBy(images, of)].map(([value, those]) => ({
    [name]: value,
    total: those.length,
    failed: those.filter(({ status }) => status === 'failed').length,
    bytes: those.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0),
  }));
}

/** Orders groups of equal size, whose order is open, and checks that larger ones come first. */
function ordered(groups: readonly object[]): object[] {
  return groups.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

function durationsOf(values: readonly number[]) {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  // Interpolated, as by percentile_cont.
  const at = (share: number) => {
    const place = share * (sorted.length - 1);
    const low = sorted[Math.floor(place)] as number;
    return low + (place % 1) * ((sorted[Math.ceil(place)] as number) - low);
  };
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const shares = { median: at(0.5), p90: at(0.9), p95: at(0.95), p99: at(0.99), longest: at(1) };
  return { images: values.length, mean, ...shares };
}

const spendOf = (images: readonly Made[]) => {
  const answered = images.filter(({ generation, status }) => generation && status === 'success');
  const costs = answered.flatMap(({ generation }) =>
    typeof generation?.cost === 'number' ? [generation.cost] : [],
  );
  const usd = costs.length === 0 ? null : costs.reduce((sum, cost) => sum + cost, 0);
  return { usd, images: costs.length, unknown: answered.length - costs.length };
};

const CODES = new Set(['TIMED_OUT', 'CANCELLED']);

describe('statistics that read the table', () => {
  let app: TestApp;
  let images: Made[];
  const seed = Date.now() % 1_000_000;
  beforeAll(async () => {
    app = await openTestApp({ STORES: STORES.join() });
    images = makeImages(seed, 400);
    await store(app, images);
  });
  afterAll(() => app.close());

  const close = (found: unknown, expected: Record<string, number> | null, about: string) => {
    if (expected === null) return expect(found, about).toBeNull();
    for (const [name, value] of Object.entries(expected))
      expect((found as Record<string, number>)[name], `${name} ${about}`).toBeCloseTo(value, 6);
  };

  test.each([
    ['all', {}, () => true],
    ['a user', { userId: 'user-1' }, ({ user }: Made) => user === 'user-1'],
    ['a model', { model: 'm2' }, ({ model }: Made) => model === 'm2'],
    ['failed ones', { status: ['FAILED'] }, ({ status }: Made) => status === 'failed'],
    ['no image', { userId: 'user-9' }, () => false],
  ] satisfies [string, ImageFilter, (image: Made) => boolean][])(
    'agrees with a computation in memory: %s',
    async (name, filter, matches) => {
      const { imageStats: told } = await app.ask(ImageStatsTableDocument, { filter });
      const those = images.filter(matches);
      const about = `${name}, seed ${seed}`;
      const lists: [readonly object[], Entry[]][] = [
        [told.byModel, groupsOf(those, 'model', ({ model }) => model)],
        [told.byProvider, groupsOf(those, 'provider', ({ provider }) => provider)],
        [
          told.byVisibility,
          groupsOf(those, 'visibility', (i) => (i.visibility === 'public' ? 'PUBLIC' : 'PRIVATE')),
        ],
        [told.byHour, groupsOf(those, 'hour', ({ createdAt }) => createdAt.getUTCHours())],
        [
          told.byErrorCode,
          groupsOf(
            those.filter(({ status }) => status === 'failed'),
            'code',
            ({ code }) => (code !== null && CODES.has(code) ? code : 'INTERNAL'),
          ).map(({ code, total }) => ({ code, total })),
        ],
        [
          told.byStore,
          STORES.flatMap((each) =>
            groupsOf(
              those.filter(({ copies }) => copies?.[each]?.state === 'STORED'),
              'store',
              () => each,
            ).map(({ failed: _failed, ...rest }) => rest),
          ),
        ],
      ];
      for (const [found, expected] of lists) expect(ordered(found), about).toEqual(ordered(expected));
      for (const list of [told.byModel, told.byProvider, told.byErrorCode, told.byStore]) {
        const totals = list.map(({ total }) => total);
        expect(totals, about).toEqual(totals.toSorted((a, b) => b - a));
      }
      expect(told.byHour.map(({ hour }) => hour)).toEqual(
        told.byHour.map(({ hour }) => hour).toSorted((a, b) => a - b),
      );
      const took = those.flatMap(({ generation }) => (generation?.took == null ? [] : [generation.took]));
      const queued = those.flatMap(({ generation }) => (generation ? [generation.queue] : []));
      close(told.generationSeconds, durationsOf(took), about);
      close(told.queueSeconds, durationsOf(queued), about);
      const { byModel, ...spend } = told.spend;
      expect(spend, about).toEqual(spendOf(those));
      expect(ordered(byModel), about).toEqual(
        ordered(
          [...Map.groupBy(those, ({ model }) => model)]
            .map(([model, some]) => ({ model, ...spendOf(some) }))
            .filter((some) => some.images + some.unknown > 0),
        ),
      );
      const ended = those.filter(({ status }) => ['success', 'failed'].includes(status)).length;
      const good = those.filter(({ status }) => status === 'success').length;
      expect(told.successRate, about).toBe(ended === 0 ? null : good / ended);
      for (const { day, cumulativeTotal, cumulativeBytes } of told.byDay) {
        const before = those.filter(({ createdAt }) => createdAt.toISOString().slice(0, 10) <= day);
        const bytes = before.reduce((sum, image) => sum + (image.bytes ?? 0), 0);
        expect([cumulativeTotal, cumulativeBytes], `${day} ${about}`).toEqual([before.length, bytes]);
      }
    },
  );

  test('durabilityStats agrees with a computation in memory', async () => {
    const { durabilityStats } = await app.ask(DurabilityStatsDocument, {});
    const counts = { durable: 0, degraded: 0, atRisk: 0, lost: 0 };
    for (const { copies } of images) {
      if (!copies) continue;
      const states = STORES.map((each) => copies[each]?.state);
      const healthy = states.filter((state) => state === 'STORED').length;
      if (healthy === 0) counts.lost++;
      else if (healthy === STORES.length) counts.durable++;
      else if (healthy === 1 && states.includes('MISSING')) counts.atRisk++;
      else counts.degraded++;
    }
    expect(durabilityStats.images, `seed ${seed}`).toEqual(counts);
    expect(durabilityStats.imagesComplete).toBe(true);
    expect(durabilityStats.stores.map(({ store: name }) => name)).toEqual([...STORES]);
    for (const told of durabilityStats.stores) {
      const those = images.flatMap(({ copies }) => {
        const copy = copies?.[told.store];
        return copy?.state === 'STORED' ? [copy] : [];
      });
      const ages = those.flatMap(({ verifiedDays }) => (verifiedDays === null ? [] : [verifiedDays]));
      expect(told, `seed ${seed}`).toMatchObject({
        copies: those.length,
        neverVerified: those.length - ages.length,
        complete: true,
        verifiedWithin: [1, 7, 30, 90].map((days) => {
          const copies = ages.filter((age) => age < days).length;
          return { days, copies, share: copies / those.length };
        }),
      });
      const age = (Date.now() - new Date(told.oldestVerifiedAt ?? 0).getTime()) / DAY_MS;
      expect(age).toBeCloseTo(Math.max(...ages), 2);
    }
  });

  test('the command prints the same figures', async () => {
    const print = async (options: { userId?: string; json: boolean }) => {
      let out = '';
      const terminal = { out: (text: string) => (out += text), note: () => {}, interactive: false };
      expect(await runStats(app.services, options, terminal)).toBe(0);
      return out;
    };
    const { imageStats } = await app.ask(ImageStatsTableDocument, { filter: { userId: 'user-1' } });
    const { images: printed, stores } = JSON.parse(await print({ userId: 'user-1', json: true }));
    expect(printed).toMatchObject({
      total: imageStats.total,
      byModel: imageStats.byModel,
      byHour: imageStats.byHour,
      generationSeconds: imageStats.generationSeconds,
      spend: imageStats.spend,
    });
    expect(stores.map((each: { store: string }) => each.store)).toEqual([...STORES]);
    const text = await print({ json: false });
    expect(text).toMatch(/^images +succeeded +failed +rate +pending +processing +bytes\n +400 /);
    expect(text).toMatch(/\nmodel +images +failed +bytes\nm\d +\d+/);
    expect(text).toMatch(/\nstore +copies +1 d +7 d +30 d +90 d +never\nfilesystem +\d+/);
  });

  test('reads a limited number of copies', async () => {
    const [first] = await findVerifyAges(app.database, ['memory'], 5);
    expect(first).toMatchObject({ copies: 5, complete: false });
  });

  test('counts durability alike when many copies are not healthy', async () => {
    const stores = await findStores({ database: app.database, stores: STORES.map((name) => ({ name })) });
    expect(stores.allOnRecord).toBe(true);
    const fields = new Set(['byDurability']);
    const few = await countStats(app.services, {}, { fields, stores });
    const many = await countStats(app.services, {}, { fields, stores, maxUnhealthy: 3 });
    expect(many.byDurability).toEqual(few.byDurability);
    expect(many.byDurability.LOST).toBeGreaterThan(0);
  });

  test('computes what is selected only', async () => {
    const { database, statements } = recordSnapshots(app.database);
    const run = async (...fields: string[]) => {
      statements.length = 0;
      await countStats({ database }, {}, { fields: new Set(fields) });
      return statements.filter((text) => text.startsWith('WITH'));
    };
    const [models, ...more] = await run('byModel');
    expect(more).toEqual([]);
    expect(models).not.toMatch(/generations|copies|byHour/);
    expect((await run('queueSeconds'))[0]).toMatch(/FROM generations/);
    expect((await run('byStore'))[0]).toMatch(/FROM copies/);
  });
});
