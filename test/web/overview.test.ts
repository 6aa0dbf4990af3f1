import { print } from 'graphql';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, openBrowser, type TestBrowser } from '../browser/chromium.ts';
import { RecordImageDocument } from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { uploadForm } from '../upload.ts';
import { expectAccessible, logIn, openGallery } from './pages.ts';

const DAY_MS = 86_400_000;
const daysAgo = (days: number) => new Date(Date.now() - days * DAY_MS);
const dayOf = (time: Date) => time.toISOString().slice(0, 10);

/** Images by their age in days: three of today, one of them of another tool, and older ones. */
const IMAGES = [
  { days: 0, tool: 'avatar', userId: 'ada', model: 'flux' },
  { days: 0, tool: 'avatar', userId: 'ada', model: 'flux' },
  { days: 0, tool: 'poster', userId: 'grace' },
  { days: 20, tool: 'avatar', userId: 'grace', model: 'flux' },
  { days: 60, tool: 'poster', userId: 'ada' },
];

describe.skipIf(!CHROMIUM)('the overview', () => {
  let app: TestApp;
  let opened: TestBrowser;
  let browser: TestBrowser['browser'];
  beforeAll(async () => {
    app = await openTestApp();
    for (const [seed, { days, ...image }] of IMAGES.entries()) {
      const input = { ...image, prompt: 'a fox', createdAt: daysAgo(days).toISOString() };
      const body = uploadForm({ content: await makePicture({ seed }) }, input, print(RecordImageDocument));
      await app.fetch('/graphql', { method: 'POST', body });
    }
    await app.database.query(
      `INSERT INTO generated_images (user_id, tool_name, prompt, origin, status, error_code)
       VALUES ('ada', 'avatar', 'a fox', 'generated', 'failed', 'PROVIDER_FAILED')`,
    );
    opened = await openBrowser();
    ({ browser } = opened);
  });
  afterAll(async () => {
    await opened?.close();
    await app.close();
  });

  /** Returns the main numbers by their names. */
  const readFigures = async (page: Page) => {
    const figures = page.getByRole('list', { name: 'Figures' });
    await figures.waitFor();
    await figures.getByText('…').first().waitFor({ state: 'hidden' });
    const texts = await figures
      .getByRole('listitem')
      .evaluateAll((all) =>
        all.map((item) =>
          [...(item.firstElementChild?.children ?? [])].map((part) => part.textContent ?? ''),
        ),
      );
    return Object.fromEntries(texts.map(([name, value]) => [name, value]));
  };

  test.each(['desktop', 'phone'] as const)('shows the figures of the range, on a %s', async (screen) => {
    const { page, faults } = await openGallery(app, browser, { path: '/overview', screen });
    expect(await readFigures(page)).toMatchObject({ Images: '5', Succeeded: '4', Failed: '1', Users: '2' });
    await page.getByText('every store has a healthy copy', { exact: false }).waitFor();
    await page.getByRole('heading', { name: 'Verified copies' }).waitFor();
    for (const name of ['Providers', 'Times', 'Spend', 'Growth of the size', 'By hour (UTC)'])
      await page.getByRole('heading', { name }).waitFor();
    await page.getByText('PROVIDER_FAILED').waitFor();
    await page.getByText('Spend is not known', { exact: false }).waitFor();
    await page.locator('canvas').first().waitFor();
    await expectAccessible(page);
    const [wide, shown] = await page.evaluate(() => [document.body.scrollWidth, innerWidth]);
    expect(wide).toBeLessThanOrEqual(shown as number);

    await page.getByRole('radio', { name: '90 days' }).check();
    await page.waitForURL('**/overview?range=90d');
    await page.waitForFunction(() => document.querySelector('main')?.textContent?.includes('Images6'));
    await page.getByLabel('Tool', { exact: true }).selectOption('poster');
    await page.waitForURL('**/overview?range=90d&tool=poster');
    await page.waitForFunction(() => document.querySelector('main')?.textContent?.includes('Images2'));
    await page.goBack();
    await page.goBack();
    await page.waitForFunction(() => document.querySelector('main')?.textContent?.includes('Images5'));
    expect(faults).toEqual([]);
    await page.close();
  });

  test('leads from each figure to its images', async () => {
    const { page } = await openGallery(app, browser, { path: '/overview?range=7d&user=ada' });
    await readFigures(page);
    const from = dayOf(daysAgo(6));
    const pathOf = (name: string, place = 0) =>
      page
        .getByRole('main')
        .getByRole('link', { name })
        .nth(place)
        .evaluate((link) => link.getAttribute('href'));
    await page.getByRole('link', { name: 'Degraded' }).waitFor();
    expect(await pathOf('Failed')).toBe(`/?user=ada&status=failed&from=${from}`);
    expect(await pathOf('Lost')).toBe(`/?user=ada&durability=lost&from=${from}`);
    expect(await pathOf('1 failed')).toBe(`/?user=ada&tool=avatar&status=failed&from=${from}`);
    expect(await pathOf('flux')).toBe(`/?user=ada&model=flux&from=${from}`);
    expect(await pathOf('filesystem')).toBe('/?store=filesystem&copyState=stored');
    await page.close();
  });

  test('reads the plot by keys, and opens a day', async () => {
    const { page, faults } = await openGallery(app, browser, { path: '/overview' });
    const plot = page.getByRole('slider', { name: 'Day of the plot' });
    await plot.focus();
    expect(await plot.getAttribute('aria-valuetext')).toMatch(/: 3 made, 1 failed$/);
    await page.keyboard.press('ArrowLeft');
    expect(await plot.getAttribute('aria-valuetext')).toMatch(/: 0 made, 0 failed$/);
    await page.keyboard.press('Home');
    expect(await plot.getAttribute('aria-valuenow')).toBe('1');
    for (let days = 29; days > 20; days--) await page.keyboard.press('ArrowRight');
    expect(await plot.getAttribute('aria-valuetext')).toMatch(/: 1 made, 0 failed$/);
    await expectAccessible(page);
    await page.keyboard.press('Enter');
    const day = dayOf(daysAgo(20));
    await page.waitForURL(`${app.url}/?from=${day}&to=${day}`);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('shows each plot as a table', async () => {
    const { page } = await openGallery(app, browser, { path: '/overview' });
    await readFigures(page);
    await page.getByRole('heading', { name: 'Verified copies' }).waitFor();
    const buttons = page.getByRole('button', { name: /^Table of/ });
    expect(await buttons.count()).toBe(11);
    for (const button of await buttons.all()) await button.click();
    expect(await page.getByRole('table').count()).toBe(11);
    const days = page.getByRole('table', { name: 'By day and tool' });
    expect(await days.getByRole('row').allInnerTexts()).toEqual([
      'Day\tMade\tFailed\tavatar\tposter',
      expect.stringMatching(/\t3\t1\t2\t1$/),
      expect.stringMatching(/\t1\t0\t1\t0$/),
    ]);
    await expectAccessible(page);
    await page.close();
  });

  test('leaves out the stores without the permission, and says when there is nothing', async () => {
    const { token } = await app.services.tokens.create({
      name: 'of a reader',
      userId: 'ann',
      scopes: ['images:read'],
    });
    const { page, faults } = await logIn(app, browser, token);
    await page.goto(`${app.url}/overview`);
    await page.getByText('No images in this time').waitFor();
    expect(await page.getByText('Size by store').count()).toBe(0);
    expect(await page.getByLabel('User', { exact: true }).count()).toBe(0);
    expect(faults).toEqual([]);
    await page.close();
  });
});
