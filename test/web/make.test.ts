import type { Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, openBrowser, type TestBrowser } from '../browser/chromium.ts';
import { GenerateImageDocument, ImagesDocument } from '../generated/graphql.ts';
import { type Gate, openGate } from '../generation/gate.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { expectAccessible, openGallery } from './pages.ts';

describe.skipIf(!CHROMIUM)('the page that makes images', () => {
  let app: TestApp;
  let gate: Gate;
  let opened: TestBrowser;
  beforeAll(async () => {
    gate = await openGate();
    app = await openTestApp({
      OPENAI_API_KEY: gate.apiKey,
      OPENAI_BASE_URL: gate.baseUrl,
      OPENAI_MODELS: 'dall-e-3',
      DEFAULT_MODEL: 'sample',
    });
    opened = await openBrowser();
  });
  afterEach(() => gate.open());
  afterAll(async () => {
    await opened?.close();
    await app.close();
    await gate.close();
  });

  const open = (path: string, screen: 'desktop' | 'phone' = 'desktop') =>
    openGallery(app, opened.browser, { path, screen });
  const list = async () =>
    (await app.ask(ImagesDocument, { first: 50 })).images.edges.map(({ node }) => node);
  const submit = (page: Page) => page.getByRole('button', { name: 'Make', exact: true }).click();
  const cards = (page: Page) => page.getByRole('region', { name: 'Images' }).getByRole('article');

  test('makes images, shows them as they are ready, and keeps the form', async () => {
    const { page, faults } = await open('/make');
    await submit(page);
    await page.getByText('Describe what the picture shows.').waitFor();
    await page.getByLabel('Prompt').fill('a fox in the snow');
    await page.getByLabel('Number of images').selectOption('2');
    await page.getByLabel('Size').selectOption('768x512');
    await page.getByText('More settings').click();
    await page.getByLabel('Tags').fill('winter,');
    await submit(page);
    await eventually(async () => expect(await cards(page).locator('img').count()).toBe(2));
    const made = (await list()).slice(0, 2);
    for (const image of made)
      expect(image).toMatchObject({ prompt: 'a fox in the snow', size: '768x512', tags: ['winter'] });
    await page.reload();
    expect(await page.getByLabel('Prompt').inputValue()).toBe('a fox in the snow');
    await expectAccessible(page);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('follows what another tab began, cancels it and tries again', async () => {
    gate.shut();
    const input = { prompt: 'a slow fox', model: 'dall-e-3', waitSeconds: 0 };
    await app.ask(GenerateImageDocument, { input });
    await eventually(() => expect(gate.waiting()).toBe(1));
    const { page, faults } = await open('/make');
    await cards(page).getByText('In the works for').waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await cards(page).getByText('CANCELLED', { exact: true }).waitFor();
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Try again' }).click();
    await cards(page).getByText('In the works for').waitFor();
    gate.open();
    await cards(page).locator('img').waitFor();
    expect(faults).toEqual([]);
    await page.close();
  });

  test('shows the failure of one image beside the success of others', async () => {
    const { page, faults } = await open('/make');
    gate.refuse('no foxes');
    await page.getByLabel('Model').selectOption('dall-e-3');
    await page.getByLabel('Prompt').fill('no foxes please');
    await page.getByText('$0.04 by the published price').waitFor();
    await submit(page);
    await cards(page).getByText('PROVIDER_REFUSED').waitFor();
    gate.refuse(null);
    await page.getByLabel('Prompt').fill('a kind fox');
    await submit(page);
    await eventually(async () => expect(await cards(page).locator('img').count()).toBe(1));
    expect(await cards(page).getByText('PROVIDER_REFUSED').count()).toBe(1);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('offers only what the tool and the model can do', async () => {
    const { page, faults } = await open('/make', 'phone');
    const field = (name: string) => page.getByLabel(name, { exact: true });
    await page.getByText('More settings').click();
    await field('Seed').waitFor();
    await field('Model').selectOption('dall-e-3');
    await eventually(async () => expect(await field('Seed').count()).toBe(0));
    await page.getByLabel('Style').waitFor();
    await page.getByRole('radio', { name: 'Edit an image' }).check();
    expect(await field('Model').locator('option[value="dall-e-3"]').isDisabled()).toBe(true);
    await page.getByRole('radio', { name: 'Chart' }).check();
    expect(await field('Model').count()).toBe(0);
    await field('Chart').last().fill('not json');
    await submit(page);
    await page.getByText('This is not a JSON object.').waitFor();
    const chart = { kind: 'BAR', x: 'a', y: 'b', rows: [{ a: 'x', b: 1 }] };
    await field('Chart').last().fill(JSON.stringify(chart));
    await submit(page);
    await eventually(async () => expect(await cards(page).locator('img').count()).toBe(1));
    await page.getByRole('radio', { name: 'Comic' }).check();
    await page.getByRole('button', { name: 'Add a panel' }).click();
    expect(await field('Size').count()).toBe(0);
    await expectAccessible(page);
    const [wide, shown] = await page.evaluate(() => [document.body.scrollWidth, innerWidth]);
    expect(wide).toBeLessThanOrEqual(shown as number);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('says at the field what the server refuses', async () => {
    const { page, faults } = await open('/make');
    await page.getByLabel('Prompt').fill('a fox');
    await page.getByText('More settings').click();
    await page.getByLabel('Tags').fill(`${'x'.repeat(101)},`);
    await submit(page);
    await eventually(async () =>
      expect(await page.getByLabel('Tags').getAttribute('aria-invalid')).toBe('true'),
    );
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-invalid'));
    await eventually(async () => expect(await focused()).toBe('true'));
    expect(faults).toEqual([]);
    await page.close();
  });

  test('repeats a request whose response was lost, and makes nothing twice', async () => {
    const { page } = await open('/make');
    const before = (await list()).length;
    await page.getByLabel('Prompt').fill('a lost fox');
    await page.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('generateImage(')) return route.continue();
      await route.fetch();
      return route.abort();
    });
    await submit(page);
    await page.getByText('The server did not respond.').waitFor();
    await page.unroute('**/graphql');
    await submit(page);
    await eventually(async () => expect(await cards(page).locator('img').count()).toBe(1));
    expect((await list()).length).toBe(before + 1);
    await page.close();
  });

  test('edits an image below a painted mask, and leaves the rest as it is', async () => {
    const { images } = (
      await app.ask(GenerateImageDocument, { input: { prompt: 'a lake', size: '256x256', waitSeconds: 60 } })
    ).generateImage;
    const source = images[0];
    const { page, faults } = await open(`/make?edit=${source?.id}`);
    await page.getByRole('button', { name: 'Paint a mask' }).click();
    const canvas = page.locator('dialog canvas');
    await canvas.waitFor();
    await expectAccessible(page);
    const box = await canvas.boundingBox();
    if (!box) throw new Error('The canvas is not on the screen.');
    const at = (x: number, y: number) => [box.x + box.width * x, box.y + box.height * y] as const;
    await page.mouse.move(...at(0.2, 0.2));
    await page.mouse.down();
    await page.mouse.move(...at(0.4, 0.2), { steps: 5 });
    await page.mouse.up();
    await page.getByText('By numbers').click();
    for (const [name, value] of Object.entries({ Left: 128, Top: 128, Width: 64, Height: 64 }))
      await page.locator('dialog').getByLabel(name, { exact: true }).fill(String(value));
    await page.getByRole('button', { name: 'Paint the box' }).click();
    await page.getByRole('button', { name: 'Use the mask' }).click();
    await page.getByLabel('Prompt').fill('a castle on a hill at night');
    await submit(page);
    await eventually(async () => expect(await cards(page).locator('img').count()).toBe(1));
    const edited = (await list())[0];
    expect(edited).toMatchObject({ tool: 'imageEditor', width: 256, height: 256 });
    const before = await pixelsOf(source?.url);
    const after = await pixelsOf(edited?.url);
    const differs = (x: number, y: number) =>
      [0, 1, 2].some((channel) => {
        const index = (y * 256 + x) * 3 + channel;
        return Math.abs((before[index] ?? 0) - (after[index] ?? 0)) > 3;
      });
    const share = (left: number, top: number, size: number) => {
      const all = Array.from({ length: size * size }, (_, index) => [
        left + (index % size),
        (top + index / size) | 0,
      ]);
      return all.filter(([x = 0, y = 0]) => differs(x, y)).length / all.length;
    };
    expect(share(136, 136, 48), 'the box').toBeGreaterThan(0.5);
    expect(share(60, 46, 10), 'the stroke').toBeGreaterThan(0.5);
    expect(share(4, 100, 100), 'beside the box').toBe(0);
    expect(share(200, 200, 50), 'below the box').toBe(0);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('takes references from disk and from the gallery, and moves them', async () => {
    const { page, faults } = await open('/make');
    await page.getByRole('radio', { name: 'Edit with context' }).check();
    const buffer = await makePicture({ width: 80, height: 60 });
    await page
      .locator('form input[type=file]')
      .setInputFiles({ name: 'fox.png', mimeType: 'image/png', buffer });
    await page.getByRole('button', { name: 'From the gallery' }).click();
    await page.getByLabel('Search the prompts').fill('snow');
    await page.locator('dialog').getByRole('button', { name: 'a fox in the snow' }).first().click();
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Done' }).click();
    const tiles = page.locator('form ol li');
    expect(await tiles.count()).toBe(2);
    await page.getByRole('button', { name: 'Move picture 2 to the left' }).click();
    expect(await tiles.first().locator('img').getAttribute('alt')).toBe('a fox in the snow');
    await page.getByLabel('Prompt').fill('both of them');
    await submit(page);
    await eventually(async () => expect(await cards(page).locator('img').count()).toBe(1));
    await page.reload();
    await page.getByRole('radio', { name: 'Edit with context' }).waitFor();
    expect(await tiles.count(), 'an image of the gallery is kept, a file is not').toBe(1);
    expect(faults).toEqual([]);
    await page.close();
  });

  async function pixelsOf(url: string | null | undefined): Promise<Buffer> {
    const response = await app.fetch(new URL(url ?? '', app.url).pathname);
    return sharp(Buffer.from(await response.arrayBuffer()))
      .removeAlpha()
      .raw()
      .toBuffer();
  }
});
