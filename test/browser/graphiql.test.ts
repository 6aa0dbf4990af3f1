import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestApp, type TestApp } from '../harness.ts';

/** Debian's; a browser is not something that npm brings along. */
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((file) =>
  existsSync(file),
);

describe.skipIf(!CHROMIUM)('in a browser', () => {
  let app: TestApp;
  let browser: BrowserContext;
  let profile: string;
  beforeAll(async () => {
    app = await openTestApp();
    profile = await mkdtemp(path.join(tmpdir(), 'fixative-browser-'));
    browser = await chromium.launchPersistentContext(profile, {
      executablePath: CHROMIUM ?? '',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
      viewport: { width: 1400, height: 900 },
    });
  });
  afterAll(async () => {
    await browser?.close();
    await app.close();
    await rm(profile, { recursive: true, force: true });
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
