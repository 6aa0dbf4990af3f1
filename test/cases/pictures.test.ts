import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Chance, makeChance } from '../compare/chance.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture, PICTURE_FORMATS } from '../pictures.ts';
import { exifSegment, exifWithComment, jpegWith, pngWith, textChunk } from '../provenance/files.ts';
import { upload } from '../upload.ts';
import { ask } from './ask.ts';

let app: TestApp;
beforeAll(async () => {
  app = await openTestApp({ VARIANT_SIZES: '16,64,160,4000' });
});
afterAll(() => app.close());

const input = (name: string) => readFile(new URL(`inputs/${name}`, import.meta.url));

async function keep(content: Buffer) {
  const { image, userErrors } = await upload(app, { content });
  if (!image?.url) throw new Error(JSON.stringify(userErrors));
  return { ...image, address: new URL(image.url).pathname };
}

async function provenanceOf(content: Buffer) {
  const { id } = await keep(content);
  const query = `query ($id: ID!) { image(id: $id) { provenance {
    generator prompt negativePrompt model seed steps sampler cfgScale } } }`;
  return (await ask(app, query, { id })).data.image.provenance;
}

describe('what a generator wrote', () => {
  const GRAPH = { generator: 'ComfyUI', seed: '11', steps: 9, negativePrompt: 'blurry', sampler: 'euler' };
  const TITAN = 'portrait of a titan, Infinity gauntlet on one hand, score: NaN, gold';
  test.each([
    ['comfyui-control.png', { ...GRAPH, prompt: TITAN }],
    ['comfyui-nan.png', { ...GRAPH, prompt: TITAN }],
    ['comfyui-animated.png', { ...GRAPH, prompt: 'a paper boat on a pond' }],
    [
      'comfyui-usercomment.jpg',
      {
        generator: 'ComfyUI',
        prompt: 'a windmill in the mist',
        seed: '99',
        negativePrompt: 'cars',
        steps: 7,
      },
    ],
    [
      'a1111-indented-negative.png',
      { generator: 'AUTOMATIC1111', prompt: 'a lighthouse', negativePrompt: 'fog, rain', seed: '77' },
    ],
  ])('is read from %s', async (name, expected) => {
    expect(await provenanceOf(await input(name))).toMatchObject(expected);
  });

  const graph = JSON.stringify({
    1: { class_type: 'CLIPTextEncode', inputs: { text: 'a kite' } },
    2: { class_type: 'KSampler', inputs: { seed: 5, positive: ['1', 0] } },
  });
  test.each([
    ['an object with the graph in it', { prompt: JSON.parse(graph), workflow: { nodes: [] } }],
    ['an object with the graph in it as text', { prompt: graph, workflow: '{"nodes":[]}' }],
    ['an object of the graph and more', { ...JSON.parse(graph), extra: { airs: [] } }],
  ])('is read from a comment: %s', async (_name, comment) => {
    const bytes = await jpegWith(
      exifSegment(exifWithComment(Buffer.from(`ASCII\0\0\0${JSON.stringify(comment)}`))),
    );
    expect(await provenanceOf(bytes)).toMatchObject({ generator: 'ComfyUI', prompt: 'a kite', seed: '5' });
  });

  test('of a comment that is JSON of something else is nothing', async () => {
    const bytes = await pngWith(textChunk('Comment', '{"prompt":"a kite","nodes":5}'));
    expect((await provenanceOf(bytes)).generator).toBeNull();
  });
});

describe('a picture that was taken in', () => {
  test.each([
    ['gif-640x480-screen.gif', 640, 480],
    ['gif-641x480-control.gif', 641, 480],
  ])('%s has the size of its canvas, and so have its variants', async (name, width, height) => {
    const image = await keep(await input(name));
    expect(image).toMatchObject({ width, height });
    const response = await app.fetch(`${image.address}?w=160&format=png`);
    const { data, info } = await sharp(await response.bytes())
      .ensureAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([160, 120]);
    const alphaAt = (x: number, y: number) => data[(y * info.width + x) * 4 + 3];
    // The frame is at 100, 60 and has 40 × 30 pixels. The rest of the screen is empty.
    expect([alphaAt(30, 18), alphaAt(0, 0), alphaAt(80, 60), alphaAt(159, 119)]).toEqual([255, 0, 0, 0]);
  });

  test.each(['comfyui-nan.png', 'comfyui-usercomment.jpg', 'gif-640x480-screen.gif', 'ultrahdr-grey.jpg'])(
    '%s has variants of every size and format',
    async (name) => {
      const { address } = await keep(await input(name));
      for (const size of ['w=16', 'w=64', 'h=64', 'w=160&h=16&fit=cover', 'w=16&h=160&fit=contain', 'w=4000'])
        for (const format of ['webp', 'jpeg', 'png', 'avif']) {
          if (size === 'w=4000' && format === 'avif') continue;
          const response = await app.fetch(`${address}?${size}&format=${format}`);
          expect(response.status, `${name} ${size} ${format}`).toBe(200);
          await response.arrayBuffer();
        }
    },
  );

  test('has variants, however it was encoded', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const chance = makeChance(seed);
      const { address } = await keep(await makeUnusual(chance, seed));
      for (const size of chance.many(1, 3, () => chance.oneOf(['w=16', 'h=64', 'w=160&h=64', 'w=64']))) {
        const format = chance.oneOf(['webp', 'jpeg', 'png', 'avif']);
        const response = await app.fetch(`${address}?${size}&format=${format}`);
        expect(response.status, `seed ${seed}: ${size} ${format}`).toBe(200);
        await response.arrayBuffer();
      }
    }
  });
});

/** Pictures as real encoders make them: grey, with alpha, 16 bits, CMYK, rotated by EXIF, with a profile. */
async function makeUnusual(chance: Chance, seed: number): Promise<Buffer> {
  const side = () => 1 + chance.below(300);
  const format = chance.oneOf(PICTURE_FORMATS);
  const plain = await makePicture({ format, width: side(), height: side(), seed: 68_000 + seed });
  if (chance.of(0.3)) return plain;
  let picture = sharp(plain);
  if (chance.of(0.4)) picture = picture.greyscale();
  if (chance.of(0.3)) picture = picture.ensureAlpha(chance.random());
  if (chance.of(0.3)) picture = picture.withMetadata({ orientation: 1 + chance.below(8) });
  if (chance.of(0.3)) picture = picture.withIccProfile('p3');
  const encoders = [
    () => picture.png({ palette: chance.of(0.5), colours: 2 ** (1 + chance.below(8)) }),
    () => picture.toColourspace('rgb16').png({ progressive: chance.of(0.5) }),
    () => picture.toColourspace('cmyk').jpeg(),
    () => picture.jpeg({ progressive: chance.of(0.5), chromaSubsampling: chance.oneOf(['4:4:4', '4:2:0']) }),
    () => picture.webp({ lossless: chance.of(0.5) }),
    () => picture.gif({ colours: 2 ** (1 + chance.below(8)), interFrameMaxError: 4 }),
    () => picture.avif({ effort: 0, bitdepth: 8 }),
  ];
  return chance.oneOf(encoders)().toBuffer();
}
