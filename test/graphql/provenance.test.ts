import { afterAll, beforeAll, expect, test } from 'vitest';
import { ImageProvenanceDocument } from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { pngWith, textChunk } from '../provenance/files.ts';
import { upload } from '../upload.ts';

const PARAMETERS = 'a red fox\nNegative prompt: fog\nSteps: 28, Seed: 18446744073709551615, Model: v1-5';

let app: TestApp;
beforeAll(async () => {
  app = await openTestApp();
});
afterAll(() => app.close());

async function ask(file: Buffer, input: Record<string, unknown> = {}) {
  const { image } = await upload(app, { content: file }, input);
  return (await app.ask(ImageProvenanceDocument, { id: image?.id ?? '' })).image;
}

test('an upload takes prompt and model from the picture, and keeps what else it says', async () => {
  expect(await ask(await pngWith(textChunk('parameters', PARAMETERS)))).toEqual({
    prompt: 'a red fox',
    model: 'v1-5',
    provenance: {
      generator: 'AUTOMATIC1111',
      prompt: 'a red fox',
      negativePrompt: 'fog',
      model: 'v1-5',
      seed: '18446744073709551615',
      steps: 28,
      sampler: null,
      cfgScale: null,
      software: null,
      camera: null,
      takenAt: null,
      digitalSourceType: null,
      description: null,
      raw: { parameters: PARAMETERS },
      hasContentCredentials: false,
    },
  });
});

test("the client's own prompt and model win", async () => {
  const file = await pngWith(textChunk('parameters', PARAMETERS));
  expect(await ask(file, { prompt: 'mine', model: 'my-model', onDuplicate: 'CREATE' })).toMatchObject({
    prompt: 'mine',
    model: 'my-model',
    provenance: { prompt: 'a red fox' },
  });
});

test('what PostgreSQL does not keep is left out, and the rest is kept', async () => {
  const file = await pngWith(
    textChunk('parameters', 'nul\0l \nSteps: 1, Seed: 2'),
    textChunk('__proto__', '{"a":1}'),
    textChunk('deep', '['.repeat(50_000)),
  );
  const image = await ask(file);
  expect(image).toMatchObject({ prompt: 'null', provenance: { seed: '2' } });
  expect(image?.provenance?.raw.deep).toBe('['.repeat(50_000));
});

test('a picture that says nothing has no provenance', async () => {
  expect(await ask(await makePicture({ seed: 9 }))).toEqual({ prompt: '', model: null, provenance: null });
});
