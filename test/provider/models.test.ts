import { describe, expect, test } from 'vitest';
import { InputError } from '../../src/errors.ts';
import { checkRequest, OPENAI_MODELS, parseSize } from '../../src/provider/models.ts';
import type { Model } from '../../src/provider/provider.ts';
import { makeSampleProvider } from '../../src/provider/sample.ts';

const [sample] = makeSampleProvider().models as [Model];
const gpt = OPENAI_MODELS.find((model) => model.id === 'gpt-image-1') as Model;
const dallE3 = OPENAI_MODELS.find((model) => model.id === 'dall-e-3') as Model;

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
    expect(checkRequest(gpt, { prompt: 'a fox' })).toEqual({ size: '1024x1024', quality: null, style: null });
    expect(checkRequest(sample, { prompt: 'a fox', size: null, quality: null, style: undefined })).toEqual({
      size: '512x512',
      quality: null,
      style: null,
    });
  });

  test('keeps what it names', () => {
    const asked = { prompt: 'a fox', size: '1792x1024', quality: 'hd', style: 'natural' };
    expect(checkRequest(dallE3, asked)).toEqual({ size: '1792x1024', quality: 'hd', style: 'natural' });
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
      path: ['input', 'size'],
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
      path: ['input', 'size'],
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
      path: ['input', 'quality'],
      message: 'The model gpt-image-1 does not know the quality "hd". It takes low, medium, high or auto.',
    });
    expect(refusal(dallE3, { prompt: 'a fox', style: 'Vivid' })).toMatchObject({
      path: ['input', 'style'],
      message: 'The model dall-e-3 does not know the style "Vivid". It takes vivid or natural.',
    });
    expect(refusal(sample, { prompt: 'a fox', style: 'vivid' }).message).toBe(
      'The model sample knows no style. Leave style out.',
    );
    expect(refusal(dallE3, { prompt: 'a fox', quality: '' }).code).toBe('UNSUPPORTED_BY_MODEL');
  });

  test.each(['', '   ', '\n\t', '\u00a0\u2003'])('is refused for the blank prompt %j', (prompt) => {
    expect(refusal(sample, { prompt })).toMatchObject({ code: 'INVALID_INPUT', path: ['input', 'prompt'] });
  });

  test('is told how long its prompt is, and how long it may be', () => {
    expect(refusal(dallE3, { prompt: 'x'.repeat(4001) })).toMatchObject({
      code: 'UNSUPPORTED_BY_MODEL',
      path: ['input', 'prompt'],
      message: 'The prompt has 4001 characters; the model dall-e-3 takes at most 4000.',
    });
  });

  test('is quoted in no more than a line', () => {
    expect(refusal(gpt, { prompt: 'a fox', quality: 'q'.repeat(100_000) }).message.length).toBeLessThan(200);
    expect(refusal(gpt, { prompt: 'a fox', size: '9'.repeat(100_000) }).message.length).toBeLessThan(200);
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
