/**
 * A provider that needs no key and no network, so that a fresh checkout and every test can make pictures. It
 * paints a landscape. The SHA-256 of the prompt decides the light, the colours, the mountains and the
 * weather. One request always gives the same bytes; another size shows the same scene in another frame. The
 * scene is drawn as SVG without text, because fonts differ between machines. sharp renders it.
 */
import { createHash } from 'node:crypto';
import sharp, { type Sharp } from 'sharp';
import { ProviderError } from '../../errors.ts';
import { parseSize } from '../models.ts';
import type { Model, PictureFormat, PictureRequest, PictureResponse, Provider } from '../provider.ts';
import { drawEmblem } from './emblem.ts';
import { drawScene } from './landscape.ts';
import { paintEdit } from './sample-edit.ts';
import { composeScene } from './scene.ts';

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
 * Makes the provider `sample`. A picture has exactly the requested size. Its format is PNG unless the request
 * names another. Its metadata has `seed`, the SHA-256 in hexadecimal that decides everything in the picture,
 * and `mood`.
 *
 * | request | picture |
 * |---|---|
 * | with references | an edit (sample-edit.ts) |
 * | transparent background, no references | an emblem (emblem.ts) |
 * | any other | a landscape (landscape.ts) |
 *
 * `generate` throws ProviderError:
 * - `PROVIDER_FAILED`, retryable, when the signal is aborted before the start
 * - `PROVIDER_FAILED`, not retryable, when the picture cannot be rendered
 * - `INVALID_INPUT` when a reference or the mask cannot be used
 */
export function makeSampleProvider(): Provider {
  return { name: NAME, models: [SAMPLE_MODEL], generate: paint };
}

async function paint(request: PictureRequest, signal: AbortSignal): Promise<PictureResponse> {
  if (signal.aborted) {
    const message = 'The request was cancelled before the sample picture was started.';
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
    const message = `The sample picture of ${request.size} could not be rendered. Check that sharp can read SVG on this machine.`;
    throw new ProviderError('PROVIDER_FAILED', message, { provider: NAME }, { cause });
  }
}

/**
 * Returns the seed of the scene. Without a seed in the request it depends on the prompt alone: nothing is
 * random.
 */
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
