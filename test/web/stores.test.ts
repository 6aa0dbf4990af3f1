import { createHash } from 'node:crypto';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, openBrowser, type TestBrowser } from '../browser/chromium.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { expectAccessible, logIn, openGallery } from './pages.ts';

describe.skipIf(!CHROMIUM)('the page of stores', () => {
  let app: TestApp;
  let opened: TestBrowser;
  let browser: TestBrowser['browser'];
  beforeAll(async () => {
    // Nothing is repaired by itself, so that the page has something to do.
    app = await openTestApp({ HEAL_DELAY_SECONDS: '3600' });
    for (let seed = 0; seed < 6; seed++) await upload(app, { content: await makePicture({ seed }) });
    opened = await openBrowser();
    ({ browser } = opened);
  });
  afterAll(async () => {
    await opened?.close();
    await app.close();
  });

  /** Returns the files of the images, as absolute paths. */
  const imageFiles = async () => {
    const root = path.join(app.directory, 'images');
    return (await readdir(root, { recursive: true }))
      .filter((name) => name.endsWith('.png'))
      .map((name) => path.join(root, name));
  };
  const card = (page: Page, name: string) =>
    page
      .getByRole('list', { name: 'Stores' })
      .getByRole('listitem')
      .filter({ has: page.getByRole('heading', { name }) });
  const countOf = (page: Page, state: string) =>
    card(page, 'filesystem').getByRole('listitem').filter({ hasText: state }).locator('span').innerText();

  test('verifies, shows what is wrong, restores it, and keeps both in the list of runs', async () => {
    const { page, faults } = await openGallery(app, browser, { path: '/stores' });
    await card(page, 'filesystem').waitFor();
    expect(await countOf(page, 'Healthy')).toBe('6');
    await expectAccessible(page);
    const [missing, damaged] = await imageFiles();
    await rm(missing as string, { force: true });
    await rm(damaged as string, { force: true });
    await writeFile(damaged as string, 'not a picture');

    await page.getByRole('button', { name: 'Verify', exact: true }).first().click();
    await page.getByRole('dialog').getByLabel('percent', { exact: false }).fill('50');
    await expectAccessible(page);
    await page.getByRole('dialog').getByRole('button', { name: 'Verify' }).click();
    await page.getByText('Verify is complete.').waitFor();
    await eventually(async () => expect(await countOf(page, 'Missing')).toBe('1'));
    expect(await countOf(page, 'Damaged')).toBe('1');
    await page.getByRole('button', { name: /^Details of Verify/ }).click();
    const problems = page.getByRole('dialog').getByRole('table');
    expect(await problems.getByRole('row').count()).toBe(3);
    expect(await problems.getByRole('link').first().getAttribute('href')).toMatch(
      /^\/\?trash=include&sha256=[0-9a-f]{64}$/,
    );
    await expectAccessible(page);
    await page.keyboard.press('Escape');

    await page.getByRole('button', { name: 'Restore', exact: true }).first().click();
    await page.getByRole('dialog').getByLabel('Damaged images').check();
    await page.getByRole('dialog').getByRole('button', { name: 'Restore' }).click();
    await page.getByText('Restore is complete.').waitFor();
    await eventually(async () => expect(await countOf(page, 'Healthy')).toBe('6'));
    expect(await imageFiles()).toHaveLength(6);
    await page.getByRole('row', { name: /^Restore\s+Completed/ }).waitFor();
    expect(faults).toEqual([]);
    await page.close();
  });

  test.each(['desktop', 'phone'] as const)(
    'shows a run that waits, and cancels it, on a %s',
    async (screen) => {
      const { page, faults } = await openGallery(app, browser, { path: '/stores', screen });
      await card(page, 'filesystem').waitFor();
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      // The run waits while another verify holds the lock.
      const holding = app.database.exclusively('verify', () => held);
      await page.getByRole('button', { name: 'Verify', exact: true }).first().click();
      await page.getByRole('dialog').getByRole('button', { name: 'Verify' }).click();
      await page.getByText('Waits for a server to begin.').waitFor();
      expect(await page.getByRole('button', { name: 'Verify', exact: true }).first().isDisabled()).toBe(true);
      await expectAccessible(page);
      const [wide, shown] = await page.evaluate(() => [document.body.scrollWidth, innerWidth]);
      expect(wide).toBeLessThanOrEqual(shown as number);
      await page.getByRole('button', { name: 'Cancel the run' }).click();
      await page.getByText('Verify is cancelled.').waitFor();
      await page.getByRole('button', { name: 'Cancel the run' }).waitFor({ state: 'hidden' });
      release();
      await holding;
      expect(faults).toEqual([]);
      await page.close();
    },
  );

  test('lists what is in quarantine, and reads it again when the page is shown again', async () => {
    const { page, faults } = await openGallery(app, browser, { path: '/stores', screen: 'phone' });
    await page.getByText('The quarantine of this server is empty.').waitFor();
    const content = await makePicture({ seed: 99 });
    const sha256 = createHash('sha256').update(content).digest('hex');
    const key = `${sha256.slice(0, 2)}/${sha256.slice(2, 4)}/${sha256}.png`;
    const file = path.join(app.directory, 'images', key);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, content);
    await app.storage.quarantine('filesystem', { graceSeconds: 0 });
    await page.evaluate(() => {
      const now = Date.now;
      const show = (hidden: boolean) => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      };
      show(true);
      Date.now = () => now() + 60_000;
      show(false);
      Date.now = now;
    });
    const row = page.getByRole('table', { name: 'Quarantine' }).getByRole('row', { name: sha256 });
    await row.getByText('filesystem', { exact: true }).waitFor();
    await expectAccessible(page);
    const [wide, shown] = await page.evaluate(() => [document.body.scrollWidth, innerWidth]);
    expect(wide).toBeLessThanOrEqual(shown as number);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('says that the server does not respond, and reads again when asked', async () => {
    const { page } = await openGallery(app, browser);
    await page.route('**/graphql', (route) => route.abort());
    await page.getByRole('navigation').getByRole('link', { name: 'Stores' }).click();
    await page.getByText('The server does not respond', { exact: false }).first().waitFor();
    await expectAccessible(page);
    await page.unroute('**/graphql');
    await page.getByRole('button', { name: 'Try again' }).click();
    await card(page, 'filesystem').waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
    await page.close();
  });

  test('shows the states without buttons to a token that may only read them', async () => {
    const { token } = await app.services.tokens.create({ name: 'monitor', scopes: ['stores:read'] });
    const { page, faults } = await logIn(app, browser, token);
    await page.goto(`${app.url}/stores`);
    await card(page, 'filesystem').waitFor();
    await page.getByText('log in with a token that has the permission ADMIN', { exact: false }).waitFor();
    expect(await page.getByRole('button', { name: /^(Verify|Restore)/ }).count()).toBe(0);
    expect(await page.getByText('Quarantine').count()).toBe(0);
    expect(faults).toEqual([]);
    await page.close();
  });
});
