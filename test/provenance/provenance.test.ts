import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readProvenance } from '../../src/provenance/read-provenance.ts';
import { withLocalFile } from '../local-file.ts';
import { cutLengths, makePicture, makePngChunk } from '../pictures.ts';
import {
  exifSegment,
  exifWithComment,
  internationalChunk,
  jpegWith,
  pngWith,
  textChunk,
  withExifAndXmp,
  xmpPacket,
  zippedChunk,
} from './files.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'fixative-provenance-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function read(bytes: Buffer) {
  const file = path.join(directory, 'file');
  await writeFile(file, bytes);
  const provenance = await withLocalFile(file, readProvenance);
  const json = JSON.stringify(provenance);
  expect(json).not.toContain('\\u0000');
  expect(json.isWellFormed()).toBe(true);
  expect(json).not.toMatch(/\\ud[89a-f]/i);
  return provenance;
}

const PARAMETERS = `a red fox, <lora:snow:0.8>
in the snow, 大雪
Negative prompt: blurry,
lowres
Steps: 28, Sampler: DPM++ 2M Karras, CFG scale: 6.5, Seed: 18446744073709551615, Size: 512x768, Model hash: 6ce0161689, Model: v1-5, Lora hashes: "snow: abc, ice: def", Version: v1.9.4`;
const A1111 = {
  generator: 'AUTOMATIC1111',
  prompt: 'a red fox, <lora:snow:0.8>\nin the snow, 大雪',
  negativePrompt: 'blurry,\nlowres',
  model: 'v1-5',
  seed: '18446744073709551615',
  steps: 28,
  sampler: 'DPM++ 2M Karras',
  cfgScale: 6.5,
};

describe('AUTOMATIC1111', () => {
  test.each([
    ['tEXt', textChunk('parameters', PARAMETERS)],
    ['zTXt', zippedChunk('parameters', PARAMETERS)],
    ['iTXt', internationalChunk('parameters', PARAMETERS)],
    ['compressed iTXt', internationalChunk('parameters', PARAMETERS, { zipped: true })],
  ])('parameters in %s', async (_name, chunk) => {
    expect(await read(await pngWith(chunk))).toMatchObject({ ...A1111, raw: { parameters: PARAMETERS } });
  });

  const comments: [string, Buffer][] = [
    [
      'UNICODE, big-endian',
      Buffer.concat([Buffer.from('UNICODE\0'), Buffer.from(PARAMETERS, 'utf16le').swap16()]),
    ],
    ['UNICODE, little-endian', Buffer.concat([Buffer.from('UNICODE\0'), Buffer.from(PARAMETERS, 'utf16le')])],
    ['ASCII', Buffer.concat([Buffer.from('ASCII\0\0\0'), Buffer.from(PARAMETERS)])],
    ['undefined', Buffer.concat([Buffer.alloc(8), Buffer.from(PARAMETERS)])],
  ];
  test.each(comments)('EXIF UserComment, %s', async (_name, comment) => {
    for (const little of [false, true]) {
      const tiff = exifWithComment(comment, { little });
      expect(await read(await jpegWith(exifSegment(tiff)))).toMatchObject(A1111);
      expect(await read(await pngWith(makePngChunk('eXIf', tiff)))).toMatchObject(A1111);
    }
  });

  test('EXIF UserComment in JIS', async () => {
    const jis = Buffer.concat([
      Buffer.from('JIS\0\0\0\0\0'),
      Buffer.from('\x1b$B@c\x1b(B fox\nSteps: 3, Seed: 4', 'latin1'),
    ]);
    expect(await read(await jpegWith(exifSegment(exifWithComment(jis))))).toMatchObject({
      prompt: '雪 fox',
      seed: '4',
    });
  });
});

const GRAPH = {
  '3': {
    class_type: 'KSampler',
    inputs: {
      seed: 'SEED',
      steps: 20,
      cfg: 8,
      sampler_name: 'euler',
      model: ['10', 0],
      positive: ['20', 0],
      negative: ['20', 1],
      latent_image: ['5', 0],
    },
    is_changed: ['NAN'],
  },
  '4': { class_type: 'CheckpointLoaderSimple', inputs: { ckpt_name: 'sdxl.safetensors' } },
  '5': { class_type: 'EmptyLatentImage', inputs: { width: 512, height: 512 } },
  '6': { class_type: 'CLIPTextEncode', inputs: { text: ['30', 0], clip: ['4', 1] } },
  '7': { class_type: 'CLIPTextEncode', inputs: { text: 'watermark', clip: ['4', 1] } },
  '10': { class_type: 'LoraLoader', inputs: { lora_name: 'x', model: ['4', 0], clip: ['4', 1] } },
  '20': { class_type: 'ControlNetApplyAdvanced', inputs: { positive: ['6', 0], negative: ['7', 0] } },
  '30': { class_type: 'PrimitiveStringMultiline', inputs: { value: 'a castle' } },
};
const COMFY = JSON.stringify(GRAPH).replace('"SEED"', '12345678901234567890').replace('"NAN"', 'NaN');
const FLUX = JSON.stringify({
  1: {
    class_type: 'SamplerCustomAdvanced',
    inputs: { noise: ['2', 0], guider: ['3', 0], sampler: ['4', 0], sigmas: ['5', 0] },
  },
  2: { class_type: 'RandomNoise', inputs: { noise_seed: ['9', 0] } },
  3: { class_type: 'BasicGuider', inputs: { model: ['6', 0], conditioning: ['7', 0] } },
  4: { class_type: 'KSamplerSelect', inputs: { sampler_name: 'euler' } },
  5: { class_type: 'BasicScheduler', inputs: { steps: 4, model: ['6', 0] } },
  6: { class_type: 'UNETLoader', inputs: { unet_name: 'flux1-schnell.sft' } },
  7: { class_type: 'FluxGuidance', inputs: { guidance: 3.5, conditioning: ['8', 0] } },
  8: { class_type: 'CLIPTextEncode', inputs: { text: 'a harbour', clip: ['10', 0] } },
  9: { class_type: 'PrimitiveInt', inputs: { value: 77 } },
});
const COMFY_SAYS = {
  generator: 'ComfyUI',
  prompt: 'a castle',
  negativePrompt: 'watermark',
  model: 'sdxl.safetensors',
  seed: '12345678901234567890',
  steps: 20,
  sampler: 'euler',
  cfgScale: 8,
};

describe('ComfyUI', () => {
  test('is read by following the graph from the sampler to the texts', async () => {
    const file = await pngWith(textChunk('prompt', COMFY), textChunk('workflow', '{"nodes":[]}'));
    expect(await read(file)).toMatchObject({
      ...COMFY_SAYS,
      raw: { prompt: COMFY, workflow: '{"nodes":[]}' },
    });
  });
  test('is read from a guider with a single side', async () => {
    expect(await read(await pngWith(textChunk('prompt', FLUX)))).toMatchObject({
      prompt: 'a harbour',
      negativePrompt: null,
      model: 'flux1-schnell.sft',
      seed: '77',
      steps: 4,
      sampler: 'euler',
      cfgScale: 3.5,
    });
  });
  test('is read from a graph with cycles', async () => {
    const circle = JSON.stringify({
      1: { class_type: 'KSampler', inputs: { positive: ['2', 0], model: ['1', 0] } },
      2: { class_type: 'A', inputs: { conditioning: ['3', 0] } },
      3: { class_type: 'B', inputs: { conditioning: ['2', 0], guider: ['3', 0] } },
    });
    expect(await read(await pngWith(textChunk('prompt', circle)))).toMatchObject({
      generator: 'ComfyUI',
      prompt: null,
    });
  });
  test('is read from EXIF fields of WebP', async () => {
    const sharp = (await import('sharp')).default;
    const webp = await sharp(await makePicture())
      .webp()
      .withExif({ IFD0: { Model: `prompt:${COMFY}`, Make: 'workflow:{"nodes":[]}' } })
      .toBuffer();
    expect(await read(webp)).toMatchObject({ ...COMFY_SAYS, camera: null });
  });
});

test('InvokeAI in its three forms', async () => {
  const metadata = JSON.stringify({
    positive_prompt: 'a boat',
    negative_prompt: 'fog',
    seed: 1,
    steps: 2,
    cfg_scale: 3,
    scheduler: 'ddim',
    model: { key: 'k', name: 'dreamshaper' },
  });
  expect(await read(await pngWith(textChunk('invokeai_metadata', metadata)))).toMatchObject({
    generator: 'InvokeAI',
    prompt: 'a boat',
    negativePrompt: 'fog',
    model: 'dreamshaper',
    seed: '1',
    steps: 2,
    cfgScale: 3,
    sampler: 'ddim',
  });
  const older = JSON.stringify({
    model_weights: 'sd-1.5',
    image: {
      prompt: [{ prompt: 'a hill [rain]', weight: 1 }],
      seed: 5,
      steps: 6,
      cfg_scale: 7,
      sampler: 'k_lms',
    },
  });
  expect(await read(await pngWith(textChunk('sd-metadata', older)))).toMatchObject({
    prompt: 'a hill',
    negativePrompt: 'rain',
    model: 'sd-1.5',
    seed: '5',
  });
  expect(
    await read(
      await pngWith(textChunk('Dream', '"a tree" -s 50 -S 4294967295 -W 512 -H 512 -C 7.5 -A k_lms')),
    ),
  ).toMatchObject({ prompt: 'a tree', steps: 50, seed: '4294967295', cfgScale: 7.5, sampler: 'k_lms' });
});

test('NovelAI, Fooocus and Draw Things', async () => {
  const novel = await pngWith(
    textChunk('Software', 'NovelAI'),
    textChunk('Description', 'a cat'),
    textChunk('Comment', '{"steps":28,"seed":9,"scale":5,"uc":"bad","sampler":"k_euler"}'),
  );
  expect(await read(novel)).toMatchObject({
    generator: 'NovelAI',
    prompt: 'a cat',
    negativePrompt: 'bad',
    seed: '9',
  });
  const fooocus = JSON.stringify({ prompt: 'a dog', base_model: 'jugger', seed: '11', steps: 30 });
  expect(await read(await pngWith(textChunk('parameters', fooocus)))).toMatchObject({
    generator: 'Fooocus',
    prompt: 'a dog',
    model: 'jugger',
    seed: '11',
  });
  const drawn = xmpPacket(
    '<exif:UserComment><rdf:Alt><rdf:li xml:lang="x-default">{&quot;c&quot;:&quot;a &amp; b&quot;,&quot;seed&quot;:3}</rdf:li></rdf:Alt></exif:UserComment>',
  );
  expect(await read(await pngWith(internationalChunk('XML:com.adobe.xmp', drawn)))).toMatchObject({
    generator: 'Draw Things',
    prompt: 'a & b',
    seed: '3',
  });
});

test.each(['png', 'jpeg', 'webp', 'avif'] as const)('EXIF and XMP of a camera in %s', async (format) => {
  const packet = xmpPacket(
    '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">a &lt;still&gt; lake</rdf:li></rdf:Alt></dc:description>' +
      '<Iptc4xmpExt:DigitalSourceType>http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia</Iptc4xmpExt:DigitalSourceType>',
  );
  expect(await read(await withExifAndXmp(format, packet))).toEqual({
    generator: null,
    prompt: null,
    negativePrompt: null,
    model: null,
    seed: null,
    steps: null,
    sampler: null,
    cfgScale: null,
    software: 'Firmware 2',
    camera: 'Nikon Z6',
    takenAt: '2024-05-06T07:08:09+02:00',
    digitalSourceType: 'http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia',
    description: 'a <still> lake',
    raw: { 'exif:ImageDescription': 'a lake' },
    hasContentCredentials: false,
  });
});

test('the comment of a GIF is read', async () => {
  const gif = await makePicture({ format: 'gif' });
  const text = Buffer.from('a sun\nSteps: 1, Seed: 2');
  const at = 13 + ((gif[10] ?? 0) & 0x80 ? 3 * 2 ** (((gif[10] ?? 0) & 7) + 1) : 0);
  const comment = Buffer.concat([Buffer.from([0x21, 0xfe, text.length]), text, Buffer.from([0])]);
  const file = Buffer.concat([gif.subarray(0, at), comment, gif.subarray(at)]);
  expect(await read(file)).toMatchObject({ prompt: 'a sun', seed: '2' });
});

test('content credentials are detected in every format, without false positives', async () => {
  const jumbf = Buffer.concat([
    Buffer.from('JP\0\x01\0\0\0\x01'),
    Buffer.from('\0\0\0\x40jumb\0\0\0\x20jumdc2pa', 'latin1'),
  ]);
  const webp = await makePicture({ format: 'webp' });
  const avif = await makePicture({ format: 'avif' });
  const box = Buffer.from(
    `00000018${Buffer.from('uuid').toString('hex')}d8fec3d61b0e483c92975828877ec481`,
    'hex',
  );
  const withChunk = Buffer.concat([webp, Buffer.from('C2PA\x02\0\0\0ab')]);
  withChunk.writeUInt32LE(withChunk.length - 8, 4);
  const files = [
    await pngWith(makePngChunk('caBX', Buffer.from('x'))),
    await jpegWith({ code: 0xeb, data: jumbf }),
    withChunk,
    Buffer.concat([avif, box]),
  ];
  for (const file of files) expect((await read(file)).hasContentCredentials).toBe(true);
  for (const format of ['png', 'jpeg', 'webp', 'gif', 'avif'] as const)
    expect((await read(await makePicture({ format }))).hasContentCredentials).toBe(false);
  expect(
    (await read(await jpegWith({ code: 0xeb, data: Buffer.from('JP no such thing') }))).hasContentCredentials,
  ).toBe(false);
});

describe('a hostile file', () => {
  const NOTHING = { generator: null, prompt: null, raw: {} };

  test('has a bomb: it is not inflated, and the other texts are read', async () => {
    const before = process.memoryUsage().rss;
    const bomb = Buffer.alloc(200 * 1024 * 1024);
    const chunks = [zippedChunk('bomb', bomb), internationalChunk('other', bomb, { zipped: true })];
    const file = await pngWith(...chunks, textChunk('parameters', PARAMETERS));
    expect(await read(file)).toMatchObject({ ...A1111, raw: { parameters: PARAMETERS } });
    expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
  });

  test('has many texts: they are kept up to the limit', async () => {
    const chunks = Array.from({ length: 3000 }, (_, i) => textChunk(`k${i}`, 'x'.repeat(100_000)));
    const { raw } = await read(await pngWith(...chunks));
    expect(Object.keys(raw).length).toBeGreaterThan(1);
    expect(Buffer.byteLength(JSON.stringify(raw))).toBeLessThanOrEqual(257 * 1024);
    for (const text of Object.values(raw)) expect((text as string).length).toBeLessThanOrEqual(64 * 1024);
  });

  test('has control characters: their JSON stays within the limit', async () => {
    const chunks = Array.from({ length: 6 }, (_, i) => textChunk(`k${i}`, '\x01'.repeat(60_000)));
    const { raw } = await read(await pngWith(...chunks));
    expect(Buffer.byteLength(JSON.stringify(raw))).toBeLessThanOrEqual(257 * 1024);
  });

  test('has a giant text: it is left out', async () => {
    expect(await read(await pngWith(textChunk('parameters', 'x'.repeat(2 * 1024 * 1024))))).toMatchObject(
      NOTHING,
    );
  });

  test.each([
    ['nested arrays', '['.repeat(500_000)],
    ['nested objects', '{"a":'.repeat(150_000)],
    ['whole nested objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    [
      'keys of prototypes',
      '{"__proto__":{"class_type":"KSampler","inputs":{}},"constructor":{"prototype":1}}',
    ],
    [
      'a node that is no object',
      '{"1":null,"2":{"class_type":"KSampler","inputs":[1]},"3":{"class_type":7}}',
    ],
    [
      'links to prototypes',
      '{"1":{"class_type":"KSampler","inputs":{"positive":["__proto__",0],"model":["toString",0]}}}',
    ],
    ['brackets', '<'.repeat(200_000)],
    ['many names', `x\nSteps: 1, ${'a '.repeat(4000)}`],
    ['not a closing quote', `x\nSteps: 1, a: "${'\\"'.repeat(4000)}`],
    ['spaces', `{"a":[${' '.repeat(200_000)}`],
  ])('has %s under every name: reading stays fast', async (_name, text) => {
    const started = performance.now();
    const names = [
      'parameters',
      'prompt',
      'workflow',
      'invokeai_metadata',
      'sd-metadata',
      'Dream',
      'XML:com.adobe.xmp',
      '__proto__',
    ];
    await read(await pngWith(...names.map((name) => zippedChunk(name, text))));
    expect(performance.now() - started).toBeLessThan(2000);
    expect(({} as Record<string, unknown>).class_type).toBeUndefined();
  });

  test('has bytes that are not text: nothing is thrown', async () => {
    const noise = Buffer.from(Array.from({ length: 2000 }, (_, i) => (i * 7919) % 256));
    const wide = Buffer.concat([
      Buffer.from('UNICODE\0'),
      Buffer.from('\ud800a\udc00\0b', 'utf16le'),
      Buffer.from([1]),
    ]);
    await read(
      await pngWith(
        textChunk('parameters', noise),
        internationalChunk('prompt', noise),
        zippedChunk('x', noise),
      ),
    );
    await read(
      await jpegWith(exifSegment(exifWithComment(wide)), exifSegment(noise), { code: 0xfe, data: noise }),
    );
  });

  test('is cut or changed: nothing is thrown', async () => {
    const packet = xmpPacket('<dc:description>x</dc:description>');
    for (const format of ['png', 'jpeg', 'webp', 'avif'] as const) {
      const whole = await withExifAndXmp(format, packet);
      for (const length of cutLengths(whole.length, 30)) await read(whole.subarray(0, length));
      for (let at = 12; at < Math.min(whole.length, 900); at += 3) {
        const changed = Buffer.from(whole);
        changed.writeUInt32BE(0xffffffff, at);
        await read(changed);
      }
    }
    await read(Buffer.alloc(0));
    await read(Buffer.from('nothing of the kind'));
  });
});
