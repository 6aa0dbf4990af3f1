import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  AttemptsDocument,
  CancelGenerationDocument,
  DeleteImageDocument,
  GenerateImageDocument,
  type GenerateImageInput,
  RegenerateImageDocument,
  UpdateImageDocument,
} from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { type Gate, openGate } from './gate.ts';

describe('an image that changes while it is generated', () => {
  let app: TestApp;
  let gate: Gate;
  beforeAll(async () => {
    gate = await openGate();
    app = await openTestApp({
      OPENAI_API_KEY: gate.apiKey,
      OPENAI_BASE_URL: gate.baseUrl,
      DEFAULT_MODEL: 'dall-e-3',
    });
  });
  afterEach(() => gate.open());
  afterAll(async () => {
    await app.close();
    await gate.close();
  });

  const generate = async (input: GenerateImageInput) =>
    (await app.ask(GenerateImageDocument, { input: { prompt: 'a fox', userId: 'u1', ...input } }))
      .generateImage;
  const look = async (id: string) => (await app.ask(AttemptsDocument, { id })).image;

  test('keeps metadata that was written meanwhile', async () => {
    gate.shut();
    const { images } = await generate({ waitSeconds: 0, metadata: { old: 1 }, userId: 'u2' });
    const id = images[0]?.id as string;
    await eventually(() => expect(gate.waiting()).toBe(1));
    await app.ask(UpdateImageDocument, { input: { id, metadata: { mine: 2 } } });
    gate.open();
    await eventually(async () => expect(await look(id)).toMatchObject({ status: 'SUCCESS' }));
    expect((await look(id))?.metadata).toMatchObject({ mine: 2 });
    expect((await look(id))?.metadata).not.toHaveProperty('old');
  });

  test('is not generated when it was deleted before, and costs nothing', async () => {
    const before = gate.calls.length;
    const scheduledFor = new Date(Date.now() + 1500).toISOString();
    const { images } = await generate({ scheduledFor, waitSeconds: 0 });
    const id = images[0]?.id as string;
    await app.ask(DeleteImageDocument, { input: { id } });
    await eventually(async () =>
      expect(await look(id)).toMatchObject({ status: 'FAILED', error: { code: 'CANCELLED' } }),
    );
    expect(gate.calls.length).toBe(before);
  });

  test('fails with its first panel that fails, when it is a page; other panels are not begun or paid', async () => {
    gate.refuse('panel 1 is forbidden');
    const panels = ['panel 1 is forbidden', 'b', 'c', 'd', 'e', 'f'];
    gate.shut(1);
    const { images } = await generate({ tool: 'generateComic', prompt: null, panels, userId: 'u3' });
    expect(images).toMatchObject([{ status: 'FAILED', error: { code: 'PROVIDER_REFUSED' } }]);
    const asked = async () =>
      (
        await app.database.query(
          'SELECT 1 FROM generations g JOIN generated_images i ON i.id = g.image_id WHERE i.part_of = $1 AND g.calls > 0',
          [images[0]?.databaseId],
        )
      ).length;
    const paid = await asked();
    const cancelled = await app.ask(CancelGenerationDocument, { input: { id: images[0]?.id as string } });
    expect(cancelled.cancelGeneration.userErrors).toEqual([]);
    gate.open();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await asked()).toBe(paid);
    expect(paid).toBeLessThan(6);
    gate.refuse(null);
    const again = await app.ask(RegenerateImageDocument, {
      input: { id: images[0]?.id as string, waitSeconds: 60 },
    });
    expect(again.regenerateImage.image).toMatchObject({ status: 'SUCCESS' });
  });

  test('has new parts after it is regenerated', async () => {
    const [image] = (await generate({ tool: 'generateIconEmoji', size: '128x128', userId: 'u4' })).images;
    const hashes = async () =>
      (
        await app.database.query<{ sha256: string }>(
          'SELECT sha256 FROM generated_images WHERE part_of = $1 ORDER BY part',
          [image?.databaseId],
        )
      ).map(({ sha256 }) => sha256);
    const before = await hashes();
    for (const { key } of image?.copies ?? []) {
      await rm(path.join(app.directory, 'images', key), { force: true });
      await app.database.query('DELETE FROM stored_objects WHERE key = $1', [key]);
    }
    const { regenerateImage } = await app.ask(RegenerateImageDocument, {
      input: { id: image?.id as string },
    });
    expect(regenerateImage.image).toMatchObject({ status: 'SUCCESS', filename: image?.filename });
    const after = await hashes();
    expect(after).toHaveLength(before.length);
    expect(after.some((hash) => before.includes(hash))).toBe(false);
  });

  test('leaves no visible part when it is deleted during the call', async () => {
    gate.shut();
    const { images } = await generate({ tool: 'generateIconEmoji', waitSeconds: 0, userId: 'u8' });
    const id = images[0]?.id as string;
    await eventually(() => expect(gate.waiting()).toBe(1));
    await app.ask(DeleteImageDocument, { input: { id } });
    gate.open();
    await eventually(async () => expect(await look(id)).toMatchObject({ status: 'SUCCESS', url: null }));
    const parts = await app.database.query<{ deleted: boolean }>(
      'SELECT deleted_at IS NOT NULL AS deleted FROM generated_images WHERE part_of = $1',
      [images[0]?.databaseId],
    );
    expect(parts).toEqual([{ deleted: true }, { deleted: true }]);
  });
});
