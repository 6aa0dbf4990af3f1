import { fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, openBrowser, type TestBrowser } from '../browser/chromium.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { expectAccessible, openGallery } from './pages.ts';

describe.skipIf(!CHROMIUM)('the page of tokens', () => {
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

  /** Sends a request with a token, and returns its status. */
  const statusOf = async (token: string) =>
    (
      await fetch(`${app.url}/graphql`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query: '{ viewer { userId scopes } }' }),
      })
    ).status;

  test.each(['desktop', 'phone'] as const)(
    'creates a token that works until it is revoked, on a %s',
    async (screen) => {
      const name = `Shop on a ${screen}`;
      const { page, faults } = await openGallery(app, browser, { path: '/tokens', screen });
      await page.getByRole('button', { name: 'Create token' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByRole('textbox', { name: 'Name' }).fill(name);
      await dialog.getByRole('textbox', { name: 'User' }).fill('ada');
      await dialog.getByLabel('Write images').check();
      await dialog.getByLabel('Expires').selectOption('In 7 days');
      await expectAccessible(page);
      await dialog.getByRole('button', { name: 'Create token' }).click();

      const token = await page.getByLabel(`Token “${name}”`).inputValue();
      await expectAccessible(page);
      expect(await statusOf(token)).toBe(200);
      await page.getByRole('button', { name: 'I have copied it' }).click();
      expect(await page.content()).not.toContain(token);

      const row = page.getByRole('row', { name });
      expect(await row.innerText()).toMatch(/ada[\s\S]*Read images[\s\S]*Write images[\s\S]*Active/);
      await expectAccessible(page);
      await row.getByRole('button', { name: `Revoke ${name}` }).click();
      await page.getByRole('dialog').getByText('This cannot be undone', { exact: false }).waitFor();
      expect(await statusOf(token)).toBe(200);
      await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
      await row.waitFor({ state: 'hidden' });
      expect(await statusOf(token)).toBe(401);
      await page.getByLabel('Show revoked tokens').check();
      await row.getByText('Revoked').waitFor();
      expect(faults).toEqual([]);
      await page.close();
    },
  );

  test('says what is missing, and sends nothing', async () => {
    const { page } = await openGallery(app, browser, { path: '/tokens' });
    await page.getByRole('button', { name: 'Create token' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Read images').uncheck();
    await dialog.getByLabel('Expires').selectOption('On a day …');
    await dialog.getByLabel('Last day').fill('2020-01-01');
    let sent = 0;
    page.on('request', (request) => {
      if (request.postData()?.includes('createToken')) sent++;
    });
    await dialog.getByRole('button', { name: 'Create token' }).click();
    for (const message of ['Give the token a name', 'at least one permission', 'a day in the future'])
      await dialog.getByText(message, { exact: false }).waitFor();
    await expectAccessible(page);
    expect(sent).toBe(0);
    await page.close();
  });
});
