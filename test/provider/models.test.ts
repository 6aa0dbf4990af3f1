import { describe, expect, test } from 'vitest';
import { InputError } from '../../src/errors.ts';
import { knownModels } from '../../src/provider/known-models.ts';
import { OPENAI_MODELS } from '../../src/provider/models/openai.ts';
import { checkRequest, parseSize, priceOf } from '../../src/provider/models.ts';
import type { Model } from '../../src/provider/provider.ts';
import { makeSampleProvider } from '../../src/provider/sample/sample.ts';

const [sample] = makeSampleProvider().models as [Model];
const gpt = OPENAI_MODELS.find((model) => model.id === 'gpt-image-1') as Model;
const dallE3 = OPENAI_MODELS.find((model) => model.id === 'dall-e-3') as Model;

const unset = { quality: null, style: null, seed: null, background: null, format: null };

function refusal(model: Model, asked: Parameters<typeof checkRequest>[1]): InputError {
  try {
    checkRequest(model, asked);
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error('It was not refused.');
}

describe('a request that fits', () => {
  test('gets the default size of the model, and leaves quality and style to the provider', () => {
    expect(checkRequest(gpt, { prompt: 'a fox' })).toEqual({ ...unset, size: '1024x1024' });
    expect(checkRequest(sample, { prompt: 'a fox', size: null, quality: null, style: undefined })).toEqual({
      ...unset,
      size: '512x512',
    });
  });

  test('keeps what it names', () => {
    const asked = { prompt: 'a fox', size: '1792x1024', quality: 'hd', style: 'natural' };
    expect(checkRequest(dallE3, asked)).toEqual({
      ...unset,
      size: '1792x1024',
      quality: 'hd',
      style: 'natural',
    });
  });

  test('may go to the very bounds of sizes and of prompts', () => {
    expect(checkRequest(sample, { prompt: 'a fox', size: '16x2048' }).size).toBe('16x2048');
    expect(checkRequest(dallE3, { prompt: 'x'.repeat(4000) }).size).toBe('1024x1024');
  });
});

describe('a request that does not fit', () => {
  test.each([
    '',
    ' ',
    '1024',
    '1024x',
    'x1024',
    '1024X1024',
    '1024*1024',
    '1024 x 1024',
    ' 1024x1024',
    '1024x1024\n',
  ])('is refused as malformed for the size %j', (size) => {
    expect(refusal(sample, { prompt: 'a fox', size })).toMatchObject({
      code: 'INVALID_INPUT',
      inputPath: ['input', 'size'],
    });
  });

  test.each([
    '0x0',
    '0x512',
    '-512x512',
    '512x-512',
    '512.5x512',
    '0512x512',
    '1e2x512',
    '+16x16',
    '0x200x16',
  ])('is refused as malformed for the size %j, which is no pair of whole numbers from 1', (size) => {
    expect(refusal(sample, { prompt: 'a fox', size }).message).toBe(
      `The size "${size}" is not understood. Write it as WIDTHxHEIGHT in pixels, each at least 1, such as 1024x1024.`,
    );
  });

  test('is told the sizes that the model makes', () => {
    expect(refusal(dallE3, { prompt: 'a fox', size: '512x512' })).toMatchObject({
      code: 'UNSUPPORTED_BY_MODEL',
      inputPath: ['input', 'size'],
      message:
        'The model dall-e-3 cannot make a picture of "512x512". It takes 1024x1024, 1792x1024 or 1024x1792.',
    });
  });

  test.each(['15x512', '512x2049', '1x1', '999999999999999999999x16'])(
    'is told the bounds of the model for the size %s',
    (size) => {
      expect(refusal(sample, { prompt: 'a fox', size })).toMatchObject({
        code: 'UNSUPPORTED_BY_MODEL',
        message: `The model sample cannot make a picture of "${size}". It takes any size whose sides are from 16 to 2048 pixels.`,
      });
    },
  );

  test('is told the qualities and styles of the model, or that it has none', () => {
    expect(refusal(gpt, { prompt: 'a fox', quality: 'hd' })).toMatchObject({
      code: 'UNSUPPORTED_BY_MODEL',
      inputPath: ['input', 'quality'],
      message: 'The model gpt-image-1 does not know the quality "hd". It takes low, medium, high or auto.',
    });
    expect(refusal(dallE3, { prompt: 'a fox', style: 'Vivid' })).toMatchObject({
      inputPath: ['input', 'style'],
      message: 'The model dall-e-3 does not know the style "Vivid". It takes vivid or natural.',
    });
    expect(refusal(sample, { prompt: 'a fox', style: 'vivid' }).message).toBe(
      'The model sample knows no style. Leave style out.',
    );
    expect(refusal(dallE3, { prompt: 'a fox', quality: '' }).code).toBe('UNSUPPORTED_BY_MODEL');
  });

  test.each(['', '   ', '\n\t', '\u00a0\u2003'])('is refused for the blank prompt %j', (prompt) => {
    expect(refusal(sample, { prompt })).toMatchObject({
      code: 'INVALID_INPUT',
      inputPath: ['input', 'prompt'],
    });
  });

  test('is told how long its prompt is, and how long it may be', () => {
    expect(refusal(dallE3, { prompt: 'x'.repeat(4001) })).toMatchObject({
      code: 'UNSUPPORTED_BY_MODEL',
      inputPath: ['input', 'prompt'],
      message: 'The prompt has 4001 characters; the model dall-e-3 takes at most 4000.',
    });
  });

  test('is quoted in no more than a line', () => {
    expect(refusal(gpt, { prompt: 'a fox', quality: 'q'.repeat(100_000) }).message.length).toBeLessThan(200);
    expect(refusal(gpt, { prompt: 'a fox', size: '9'.repeat(100_000) }).message.length).toBeLessThan(200);
  });
});

describe('an edit or a special wish', () => {
  test('is taken as far as the model goes', () => {
    const asked = { prompt: 'a fox', seed: null, background: 'transparent', format: 'webp' } as const;
    expect(checkRequest(gpt, { ...asked, references: 16, mask: true })).toMatchObject({
      background: 'transparent',
      format: 'webp',
    });
    expect(checkRequest(sample, { prompt: 'a fox', seed: 2 ** 31 - 1 }).seed).toBe(2 ** 31 - 1);
  });

  test.each([
    [
      dallE3,
      { references: 1 },
      'references',
      'The model dall-e-3 makes new pictures only and takes no references.',
    ],
    [gpt, { references: 17 }, 'references', 'The model gpt-image-1 takes at most 16 references, not 17.'],
    [dallE3, { mask: true }, 'mask', 'The model dall-e-3 takes no mask.'],
    [gpt, { seed: 7 }, 'seed', 'The model gpt-image-1 takes no seed.'],
    [
      dallE3,
      { background: 'transparent' },
      'background',
      'The model dall-e-3 cannot leave the background transparent.',
    ],
    [
      dallE3,
      { format: 'webp' },
      'format',
      'The model dall-e-3 cannot be asked for webp; it decides the format itself.',
    ],
    [
      gpt,
      { background: 'transparent', format: 'jpeg' },
      'format',
      'The model gpt-image-1 cannot make a transparent JPEG; ask for png or webp.',
    ],
  ] as const)('beyond what %o can do is refused: %j', (model, asked, field, message) => {
    expect(refusal(model, { prompt: 'a fox', ...asked })).toMatchObject({
      code: 'UNSUPPORTED_BY_MODEL',
      inputPath: ['input', field],
      message,
    });
  });

  test('that no model could take is refused as such', () => {
    expect(refusal(gpt, { prompt: 'a fox', mask: true })).toMatchObject({ code: 'INVALID_INPUT' });
    for (const seed of [-1, 0.5, 2 ** 31, Number.NaN]) {
      expect(refusal(sample, { prompt: 'a fox', seed })).toMatchObject({
        code: 'INVALID_INPUT',
        inputPath: ['input', 'seed'],
      });
    }
  });
});

describe('a price', () => {
  test.each([
    [{ size: '1024x1024', quality: null }, 0.04],
    [{ size: '1024x1024', quality: 'standard' }, 0.04],
    [{ size: '1792x1024', quality: null }, 0.08],
    [{ size: '1024x1024', quality: 'hd' }, 0.08],
    [{ size: '1024x1792', quality: 'hd' }, 0.12],
  ])('of dall-e-3 for %j is %f', (request, usd) => {
    expect(priceOf(dallE3, request)).toBe(usd);
  });

  test('that is not published is not guessed', () => {
    expect(priceOf(gpt, { size: '1024x1024', quality: 'high' })).toBeNull();
  });
});

describe('the tables of all providers', () => {
  const models = knownModels(new Date('2026-11-21'));

  test('name each model once, and only those that are not shut down', () => {
    const ids = models.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(
      expect.arrayContaining(['gpt-image-2.5-flare', 'gemini-3-pro-image-preview', 'flux-kontext-pro']),
    );
    expect(ids).not.toContain('dall-e-3');
  });

  test('have readable sizes, each once, and a default among them', () => {
    for (const { id, sizes, defaultSize } of models) {
      const list = sizes as readonly string[];
      expect(list, id).toContain(defaultSize);
      expect(new Set(list).size, id).toBe(list.length);
      for (const size of list) parseSize(size);
    }
  });

  test('map each size of a model that takes ratios to a ratio that is near it', () => {
    for (const model of models) {
      if (!('shapes' in model) || model.shapes === null) continue;
      const shapes = model.shapes as Record<string, { aspectRatio: string }>;
      expect(Object.keys(shapes), model.id).toEqual(model.sizes);
      for (const [size, { aspectRatio }] of Object.entries(shapes)) {
        const { width, height } = parseSize(size);
        const [across = 0, down = 1] = aspectRatio.split(':').map(Number);
        expect((width / height) * (down / across), `${model.id} ${size}`).toBeGreaterThan(0.95);
        expect((width / height) * (down / across), `${model.id} ${size}`).toBeLessThan(1.05);
      }
    }
  });
});

describe('the table of OpenAI models', () => {
  test('has each model once, and every default fits its own model', () => {
    const ids = OPENAI_MODELS.map((model) => model.id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const model of OPENAI_MODELS) {
      expect(model.sizes).toContain(model.defaultSize);
      expect(checkRequest(model, { prompt: 'a fox' }).size).toBe(model.defaultSize);
    }
  });

  test('begins with a model that is not to be shut down', () => {
    expect(OPENAI_MODELS[0]).toMatchObject({ id: 'gpt-image-2.5-flare', shutDown: null });
  });

  test('has only sizes that can be read', () => {
    for (const { sizes } of OPENAI_MODELS) for (const size of sizes as readonly string[]) parseSize(size);
    expect(parseSize('1536x1024')).toEqual({ width: 1536, height: 1024 });
  });
});
