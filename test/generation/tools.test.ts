import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TOOLS } from '../../src/tool/tools.ts';
import {
  AttemptsDocument,
  GenerateImageDocument,
  type GenerateImageInput,
  ImagesDocument,
  ToolPlansDocument,
  ToolsDocument,
} from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { FILE_OF_FORM, generateWithFile } from '../upload.ts';

/** Where the pictures are put to be looked at, if anywhere. */
const LOOK = process.env.LOOK_AT_PICTURES;

describe('every tool, on the provider sample, through the front door', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  const generate = async (input: GenerateImageInput) => {
    const { images, userErrors } = (
      await app.ask(GenerateImageDocument, { input: { model: 'sample', waitSeconds: 60, ...input } })
    ).generateImage;
    expect(userErrors).toEqual([]);
    for (const image of images) {
      expect(image, JSON.stringify(image.error)).toMatchObject({ status: 'SUCCESS', tool: input.tool });
      expect(image.filename).toMatch(/^[A-Za-z0-9_-][A-Za-z0-9._-]*\.(png|jpg|webp)$/);
      const bytes = await fetchBytes(image.url as string);
      const named = await app.fetch(`/generated/${image.filename}`);
      expect(named.status).toBe(200);
      expect(Buffer.from(await named.arrayBuffer()).equals(bytes)).toBe(true);
      if (LOOK) {
        await mkdir(LOOK, { recursive: true });
        await writeFile(path.join(LOOK, image.filename as string), bytes);
      }
    }
    return images;
  };

  const fetchBytes = async (url: string) => {
    const response = await app.fetch(new URL(url).pathname);
    expect(response.status).toBe(200);
    return Buffer.from(await response.arrayBuffer());
  };

  /** The parts of an image, by what they are. */
  const partsOf = async (databaseId: unknown) => {
    const rows = await app.database.query<{ part: string; uuid: string; width: number; status: string }>(
      'SELECT part, uuid, width, status FROM generated_images WHERE part_of = $1 ORDER BY part',
      [databaseId],
    );
    return new Map(rows.map((row) => [row.part, row]));
  };

  test('generateUserImage', async () => {
    const images = await generate({ tool: 'generateUserImage', prompt: 'a lighthouse', n: 3, seed: 4 });
    expect(images).toHaveLength(3);
    expect(images[0]?.filename).toMatch(/^image-\d{13}-1\.png$/);
  });

  test('generateUserAvatar is square, says where the face may be, and keeps the original', async () => {
    const [image] = await generate({ tool: 'generateUserAvatar', prompt: 'an old sailor' });
    expect(image).toMatchObject({ width: 512, height: 512, size: '512x512' });
    expect(image?.metadata).toMatchObject({ tool: { crop: expect.anything(), focus: expect.anything() } });
    expect([...(await partsOf(image?.databaseId)).keys()]).toEqual(['original']);
  });

  test('generateAnimeManga', async () => {
    const [image] = await generate({ tool: 'generateAnimeManga', prompt: 'a fox with a sword' });
    expect(image?.prompt).toBe('a fox with a sword');
  });

  test('generateIconEmoji is transparent, and comes in two sizes', async () => {
    const [image] = await generate({ tool: 'generateIconEmoji', prompt: 'a red apple' });
    expect(image).toMatchObject({ width: 256, height: 256 });
    const { channels, isOpaque } = await sharp(await fetchBytes(image?.url as string)).stats();
    expect([channels.length, isOpaque]).toEqual([4, false]);
    expect((await partsOf(image?.databaseId)).get('128')).toMatchObject({ width: 128, status: 'success' });
  });

  test('generateComic composes a page of its panels, each of them a picture of its own', async () => {
    const panels = ['a fox wakes', 'a fox runs', 'a fox rests'];
    const [image, ...more] = await generate({ tool: 'generateComic', prompt: 'A day of a fox', panels });
    expect(more).toEqual([]);
    const parts = await partsOf(image?.databaseId);
    expect([...parts.keys()]).toEqual(['panel-1', 'panel-2', 'panel-3']);
    const { images } = await app.ask(ImagesDocument, { filter: { tool: 'generateComic' } });
    expect(images.totalCount).toBe(1);
    const all = await app.ask(ImagesDocument, { filter: { tool: 'generateComic', parts: true } });
    expect(all.images.totalCount).toBe(4);
  });

  test('imageEditor changes an image where a mask leaves it open, and remembers what it came from', async () => {
    const [first] = await generate({ tool: 'generateUserImage', prompt: 'a house', size: '256x256' });
    const hole = await sharp({ create: { width: 100, height: 100, channels: 4, background: '#0000' } })
      .png()
      .toBuffer();
    const mask = await sharp({ create: { width: 256, height: 256, channels: 4, background: '#fff' } })
      .composite([{ input: hole, left: 20, top: 20, blend: 'dest-out' }])
      .composite([
        {
          input: await sharp({ create: { width: 100, height: 100, channels: 4, background: '#fff' } })
            .png()
            .toBuffer(),
          left: 20,
          top: 20,
          blend: 'dest-out',
        },
      ])
      .png()
      .toBuffer();
    const input = {
      ...{ tool: 'imageEditor', model: 'sample', prompt: 'a door', size: '256x256', waitSeconds: 60 },
      references: [{ id: first?.id as string }],
      mask: { file: FILE_OF_FORM },
    };
    const { images, userErrors } = await generateWithFile(app, input, { place: 'mask', content: mask });
    expect(userErrors).toEqual([]);
    const [edit] = images;
    expect(edit?.error).toBeNull();
    const [before, after] = await Promise.all(
      [first?.url, edit?.url].map(async (url) =>
        sharp(await fetchBytes(url as string))
          .raw()
          .toBuffer(),
      ),
    );
    const pixel = (data: Buffer | undefined, x: number, y: number) => {
      const channels = (data?.length ?? 0) / (256 * 256);
      return [...(data?.subarray((y * 256 + x) * channels, (y * 256 + x) * channels + 3) ?? [])];
    };
    expect(pixel(after, 200, 200)).toEqual(pixel(before, 200, 200));
    const rows = await app.database.query<{ parent: string }>(
      'SELECT p.uuid AS parent FROM generated_images i JOIN generated_images p ON p.id = i.parent_id WHERE i.id = $1',
      [edit?.databaseId],
    );
    const { image } = await app.ask(AttemptsDocument, { id: first?.id as string });
    expect(rows).toHaveLength(1);
    expect(image?.id).toBe(first?.id);
    if (LOOK) await writeFile(path.join(LOOK, 'edit.png'), await fetchBytes(edit?.url as string));
  });

  test('advancedImageEditingWithContext takes several references, and makes a tree of versions', async () => {
    const sources = await generate({ tool: 'generateUserImage', prompt: 'a boat', n: 2, size: '128x128' });
    const [first] = await generate({
      tool: 'advancedImageEditingWithContext',
      prompt: 'the boat at night',
      references: sources.map(({ id }) => ({ id })),
    });
    const [second] = await generate({
      tool: 'advancedImageEditingWithContext',
      prompt: 'and now with a moon',
      parentId: first?.id as string,
    });
    const { image } = await app.ask(AttemptsDocument, { id: second?.id as string });
    expect(image?.references).toEqual([{ id: first?.id }]);
  });

  test('renderChart draws rows without any provider', async () => {
    const rows = [
      { month: 'Jan', sales: 4 },
      { month: 'Feb', sales: 7 },
      { month: 'Mar', sales: 5 },
    ];
    const { images, userErrors } = (
      await app.ask(GenerateImageDocument, {
        input: { tool: 'renderChart', chart: { kind: 'BAR', rows, x: 'month', y: 'sales' }, waitSeconds: 60 },
      })
    ).generateImage;
    expect(userErrors).toEqual([]);
    expect(images).toMatchObject([{ status: 'SUCCESS', provider: 'vega', model: 'vega-lite', width: 1024 }]);
    if (LOOK) await writeFile(path.join(LOOK, 'chart.png'), await fetchBytes(images[0]?.url as string));
  });

  test('storyIllustration draws the pages behind the first with the first beside them', async () => {
    const pages = ['The bear wakes', 'The bear finds honey', 'The bear sleeps'];
    const images = await generate({ tool: 'storyIllustration', pages, character: 'a small brown bear' });
    expect(images.map(({ filename }) => filename?.replace(/\d{13}/, 'E'))).toEqual([
      'story-E-p1.png',
      'consistent-E-p2.png',
      'consistent-E-p3.png',
    ]);
    for (const page of images.slice(1)) {
      const { image } = await app.ask(AttemptsDocument, { id: page.id });
      expect(image?.references).toEqual([{ id: images[0]?.id }]);
    }
  });

  test('stagedPhoto works from a file of the same request', async () => {
    const input = {
      tool: 'stagedPhoto',
      model: 'sample',
      prompt: 'on a beach',
      references: [{ file: FILE_OF_FORM }],
      waitSeconds: 60,
    };
    const { images, userErrors } = await generateWithFile(app, input, {
      place: 'references.0',
      content: await makePicture({ width: 300, height: 200, seed: 9 }),
    });
    expect(userErrors).toEqual([]);
    expect(images).toMatchObject([{ status: 'SUCCESS' }]);
    if (LOOK) await writeFile(path.join(LOOK, 'staged.png'), await fetchBytes(images[0]?.url as string));
  });

  test('the table says what there is', async () => {
    const { tools, models } = await app.ask(ToolsDocument, {});
    expect(tools.map(({ name }) => name)).toHaveLength(10);
    expect(models.find(({ id }) => id === 'sample')).toEqual({
      id: 'sample',
      provider: 'sample',
      available: true,
    });
  });

  test('a client learns which fields each tool takes', async () => {
    const { tools, models } = await app.ask(ToolPlansDocument, {});
    const byName = Object.fromEntries(tools.map((tool) => [tool.name, tool]));
    expect(byName.generateComic).toMatchObject({ plan: 'COMIC', maxParts: 6, sizeRange: null });
    expect(byName.storyIllustration).toMatchObject({ plan: 'STORY', maxParts: 10, sizeRange: null });
    const sizeRange = { minSide: 16, maxSide: 4096 };
    expect(byName.renderChart).toMatchObject({ plan: 'CHART', maxParts: 0, sizeRange });
    expect(byName.generateUserAvatar).toMatchObject({ plan: 'PICTURES', square: true, sizeRange });
    expect(byName.generateUserImage).toMatchObject({ square: false, sizeRange: null });
    expect(byName.generateUserAvatar?.addedPromptLength).toBeGreaterThan(100);
    expect(models.filter(({ isDefault }) => isDefault).map(({ id }) => id)).toEqual(['sample']);
    const prices = models.find(({ id }) => id === 'gpt-image-2')?.prices;
    expect(prices).toEqual([]);
    expect(models.flatMap((model) => model.prices).every(({ usd }) => usd > 0)).toBe(true);
  });

  test('the stated number of characters is what the tool adds at most', async () => {
    const { tools } = await app.ask(ToolPlansDocument, {});
    for (const tool of TOOLS) {
      const most = tools.find(({ name }) => name === tool.name)?.addedPromptLength ?? 0;
      for (const hasReference of [false, true])
        for (const position of [1, 10]) {
          const sent = tool.prompt({ prompt: 'fox', character: null, position, count: 10, hasReference });
          expect(sent.length - 'fox'.length).toBeLessThanOrEqual(most);
        }
    }
  });
});
