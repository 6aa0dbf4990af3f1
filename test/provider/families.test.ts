import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ProviderError } from '../../src/errors.ts';
import type { ConnectionOptions, SdkProvider } from '../../src/provider/ai-sdk.ts';
import { openAzureProvider } from '../../src/provider/azure.ts';
import { openBflProvider } from '../../src/provider/bfl.ts';
import { openFalProvider } from '../../src/provider/fal.ts';
import { openGoogleProvider } from '../../src/provider/google.ts';
import { checkRequest } from '../../src/provider/models.ts';
import { openOpenAiProvider } from '../../src/provider/openai.ts';
import { openOpenAiCompatibleProvider } from '../../src/provider/openai-compatible.ts';
import type { Attachment, PictureRequest, PictureResponse } from '../../src/provider/provider.ts';
import { openReplicateProvider } from '../../src/provider/replicate.ts';
import { makeRedactor } from '../../src/provider/sdk-errors.ts';
import { openXaiProvider } from '../../src/provider/xai.ts';
import { makePngChunk, splitPng } from '../pictures.ts';
import {
  FAMILIES,
  openProviderStandIn,
  type ProviderStandIn,
  type StandInFamily,
  type StandInFault,
} from './stand-in.ts';

const never = new AbortController().signal;

let standIn: ProviderStandIn;
const opened: SdkProvider[] = [];
let png: Attachment;
let jpeg: Attachment;

beforeAll(async () => {
  const picture = sharp({ create: { width: 8, height: 8, channels: 4, background: '#f808' } });
  png = { bytes: await picture.clone().png().toBuffer(), mimeType: 'image/png' };
  jpeg = { bytes: await picture.clone().jpeg().toBuffer(), mimeType: 'image/jpeg' };
});

beforeEach(async () => {
  standIn = await openProviderStandIn();
});

afterEach(async () => {
  await standIn.close();
  await Promise.all(opened.splice(0).map((provider) => provider.close()));
});

afterAll(() => {
  expect(opened).toEqual([]);
});

type Open = (options: ConnectionOptions & { apiKey: string }) => SdkProvider;

const OPENERS: Readonly<Record<StandInFamily, { open: Open; model: string; named: RegExp }>> = {
  openai: { open: openOpenAiProvider, model: 'gpt-image-1', named: /OpenAI/ },
  google: { open: openGoogleProvider, model: 'gemini-2.5-flash-image', named: /Google/ },
  xai: { open: openXaiProvider, model: 'grok-imagine-image', named: /xAI/ },
  bfl: { open: openBflProvider, model: 'flux-2-pro', named: /Black Forest Labs/ },
  fal: { open: openFalProvider, model: 'fal-ai/flux/schnell', named: /fal/ },
  replicate: { open: openReplicateProvider, model: 'black-forest-labs/flux-schnell', named: /Replicate/ },
  azure: {
    open: (options) =>
      openAzureProvider({
        ...options,
        deployments: [
          { name: 'pictures', follows: 'gpt-image-1' },
          { name: 'posters', follows: 'dall-e-3' },
        ],
      }),
    model: 'azure/pictures',
    named: /Azure OpenAI/,
  },
  compatible: {
    open: (options) =>
      openOpenAiCompatibleProvider({
        ...options,
        offered: [
          { name: 'plain', follows: null },
          { name: 'by-address', follows: null },
          { name: 'by-data', follows: null },
          { name: 'edits', follows: 'gpt-image-1' },
        ],
      }),
    model: 'plain',
    named: /OpenAI-compatible/,
  },
};

function open(
  family: StandInFamily,
  options: Partial<ConnectionOptions & { apiKey: string }> = {},
): SdkProvider {
  const connection = { apiKey: standIn.apiKey, baseUrl: standIn.baseUrls[family], ...options };
  const provider = OPENERS[family].open(connection);
  opened.push(provider);
  return provider;
}

/** Makes a request that `checkRequest` has checked. */
function ask(provider: SdkProvider, more: Partial<PictureRequest> = {}): PictureRequest {
  const id = more.model ?? OPENERS[familyOf(provider)].model;
  const model = provider.models.find((each) => each.id === id);
  if (!model) throw new Error(`The provider has no model ${id}.`);
  const { references = [], mask = null } = more;
  const settings = checkRequest(model, {
    prompt: 'a fox',
    ...more,
    references: references.length,
    mask: mask !== null,
  });
  return { prompt: 'a fox', user: 'u1', ...more, model: id, references, mask, ...settings };
}

function familyOf({ name }: SdkProvider): StandInFamily {
  return FAMILIES.find((family) => family === name) ?? 'compatible';
}

async function generate(family: StandInFamily, more: Partial<PictureRequest> = {}): Promise<PictureResponse> {
  const provider = open(family);
  return provider.generate(ask(provider, more), never);
}

async function failure(picture: Promise<unknown>): Promise<ProviderError> {
  const error = await picture.then(
    (response) => new Error(`The call did not fail: ${inspect(response)}`),
    (e: unknown) => e,
  );
  if (error instanceof ProviderError) return error;
  throw error;
}

async function failWith(family: StandInFamily, fault: StandInFault): Promise<ProviderError> {
  standIn.failNext(fault);
  return failure(generate(family));
}

const WITH_URLS: readonly StandInFamily[] = ['bfl', 'fal', 'replicate'];
const fetched = () => standIn.requests.filter(({ path }) => path.startsWith('/pictures/'));
const sent = () => standIn.requests.find(({ method }) => method === 'POST');
const base64 = ({ bytes }: Attachment) => Buffer.from(bytes).toString('base64');
const dataUri = (attachment: Attachment) => `data:${attachment.mimeType};base64,${base64(attachment)}`;

test.each(FAMILIES.filter((family) => !WITH_URLS.includes(family)))(
  '%s returns a large picture completely',
  async (family) => {
    const { picture } = await generate(family, { prompt: 'a fox in great detail' });
    const bytes = Buffer.from('bytes' in picture ? picture.bytes : []);
    const [header, detail, ...rest] = splitPng(bytes);
    expect([header?.type, rest.at(-1)?.type]).toEqual(['IHDR', 'IEND']);
    const data = detail?.chunk.subarray(8, -4);
    expect(data).toHaveLength(200_000);
    expect(detail?.chunk).toEqual(makePngChunk('prVt', data));
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'png' });
  },
);

describe.each(FAMILIES)('%s', (family) => {
  test('makes a picture with one paid call and downloads none', async () => {
    const { picture, metadata } = await generate(family);
    if (WITH_URLS.includes(family)) {
      expect(picture).toMatchObject({
        address: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/pictures\//),
      });
    } else {
      const bytes = 'bytes' in picture ? picture.bytes : Buffer.alloc(0);
      expect(await sharp(bytes).metadata()).toMatchObject({ format: 'png' });
    }
    expect(standIn.paid).toBe(1);
    expect(standIn.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
    expect(fetched()).toEqual([]);
    expect(metadata).not.toHaveProperty('warnings');
    expect(metadata.requestId).toMatch(/^req_/);
    expect(JSON.parse(JSON.stringify(metadata))).toEqual(metadata);
    expect(JSON.stringify(metadata).length).toBeLessThan(1000);
  });

  test('accepts every size, format, seed and kind of edit in its table without a warning', async () => {
    const provider = open(family);
    for (const model of provider.models.slice(0, family === 'openai' ? 1 : undefined)) {
      const sizes =
        'minSide' in model.sizes ? ['64x64'] : model.sizes.filter((size) => !/\d{4}x|x\d{4}/.test(size));
      const wishes: Partial<PictureRequest>[] = [
        {},
        ...sizes.map((size) => ({ size })),
        ...model.formats.map((format) => ({ format })),
        ...(model.seeds ? [{ seed: 7 }] : []),
        ...(model.edits ? [{ references: [png] }] : []),
        ...((model.edits?.maxReferences ?? 0) > 1 ? [{ references: [png, jpeg] }] : []),
        ...(model.edits?.mask ? [{ references: [png], mask: png }] : []),
      ];
      for (const wish of wishes) {
        const { metadata } = await provider.generate(ask(provider, { model: model.id, ...wish }), never);
        expect(metadata, `${model.id} ${inspect(wish, { depth: 0 })}`).not.toHaveProperty('warnings');
      }
    }
  });

  test.each<[StandInFault, object]>([
    ['rate-limit', { code: 'PROVIDER_BUSY', retryable: true, paid: false, retryAfterSeconds: 7 }],
    ['server-error', { code: 'PROVIDER_FAILED', retryable: true, paid: false }],
    ['unavailable', { code: 'PROVIDER_FAILED', retryable: true, paid: false }],
    ['reset', { code: 'PROVIDER_FAILED', retryable: true, paid: false }],
    ['truncated', { code: 'PROVIDER_FAILED', retryable: true, paid: true }],
    ['invalid-json', { code: 'PROVIDER_FAILED', retryable: true, paid: true }],
    ['no-picture', { code: 'PROVIDER_FAILED', retryable: true, paid: true }],
    ['moderation', { code: 'PROVIDER_REFUSED', retryable: false, paid: false }],
    ['chatty', { code: 'PROVIDER_FAILED', retryable: false, paid: false }],
  ])('fails by %s as %j', async (fault, expected) => {
    const error = await failWith(family, fault);
    const name = family === 'compatible' ? 'openai-compatible' : family;
    expect(error).toMatchObject({
      ...expected,
      provider: name,
      message: expect.stringMatching(OPENERS[family].named),
    });
    expect(error.message.length).toBeLessThan(700);
    const everything = inspect(error, { depth: 10, showHidden: true, maxStringLength: null });
    expect(everything).not.toContain(standIn.apiKey);
    expect(everything).not.toContain('a fox');
    expect(everything.length).toBeLessThan(20_000);
    expect(fetched()).toEqual([]);
  });

  test('is recognised when it refuses in its second way', async () => {
    const error = await failWith(family, 'moderated-later');
    expect(error).toMatchObject({ code: 'PROVIDER_REFUSED', retryable: false });
    // fal sends a black picture instead, and charges for it.
    expect(error.paid).toBe(family === 'fal');
  });

  test.each<StandInFault>(['hang', 'stall'])(
    'ends by %s at its time-out, and may be paid for',
    async (fault) => {
      const provider = open(family, { timeoutSeconds: 0.5 });
      await provider.generate(ask(provider), never).catch(() => {}); // The first call loads the packages.
      standIn.failNext(fault);
      const begun = performance.now();
      expect(await failure(provider.generate(ask(provider), never))).toMatchObject({
        code: 'PROVIDER_FAILED',
        retryable: true,
        paid: true,
        message: expect.stringMatching(/ did not respond within 0\.5 seconds\.$/),
      });
      expect(performance.now() - begun).toBeLessThan(2500);
    },
  );

  test('shows no part of a wrong key', async () => {
    const apiKey = 'wrong-0123456789abcdef-key';
    const provider = open(family, { apiKey });
    const error = await failure(provider.generate(ask(provider), never));
    expect(error).toMatchObject({ code: 'PROVIDER_UNAUTHORIZED', retryable: false, paid: false });
    expect(inspect(error, { depth: 10 })).not.toMatch(/wrong-|cdef-key|\w\*\*\*/);
    expect(standIn.paid).toBe(0);
  });

  test('costs nothing when it cannot be connected to', async () => {
    const provider = open(family);
    await standIn.close();
    expect(await failure(provider.generate(ask(provider), never))).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: true,
      paid: false,
      message: expect.stringMatching(/could not be reached: .*ECONNREFUSED/),
    });
  });

  test('is not called when the call is already cancelled', async () => {
    const provider = open(family);
    expect(await failure(provider.generate(ask(provider), AbortSignal.abort()))).toMatchObject({
      retryable: true,
      paid: false,
      message: expect.stringContaining('was cancelled'),
    });
    expect(standIn.requests).toEqual([]);
  });
});

test('a call whose connection is cut while the provider works may be paid for', async () => {
  expect(await failWith('openai', 'late-reset')).toMatchObject({
    code: 'PROVIDER_FAILED',
    retryable: true,
    paid: true,
    message: expect.stringMatching(/could not be reached: /),
  });
  expect(standIn.paid).toBe(1);
});

test('text that Google sends instead of a picture is passed on', async () => {
  expect((await failWith('google', 'no-picture')).message).toBe(
    'Google sent text instead of a picture: A fox.',
  );
});

describe('the request', () => {
  test('to Google has a ratio, a resolution, a seed and the references inline', async () => {
    const provider = open('google');
    const request = ask(provider, {
      model: 'gemini-3-pro-image-preview',
      size: '2752x1536',
      seed: 5,
      references: [png, jpeg],
    });
    const { metadata } = await provider.generate(request, never);
    expect(sent()).toMatchObject({
      path: '/google/v1beta/models/gemini-3-pro-image-preview:generateContent',
      headers: { 'x-goog-api-key': standIn.apiKey },
      body: {
        generationConfig: {
          seed: 5,
          responseModalities: ['IMAGE'],
          imageConfig: { aspectRatio: '16:9', imageSize: '2K' },
        },
        contents: [
          {
            role: 'user',
            parts: [
              { text: 'a fox' },
              { inlineData: { mimeType: 'image/png', data: base64(png) } },
              { inlineData: { mimeType: 'image/jpeg', data: base64(jpeg) } },
            ],
          },
        ],
      },
    });
    expect(metadata).toMatchObject({ finishReason: 'STOP', usage: { totalTokens: 1297 } });
  });

  test('to xAI has a ratio and a resolution; an edit has data URLs', async () => {
    const one = await generate('xai', { size: '2560x1440' });
    expect(sent()).toMatchObject({
      path: '/xai/v1/images/generations',
      headers: { authorization: `Bearer ${standIn.apiKey}` },
      body: {
        model: 'grok-imagine-image',
        prompt: 'a fox',
        n: 1,
        response_format: 'b64_json',
        aspect_ratio: '16:9',
        resolution: '2k',
        user: 'u1',
      },
    });
    expect(one.metadata.costUsd).toBe(0.02);
    await generate('xai', { references: [png] });
    await generate('xai', { references: [png, jpeg] });
    expect(standIn.requests.slice(1)).toMatchObject([
      { path: '/xai/v1/images/edits', body: { image: { url: dataUri(png), type: 'image_url' } } },
      { path: '/xai/v1/images/edits', body: { images: [{ url: dataUri(png) }, { url: dataUri(jpeg) }] } },
    ]);
  });

  test('to Black Forest Labs has pixels or a ratio, depending on the model', async () => {
    const response = await generate('bfl', {
      size: '1536x1024',
      seed: 5,
      format: 'jpeg',
      references: [png, jpeg],
    });
    expect(sent()).toMatchObject({ path: '/bfl/v1/flux-2-pro', headers: { 'x-key': standIn.apiKey } });
    expect(sent()?.body).toEqual({
      prompt: 'a fox',
      seed: 5,
      width: 1536,
      height: 1024,
      output_format: 'jpeg',
      input_image: base64(png),
      input_image_2: base64(jpeg),
    });
    expect(response.metadata).toEqual({
      requestId: expect.any(String),
      taskId: expect.stringMatching(/^[\w-]{36}$/),
      seed: 5,
      duration: 2,
      costCredits: 4,
      costUsd: 0.04,
      inputMegapixels: 0,
      outputMegapixels: 1,
    });
    await generate('bfl', { model: 'flux-kontext-max', size: '1392x752' });
    expect(standIn.requests.findLast(({ method }) => method === 'POST')?.body).toEqual({
      prompt: 'a fox',
      aspect_ratio: '16:9',
    });
  });

  test('to fal has a size; an edit goes to the model that makes edits', async () => {
    const response = await generate('fal', {
      model: 'fal-ai/flux-general',
      size: '1024x768',
      seed: 5,
      format: 'png',
    });
    await generate('fal', { model: 'fal-ai/flux-general', references: [png] });
    await generate('fal', { model: 'fal-ai/flux-general', references: [jpeg], mask: png });
    await generate('fal', { model: 'fal-ai/flux-2', references: [png, jpeg] });
    expect(sent()).toMatchObject({ headers: { authorization: `Key ${standIn.apiKey}` } });
    expect(standIn.requests.map(({ path, body }) => [path, body])).toEqual([
      [
        '/fal/fal-ai/flux-general',
        {
          prompt: 'a fox',
          seed: 5,
          image_size: { width: 1024, height: 768 },
          num_images: 1,
          output_format: 'png',
        },
      ],
      ['/fal/fal-ai/flux-general/image-to-image', expect.objectContaining({ image_url: dataUri(png) })],
      [
        '/fal/fal-ai/flux-general/inpainting',
        expect.objectContaining({ image_url: dataUri(jpeg), mask_url: dataUri(png) }),
      ],
      ['/fal/fal-ai/flux-2/edit', expect.objectContaining({ image_urls: [dataUri(png), dataUri(jpeg)] })],
    ]);
    expect(response.metadata).toMatchObject({
      seed: 5,
      timings: { inference: 0.5 },
      contentType: 'image/png',
    });
  });

  test('to Replicate has the input of a prediction', async () => {
    const { metadata } = await generate('replicate', {
      model: 'black-forest-labs/flux-dev',
      size: '1344x768',
      seed: 5,
      format: 'jpeg',
      references: [png],
    });
    expect(sent()).toMatchObject({
      path: '/replicate/v1/models/black-forest-labs/flux-dev/predictions',
      headers: { authorization: `Bearer ${standIn.apiKey}`, prefer: 'wait=5' },
    });
    expect(sent()?.body).toEqual({
      input: {
        prompt: 'a fox',
        aspect_ratio: '16:9',
        seed: 5,
        num_outputs: 1,
        image: dataUri(png),
        output_format: 'jpg',
      },
    });
    expect(metadata).toMatchObject({ predictionId: expect.stringMatching(/^\w{26}$/), predictSeconds: 1.5 });
  });

  test('to Azure has response_format only for models that accept it', async () => {
    await generate('azure', { background: 'transparent', format: 'webp' });
    await generate('azure', { model: 'azure/posters', quality: 'hd', style: 'natural' });
    expect(standIn.requests).toMatchObject([
      { path: '/azure/openai/v1/images/generations', headers: { 'api-key': standIn.apiKey } },
      { body: { model: 'posters', quality: 'hd', style: 'natural', response_format: 'b64_json' } },
    ]);
    expect(standIn.requests[0]?.body).toEqual({
      model: 'pictures',
      prompt: 'a fox',
      n: 1,
      size: '1024x1024',
      background: 'transparent',
      output_format: 'webp',
      user: 'u1',
    });
    await generate('azure', { references: [png], mask: png });
    expect(standIn.requests[2]).toMatchObject({
      path: '/azure/openai/v1/images/edits',
      body: { model: 'pictures', image: { bytes: png.bytes }, mask: { bytes: png.bytes } },
    });
  });

  test('to a compatible endpoint has only the fields of the protocol, and no key when there is none', async () => {
    await generate('compatible', { size: '128x96' });
    expect(sent()).toMatchObject({ headers: { authorization: `Bearer ${standIn.apiKey}` } });
    expect(sent()?.body).toEqual({ model: 'plain', prompt: 'a fox', n: 1, size: '128x96', user: 'u1' });
    const keyless = openOpenAiCompatibleProvider({
      apiKey: null,
      baseUrl: standIn.baseUrls.compatible,
      offered: [{ name: 'plain', follows: null }],
    });
    opened.push(keyless);
    await failure(keyless.generate(ask(keyless), never));
    expect(standIn.requests[1]?.headers).not.toHaveProperty('authorization');
  });

  test('of an edit to a compatible endpoint is a form', async () => {
    await generate('compatible', { model: 'edits', quality: 'low', references: [png, jpeg], mask: png });
    expect(sent()).toMatchObject({
      path: '/compatible/v1/images/edits',
      body: {
        model: 'edits',
        quality: 'low',
        'image[]': [{ type: 'image/png' }, { type: 'image/jpeg' }],
        mask: { type: 'image/png' },
      },
    });
  });
});

describe('a picture at a URL', () => {
  test('comes with the expiry that the URL states', async () => {
    const { picture } = await generate('bfl');
    expect(picture).toMatchObject({ expiresAt: new Date('2099-01-01T00:00:00Z') });
    expect(await generate('fal')).toMatchObject({ picture: { expiresAt: null } });
  });

  test('of a compatible endpoint is returned too, with the revised prompt', async () => {
    const response = await generate('compatible', { model: 'by-address', size: '96x64' });
    expect(response).toMatchObject({ picture: { expiresAt: null }, revisedPrompt: 'a fox, but better' });
    const { address } = response.picture as { address: string };
    expect(await sharp(await (await fetch(address)).bytes()).metadata()).toMatchObject({
      width: 96,
      height: 64,
    });
    expect(fetched()).toHaveLength(1);
  });

  test('that is a data URL becomes bytes', async () => {
    const { picture } = await generate('compatible', { model: 'by-data', size: '96x64' });
    const bytes = 'bytes' in picture ? picture.bytes : Buffer.alloc(0);
    expect(await sharp(bytes).metadata()).toMatchObject({ width: 96, height: 64 });
  });

  test.each(WITH_URLS)('of %s that has already expired is returned all the same', async (family) => {
    standIn.failNext('expired-address');
    const { picture } = await generate(family);
    const { address, expiresAt } = picture as { address: string; expiresAt: Date };
    expect(expiresAt).toEqual(new Date('2020-01-01T00:00:00Z'));
    expect(fetched()).toEqual([]);
    expect((await fetch(address)).status).toBe(403);
  });
});

test('neither half of a key of fal is shown', async () => {
  const provider = open('fal', { apiKey: `0123-abcd:${standIn.apiKey}` });
  const error = await failure(provider.generate(ask(provider), never));
  expect(error.code).toBe('PROVIDER_UNAUTHORIZED');
  expect(makeRedactor('0123-abcd:secret-half')('bad secret: secret-half of 0123-abcd')).toBe(
    'bad secret: [key] of [key]',
  );
});

describe.each(['bfl', 'replicate'] as const)('a task that %s accepted', (family) => {
  test('is polled until it ends', async () => {
    const { picture } = await generate(family, { prompt: 'a slow fox' });
    expect(picture).toHaveProperty('address');
    expect(standIn.requests.filter(({ method }) => method === 'GET').length).toBeGreaterThanOrEqual(2);
  });

  test('is not lost when polls fail', async () => {
    standIn.failNext('poll-error');
    expect((await generate(family)).picture).toHaveProperty('address');
    expect(standIn.paid).toBe(1);
  });

  test('and whose polls all fail is polled until the time-out, and may be paid for', async () => {
    const provider = open(family, { timeoutSeconds: 1 });
    standIn.failNext('poll-down');
    expect(await failure(provider.generate(ask(provider), never))).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: true,
      paid: true,
      message: expect.stringContaining('did not respond within 1 seconds.'),
    });
  });

  test('and that failed there fails here', async () => {
    const error = await failWith(family, 'task-failed');
    expect(error).toMatchObject({ code: 'PROVIDER_FAILED', retryable: true });
    // Replicate charges for the seconds that the model ran.
    expect(error.paid).toBe(family === 'replicate');
  });

  test('and refused is not polled any more', async () => {
    const begun = performance.now();
    const error = await failWith(family, 'moderation');
    expect(error.code).toBe('PROVIDER_REFUSED');
    expect(performance.now() - begun).toBeLessThan(3000);
    expect(standIn.requests.filter(({ method }) => method === 'GET').length).toBeLessThanOrEqual(1);
  });
});

test.each(['openai', 'bfl', 'replicate', 'azure'] as const)(
  'an account of %s without credit is reported',
  async (family) => {
    expect(await failWith(family, 'quota')).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: false,
      paid: false,
      message: expect.stringContaining('account has no credit left'),
    });
  },
);

test('Azure and a compatible endpoint name an unknown model that is to be followed', () => {
  const connection = { apiKey: 'k', baseUrl: 'http://127.0.0.1:9' };
  const unknown = [{ name: 'a', follows: 'gpt-image-0' }];
  expect(() => openAzureProvider({ ...connection, deployments: unknown })).toThrow(
    /AZURE_OPENAI_DEPLOYMENTS.*gpt-image-0/s,
  );
  expect(() => openOpenAiCompatibleProvider({ ...connection, offered: unknown })).toThrow(
    /OPENAI_COMPATIBLE_MODELS/,
  );
});

test('the stand-in paints the same picture for the same prompt', async () => {
  const hash = async () => {
    const { picture } = await generate('google');
    return createHash('sha256')
      .update('bytes' in picture ? picture.bytes : '')
      .digest('hex');
  };
  expect(await hash()).toBe(await hash());
});
