/** The selection of retention against a plain model in memory, over generated images and rules. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseImageFilter } from '../../src/image/list/filter-json.ts';
import { AGES, parseRule, SCOPES_PER } from '../../src/image/retention/rule.ts';
import { SUM_UP, type SumRow, selectionOf, summaryOf } from '../../src/image/retention/selection.ts';
import { type Chance, makeChance } from '../compare/chance.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { insertImages, type ModelImage, type ModelRow, readImages, selectInMemory } from './model.ts';

const IMAGES = 600;
const RULES = 60;

let app: TestApp;
let images: ModelImage[];
beforeAll(async () => {
  app = await openTestApp();
  await insertImages(app.database, IMAGES);
  images = await readImages(app.database);
  expect(images.filter(({ partOf }) => partOf !== null).length).toBeGreaterThan(50);
  expect(images.filter(({ pinned, partOf }) => pinned && partOf !== null).length).toBeGreaterThan(2);
}, 60_000);
afterAll(() => app.close());

/** Returns a rule by chance. */
function ruleOf(chance: Chance): unknown {
  const maybe = <Value>(probability: number, value: () => Value) =>
    chance.of(probability) ? value() : undefined;
  const limits = {
    maxAgeDays: maybe(0.4, () => 1 + chance.below(110)),
    maxCount: maybe(0.4, () => chance.below(120)),
    maxBytes: maybe(0.4, () => chance.below(60_000)),
  };
  return JSON.parse(
    JSON.stringify({
      ...(Object.values(limits).every((limit) => limit === undefined) ? { maxCount: 10 } : limits),
      ageOf: chance.oneOf(AGES),
      per: chance.oneOf(SCOPES_PER),
      keepNewest: maybe(0.3, () => 1 + chance.below(20)),
      images: {
        userId: maybe(0.3, () => `user-${chance.below(8)}`),
        tool: maybe(0.3, () => `tool-${chance.below(4)}`),
        tags: maybe(0.3, () => (chance.of(0.5) ? ['draft'] : ['draft', 'keep'])),
        status: maybe(0.3, () => (chance.of(0.5) ? ['failed'] : ['success', 'failed'])),
        origin: maybe(0.3, () => chance.oneOf(['generated', 'uploaded', 'imported', 'recorded'])),
      },
    }),
  );
}

test('selects the images that the model selects, each for the same reason', async () => {
  const seen = new Set<string | null>();
  for (let seed = 0; seed < RULES; seed++) {
    const rule = parseRule(ruleOf(makeChance(seed)), `Rule of seed ${seed}`);
    const at = new Date();
    const filter = parseImageFilter(JSON.stringify(rule.images ?? {}));
    const selection = selectionOf({ rule, filter, at });
    const expected = selectInMemory(images, rule, at);
    const rows = await app.database.query<ModelRow>(
      `${selection.with} SELECT id, reason, bytes FROM decided ORDER BY id`,
      selection.values,
      { planned: true },
    );
    expect(rows, `seed ${seed}: ${JSON.stringify(rule)}`).toEqual(expected);
    for (const { reason } of rows) seen.add(reason);

    const sums = await app.database.query<SumRow>(`${selection.with} ${SUM_UP}`, selection.values, {
      planned: true,
    });
    const going = expected.filter(({ reason }) => reason !== null);
    const bytesOf = (each: readonly ModelRow[]) => each.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(summaryOf(sums)).toMatchObject({
      images: going.length,
      bytes: bytesOf(going),
      scope: { images: expected.length, bytes: bytesOf(expected) },
    });
  }
  expect(seen).toEqual(new Set(['AGE', 'COUNT', 'BYTES', null]));
}, 60_000);
