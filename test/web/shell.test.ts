import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, openBrowser, type TestBrowser } from '../browser/chromium.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { expectAccessible, logIn, openGallery } from './pages.ts';

describe.skipIf(!CHROMIUM)('the frame of the gallery', () => {
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

  test.each(['desktop', 'phone'] as const)('leads to every page without a fault, on a %s', async (screen) => {
    const { page, faults } = await openGallery(app, browser, { screen });
    for (const name of ['Make', 'Upload', 'Overview', 'Stores', 'Tokens', 'Trash', 'Gallery']) {
      await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name, exact: true }).click();
      await page.waitForFunction((title) => document.title.startsWith(title), name);
      await expectAccessible(page);
      const [wide, shown] = await page.evaluate(() => [document.body.scrollWidth, innerWidth]);
      expect(wide, name).toBeLessThanOrEqual(shown as number);
    }
    expect(faults).toEqual([]);
    await page.close();
  });

  test('leads past the navigation by keyboard, on the same page', async () => {
    const { page, faults } = await openGallery(app, browser, { path: '/overview?range=7' });
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(page.url()).toBe(`${app.url}/overview?range=7#content`);
    expect(await page.evaluate(() => document.activeElement?.id)).toBe('content');
    expect(faults).toEqual([]);
    await page.close();
  });

  test('shows the keys, and keeps the appearance that was chosen', async () => {
    const { page, faults } = await openGallery(app, browser);
    await page.keyboard.press('?');
    await page.getByRole('dialog').getByText('?', { exact: true }).waitFor();
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Account' }).click();
    await page.getByRole('menuitem', { name: 'Dark' }).click();
    await page.reload();
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark');
    expect(faults).toEqual([]);
    await page.close();
  });

  test('works in a browser that allows no storage', async () => {
    const { page, faults } = await openGallery(app, browser);
    await page.addInitScript(() => {
      for (const area of ['localStorage', 'sessionStorage'])
        Object.defineProperty(window, area, {
          get() {
            throw new DOMException('denied', 'SecurityError');
          },
        });
    });
    await page.goto(`${app.url}/make`);
    await page.getByLabel('Prompt').fill('a fox');
    await page.getByRole('button', { name: 'Account' }).click();
    await page.getByRole('menuitem', { name: 'Dark' }).click();
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark');
    expect(faults).toEqual([]);
    await page.close();
  });

  test('logs out, and asks a browser without a session to log in', async () => {
    const { page } = await openGallery(app, browser);
    await page.getByRole('button', { name: 'Account' }).click();
    await page.getByRole('menuitem', { name: 'Log out' }).click();
    await page.waitForURL(`${app.url}/logout`);
    await page.goto(`${app.url}/overview`);
    await page.waitForURL(`${app.url}/login`);
    await page.fill('input[name=token]', 'test-root-token-0123456789');
    await page.click('button');
    await page.waitForURL(`${app.url}/`);
    await page.close();
  });

  test('shows a user of a token only the pages that the token may use', async () => {
    const { token } = await app.services.tokens.create({
      name: 'of a reader',
      userId: 'ann',
      scopes: ['images:read'],
    });
    const { page, faults } = await logIn(app, browser, token);
    const links = page.getByRole('navigation', { name: 'Pages' }).getByRole('link');
    await links.first().waitFor();
    expect(await links.evaluateAll((all) => all.map((link) => link.getAttribute('aria-label')))).toEqual([
      'Gallery',
      'Overview',
      'Trash',
    ]);
    await page.getByRole('button', { name: 'Account' }).click();
    await page.getByText('Images of ann').waitFor();
    expect(faults).toEqual([]);
    await page.close();
  });

  test('keeps the page when the session ends', async () => {
    const { token, apiToken } = await app.services.tokens.create({ name: 'short', scopes: ['admin'] });
    const { page } = await logIn(app, browser, token);
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Make' }).click();
    await page.getByLabel('Prompt').fill('a fox');
    await app.services.tokens.revoke(apiToken.id);
    // The events of the page may have met the end before: then the dialog is in the way already.
    const make = page.getByRole('button', { name: 'Make', exact: true });
    await make.click({ timeout: 5000 }).catch(() => {});
    await page.getByRole('dialog', { name: 'You are logged out' }).waitFor();
    expect(new URL(page.url()).pathname).toBe('/make');
    expect(await page.getByLabel('Prompt').inputValue()).toBe('a fox');
    await page.close();
  });

  test('keeps the frame when a page cannot load, and loads it when it is shown again', async () => {
    await browser.clearCookies();
    const { page } = await openGallery(app, browser);
    await page.getByRole('button', { name: 'Filters' }).waitFor();
    await page.route('**/assets/stores-page-*.js', (route) => route.abort());
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Stores' }).click();
    await page.getByText('This part could not be loaded.').waitFor();
    await expectAccessible(page);
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Gallery' }).click();
    await page.getByRole('button', { name: 'Filters' }).waitFor();
    await page.unroute('**/assets/stores-page-*.js');
    await page.goBack();
    await page.getByRole('heading', { name: 'Stores', level: 1 }).waitFor();
    await page.close();
  });
});
