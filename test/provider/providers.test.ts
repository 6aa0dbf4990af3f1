import { readdir, readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { InputError, ProviderError } from '../../src/errors.ts';
import { openSdkProvider } from '../../src/provider/ai-sdk.ts';
import { knownModels } from '../../src/provider/known-models.ts';
import { XAI_MODELS } from '../../src/provider/models/xai.ts';
import { makeProviders } from '../../src/provider/providers.ts';
import { makeSampleProvider } from '../../src/provider/sample/sample.ts';
import { openXaiProvider } from '../../src/provider/xai.ts';
import { NOTHING_MORE } from './plain-request.ts';

const known = knownModels(new Date('2026-11-21'));
const xai = openXaiProvider({ apiKey: 'k', baseUrl: 'http://127.0.0.1:9/v1' });

function fault(find: () => unknown): InputError {
  try {
    find();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error('The model was found.');
}

test('the default is the first model of the first provider, unless a setting names another', () => {
  const all = [xai, makeSampleProvider()];
  expect(makeProviders(all, null, known).defaultModel.id).toBe('grok-imagine-image');
  expect(makeProviders(all, 'sample', known).defaultModel.id).toBe('sample');
});

test('the catalogue has every known model once and marks those that are configured', () => {
  const { catalogue, models } = makeProviders([xai, makeSampleProvider()], null, known);
  const ids = catalogue.map(({ model }) => model.id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toHaveLength(known.length + 1);
  expect(catalogue.filter(({ available }) => available).map(({ model }) => model)).toEqual(models);
  expect(models).toHaveLength(XAI_MODELS.length + 1);
});

test('a model of an unconfigured provider has another error than an unknown model', () => {
  const { find } = makeProviders([makeSampleProvider()], null, known);
  expect(fault(() => find('flux-2-pro'))).toMatchObject({
    code: 'MODEL_UNAVAILABLE',
    inputPath: ['input', 'model'],
    message: expect.stringMatching(/flux-2-pro needs the provider bfl, which is not configured/),
  });
  expect(fault(() => find('flux-9'))).toMatchObject({ code: 'UNKNOWN_MODEL' });
  expect(fault(() => find('dall-e-3'))).toMatchObject({ code: 'UNKNOWN_MODEL' });
});

test('a provider reports a package that cannot be loaded, costs nothing, and loads it again at the next call', async () => {
  let loads = 0;
  const broken = openSdkProvider(
    {
      name: 'xai',
      label: 'xAI',
      models: XAI_MODELS,
      metadataKey: 'xai',
      loadModelFactory: async () => {
        loads++;
        throw new Error('Cannot find package');
      },
      callOptions: () => ({}),
    },
    { apiKey: 'k', baseUrl: 'http://127.0.0.1:9/v1' },
  );
  const request = {
    ...{ model: 'grok-imagine-image', prompt: 'a fox', size: '1024x1024', user: '' },
    ...NOTHING_MORE,
  };
  for (const times of [1, 2]) {
    const failed = broken.generate(request, new AbortController().signal);
    await expect(failed).rejects.toThrow(ProviderError);
    await expect(failed).rejects.toMatchObject({ code: 'PROVIDER_FAILED', retryable: true, paid: false });
    expect(loads).toBe(times);
  }
  await broken.close();
});

test('importing src/provider loads no package of the AI SDK', async () => {
  const folder = new URL('../../src/provider/', import.meta.url);
  const files = (await readdir(folder)).filter((name) => name.endsWith('.ts'));
  expect(files.length).toBeGreaterThan(15);
  for (const name of files) {
    const text = await readFile(new URL(name, folder), 'utf8');
    expect(text, name).not.toMatch(/^import (?!type\b).* from '(ai|undici|@ai-sdk\/.+)';$/m);
  }
});
