import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  DeleteImageDocument,
  GenerateImageDocument,
  type GenerateImageInput,
  ImagesDocument,
} from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { FILE_OF_FORM, generateWithFile } from '../upload.ts';
import { type Gate, openGate } from './gate.ts';

describe('a request for a generation', () => {
  let app: TestApp;
  let gate: Gate;
  beforeAll(async () => {
    gate = await openGate();
    app = await openTestApp({
      OPENAI_API_KEY: gate.apiKey,
      OPENAI_BASE_URL: gate.baseUrl,
      DEFAULT_MODEL: 'dall-e-3',
    });
  });
  afterEach(() => gate.open());
  afterAll(async () => {
    await app.close();
    await gate.close();
  });

  const generate = async (input: GenerateImageInput) =>
    (await app.ask(GenerateImageDocument, { input: { prompt: 'a fox', userId: 'u1', ...input } }))
      .generateImage;

  test.each(['half an emoji \ud83d', 'with \0 in it'])(
    'keeps a picture whose provider sends text that no database can store: %j',
    async (words) => {
      gate.say(words);
      const { images } = await generate({});
      expect(images).toMatchObject([{ status: 'SUCCESS' }]);
      expect(images[0]?.revisedPrompt).toBeTruthy();
    },
  );

  test.each<[string, GenerateImageInput, string]>([
    ['a page', { tool: 'generateComic', panels: ['a'], prompt: 'x\0y' }, 'prompt'],
    [
      'a chart',
      {
        tool: 'renderChart',
        prompt: null,
        chart: { kind: 'BAR', rows: [{ a: 'x\0', b: 1 }], x: 'a', y: 'b' },
      },
      'chart',
    ],
    ['a panel', { tool: 'generateComic', panels: ['a\0b'], prompt: null }, 'panels'],
  ])('refuses NUL in %s', async (_name, input, field) => {
    const { images, userErrors } = await generate(input);
    expect(images).toEqual([]);
    expect(userErrors).toMatchObject([{ code: 'INVALID_INPUT', path: ['input', field] }]);
  });

  test('is recognised by its requestId when it names defaults, and is another when nested metadata differ', async () => {
    const before = gate.calls.length;
    const first = await generate({ requestId: 'k-1' });
    const again = await generate({ requestId: 'k-1', n: 1, tool: 'generateUserImage', tags: [] });
    expect(again.images).toMatchObject([{ id: first.images[0]?.id }]);
    expect(gate.calls.length - before).toBe(1);
    await generate({ requestId: 'k-2', metadata: { a: { b: null } } });
    const other = await generate({ requestId: 'k-2', metadata: { a: {} } });
    expect(other.userErrors).toMatchObject([{ code: 'CONFLICT' }]);
  });

  test('returns its images again after its reference was deleted, and NOT_FOUND after they were purged', async () => {
    const [source] = (await generate({ model: 'sample', size: '64x64' })).images;
    const input = {
      ...{ tool: 'imageEditor', model: 'sample', size: '64x64', requestId: 'k-3' },
      references: [{ id: source?.id as string }],
    };
    const { images } = await generate(input);
    await app.ask(DeleteImageDocument, { input: { id: source?.id as string } });
    expect((await generate(input)).images).toMatchObject([{ id: images[0]?.id }]);
    await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query: 'mutation($id: ID!) { purgeImage(input: { id: $id }) { purgedId } }',
        variables: { id: images[0]?.id },
      }),
    });
    expect((await generate(input)).userErrors).toMatchObject([
      { code: 'NOT_FOUND', path: ['input', 'requestId'] },
    ]);
  });

  test('that its numbers rule out keeps none of its files', async () => {
    const count = async () =>
      (await app.ask(ImagesDocument, { filter: { tool: 'reference' } })).images.totalCount;
    const before = await count();
    const input = { prompt: 'a fox', tool: 'generateUserImage', references: [{ file: FILE_OF_FORM }] };
    const { userErrors } = await generateWithFile(app, input, {
      place: 'references.0',
      content: await makePicture({ width: 64, height: 64, seed: 5 }),
    });
    expect(userErrors).toMatchObject([{ path: ['input', 'references'] }]);
    expect(await count()).toBe(before);
  });
});

describe('a server that stores nothing, with a file as the reference', () => {
  test('stores neither', async () => {
    const app = await openTestApp({ SAVE_GENERATED_IMAGES: 'false' });
    const input = {
      prompt: 'a fox',
      tool: 'imageEditor',
      model: 'sample',
      size: '64x64',
      references: [{ file: FILE_OF_FORM }],
    };
    const made = await generateWithFile(app, input, {
      place: 'references.0',
      content: await makePicture({ width: 64, height: 64, seed: 6 }),
    });
    expect(made).toMatchObject({ images: [{ status: 'SUCCESS' }], userErrors: [] });
    expect(made.images[0]?.url).toMatch(/^data:image\/png/);
    expect(await app.database.query('SELECT 1 FROM generated_images')).toEqual([]);
    await app.close();
  });
});
