import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { checkRequest } from '../../src/provider/models.ts';
import type { Model, PictureRequest } from '../../src/provider/provider.ts';
import { makeSampleProvider } from '../../src/provider/sample.ts';

const never = new AbortController().signal;

function ask(prompt: string, size = '128x128'): PictureRequest {
  return { model: 'sample', prompt, size, quality: null, style: null, user: 'u1' };
}

/** The picture as 8 by 8 colours, which says what it looks like and forgets its details. */
async function look(bytes: Uint8Array): Promise<Buffer> {
  return sharp(bytes).resize(8, 8, { fit: 'fill' }).raw().toBuffer();
}

function difference(a: Buffer, b: Buffer): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] ?? 0)), 0) / a.length;
}

describe('the sample provider', () => {
  test('has one model, which takes any size from 16 to 2048 and knows no quality and no style', () => {
    const { name, models } = makeSampleProvider();
    expect(name).toBe('sample');
    expect(models).toEqual([
      {
        id: 'sample',
        provider: 'sample',
        sizes: { minSide: 16, maxSide: 2048 },
        defaultSize: '512x512',
        qualities: [],
        styles: [],
        maxPromptLength: 32_000,
      },
    ]);
    expect(checkRequest(models[0] as Model, { prompt: 'a fox' }).size).toBe('512x512');
  });

  test.each([
    [16, 16],
    [512, 512],
    [2048, 16],
    [16, 2048],
    [333, 777],
    [1920, 1080],
  ])('draws a whole PNG of exactly %d by %d pixels', async (width, height) => {
    const { bytes } = await makeSampleProvider().generate(
      ask('a fox in the snow', `${width}x${height}`),
      never,
    );
    const { info } = await sharp(bytes, { failOn: 'warning' }).raw().toBuffer({ resolveWithObject: true });
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'png', width, height });
    expect(info).toMatchObject({ width, height, channels: 3 });
  });

  test('gives the same bytes for the same request', async () => {
    const one = await makeSampleProvider().generate(ask('a fox'), never);
    const other = await makeSampleProvider().generate({ ...ask('a fox'), user: 'u2' }, never);
    expect(Buffer.compare(one.bytes, other.bytes)).toBe(0);
  });

  test('gives pictures that differ to the eye for prompts that differ in a letter', async () => {
    const provider = makeSampleProvider();
    const prompts = Array.from({ length: 24 }, (_, i) => `a fox ${i}`);
    const looks = await Promise.all(
      prompts.map(async (p) => look((await provider.generate(ask(p), never)).bytes)),
    );
    const differences = looks.flatMap((a, i) => looks.slice(i + 1).map((b) => difference(a, b)));
    expect(Math.min(...differences)).toBeGreaterThan(2);
    expect(differences.reduce((a, b) => a + b) / differences.length).toBeGreaterThan(25);
  });

  test('shows the same scene in another size', async () => {
    const provider = makeSampleProvider();
    const small = await provider.generate(ask('a fox', '128x128'), never);
    const large = await provider.generate(ask('a fox', '512x512'), never);
    expect(difference(await look(small.bytes), await look(large.bytes))).toBeLessThan(2);
  });

  test('takes any text for a prompt', async () => {
    const provider = makeSampleProvider();
    for (const prompt of ['</svg><script>', '&amp;"\'', '\ud800 half a pair', '🦊'.repeat(1000), '\u0000']) {
      const { bytes } = await provider.generate(ask(prompt, '32x32'), never);
      expect((await sharp(bytes).metadata()).width).toBe(32);
    }
  });

  test('says which seed and mood it painted, and nothing that it does not know', async () => {
    const picture = await makeSampleProvider().generate(ask('a fox'), never);
    expect(picture).toMatchObject({
      revisedPrompt: null,
      originalUrl: null,
      metadata: { seed: expect.stringMatching(/^[0-9a-f]{64}$/), mood: expect.stringMatching(/^[a-z]+$/) },
    });
  });

  test('paints nothing for a caller who has left', async () => {
    await expect(makeSampleProvider().generate(ask('a fox'), AbortSignal.abort())).rejects.toMatchObject({
      name: 'ProviderError',
      code: 'PROVIDER_FAILED',
      provider: 'sample',
      retryable: true,
    });
  });
});
