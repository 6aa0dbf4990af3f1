import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  AttemptsDocument,
  CancelGenerationDocument,
  GenerateImageDocument,
  type GenerateImageInput,
  ImageUpdatedDocument,
  RegenerateImageDocument,
} from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { follow } from './follow.ts';
import { type Gate, openGate } from './gate.ts';

describe('a generation', () => {
  let app: TestApp;
  let gate: Gate;
  beforeAll(async () => {
    gate = await openGate();
    app = await openTestApp({
      OPENAI_API_KEY: gate.apiKey,
      OPENAI_BASE_URL: gate.baseUrl,
      DEFAULT_MODEL: 'dall-e-3',
      GENERATIONS_PER_USER: '2',
      GENERATIONS_PER_PROVIDER: '8',
    });
  });
  afterAll(async () => {
    await app.close();
    await gate.close();
  });

  afterEach(() => gate.open());

  const generate = async (input: GenerateImageInput) =>
    (await app.ask(GenerateImageDocument, { input: { prompt: 'a fox', userId: 'u1', ...input } }))
      .generateImage;
  const look = async (id: string) => (await app.ask(AttemptsDocument, { id })).image;
  const regenerate = async (id: string) =>
    (await app.ask(RegenerateImageDocument, { input: { id } })).regenerateImage;

  test('is answered as it is when the wait is over, and goes on', async () => {
    gate.shut();
    const { images } = await generate({ waitSeconds: 1, n: 3 });
    const statuses = images.map(({ status }) => status).sort();
    expect(statuses).toEqual(['PENDING', 'PROCESSING', 'PROCESSING']);
    expect(images.every(({ url, originalUrl }) => url === null && originalUrl === null)).toBe(true);
    gate.open();
    for (const { id } of images) {
      await eventually(async () => expect(await look(id)).toMatchObject({ status: 'SUCCESS', kept: true }));
    }
    expect(gate.calls).toHaveLength(3);
  });

  test('is made once for a requestId, however often and however fast it is asked for', async () => {
    const before = gate.calls.length;
    const input = { requestId: 'r-1', n: 2, tags: ['x'], metadata: { a: 1, b: 2 } };
    const answers = await Promise.all(Array.from({ length: 6 }, () => generate(input)));
    const again = await generate({ ...input, metadata: { b: 2, a: 1 }, waitSeconds: 3 });
    const ids = [...answers, again].map(({ images }) => images.map(({ id }) => id));
    expect(new Set(ids.map(String)).size).toBe(1);
    expect(ids[0]).toHaveLength(2);
    expect(gate.calls.length - before).toBe(2);
  });

  test('is refused for another input under the same requestId, and made for another user', async () => {
    const before = gate.calls.length;
    await generate({ requestId: 'r-2' });
    const { images, userErrors } = await generate({ requestId: 'r-2', prompt: 'a wolf' });
    expect(images).toEqual([]);
    expect(userErrors).toMatchObject([{ code: 'CONFLICT', path: ['input', 'requestId'] }]);
    const other = await generate({ requestId: 'r-2', prompt: 'a wolf', userId: 'u2' });
    expect(other.userErrors).toEqual([]);
    expect(gate.calls.length - before).toBe(2);
  });

  test('is not begun before its time', async () => {
    const before = gate.calls.length;
    const scheduledFor = new Date(Date.now() + 3000).toISOString();
    const { images } = await generate({ scheduledFor, waitSeconds: 0 });
    const id = images[0]?.id as string;
    const image = await look(id);
    expect(image).toMatchObject({ status: 'PENDING', scheduledFor: expect.any(String) });
    expect(Math.abs(Date.parse(image?.scheduledFor as string) - Date.parse(scheduledFor))).toBeLessThan(1000);
    expect(gate.calls.length).toBe(before);
    await eventually(async () => expect(await look(id)).toMatchObject({ status: 'SUCCESS' }));
    const started = (await look(id))?.attempts[0]?.startedAt as string;
    expect(Date.parse(started)).toBeGreaterThanOrEqual(Date.parse(scheduledFor) - 1100);
  });

  test('is answered without a wait when it is scheduled for later', async () => {
    const { images } = await generate({ scheduledFor: new Date(Date.now() + 3_600_000).toISOString() });
    const id = images[0]?.id as string;
    const { cancelGeneration } = await app.ask(CancelGenerationDocument, { input: { id } });
    expect(cancelGeneration.image).toMatchObject({
      status: 'FAILED',
      error: { code: 'CANCELLED', retryable: true },
    });
  });

  test('that is cancelled ends, whether it waits or is being made, and what comes late is thrown away', async () => {
    gate.shut();
    const before = gate.calls.length;
    const { images } = await generate({ waitSeconds: 0, n: 3, userId: 'u3' });
    await eventually(() => expect(gate.waiting()).toBe(2));
    // The one that waits first: it would take the place of one that ends.
    const states = new Map<string, string | undefined>();
    for (const { id } of images) states.set(id, (await look(id))?.status);
    for (const { id } of images.toSorted((a) => (states.get(a.id) === 'PENDING' ? -1 : 1))) {
      const { cancelGeneration } = await app.ask(CancelGenerationDocument, { input: { id } });
      expect(cancelGeneration.userErrors).toEqual([]);
    }
    gate.open();
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const { id } of images)
      expect(await look(id)).toMatchObject({ status: 'FAILED', error: { code: 'CANCELLED' } });
    expect(gate.calls.length - before).toBe(2);
    const again = await app.ask(CancelGenerationDocument, { input: { id: images[0]?.id as string } });
    expect(again.cancelGeneration.userErrors).toMatchObject([{ code: 'CONFLICT', path: ['input', 'id'] }]);
    await eventually(async () =>
      expect((await app.files('answers')).filter((name) => !name.startsWith('.'))).toEqual([]),
    );
  });

  test('that is cancelled and asked for again at once is made by the second call, whatever the first still says', async () => {
    gate.shut();
    const before = gate.calls.length;
    const { images } = await generate({ waitSeconds: 0, userId: 'u7' });
    const id = images[0]?.id as string;
    await eventually(() => expect(gate.waiting()).toBe(1));
    await app.ask(CancelGenerationDocument, { input: { id } });
    const again = regenerate(id);
    await eventually(async () => expect((await look(id))?.status).not.toBe('FAILED'));
    gate.open();
    const { image, userErrors } = await again;
    expect(userErrors).toEqual([]);
    expect(image).toMatchObject({ status: 'SUCCESS' });
    expect(gate.calls.length - before).toBe(2);
    expect((await look(id))?.attempts).toMatchObject([{ code: 'CANCELLED' }, { code: null }]);
  });

  test('that was cancelled is made when it is asked for again, under the same id', async () => {
    const { images } = await generate({ scheduledFor: new Date(Date.now() + 3_600_000).toISOString() });
    const id = images[0]?.id as string;
    await app.ask(CancelGenerationDocument, { input: { id } });
    const { image, userErrors } = await regenerate(id);
    expect(userErrors).toEqual([]);
    expect(image).toMatchObject({ id, status: 'SUCCESS', error: null });
    const again = await regenerate(id);
    expect(again.userErrors).toMatchObject([
      { code: 'CONFLICT', message: expect.stringContaining('healthy copy') },
    ]);
  });

  test('whose bytes are lost is restored where a copy is left, and paid again where none is', async () => {
    const { images } = await generate({ userId: 'u4' });
    const { id, copies } = images[0] as (typeof images)[number];
    const file = path.join(app.directory, 'images', copies[0]?.key as string);
    const before = gate.calls.length;
    await rm(file);
    const restored = await regenerate(id);
    expect(restored.image).toMatchObject({ id, status: 'SUCCESS', sha256: images[0]?.sha256 });
    expect(gate.calls.length).toBe(before);

    await rm(file);
    await app.database.query('DELETE FROM stored_objects WHERE key = $1', [copies[0]?.key]);
    const made = await regenerate(id);
    expect(made.userErrors).toEqual([]);
    expect(made.image).toMatchObject({ id, status: 'SUCCESS' });
    expect(made.image?.sha256).not.toBe(images[0]?.sha256);
    expect(gate.calls.length).toBe(before + 1);
    const left = await app.database.query('SELECT 1 FROM blobs WHERE sha256 = $1', [images[0]?.sha256]);
    expect(left).toEqual([]);
  });

  test('waits for a store that is down, and goes on from the answer that is paid', async () => {
    const root = path.join(app.directory, 'images');
    const before = gate.calls.length;
    await rename(root, `${root}-away`);
    const { images } = await generate({ userId: 'u5', waitSeconds: 1 });
    const id = images[0]?.id as string;
    await eventually(async () =>
      expect((await look(id))?.attempts).toMatchObject([{ code: 'STORE_UNAVAILABLE' }]),
    );
    await rename(`${root}-away`, root);
    await eventually(async () => expect(await look(id)).toMatchObject({ status: 'SUCCESS' }));
    expect(gate.calls.length - before).toBe(1);
  });

  test('is followed from PENDING to SUCCESS by a subscription', async () => {
    gate.shut();
    const held = await generate({ userId: 'u6', n: 2, waitSeconds: 0 });
    await eventually(() => expect(gate.waiting()).toBe(2));
    const { images } = await generate({ userId: 'u6', waitSeconds: 0 });
    const id = images[0]?.id as string;
    const events = follow(app, ImageUpdatedDocument, { id });
    const seen: string[] = [];
    for await (const { imageUpdated } of events) {
      if (seen.at(-1) !== imageUpdated.status) seen.push(imageUpdated.status);
      if (imageUpdated.status === 'PENDING') {
        await app.ask(CancelGenerationDocument, { input: { id: held.images[0]?.id as string } });
      }
      if (imageUpdated.status === 'PROCESSING') gate.open();
      if (imageUpdated.status === 'SUCCESS') {
        expect(imageUpdated.url).toMatch(/^http/);
        break;
      }
    }
    expect(seen).toEqual(['PENDING', 'PROCESSING', 'SUCCESS']);
  });
});

describe('a server that keeps nothing', () => {
  test('answers the picture this once, and stores neither row nor bytes', async () => {
    const app = await openTestApp({ SAVE_GENERATED_IMAGES: 'false' });
    const { images, userErrors } = (
      await app.ask(GenerateImageDocument, {
        input: { prompt: 'a fox', panels: ['one', 'two'], tool: 'generateComic', tags: ['t'] },
      })
    ).generateImage;
    expect(userErrors).toEqual([]);
    expect(images).toMatchObject([{ status: 'SUCCESS', tags: ['t'], copies: [], width: 1024 }]);
    expect(images[0]?.url).toMatch(/^data:image\/png;base64,/);
    expect(await app.database.query('SELECT 1 FROM generated_images')).toEqual([]);
    expect(await app.files('images')).toEqual([]);
    await app.close();
  });
});
