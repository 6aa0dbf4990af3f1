import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { checkRequest } from '../../src/provider/models.ts';
import type { Attachment, Model, PictureRequest } from '../../src/provider/provider.ts';
import { makeSampleProvider } from '../../src/provider/sample/sample.ts';
import { NOTHING_MORE } from './plain-request.ts';

const never = new AbortController().signal;

function ask(prompt: string, size = '128x128', more: Partial<PictureRequest> = {}): PictureRequest {
  return { model: 'sample', prompt, size, user: 'u1', ...NOTHING_MORE, ...more };
}

async function paint(request: PictureRequest): Promise<Uint8Array> {
  const { picture } = await makeSampleProvider().generate(request, never);
  if (!('bytes' in picture)) throw new Error('The response has a URL instead of bytes.');
  return picture.bytes;
}

async function drawn(svg: string): Promise<Attachment> {
  const bytes = await sharp(Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" ${svg}</svg>`))
    .png()
    .toBuffer();
  return { bytes, mimeType: 'image/png' };
}

async function pixelAt(bytes: Uint8Array, x: number, y: number): Promise<number[]> {
  const { data } = await sharp(bytes)
    .ensureAlpha()
    .extract({ left: x, top: y, width: 1, height: 1 })
    .raw()
    .toBuffer({ resolveWithObject: true });
  return [...data];
}

/** Scales the picture down to 8 by 8 colours: its overall look without details. */
async function overallLook(bytes: Uint8Array): Promise<Buffer> {
  return sharp(bytes).resize(8, 8, { fit: 'fill' }).raw().toBuffer();
}

function difference(a: Buffer, b: Buffer): number {
  return a.reduce((sum, value, i) => sum + Math.abs(value - (b[i] ?? 0)), 0) / a.length;
}

describe('the sample provider', () => {
  test('has one model with any size from 16 to 2048, no quality and no style', () => {
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
        edits: { maxReferences: 16, mask: true },
        seeds: true,
        transparency: true,
        formats: ['png', 'jpeg', 'webp'],
        prices: [],
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
  ])('draws an intact PNG of exactly %d by %d pixels', async (width, height) => {
    const bytes = await paint(ask('a fox in the snow', `${width}x${height}`));
    const { info } = await sharp(bytes, { failOn: 'warning' }).raw().toBuffer({ resolveWithObject: true });
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'png', width, height });
    expect(info).toMatchObject({ width, height, channels: 3 });
  });

  test('returns the same bytes for the same request', async () => {
    const one = await paint(ask('a fox'));
    const other = await paint({ ...ask('a fox'), user: 'u2' });
    expect(Buffer.compare(one, other)).toBe(0);
  });

  test('returns visibly different pictures for prompts that differ by one character', async () => {
    const prompts = Array.from({ length: 24 }, (_, i) => `a fox ${i}`);
    const looks = await Promise.all(prompts.map(async (p) => overallLook(await paint(ask(p)))));
    const differences = looks.flatMap((a, i) => looks.slice(i + 1).map((b) => difference(a, b)));
    expect(Math.min(...differences)).toBeGreaterThan(2);
    expect(differences.reduce((a, b) => a + b) / differences.length).toBeGreaterThan(25);
  });

  test('shows the same scene in another size', async () => {
    const small = await paint(ask('a fox', '128x128'));
    const large = await paint(ask('a fox', '512x512'));
    expect(difference(await overallLook(small), await overallLook(large))).toBeLessThan(2);
  });

  test('accepts any text as a prompt', async () => {
    for (const prompt of ['</svg><script>', '&amp;"\'', '\ud800 half a pair', '🦊'.repeat(1000), '\u0000']) {
      const bytes = await paint(ask(prompt, '32x32'));
      expect((await sharp(bytes).metadata()).width).toBe(32);
    }
  });

  test('returns the seed and the mood as metadata', async () => {
    const picture = await makeSampleProvider().generate(ask('a fox'), never);
    expect(picture).toMatchObject({
      revisedPrompt: null,
      metadata: { seed: expect.stringMatching(/^[0-9a-f]{64}$/), mood: expect.stringMatching(/^[a-z]+$/) },
    });
  });

  test('paints nothing when the call is already cancelled', async () => {
    await expect(makeSampleProvider().generate(ask('a fox'), AbortSignal.abort())).rejects.toMatchObject({
      name: 'ProviderError',
      code: 'PROVIDER_FAILED',
      provider: 'sample',
      retryable: true,
    });
  });
});

describe('the sample provider with seeds, formats and edits', () => {
  test('paints another scene for another seed, and the same bytes for the same seed', async () => {
    const [none, one, again, two] = await Promise.all(
      [null, 1, 1, 2].map((seed) => paint(ask('a fox', '128x128', { seed }))),
    );
    expect(Buffer.compare(one as Uint8Array, again as Uint8Array)).toBe(0);
    for (const [a, b] of [
      [none, one],
      [one, two],
    ] as [Uint8Array, Uint8Array][]) {
      expect(difference(await overallLook(a), await overallLook(b))).toBeGreaterThan(2);
    }
  });

  test.each(['png', 'jpeg', 'webp'] as const)('returns %s when the request names it', async (format) => {
    const bytes = await paint(ask('a fox', '64x32', { format }));
    expect(await sharp(bytes).metadata()).toMatchObject({ format, width: 64, height: 32 });
  });

  test.each(['png', 'webp'] as const)(
    'draws an emblem on a transparent background, as %s',
    async (format) => {
      const bytes = await paint(ask('a star', '128x96', { background: 'transparent', format }));
      expect(await sharp(bytes).metadata()).toMatchObject({ format, width: 128, height: 96, hasAlpha: true });
      expect((await pixelAt(bytes, 0, 0))[3]).toBe(0);
      expect((await pixelAt(bytes, 127, 95))[3]).toBe(0);
      expect((await pixelAt(bytes, 64, 48))[3]).toBe(255);
    },
  );

  test('bases an edit on the first reference, cropped to the size', async () => {
    const red = await drawn('width="300" height="100"><rect width="300" height="100" fill="#f00"/>');
    const blue = await drawn('width="300" height="100"><rect width="300" height="100" fill="#00f"/>');
    const [a, b] = await Promise.all([
      paint(ask('a fox', '128x128', { references: [red] })),
      paint(ask('a fox', '128x128', { references: [blue] })),
    ]);
    expect(await sharp(a).metadata()).toMatchObject({ width: 128, height: 128 });
    const [[r = 0, , rb = 0], [br = 0, , bb = 0]] = [await pixelAt(a, 64, 64), await pixelAt(b, 64, 64)];
    expect(r - br).toBeGreaterThan(100);
    expect(bb - rb).toBeGreaterThan(100);
  });

  test('shows the other references small along the lower edge', async () => {
    const white = await drawn('width="50" height="50"><rect width="50" height="50" fill="#fff"/>');
    const green = await drawn('width="50" height="50"><rect width="50" height="50" fill="#0f0"/>');
    const bytes = await paint(ask('a fox', '200x200', { references: [white, white, green] }));
    expect(await pixelAt(bytes, 8 + 48 + 20, 200 - 8 - 20)).toEqual([0, 255, 0, 255]);
  });

  test('accepts sixteen references, even for the smallest picture', async () => {
    const white = await drawn('width="50" height="50"><rect width="50" height="50" fill="#fff"/>');
    for (const size of ['16x16', '300x200']) {
      const bytes = await paint(ask('a fox', size, { references: Array(16).fill(white) }));
      expect((await sharp(bytes).metadata()).format).toBe('png');
    }
  });

  test('paints anew only where the mask is transparent, and keeps every other pixel', async () => {
    const [width, height] = [120, 80];
    const noise = Buffer.from(await paint(ask('something detailed', `${width}x${height}`)));
    const reference = { bytes: noise, mimeType: 'image/png' };
    const mask = await drawn(
      `width="${width}" height="${height}"><path fill-rule="evenodd" d="M0 0H120V80H0ZM20 20V60H70V20Z"/>`,
    );
    const bytes = await paint(ask('a fox', `${width}x${height}`, { references: [reference], mask }));
    const fresh = await paint(ask('a fox', `${width}x${height}`));
    const [edited, before, scene] = await Promise.all(
      [bytes, noise, fresh].map((picture) => sharp(picture).removeAlpha().raw().toBuffer()),
    );
    const wrong: string[] = [];
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const open = x >= 20 && x < 70 && y >= 20 && y < 60;
        const at = (y * width + x) * 3;
        const expected = (open ? scene : before)?.subarray(at, at + 3);
        if (!expected?.equals(edited?.subarray(at, at + 3) as Buffer)) wrong.push(`${x},${y}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('keeps transparent pixels when the background is to be transparent', async () => {
    const emblem = {
      bytes: await paint(ask('a star', '128x128', { background: 'transparent' })),
      mimeType: 'image/png',
    };
    const kept = await paint(ask('a fox', '128x128', { references: [emblem], background: 'transparent' }));
    expect((await pixelAt(kept, 0, 0))[3]).toBe(0);
    const filled = await paint(ask('a fox', '128x128', { references: [emblem] }));
    expect((await pixelAt(filled, 0, 0))[3]).toBe(255);
  });

  test('rejects references and masks that it cannot use, without a retry', async () => {
    const white = await drawn('width="50" height="50"><rect width="50" height="50" fill="#fff"/>');
    const open = await drawn('width="50" height="40"><rect width="10" height="10"/>');
    const opaque = await sharp(white.bytes).removeAlpha().png().toBuffer();
    const text = { bytes: Buffer.from('no picture'), mimeType: 'image/png' };
    const svg = {
      bytes: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'),
      mimeType: 'image/png',
    };
    const cut = { bytes: white.bytes.subarray(0, 60), mimeType: 'image/png' };
    const wrong: Partial<PictureRequest>[] = [
      { references: [text] },
      { references: [svg] },
      { references: [cut] },
      { references: [white, text] },
      { references: [white], mask: text },
      { references: [white], mask: open },
      { references: [white], mask: { bytes: opaque, mimeType: 'image/png' } },
    ];
    for (const more of wrong) {
      await expect(paint(ask('a fox', '64x64', more))).rejects.toMatchObject({
        name: 'ProviderError',
        code: 'INVALID_INPUT',
        retryable: false,
      });
    }
  });

  test('rejects a reference that would decode to too many pixels', async () => {
    const bomb = await sharp({ create: { width: 12_000, height: 5_000, channels: 3, background: '#fff' } })
      .png()
      .toBuffer();
    await expect(
      paint(ask('a fox', '64x64', { references: [{ bytes: bomb, mimeType: 'image/png' }] })),
    ).rejects.toMatchObject({ code: 'INVALID_INPUT', retryable: false });
  });
});
