/**
 * A provider that works with no key and no network, so that a fresh checkout and every test can make pictures. It paints a
 * landscape whose light, colours, mountains and weather all follow from the SHA-256 of the prompt: the same request gives the
 * same bytes, and another size shows the same scene in another frame. The scene is drawn as SVG without text, because fonts
 * differ between machines, and rendered by sharp.
 */
import { createHash } from 'node:crypto';
import sharp, { type Sharp } from 'sharp';
import { ProviderError } from '../../errors.ts';
import { parseSize } from '../models.ts';
import type { Answer, Model, PictureFormat, PictureRequest, Provider } from '../provider.ts';
import { drawEmblem } from './emblem.ts';
import { composeScene, drawScene } from './landscape.ts';
import { paintEdit } from './sample-edit.ts';

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
 * Makes the provider of landscapes. A picture is exactly of the size that was asked for, a PNG where no other format was; its
 * metadata has the `seed` (the SHA-256 that everything in it follows from, in hexadecimal) and the `mood`. With references it is
 * an edit (sample-edit.ts); with a transparent background and no reference it is an emblem. Its `generate` throws ProviderError:
 * `PROVIDER_FAILED`, retryable when the signal was aborted before the start, not retryable when the picture could not be
 * rendered; `INVALID_INPUT` for a reference or mask that it cannot work from.
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
  const seed = seedOf(request);
  try {
    const { picture, about } = await draw(request, seed);
    const bytes = await encode(picture, request.format);
    return { picture: { bytes }, revisedPrompt: null, metadata: { seed: seed.toString('hex'), ...about } };
  } catch (cause) {
    if (cause instanceof ProviderError) throw cause;
    const message = `The sample picture of ${request.size} could not be rendered; sharp must be able to read SVG.`;
    throw new ProviderError('PROVIDER_FAILED', message, { provider: NAME }, { cause });
  }
}

/** The prompt alone, where no seed was asked for: the sample provider knows no chance. */
function seedOf({ prompt, seed }: PictureRequest): Buffer {
  const hash = createHash('sha256').update(prompt, 'utf8');
  if (seed !== null) hash.update(`\0${seed}`);
  return hash.digest();
}

async function draw(request: PictureRequest, seed: Buffer) {
  const { width, height } = parseSize(request.size);
  const { references, mask, background } = request;
  if (background === 'transparent' && references.length === 0) {
    return { picture: sharp(Buffer.from(drawEmblem(seed, width, height))), about: { emblem: true } };
  }
  const scene = composeScene(seed);
  const landscape = sharp(Buffer.from(drawScene(scene, width, height))).removeAlpha();
  if (references.length === 0) return { picture: landscape, about: { mood: scene.mood } };
  const edited = await paintEdit(
    { width, height },
    {
      scene: await landscape.png().toBuffer(),
      colour: scene.glow.hex,
      references,
      mask,
      transparent: background === 'transparent',
    },
  );
  return { picture: sharp(edited), about: { mood: scene.mood, references: references.length } };
}

function encode(picture: Sharp, format: PictureFormat | null): Promise<Buffer> {
  if (format === 'jpeg') return picture.flatten({ background: '#fff' }).jpeg({ quality: 90 }).toBuffer();
  if (format === 'webp') return picture.webp({ quality: 90 }).toBuffer();
  return picture.png({ compressionLevel: 9 }).toBuffer();
}
