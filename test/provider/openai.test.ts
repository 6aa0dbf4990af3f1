import { inspect } from 'node:util';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ProviderError } from '../../src/errors.ts';
import type { ConnectionOptions, SdkProvider } from '../../src/provider/ai-sdk.ts';
import { OPENAI_MODELS } from '../../src/provider/models/openai.ts';
import { checkRequest } from '../../src/provider/models.ts';
import { openOpenAiProvider } from '../../src/provider/openai.ts';
import type { PictureRequest, PictureResponse } from '../../src/provider/provider.ts';
import { type Fault, type OpenAiStandIn, openOpenAiStandIn, type SentFile } from './openai-stand-in.ts';
import { NOTHING_MORE } from './plain-request.ts';

const never = new AbortController().signal;
const PNG = [0x89, 0x50, 0x4e, 0x47];

let standIn: OpenAiStandIn;
let opened: SdkProvider[];

beforeEach(async () => {
  standIn = await openOpenAiStandIn();
  opened = [];
});

afterEach(async () => {
  await standIn.close();
  await Promise.all(opened.map((provider) => provider.close()));
});

function open(options: Partial<ConnectionOptions & { apiKey: string }> = {}): SdkProvider {
  const provider = openOpenAiProvider({ apiKey: standIn.apiKey, baseUrl: standIn.baseUrl, ...options });
  opened.push(provider);
  return provider;
}

function ask(more: Partial<PictureRequest> = {}): PictureRequest {
  return {
    model: 'gpt-image-1',
    prompt: 'a fox',
    size: '1024x1024',
    ...NOTHING_MORE,
    user: 'u1',
    ...more,
  };
}

function bytesOf({ picture }: PictureResponse): Uint8Array {
  if ('bytes' in picture) return picture.bytes;
  throw new Error(`The picture is at ${picture.address}.`);
}

async function failure(picture: Promise<unknown>): Promise<ProviderError> {
  const error = await picture.then(
    () => new Error('The call did not fail.'),
    (e: unknown) => e,
  );
  if (error instanceof ProviderError) return error;
  throw error;
}

async function failWith(fault: Fault, headers?: Record<string, string>): Promise<ProviderError> {
  standIn.failNext(fault, headers);
  return failure(open().generate(ask(), never));
}

describe('a picture', () => {
  test('is requested once, with exactly the fields that the model knows', async () => {
    await open().generate(ask({ size: '1536x1024', quality: 'high' }), never);
    expect(standIn.requests).toMatchObject([
      {
        method: 'POST',
        path: '/v1/images/generations',
        headers: { authorization: `Bearer ${standIn.apiKey}`, 'content-type': 'application/json' },
      },
    ]);
    expect(standIn.requests[0]?.body).toEqual({
      model: 'gpt-image-1',
      prompt: 'a fox',
      n: 1,
      size: '1536x1024',
      quality: 'high',
      user: 'u1',
    });
  });

  test('comes with its bytes and its metadata', async () => {
    const picture = await open().generate(ask({ quality: 'low' }), never);
    expect([...bytesOf(picture).subarray(0, 4)]).toEqual(PNG);
    expect(await sharp(bytesOf(picture)).metadata()).toMatchObject({
      format: 'png',
      width: 1024,
      height: 1024,
    });
    expect(picture).toMatchObject({ revisedPrompt: null });
    expect(picture.metadata).toEqual({
      requestId: expect.stringMatching(/^req_/),
      usage: { inputTokens: 10, outputTokens: 4160, totalTokens: 4170 },
      created: 1_713_833_628,
      size: '1024x1024',
      quality: 'low',
      background: 'opaque',
      outputFormat: 'png',
      imageTokens: 0,
      textTokens: 10,
    });
    expect(JSON.parse(JSON.stringify(picture.metadata))).toEqual(picture.metadata);
  });

  test('of dall-e-3 is requested as base64 and comes with the revised prompt', async () => {
    const picture = await open().generate(ask({ model: 'dall-e-3', quality: 'hd', style: 'natural' }), never);
    expect(picture.revisedPrompt).toBe('A detailed picture of a fox.');
    expect(picture.metadata).toEqual({
      requestId: expect.any(String),
      created: 1_713_833_628,
      costUsd: 0.08,
    });
    expect(standIn.requests[0]?.body).toMatchObject({
      quality: 'hd',
      style: 'natural',
      response_format: 'b64_json',
    });
  });

  test('is requested without a user when there is none', async () => {
    await open().generate(ask({ user: '' }), never);
    expect(standIn.requests[0]?.body).not.toHaveProperty('user');
  });

  test('can be requested with a base URL that ends in a slash', async () => {
    await open({ baseUrl: `${standIn.baseUrl}/` }).generate(ask(), never);
    expect(standIn.requests[0]?.path).toBe('/v1/images/generations');
  });

  test('of every model, size, quality and style in our table is accepted by the API', async () => {
    const provider = open();
    for (const model of provider.models) {
      const choices = [
        ...model.qualities.map((quality) => ({ quality })),
        ...model.styles.map((style) => ({ style })),
        ...model.formats.map((format) => ({ format })),
        ...(model.transparency ? [{ background: 'transparent' as const }] : []),
        // The largest sizes are slow, so only the first model tests them.
        ...(model.sizes as readonly string[])
          .filter((s) => model === provider.models[0] || !s.includes('3840'))
          .map((size) => ({ size })),
      ];
      for (const choice of choices) {
        const settings = checkRequest(model, { prompt: 'a fox', ...choice });
        const bytes = bytesOf(await provider.generate(ask({ model: model.id, ...settings }), never));
        const { width, height } = await sharp(bytes).metadata();
        expect(`${width}x${height}`).toBe(settings.size);
      }
    }
  }, 120_000);
});

describe('an edit', () => {
  const png = (width: number) =>
    sharp({ create: { width, height: 8, channels: 4, background: '#0000' } })
      .png()
      .toBuffer();

  test('sends its references and its mask as files with their types', async () => {
    const [first, mask] = [await png(8), await png(8)];
    const second = await sharp(await png(9))
      .jpeg()
      .toBuffer();
    const request = ask({
      quality: 'low',
      background: 'transparent',
      format: 'webp',
      references: [
        { bytes: first, mimeType: 'image/png' },
        { bytes: second, mimeType: 'image/jpeg' },
      ],
      mask: { bytes: mask, mimeType: 'image/png' },
    });
    const response = await open().generate(request, never);
    expect(await sharp(bytesOf(response)).metadata()).toMatchObject({ format: 'webp', hasAlpha: true });
    expect(response.metadata).toMatchObject({ background: 'transparent', outputFormat: 'webp' });
    const [sent] = standIn.requests;
    expect(sent?.path).toBe('/v1/images/edits');
    const { 'image[]': images, mask: sentMask, ...fields } = sent?.body ?? {};
    expect(fields).toEqual({
      model: 'gpt-image-1',
      prompt: 'a fox',
      n: '1',
      size: '1024x1024',
      quality: 'low',
      background: 'transparent',
      output_format: 'webp',
      user: 'u1',
    });
    expect((images as SentFile[]).map(({ type }) => type)).toEqual(['image/png', 'image/jpeg']);
    expect((images as SentFile[]).map(({ bytes }) => bytes)).toEqual([first, second]);
    expect((sentMask as SentFile).bytes).toEqual(mask);
  });

  test('of one reference sends a single image', async () => {
    const bytes = await png(8);
    await open().generate(ask({ references: [{ bytes, mimeType: 'image/png' }] }), never);
    expect(standIn.requests[0]?.body).toMatchObject({ image: { type: 'image/png', bytes } });
  });

  test.each<[Fault, string, boolean]>([
    ['moderation', 'PROVIDER_REFUSED', false],
    ['server-error', 'PROVIDER_FAILED', false],
    ['truncated', 'PROVIDER_FAILED', true],
  ])('fails by %s as a new picture does', async (fault, code, paid) => {
    standIn.failNext(fault);
    const request = ask({ references: [{ bytes: await png(8), mimeType: 'image/png' }] });
    expect(await failure(open().generate(request, never))).toMatchObject({ code, paid });
  });
});

describe('a response with a URL', () => {
  test('is returned with the URL, which is not fetched', async () => {
    standIn.failNext('address');
    const response = await open().generate(ask(), never);
    expect(response).toMatchObject({
      picture: { address: 'http://127.0.0.1/a.png', expiresAt: null },
      revisedPrompt: 'A red fox.',
    });
    expect(standIn.requests).toHaveLength(1);
  });
});

describe('a failure', () => {
  test('because of the rate limit is retryable after the time that OpenAI names', async () => {
    expect(await failWith('rate-limit')).toMatchObject({
      code: 'PROVIDER_BUSY',
      provider: 'openai',
      retryable: true,
      paid: false,
      retryAfterSeconds: 7,
      message: expect.stringMatching(/^OpenAI's rate limit is reached \(429, req_\w+\): Rate limit reached/),
    });
  });

  test.each([
    [{ 'retry-after-ms': '1500', 'retry-after': '2' }, 1.5],
    [{ 'retry-after-ms': 'soon', 'retry-after': '2' }, 2],
    [{ 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' }, 0],
    [{ 'retry-after': 'later' }, null],
    [{ 'retry-after': '-3' }, 0],
  ])('with the headers %j asks for a wait of %s seconds', async (headers, seconds) => {
    expect((await failWith('rate-limit', headers)).retryAfterSeconds).toBe(seconds);
  });

  test('with a date in retry-after asks for a wait until then', async () => {
    const inAMinute = new Date(Date.now() + 60_000).toUTCString();
    const { retryAfterSeconds } = await failWith('rate-limit', { 'retry-after': inAMinute });
    expect(retryAfterSeconds).toBeGreaterThan(50);
    expect(retryAfterSeconds).toBeLessThanOrEqual(60);
  });

  test('of an account without credit is not retryable, although its status is 429', async () => {
    expect(await failWith('quota')).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: false,
      paid: false,
      message: expect.stringContaining('You exceeded your current quota'),
    });
  });

  test.each<[Fault, RegExp, boolean]>([
    ['server-error', /^OpenAI failed \(500, req_\w+\): The server had an error/, false],
    ['unavailable', /^OpenAI failed \(503, req_\w+\): Service Unavailable$/, false],
    [
      'truncated',
      /^The response from OpenAI could not be read \(200, req_\w+\): (terminated|other side closed)$/,
      true,
    ],
    [
      'invalid-json',
      /^The response from OpenAI could not be read \(200, req_\w+\): Invalid JSON response$/,
      true,
    ],
    ['no-picture', /^OpenAI responded without a picture\.$/, true],
    ['empty-picture', /^OpenAI sent an empty picture\.$/, true],
    ['reset', /^OpenAI could not be reached: /, false],
  ])('by %s is retryable, and says whether the call may be paid for', async (fault, message, paid) => {
    expect(await failWith(fault)).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: true,
      paid,
      message: expect.stringMatching(message),
    });
  });

  test('to connect is retryable and names the reason', async () => {
    const { baseUrl, apiKey } = standIn;
    await standIn.close();
    expect(await failure(open({ baseUrl, apiKey }).generate(ask(), never))).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: true,
      paid: false,
      message: expect.stringMatching(/^OpenAI could not be reached: .*ECONNREFUSED/),
    });
  });

  test.each<Fault>(['moderation', 'content-policy'])(
    "by %s is a refusal with OpenAI's message",
    async (fault) => {
      expect(await failWith(fault)).toMatchObject({
        code: 'PROVIDER_REFUSED',
        retryable: false,
        paid: false,
        message: expect.stringMatching(
          /^OpenAI refused the request \(400, req_\w+\): Your request was rejected/,
        ),
      });
    },
  );

  test('because of a wrong key shows no part of a key', async () => {
    const apiKey = 'sk-proj-wrong-0123456789abcdef';
    const error = await failure(open({ apiKey }).generate(ask(), never));
    expect(error).toMatchObject({
      code: 'PROVIDER_UNAUTHORIZED',
      retryable: false,
      message: expect.stringContaining('Incorrect API key provided: [key].'),
    });
    expect(inspect(error, { depth: 10 })).not.toMatch(/sk-proj|cdef/);
  });

  test('for a model that the account may not use passes on the reason', async () => {
    expect(await failWith('forbidden')).toMatchObject({
      code: 'PROVIDER_UNAUTHORIZED',
      retryable: false,
      message: expect.stringContaining('Your organization must be verified'),
    });
  });

  test('because of an invalid value is not retryable and names the value', async () => {
    const error = await failure(open().generate(ask({ size: '512x512' }), never));
    expect(error).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: false,
      message: expect.stringContaining("Invalid value: '512x512'. Supported values are: '1024x1024'"),
    });
  });

  test('because of a value that the SDK does not know sends nothing', async () => {
    const error = await failure(open().generate(ask({ quality: 'splendid' }), never));
    expect(error).toMatchObject({ code: 'PROVIDER_FAILED', retryable: false });
    expect(standIn.requests).toEqual([]);
  });

  test('has neither the key nor the response nor the prompt in its message or its causes', async () => {
    const chatty = await failWith('chatty');
    expect(chatty.message).toMatch(
      /^OpenAI rejected the request as invalid \(400, req_\w+\): The key \[key\] was used\. Words\./,
    );
    expect(chatty.message.length).toBeLessThan(600);
    standIn.failNext('invalid-json');
    const garbled = await failure(open().generate(ask({ prompt: 'a secret fox' }), never));
    for (const error of [chatty, garbled]) {
      const everything = inspect(error, { depth: 10, showHidden: true, maxStringLength: null });
      expect(everything.length).toBeLessThan(20_000);
      expect(everything).not.toContain(standIn.apiKey);
      expect(everything).not.toContain('a secret fox');
    }
    expect(garbled.cause).toMatchObject({ name: 'AI_APICallError', cause: { name: 'AI_JSONParseError' } });
  });

  test('is not retried', async () => {
    await failWith('server-error');
    await failWith('rate-limit');
    expect(standIn.requests.length).toBe(2);
  });

  test('by redirect is not followed', async () => {
    expect(await failWith('redirect')).toMatchObject({ code: 'PROVIDER_FAILED', retryable: false });
    expect(standIn.requests.map(({ path }) => path)).toEqual(['/v1/images/generations']);
  });

  test.each<Fault>(['hang', 'stall'])('by %s ends at the time-out', async (fault) => {
    const provider = open({ timeoutSeconds: 0.3 });
    await provider.generate(ask(), never).catch(() => {}); // The first call loads the packages.
    standIn.failNext(fault);
    const begun = performance.now();
    expect(await failure(provider.generate(ask(), never))).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: true,
      paid: true,
      message: 'OpenAI did not respond within 0.3 seconds.',
    });
    expect(performance.now() - begun).toBeLessThan(2000);
  });

  test.each<Fault>(['hang', 'stall'])('by %s ends when the caller cancels', async (fault) => {
    const caller = new AbortController();
    standIn.failNext(fault);
    const failed = failure(open().generate(ask(), caller.signal));
    setTimeout(() => caller.abort(new Error('The server stops.')), 300);
    expect(await failed).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: true,
      paid: true,
      message: 'The request to OpenAI was cancelled.',
    });
  });

  test('of a call that is already cancelled sends nothing', async () => {
    expect(await failure(open().generate(ask(), AbortSignal.abort()))).toMatchObject({
      message: 'The request to OpenAI was cancelled.',
      retryable: true,
      paid: false,
    });
    expect(standIn.requests).toEqual([]);
  });

  test('because of a response in another shape is not retryable, because the next would be the same', async () => {
    expect(await failWith('other-shape')).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: false,
      paid: true,
      message: expect.stringMatching(
        /does not have the shape of its API \(200, req_\w+\)\. Check the base URL\.$/,
      ),
    });
  });

  test('because of a response above the size limit is detected while it arrives and is not retryable', async () => {
    const error = await failure(open({ maxResponseBytes: 1000 }).generate(ask(), never));
    expect(error).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: false,
      paid: true,
      message: 'The response from OpenAI is larger than the limit of 1000 bytes.',
    });
  });

  test('leaves the provider ready for the next call', async () => {
    const provider = open();
    for (const fault of ['truncated', 'reset', 'invalid-json', 'server-error'] as const) {
      standIn.failNext(fault);
      await failure(provider.generate(ask(), never));
      expect(bytesOf(await provider.generate(ask(), never)).length).toBeGreaterThan(0);
    }
  });
});

describe('the provider', () => {
  test('serves the whole table at other servers, and at OpenAI only models that are not shut down', () => {
    expect(open().models).toEqual(OPENAI_MODELS);
    const ids = open({ baseUrl: 'https://api.openai.com/v1' }).models.map(({ id }) => id);
    expect(ids).toContain('gpt-image-2.5-flare');
    expect(ids).not.toContain('dall-e-3');
    expect(ids).not.toContain('gpt-image-1');
  });

  test('closes without having been used, and closes twice', async () => {
    const provider = open();
    await provider.close();
    await provider.close();
    expect(standIn.requests).toEqual([]);
  });

  test('closes after the running calls and rejects new ones', async () => {
    const provider = open();
    const picture = provider.generate(ask(), never);
    const closed = provider.close();
    expect(await failure(provider.generate(ask(), never))).toMatchObject({
      code: 'PROVIDER_FAILED',
      retryable: true,
    });
    await closed;
    expect(bytesOf(await picture).length).toBeGreaterThan(0);
    expect(standIn.requests.length).toBe(1);
  });
});
