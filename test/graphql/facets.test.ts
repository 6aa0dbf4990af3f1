import { afterAll, beforeAll, expect, test } from 'vitest';
import { countFacets } from '../../src/image/list/facets.ts';
import { makeChance } from '../compare/chance.ts';
import { ImageFacetsDocument, type ImageFilter } from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';

interface Known {
  readonly user: string;
  readonly tool: string;
  readonly model: string | null;
  readonly provider: string | null;
  readonly tags: readonly string[] | null;
  readonly failed: boolean;
  readonly bytes: number | null;
}

const chance = makeChance(7);
const images: Known[] = Array.from({ length: 400 }, () => ({
  user: `user-${chance.below(3)}`,
  tool: `tool-${chance.below(4)}`,
  model: chance.of(0.2) ? null : `model-${chance.below(120)}`,
  provider: chance.of(0.2) ? null : `provider-${chance.below(2)}`,
  // Other services may write a tag twice.
  tags: chance.of(0.2) ? null : chance.many(0, 4, () => `tag-${chance.below(8)}`),
  failed: chance.of(0.1),
  bytes: chance.of(0.1) ? null : chance.below(2e9),
}));

let app: TestApp;
beforeAll(async () => {
  app = await openTestApp();
  await app.database.query(
    `INSERT INTO generated_images (user_id, prompt, tool_name, model, provider, tags, status, bytes)
     SELECT r->>'user', 'p', r->>'tool', r->>'model', r->>'provider',
       CASE WHEN r->>'tags' IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(r->'tags')) END,
       CASE WHEN (r->>'failed')::boolean THEN 'failed' ELSE 'success' END, (r->>'bytes')::int
     FROM jsonb_array_elements($1::jsonb) r`,
    [JSON.stringify(images)],
  );
  await app.database.query(
    `INSERT INTO generated_images (user_id, prompt, deleted_at, tags) VALUES ('trash', 'p', now(), ARRAY['trash'])`,
  );
});
afterAll(() => app.close());

/** Counts in the simplest way. */
function count(some: readonly Known[], valuesOf: (image: Known) => readonly (string | null)[]) {
  const values = new Set(some.flatMap(valuesOf).filter((value) => value !== null));
  return [...values]
    .map((value) => {
      const having = some.filter((image) => valuesOf(image).includes(value));
      const bytes = having.reduce((sum, image) => sum + (image.bytes ?? 0), 0);
      return { value, count: having.length, failed: having.filter(({ failed }) => failed).length, bytes };
    })
    .toSorted((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
    .slice(0, 100);
}

test.each<[string, ImageFilter, (image: Known) => boolean]>([
  ['all images', {}, () => true],
  ['a user', { userId: 'user-1' }, ({ user }) => user === 'user-1'],
  ['a tag', { tags: ['tag-3'] }, ({ tags }) => tags?.includes('tag-3') ?? false],
  ['a model', { model: 'model-7' }, ({ model }) => model === 'model-7'],
  ['failures', { status: ['FAILED'] }, ({ failed }) => failed],
  ['nothing', { userId: 'nobody' }, () => false],
])('counts the values of %s', async (_name, filter, means) => {
  const { imageFacets } = await app.ask(ImageFacetsDocument, { filter });
  const some = images.filter(means);
  expect(imageFacets).toEqual({
    users: count(some, ({ user }) => [user]),
    tools: count(some, ({ tool }) => [tool]),
    models: count(some, ({ model }) => [model]),
    providers: count(some, ({ provider }) => [provider]),
    tags: count(some, ({ tags }) => tags ?? []),
    complete: true,
  });
});

test('looks at the newest only where there are too many, and at nothing that is not selected', async () => {
  const few = await countFacets(app.services, {}, { names: ['tools'], maxCounted: 50 });
  expect(few.tools.reduce((sum, each) => sum + each.count, 0)).toBeLessThanOrEqual(50);
  expect(few).toMatchObject({ complete: false, users: [], tags: [] });
});
