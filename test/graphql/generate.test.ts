import { rename } from 'node:fs/promises';
import path from 'node:path';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { parse } from 'graphql';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AttemptsDocument, GenerateImageDocument, ImagesDocument } from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { type OpenAiStandIn, openOpenAiStandIn } from '../provider/openai-stand-in.ts';

describe('generateImage', () => {
  let app: TestApp;
  let openai: OpenAiStandIn;
  beforeAll(async () => {
    openai = await openOpenAiStandIn();
    app = await openTestApp({
      OPENAI_API_KEY: openai.apiKey,
      OPENAI_BASE_URL: openai.baseUrl,
      PROVIDER_TIMEOUT_SECONDS: '2',
      DEFAULT_MODEL: 'sample',
    });
  });
  afterAll(async () => {
    await app.close();
    await openai.close();
  });

  const generate = async (input: object) =>
    (
      await app.ask(GenerateImageDocument, {
        input: { prompt: 'a fox', size: '1024x1024', model: 'gpt-image-1', ...input },
      })
    ).generateImage;

  test('keeps what OpenAI makes', async () => {
    const { images, userErrors } = await generate({ quality: 'high', userId: 'u1' });
    expect(userErrors).toEqual([]);
    expect(images).toMatchObject([
      {
        status: 'SUCCESS',
        provider: 'openai',
        model: 'gpt-image-1',
        size: '1024x1024',
        quality: 'high',
        width: 1024,
        height: 1024,
        error: null,
      },
    ]);
    expect(images[0]?.metadata).toHaveProperty('provider');
    expect(openai.requests.at(-1)).toMatchObject({ body: { model: 'gpt-image-1', prompt: 'a fox', n: 1 } });
  });

  test('asks once for each image', async () => {
    const before = openai.requests.length;
    const { images } = await generate({ n: 3 });
    expect(images).toHaveLength(3);
    expect(openai.requests.length - before).toBe(3);
  });

  test.each([
    ['moderation', 'PROVIDER_REFUSED', false],
    ['quota', 'PROVIDER_FAILED', false],
    ['forbidden', 'PROVIDER_UNAUTHORIZED', false],
    ['hang', 'PROVIDER_FAILED', true],
    ['stall', 'PROVIDER_FAILED', true],
    ['truncated', 'PROVIDER_FAILED', true],
    ['invalid-json', 'PROVIDER_FAILED', true],
    ['no-picture', 'PROVIDER_FAILED', true],
  ] as const)('asks once, and records that the provider answered with %s', async (fault, code, retryable) => {
    const before = openai.requests.length;
    openai.failNext(fault);
    const { images, userErrors } = await generate({ userId: 'fails' });
    expect(userErrors).toEqual([]);
    expect(images).toMatchObject([
      { status: 'FAILED', url: null, sha256: null, copies: [], error: { code, retryable } },
    ]);
    expect(openai.requests.length - before).toBe(1);
    expect(images[0]?.error?.message).not.toContain(openai.apiKey);
    expect(app.logged.join('')).not.toContain(openai.apiKey);
  });

  test('lists what failed', async () => {
    const { images } = await app.ask(ImagesDocument, { filter: { userId: 'fails', status: ['FAILED'] } });
    expect(images.totalCount).toBe(8);
  });

  test.each([
    ['rate-limit', { 'retry-after': '1' }, 'PROVIDER_BUSY'],
    ['server-error', {}, 'PROVIDER_FAILED'],
    ['unavailable', {}, 'PROVIDER_FAILED'],
    ['reset', {}, 'PROVIDER_FAILED'],
  ] as const)(
    'asks again after %s, for which nothing is paid, and keeps both tries',
    async (fault, headers, code) => {
      const before = openai.requests.length;
      openai.failNext(fault, headers);
      const { images } = await generate({ userId: 'again' });
      expect(images).toMatchObject([{ status: 'SUCCESS', error: null }]);
      expect(openai.requests.length - before).toBe(2);
      const { image } = await app.ask(AttemptsDocument, { id: images[0]?.id as string });
      expect(image?.attempts).toMatchObject([
        { code, endedAt: expect.any(String), retryAt: expect.any(String) },
        { code: null, endedAt: expect.any(String), retryAt: null },
      ]);
      const [first, second] = image?.attempts ?? [];
      const wait = Date.parse(second?.startedAt as string) - Date.parse(first?.endedAt as string);
      expect(wait).toBeGreaterThanOrEqual(fault === 'rate-limit' ? 1000 : 700);
    },
  );

  test('gives up on a provider that fails again and again, and says so', async () => {
    const before = openai.requests.length;
    for (let i = 0; i < 5; i++) openai.failNext('rate-limit', { 'retry-after-ms': '100' });
    const { images } = await generate({ waitSeconds: 60 });
    expect(images).toMatchObject([{ status: 'FAILED', error: { code: 'PROVIDER_BUSY', retryable: true } }]);
    expect(openai.requests.length - before).toBe(5);
  });

  test('waits for a store that is down, pays once, and acknowledges nothing before the bytes are safe', async () => {
    const root = path.join(app.directory, 'images');
    await rename(root, `${root}-away`);
    const before = openai.requests.length;
    const { images } = await generate({ userId: 'nowhere', waitSeconds: 2 });
    expect(images).toMatchObject([{ status: 'PROCESSING', url: null, error: null, copies: [] }]);
    const id = images[0]?.id as string;
    const { image } = await app.ask(AttemptsDocument, { id });
    expect(image?.attempts[0]).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('filesystem'),
    });
    await rename(`${root}-away`, root);
    await eventually(async () => {
      const now = await app.ask(AttemptsDocument, { id });
      expect(now.image).toMatchObject({ status: 'SUCCESS' });
    });
    expect(openai.requests.length - before).toBe(1);
  });

  test.each([
    ['an unknown model', { model: 'dall-e-9' }, 'UNKNOWN_MODEL', 'model'],
    ['n = 0', { n: 0 }, 'INVALID_INPUT', 'n'],
    ['n = 11', { n: 11 }, 'INVALID_INPUT', 'n'],
    ['a negative size', { size: '-5x10', model: 'sample' }, 'INVALID_INPUT', 'size'],
    ['a size that is none', { size: 'big', model: 'sample' }, 'INVALID_INPUT', 'size'],
    ['a size that the model cannot do', { size: '1x1' }, 'UNSUPPORTED_BY_MODEL', 'size'],
    ['a quality that the model does not know', { quality: 'superb' }, 'UNSUPPORTED_BY_MODEL', 'quality'],
    ['an empty prompt', { prompt: ' ' }, 'INVALID_INPUT', 'prompt'],
    ['a tool that is none', { tool: 'paintMyHouse' }, 'UNKNOWN_TOOL', 'tool'],
    ['panels for a tool that has none', { panels: ['a'] }, 'INVALID_INPUT', 'panels'],
    ['a reference for a tool that takes none', { references: [{ id: 'x' }] }, 'INVALID_ID', 'references'],
    [
      'a schedule in two years',
      { scheduledFor: new Date(Date.now() + 7e10).toISOString() },
      'INVALID_INPUT',
      'scheduledFor',
    ],
    ['a seed for a model that takes none', { seed: 1 }, 'UNSUPPORTED_BY_MODEL', 'seed'],
    ['a prompt of 2 MB', { prompt: 'x'.repeat(2_000_000) }, 'UNSUPPORTED_BY_MODEL', 'prompt'],
    ['a prompt with NUL', { prompt: 'a\0b' }, 'INVALID_INPUT', 'prompt'],
    ['a wait of an hour', { waitSeconds: 3600 }, 'INVALID_INPUT', 'waitSeconds'],
    ['a user with too long a name', { userId: 'x'.repeat(256) }, 'INVALID_INPUT', 'userId'],
  ])('refuses %s before anything is paid or written', async (_name, input, code, field) => {
    const paid = openai.requests.length;
    const rows = await app.database.query('SELECT id FROM generated_images');
    const { images, userErrors } = await generate(input);
    expect(images).toEqual([]);
    expect(userErrors).toMatchObject([{ __typename: 'InputError', code }]);
    expect(userErrors[0]?.path.slice(0, 2)).toEqual(['input', field]);
    expect(userErrors[0]?.message.length).toBeLessThan(2000);
    expect(openai.requests.length).toBe(paid);
    expect(await app.database.query('SELECT id FROM generated_images')).toHaveLength(rows.length);
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    [
      'both',
      { id: 'x', file: null },
      /Exactly one key must be specified for OneOf type "PictureSourceInput"/,
    ],
    ['neither', {}, /Exactly one key must be specified/],
    ['an id of null', { id: null }, /"id" must be non-null/],
  ])('refuses a reference with %s as the specification has it', async (_name, reference, message) => {
    const input = { prompt: 'a fox', references: [reference] } as never;
    for (const field of ['references', 'mask']) {
      const given = field === 'mask' ? { prompt: 'a fox', mask: reference } : input;
      const { data, errors } = await app.send(GenerateImageDocument, { input: given as never });
      expect(data).toBeUndefined();
      expect(errors?.every(({ extensions }) => extensions?.code === 'BAD_REQUEST')).toBe(true);
      expect(errors?.[0]?.message).toMatch(message);
      expect(errors?.[0]?.message).toContain(`input.${field}`);
    }
  });

  test('refuses a reference by a variable that is null when its field is run, and runs the others', async () => {
    const document = parse(
      `mutation M($file: Upload) {
        made: generateImage(input: { prompt: "a fox", model: "sample", size: "64x64" }) { userErrors { message } }
        refused: generateImage(input: { prompt: "a fox", references: [{ file: $file }] }) { userErrors { message } }
      }`,
    ) as TypedDocumentNode<unknown, object>;
    const { data, errors } = await app.send(document, { file: null });
    expect(data).toEqual({ made: { userErrors: [] }, refused: null });
    expect(errors).toMatchObject([{ path: ['refused'], extensions: { code: 'BAD_REQUEST' } }]);
  });

  test.each([
    ['null in the document beside an id', '', '{ id: "a", file: null }', {}],
    ['null in the document alone', '', '{ id: null }', {}],
    ['a variable that may be null', '($file: Upload)', '{ file: $file }', { file: null }],
  ])('refuses a mask with %s when it validates the document', async (_name, variables, mask, values) => {
    const document = parse(
      `mutation M${variables} { generateImage(input: { prompt: "a fox", mask: ${mask} }) { userErrors { message } } }`,
    ) as TypedDocumentNode<unknown, object>;
    const { data, errors } = await app.send(document, values);
    expect(data).toBeUndefined();
    expect(errors).toMatchObject([{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }]);
  });

  test('refuses a request that is larger than any can be', async () => {
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: '{ stores { name } }', variables: { x: 'x'.repeat(5_000_000) } }),
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'TOO_LARGE' } }] });
  });
});
