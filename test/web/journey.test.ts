import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, openBrowser, type TestBrowser } from '../browser/chromium.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { openGallery } from './pages.ts';

/** The way of a picture through all pages, as a person goes it. The tests of the pages have the details. */
describe.skipIf(!CHROMIUM)('from the link of the start to a repaired image', () => {
  let app: TestApp;
  let opened: TestBrowser;
  beforeAll(async () => {
    app = await openTestApp({ HEAL_DELAY_SECONDS: '3600' });
    opened = await openBrowser();
  });
  afterAll(async () => {
    await opened?.close();
    await app.close();
  });

  test.each(['desktop', 'phone'] as const)('on a %s', async (screen) => {
    const tag = `of-a-${screen}`;
    const window = await openGallery(app, opened.browser, { screen });
    const { page, faults } = await openGallery(app, opened.browser, { path: '/upload', screen });
    const tile = (name: string) => window.page.getByRole('gridcell').getByRole('link', { name });

    // Upload, and see it arrive in the second window.
    const options = page.getByText('Settings for the next files');
    if (screen === 'phone') await options.click();
    await page.getByLabel('Tags').fill(`${tag},`);
    await page.setInputFiles('input[type=file][multiple]:not([webkitdirectory])', {
      name: `harbour-${screen}.png`,
      mimeType: 'image/png',
      buffer: await makePicture({ width: 320, height: 200, seed: screen.length }),
    });
    await page.getByText('1 stored', { exact: true }).waitFor();
    await window.page.bringToFront();
    await tile(`harbour-${screen}.png`).waitFor();

    // Generate a comic, and see it arrive too.
    await page.bringToFront();
    await page.goto(`${app.url}/make`);
    await page.getByRole('radio', { name: 'Comic' }).check({ force: true });
    await page.getByLabel('Panel 1', { exact: true }).fill(`a fox finds snow on a ${screen}`);
    await page.getByRole('button', { name: 'Add a panel' }).click();
    await page.getByLabel('Panel 2', { exact: true }).fill('the fox sleeps');
    await page.getByRole('button', { name: 'Make', exact: true }).click();
    await page.getByRole('region', { name: 'Images' }).getByRole('article').locator('img').first().waitFor();
    await window.page.bringToFront();
    await tile(`a fox finds snow on a ${screen}`).waitFor();

    // Filter, open, lose the file, and see that.
    await window.page.goto(`${app.url}/?tag=${tag}`);
    await tile(`harbour-${screen}.png`).click();
    await window.page.getByRole('button', { name: 'Check and restore', exact: true }).waitFor();
    const uuid = new URL(window.page.url()).pathname.split('/').at(-1);
    const [row] = await app.database.query<{ sha256: string }>(
      'SELECT sha256 FROM generated_images WHERE uuid = $1',
      [uuid],
    );
    const [file = ''] = (await app.files('images')).filter((name) => name.includes(row?.sha256 ?? '?'));
    await rm(path.join(app.directory, 'images', file));
    await app.storage.verify({ deep: true, stores: ['filesystem'], orphans: false });
    await window.page.goto(`${app.url}/?durability=damaged`);
    await tile(`harbour-${screen}.png`).click();
    await window.page.getByText('Missing', { exact: true }).waitFor();

    // Restore it, and see it again.
    await window.page.getByRole('button', { name: 'Check and restore', exact: true }).click();
    await window.page.getByText('Missing', { exact: true }).waitFor({ state: 'detached' });
    expect((await app.files('images')).some((name) => name === file)).toBe(true);
    await window.page.goto(`${app.url}/?durability=damaged`);
    await tile(`harbour-${screen}.png`).waitFor({ state: 'detached' });

    expect([...faults, ...window.faults]).toEqual([]);
    await page.close();
    await window.page.close();
  });
});
