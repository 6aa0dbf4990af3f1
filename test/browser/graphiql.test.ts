import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestApp, type TestApp } from '../harness.ts';
import { CHROMIUM, openBrowser, type TestBrowser } from './chromium.ts';

/** Debian's; a browser is not something that npm brings along. */
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

  test('the link of the start opens GraphiQL, its first tab makes an image, and nothing is asked of another host', async () => {
    const page = await browser.newPage();
    const foreign: string[] = [];
    const failures: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(app.url) && /^https?:/.test(request.url())) foreign.push(request.url());
    });
    page.on('pageerror', (error) => failures.push(error.message));

    await page.goto(`${app.url}/graphql`);
    expect(await page.textContent('h1')).toBe('Fixative');
    await page.goto(`${app.url}/login?code=${app.authenticator.loginCode}`);
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

  test('the root token, typed into the page, logs in as well', async () => {
    const page = await browser.newPage();
    await browser.clearCookies();
    await page.goto(`${app.url}/graphql`);
    if (process.env.SCREENSHOTS)
      await page.screenshot({ path: path.join(process.env.SCREENSHOTS, 'login.png') });
    await page.fill('input[name=token]', 'test-root-token-0123456789');
    await page.click('button');
    await page.waitForSelector('.graphiql-execute-button', { timeout: 30_000 });
  });
});
