import { readFile } from 'node:fs/promises';
import { print } from 'graphql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TileFragment } from '../../src/web/generated/graphql.ts';
import { matches, toImageFilter } from '../../src/web/grid/list/matching.ts';
import { DURABILITIES, type GalleryFilter } from '../../src/web/state/filter.ts';
import { DeleteImageDocument, RecordImageDocument } from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { uploadForm } from '../upload.ts';
import { makeRandom, type Random } from './random.ts';

const TOOLS = ['avatar', 'comic'];
const USERS = ['ada', 'grace'];
const MODELS = ['one', 'two'];
const TAGS = ['red', 'green', 'blue'];
const WORDS = ['fox', 'winter', 'moon', 'harbour'];
const DAYS = ['2026-03-01', '2026-03-02', '2026-03-03'];
const COUNT = 60;

const some = <Value>({ chance }: Random, values: readonly Value[]) => values.filter(() => chance(0.5));

let app: TestApp;
let images: TileFragment[];

/** Reads every image that a filter finds. */
async function find(filter: GalleryFilter): Promise<TileFragment[]> {
  const document = await readFile(
    new URL('../../src/web/documents/gallery.graphql', import.meta.url),
    'utf8',
  );
  const fragment = document.slice(0, document.indexOf('query '));
  const query = `${fragment} query ($filter: ImageFilter) { images(filter: $filter, first: 100) { nodes { ...Tile } } }`;
  const response = await app.fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables: { filter: toImageFilter(filter) } }),
  });
  const { data, errors } = (await response.json()) as {
    data: { images: { nodes: TileFragment[] } };
    errors?: unknown;
  };
  expect(errors).toBeUndefined();
  return data.images.nodes;
}

beforeAll(async () => {
  app = await openTestApp();
  const random = makeRandom(1);
  for (let index = 0; index < COUNT; index++) {
    const input = {
      prompt: some(random, WORDS).join(' '),
      tool: random.pick(TOOLS),
      userId: random.pick(USERS),
      model: random.pick(MODELS),
      tags: some(random, TAGS),
      visibility: random.pick(['PUBLIC', 'PRIVATE']),
      requestId: random.pick(['r1', 'r2']),
      createdAt: `${random.pick(DAYS)}T${random.pick(['00:00:00.000', '12:00:00.000', '23:59:59.999'])}Z`,
    };
    const content = await makePicture({ seed: index % 50 });
    await app.fetch('/graphql', {
      method: 'POST',
      body: uploadForm({ content }, input, print(RecordImageDocument)),
    });
  }
  for (const { id } of (await find({})).slice(0, 8)) await app.ask(DeleteImageDocument, { input: { id } });
  images = await find({ trash: 'include' });
}, 60_000);
afterAll(() => app.close());

function makeFilter(random: Random): GalleryFilter {
  const { chance, pick } = random;
  const maybe = <Value>(key: string, value: () => Value) => (chance(0.25) ? { [key]: value() } : {});
  return {
    ...maybe('tool', () => pick(TOOLS)),
    ...maybe('user', () => pick(USERS)),
    ...maybe('model', () => pick(MODELS)),
    ...maybe('tags', () => [pick(TAGS)]),
    ...maybe('words', () => pick(WORDS)),
    ...maybe('visibility', () => pick(['public', 'private'] as const)),
    ...maybe('status', () => [pick(['success', 'failed'] as const)]),
    ...maybe('durability', () => [pick(DURABILITIES)]),
    ...maybe('trash', () => pick(['include', 'only'] as const)),
    ...maybe('from', () => pick(DAYS)),
    ...maybe('to', () => pick(DAYS)),
    ...maybe('request', () => pick(['r1', 'r2'])),
    ...maybe('sha256', () => pick(images).sha256 ?? ''),
  };
}

test('the browser and the server agree on which images a filter finds', async () => {
  expect(images).toHaveLength(COUNT);
  let found = 0;
  for (let seed = 1; seed <= 150; seed++) {
    const filter = makeFilter(makeRandom(seed));
    const expected = (await find(filter)).map(({ id }) => id).sort();
    found += expected.length;
    const actual = images.filter((image) => matches(filter, image)).map(({ id }) => id);
    expect(actual.sort(), JSON.stringify(filter)).toEqual(expected);
  }
  expect(found).toBeGreaterThan(COUNT);
}, 60_000);
