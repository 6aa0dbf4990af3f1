import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AttemptsDocument, GenerateImageDocument } from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { openProviderStandIn, type ProviderStandIn } from '../provider/stand-in.ts';

/** A model of each provider. */
const MODELS = [
  ['openai', 'gpt-image-1'],
  ['google', 'gemini-2.5-flash-image'],
  ['xai', 'grok-imagine-image'],
  ['bfl', 'flux-pro-1.1'],
  ['fal', 'fal-ai/flux/dev'],
  ['replicate', 'black-forest-labs/flux-schnell'],
] as const;

describe('what providers make, through the queue', () => {
  let app: TestApp;
  let standIn: ProviderStandIn;
  beforeAll(async () => {
    standIn = await openProviderStandIn();
    app = await openTestApp({ ...standIn.environment, ALLOW_PRIVATE_SOURCES: '127.0.0.1' });
  });
  afterAll(async () => {
    await app.close();
    await standIn.close();
  });

  const generate = async (model: string) =>
    (await app.ask(GenerateImageDocument, { input: { prompt: 'a fox', model } })).generateImage;

  test.each(MODELS)('%s: is kept, with the address it came from', async (provider, model) => {
    const before = standIn.paid;
    const { images, userErrors } = await generate(model);
    expect(userErrors).toEqual([]);
    expect(images).toMatchObject([{ status: 'SUCCESS', provider, model }]);
    const [image] = images;
    expect(image?.copies.every(({ state }) => state === 'STORED')).toBe(true);
    if (provider === 'bfl' || provider === 'fal' || provider === 'replicate') {
      expect(image?.originalUrl).toMatch(/^http:\/\/127\.0\.0\.1/);
      expect(image?.url).not.toContain(image?.originalUrl);
    }
    expect(standIn.paid - before).toBe(1);
  });

  test('an address that has expired fails for good, with its address on record and one call paid', async () => {
    const before = standIn.paid;
    standIn.failNext('expired-address');
    const { images } = await generate('flux-pro-1.1');
    expect(images).toMatchObject([{ status: 'FAILED', error: { code: 'SOURCE_EXPIRED' } }]);
    expect(images[0]?.originalUrl).toMatch(/^http/);
    expect(standIn.paid - before).toBe(1);
    const { image } = await app.ask(AttemptsDocument, { id: images[0]?.id as string });
    expect(image?.attempts).toHaveLength(1);
  });
});
