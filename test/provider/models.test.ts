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

function rejection(model: Model, asked: Parameters<typeof checkRequest>[1]): InputError {
  try {
    checkRequest(model, asked);
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error('The request was not rejected.');
}

describe('a request that fits', () => {
  test('gets the default size of the model, and no quality and style', () => {
    expect(checkRequest(gpt, { prompt: 'a fox' })).toEqual({ ...unset, size: '1024x1024' });
    expect(checkRequest(sample, { prompt: 'a fox', size: null, quality: null, style: undefined })).toEqual({
      ...unset,
      size: '512x512',
    });
  });

  test('keeps the settings that it names', () => {
    const asked = { prompt: 'a fox', size: '1792x1024', quality: 'hd', style: 'natural' };
    expect(checkRequest(dallE3, asked)).toEqual({
      ...unset,
      size: '1792x1024',
      quality: 'hd',
      style: 'natural',
    });
  });

  test('may use the limits of size and prompt length', () => {
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
  ])('is rejected as malformed for the size %j', (size) => {
    expect(rejection(sample, { prompt: 'a fox', size })).toMatchObject({
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
  ])('is rejected as malformed for the size %j, because the sides must be whole numbers from 1', (size) => {
    expect(rejection(sample, { prompt: 'a fox', size }).message).toBe(
      `The size "${size}" is malformed. Write it as WIDTHxHEIGHT in pixels, each at least 1, such as 1024x1024.`,
    );
  });

  test('gets an error that lists the sizes of the model', () => {
    expect(rejection(dallE3, { prompt: 'a fox', size: '512x512' })).toMatchObject({
      code: 'UNSUPPORTED_BY_MODEL',
      inputPath: ['input', 'size'],
      message:
        'Model dall-e-3 cannot make pictures of the size "512x512". Choose 1024x1024, 1792x1024 or 1024x1792.',
    });
  });

  test.each(['15x512', '512x2049', '1x1', '999999999999999999999x16'])(
    'gets an error with the size limits of the model for the size %s',
    (size) => {
      expect(rejection(sample, { prompt: 'a fox', size })).toMatchObject({
        code: 'UNSUPPORTED_BY_MODEL',
        message: `Model sample cannot make pictures of the size "${size}". Choose a size with sides from 16 to 2048 pixels.`,
      });
    },
  );

  test('gets an error that lists the qualities or styles of the model, or says that it has none', () => {
    expect(rejection(gpt, { prompt: 'a fox', quality: 'hd' })).toMatchObject({
      code: 'UNSUPPORTED_BY_MODEL',
      inputPath: ['input', 'quality'],
      message: 'Model gpt-image-1 does not know the quality "hd". Choose low, medium, high or auto.',
    });
    expect(rejection(dallE3, { prompt: 'a fox', style: 'Vivid' })).toMatchObject({
      inputPath: ['input', 'style'],
      message: 'Model dall-e-3 does not know the style "Vivid". Choose vivid or natural.',
    });
    expect(rejection(sample, { prompt: 'a fox', style: 'vivid' }).message).toBe(
      'Model sample has no setting style. Leave style out.',
    );
    expect(rejection(dallE3, { prompt: 'a fox', quality: '' }).code).toBe('UNSUPPORTED_BY_MODEL');
  });

  test.each(['', '   ', '\n\t', '\u00a0\u2003'])('is rejected for the blank prompt %j', (prompt) => {
    expect(rejection(sample, { prompt })).toMatchObject({
      code: 'INVALID_INPUT',
      inputPath: ['input', 'prompt'],
    });
  });

  test('gets an error with the length of the prompt and the limit', () => {
    expect(rejection(dallE3, { prompt: 'x'.repeat(4001) })).toMatchObject({
      code: 'UNSUPPORTED_BY_MODEL',
      inputPath: ['input', 'prompt'],
      message: 'The prompt has 4001 characters. Model dall-e-3 accepts at most 4000.',
    });
  });

  test('is shortened in the error message', () => {
    expect(rejection(gpt, { prompt: 'a fox', quality: 'q'.repeat(100_000) }).message.length).toBeLessThan(
      200,
    );
    expect(rejection(gpt, { prompt: 'a fox', size: '9'.repeat(100_000) }).message.length).toBeLessThan(200);
  });
});

describe('an edit, a seed, a background or a format', () => {
  test('is accepted up to the limits of the model', () => {
    const asked = { prompt: 'a fox', seed: null, background: 'transparent', format: 'webp' } as const;
    expect(checkRequest(gpt, { ...asked, references: 16, mask: true })).toMatchObject({
      background: 'transparent',
      format: 'webp',
    });
    expect(checkRequest(sample, { prompt: 'a fox', seed: 2 ** 31 - 1 }).seed).toBe(2 ** 31 - 1);
  });

  test.each([
    [dallE3, { references: 1 }, 'references', 'Model dall-e-3 cannot edit and accepts no references.'],
    [gpt, { references: 17 }, 'references', 'Model gpt-image-1 accepts at most 16 references, not 17.'],
    [dallE3, { mask: true }, 'mask', 'Model dall-e-3 accepts no mask.'],
    [gpt, { seed: 7 }, 'seed', 'Model gpt-image-1 accepts no seed.'],
    [
      dallE3,
      { background: 'transparent' },
      'background',
      'Model dall-e-3 cannot make a transparent background.',
    ],
    [
      dallE3,
      { format: 'webp' },
      'format',
      'Model dall-e-3 cannot make webp on request. Leave format out: the provider decides it.',
    ],
    [
      gpt,
      { background: 'transparent', format: 'jpeg' },
      'format',
      'Model gpt-image-1 cannot make a transparent JPEG. Choose png or webp.',
    ],
  ] as const)('that %o cannot do is rejected: %j', (model, asked, field, message) => {
    expect(rejection(model, { prompt: 'a fox', ...asked })).toMatchObject({
      code: 'UNSUPPORTED_BY_MODEL',
      inputPath: ['input', field],
      message,
    });
  });

  test('that no model could accept is INVALID_INPUT', () => {
    expect(rejection(gpt, { prompt: 'a fox', mask: true })).toMatchObject({ code: 'INVALID_INPUT' });
    for (const seed of [-1, 0.5, 2 ** 31, Number.NaN]) {
      expect(rejection(sample, { prompt: 'a fox', seed })).toMatchObject({
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

  test('that is not published is null', () => {
    expect(priceOf(gpt, { size: '1024x1024', quality: 'high' })).toBeNull();
  });
});

describe('the tables of all providers', () => {
  const models = knownModels(new Date('2026-11-21'));

  test('have each model once, and none that is shut down', () => {
    const ids = models.map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(
      expect.arrayContaining(['gpt-image-2.5-flare', 'gemini-3-pro-image-preview', 'flux-kontext-pro']),
    );
    expect(ids).not.toContain('dall-e-3');
  });

  test('have well-formed sizes, each once, and the default among them', () => {
    for (const { id, sizes, defaultSize } of models) {
      const list = sizes as readonly string[];
      expect(list, id).toContain(defaultSize);
      expect(new Set(list).size, id).toBe(list.length);
      for (const size of list) parseSize(size);
    }
  });

  test('map each size of a model with aspect ratios to a ratio close to it', () => {
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

  test('begins with a model that has no shutdown date', () => {
    expect(OPENAI_MODELS[0]).toMatchObject({ id: 'gpt-image-2.5-flare', shutDown: null });
  });

  test('has only well-formed sizes', () => {
    for (const { sizes } of OPENAI_MODELS) for (const size of sizes as readonly string[]) parseSize(size);
    expect(parseSize('1536x1024')).toEqual({ width: 1536, height: 1024 });
  });
});
