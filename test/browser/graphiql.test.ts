import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { GRAPHIQL_TABS } from '../../src/http/pages/graphiql-tabs.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { CHROMIUM, openBrowser, PLAIN_HOST, type TestBrowser } from './chromium.ts';

/**
 * Opens a tab, and runs its operation until the response has a text. GraphiQL reads the operation a moment
 * after the tab has opened; until then it looks for the operation of the tab before, and says so.
 * @param meanwhile called before each look at the response.
 */
async function runTab(
  page: Page,
  { tab, shown }: { tab: string; shown: string },
  meanwhile?: () => Promise<unknown>,
): Promise<void> {
  await page.click(`.graphiql-tab-button >> text="${tab}"`);
  await page.click('.graphiql-execute-button');
  await eventually(async () => {
    await meanwhile?.();
    // The editor shows non-breaking spaces.
    const text = (await page.textContent('.result-window'))?.replaceAll('\u00a0', ' ') ?? '';
    if (text.includes('Cannot infer operation')) {
      await page.click('.graphiql-execute-button');
      await page.waitForTimeout(1000);
    }
    expect(text).toContain(shown);
  });
}

/** Runs in Debian's Chromium; npm installs no browser. */
describe.skipIf(!CHROMIUM)('in a browser', () => {
  let app: TestApp;
  let opened: TestBrowser;
  let browser: TestBrowser['browser'];
  beforeAll(async () => {
    app = await openTestApp();
    opened = await openBrowser();
    ({ browser } = opened);
  });
  afterAll(async () => {
    await opened?.close();
    await app.close();
  });

  async function openGraphiql(page: Page): Promise<void> {
    await page.goto(`${app.url}/login?code=${app.authenticator.loginCode}`);
    // The page of the login goes on to the gallery by itself.
    await page.waitForURL(`${app.url}/`);
    await page.goto(`${app.url}/graphql`);
  }

  test('the link of the start logs in to GraphiQL, its first tab makes an image, and nothing is asked of another host', async () => {
    const page = await browser.newPage();
    const foreign: string[] = [];
    const failures: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(app.url) && /^https?:/.test(request.url())) foreign.push(request.url());
    });
    page.on('pageerror', (error) => failures.push(error.message));

    await page.goto(`${app.url}/graphql`);
    expect(await page.textContent('h1')).toBe('Fixative');
    await openGraphiql(page);
    await page.waitForSelector('.graphiql-execute-button', { timeout: 30_000 });
    expect(await page.title()).toBe('Fixative');
    await page.click('.graphiql-execute-button');
    await page.waitForFunction(
      () => document.querySelector('.result-window')?.textContent?.includes('SUCCESS'),
      null,
      { timeout: 30_000 },
    );
    if (process.env.SCREENSHOTS)
      await page.screenshot({ path: path.join(process.env.SCREENSHOTS, 'graphiql.png') });

    const [image] = await app.database.query<{ storage_url: string }>(
      'SELECT storage_url FROM generated_images',
    );
    await page.goto(app.url + image?.storage_url);
    const drawn = await page.evaluate(() => document.images[0]?.naturalWidth);
    expect(drawn).toBe(512);
    expect(foreign).toEqual([]);
    expect(failures).toEqual([]);
  });

  test('each tab of GraphiQL opens at the first click, a new one too', async () => {
    const page = await browser.newPage();
    // Another page of the browser may have left tabs of its own.
    await page.addInitScript(() => localStorage.clear());
    await openGraphiql(page);
    await page.waitForSelector('.graphiql-execute-button', { timeout: 30_000 });
    // The tabs have finished their first rendering.
    await page.waitForTimeout(1500);
    const tabs = () =>
      page.$$eval('.graphiql-tab', (all) =>
        all.map((tab) => ({
          name: tab.querySelector('.graphiql-tab-button')?.textContent,
          left: tab.getBoundingClientRect().left,
          isOpen: tab.classList.contains('graphiql-tab-active'),
        })),
      );
    /** Clicks as a person does, with a short delay between press and release. */
    const clickTab = async (index: number) => {
      const box = await page.locator('.graphiql-tab-button').nth(index).boundingBox();
      if (!box) throw new Error(`There is no tab ${index}.`);
      await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
      await page.mouse.down();
      await page.waitForTimeout(60);
      const pressed = await tabs();
      await page.mouse.up();
      await page.waitForFunction(
        (at) =>
          document.querySelectorAll('.graphiql-tab')[at]?.classList.contains('graphiql-tab-active') ?? false,
        index,
        { timeout: 5000 },
      );
      return pressed;
    };
    const before = await tabs();
    expect(before.map(({ name }) => name)).toEqual([
      'GenerateImage',
      'Images',
      'Image',
      'ImagesUpdated',
      'Stores',
      'RestoreImage',
    ]);
    const places = before.map(({ left }) => left);
    for (const index of [5, 2, 4, 1, 3, 0])
      expect((await clickTab(index)).map(({ left }) => left)).toEqual(places);
    await page.click('.graphiql-tab-add');
    await page.waitForTimeout(1000);
    for (const index of [2, 6, 0]) await clickTab(index);
    await page.evaluate(() => localStorage.clear());
    await page.close();
  }, 180_000);

  test('the tab with a subscription shows an image as it is made', async () => {
    const page = await browser.newPage();
    await page.goto(`${app.url}/graphql`);
    await page.waitForSelector('.graphiql-execute-button', { timeout: 30_000 });
    await page.waitForTimeout(1500);
    const generate = GRAPHIQL_TABS[0]?.query.replace('A beautiful sunset', 'A quiet sunset');
    await runTab(page, { tab: 'ImagesUpdated', shown: 'A quiet sunset' }, () =>
      app.fetch('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: generate }),
      }),
    );
    if (process.env.SCREENSHOTS)
      await page.screenshot({ path: path.join(process.env.SCREENSHOTS, 'subscription.png') });
    await page.close();
  }, 180_000);

  test('an API token, typed into the page, shows what it allows, field by field', async () => {
    const { token } = await app.services.tokens.create({
      name: 'a guest',
      userId: 'user123',
      scopes: ['images:read'],
    });
    const page = await browser.newPage();
    await browser.clearCookies();
    await page.goto(`${app.url}/graphql`);
    await page.fill('input[name=token]', token);
    await page.click('button');
    await page.waitForSelector('.graphiql-execute-button', { timeout: 30_000 });
    await page.waitForTimeout(1500);
    await runTab(page, { tab: 'Stores', shown: 'FORBIDDEN' });
    await runTab(page, { tab: 'Images', shown: 'totalCount' });
    await page.close();
  }, 180_000);

  test('the login page has no script, in the light and in the dark', async () => {
    await browser.clearCookies();
    for (const colorScheme of ['light', 'dark'] as const) {
      const page = await browser.newPage();
      await page.emulateMedia({ colorScheme });
      const faults: string[] = [];
      page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
      await page.goto(`${app.url}/login`);
      expect(await page.textContent('button')).toBe('Log in');
      expect(await page.$$eval('script', (all) => all.length)).toBe(0);
      // The page itself has the status 401.
      expect(faults.filter((text) => !/favicon|401/.test(text))).toEqual([]);
      await page.close();
    }
  });

  test('the root token, typed into the page, logs in as well, also over plain http', async () => {
    const page = await browser.newPage();
    await browser.clearCookies();
    await page.goto(`${app.url.replace('127.0.0.1', PLAIN_HOST)}/graphql`);
    if (process.env.SCREENSHOTS)
      await page.screenshot({ path: path.join(process.env.SCREENSHOTS, 'login.png') });
    await page.fill('input[name=token]', 'test-root-token-0123456789');
    await page.click('button');
    await page.waitForSelector('.graphiql-execute-button', { timeout: 30_000 });
    await page.click('.graphiql-execute-button');
    await page.waitForFunction(
      () => document.querySelector('.result-window')?.textContent?.includes('SUCCESS'),
      null,
      { timeout: 30_000 },
    );
  });
});
