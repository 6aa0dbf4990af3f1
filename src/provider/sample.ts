/**
 * A provider that works with no key and no network, so that a fresh checkout and every test can make pictures. It paints a
 * landscape whose light, colours, mountains and weather all follow from the SHA-256 of the prompt: the same request gives the
 * same bytes, and another size shows the same scene in another frame. The scene is drawn as SVG without text, because fonts
 * differ between machines, and rendered by sharp.
 */
import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { ProviderError } from '../errors.ts';
import { composeScene, drawScene } from './landscape.ts';
import { parseSize } from './models.ts';
import type { Answer, Model, PictureRequest, Provider } from './provider.ts';

const NAME = 'sample';

const SAMPLE_MODEL: Model = {
  id: 'sample',
  provider: NAME,
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
};

/**
 * Makes the provider of landscapes. A picture is a PNG of exactly the size that was asked for; its metadata has the `seed`
 * (the SHA-256 of the prompt, in hexadecimal) and the `mood`. Its `generate` throws ProviderError `PROVIDER_FAILED`:
 * retryable when the signal was aborted before the start, not retryable when the picture could not be rendered.
 */
export function makeSampleProvider(): Provider {
  return { name: NAME, models: [SAMPLE_MODEL], generate: paint };
}

async function paint(request: PictureRequest, signal: AbortSignal): Promise<Answer> {
  if (signal.aborted) {
    const message = 'The request was cancelled before its picture was begun.';
    throw new ProviderError(
      'PROVIDER_FAILED',
      message,
      { provider: NAME },
      { retryable: true, cause: signal.reason },
    );
  }
  const { width, height } = parseSize(request.size);
  const seed = createHash('sha256').update(request.prompt, 'utf8').digest();
  const scene = composeScene(seed);
  try {
    const bytes = await sharp(Buffer.from(drawScene(scene, width, height)))
      .removeAlpha()
      .png({ compressionLevel: 9 })
      .toBuffer();
    const metadata = { seed: seed.toString('hex'), mood: scene.mood };
    return { picture: { bytes }, revisedPrompt: null, metadata };
  } catch (cause) {
    const message = `The sample picture of ${request.size} could not be rendered; sharp must be able to read SVG.`;
    throw new ProviderError('PROVIDER_FAILED', message, { provider: NAME }, { cause });
  }
}
