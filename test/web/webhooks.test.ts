import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, openBrowser, type TestBrowser } from '../browser/chromium.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { openReceiver, type Receiver } from '../webhook/receiver.ts';
import { expectAccessible, openGallery } from './pages.ts';

describe.skipIf(!CHROMIUM)('the page of webhooks', () => {
  let app: TestApp;
  let opened: TestBrowser;
  let receiver: Receiver;
  beforeAll(async () => {
    app = await openTestApp({ WEBHOOK_ALLOW_PRIVATE: '127.0.0.1' });
    opened = await openBrowser();
    receiver = await openReceiver(() => ({ status: 410, body: 'gone' }));
  });
  afterAll(async () => {
    await opened?.close();
    await receiver.close();
    await app.close();
  });

  test.each(['desktop', 'phone'] as const)(
    'creates one, shows the secret once, and why it was disabled, on a %s',
    async (screen) => {
      const { page, faults } = await openGallery(app, opened.browser, { path: '/webhooks', screen });
      await page.getByRole('button', { name: 'Create webhook' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel('URL').fill('http://10.0.0.1/');
      await dialog.getByLabel('Image lost').check();
      await dialog.getByRole('button', { name: 'Create webhook' }).click();
      await dialog.getByText('not a public address', { exact: false }).waitFor();
      await dialog.getByLabel('URL').fill(receiver.url);
      await dialog.getByRole('button', { name: 'Create webhook' }).click();
      const secret = await page.getByRole('textbox', { name: 'Secret' }).inputValue();
      expect(secret).toMatch(/^whsec_/);
      receiver.secret = secret;
      await expectAccessible(page);
      await page.getByRole('button', { name: 'I have copied it' }).click();
      expect(await page.content()).not.toContain(secret);

      const row = page.getByRole('row', { name: receiver.url });
      expect(await row.innerText()).toMatch(/Image lost[\s\S]*Enabled/);
      await row.getByRole('button', { name: 'Send test' }).click();
      await row.getByRole('button', { name: 'Deliveries' }).click();
      const deliveries = page.getByRole('table', { name: `Deliveries to ${receiver.url}` });
      for (;;) {
        await page.getByRole('button', { name: 'Refresh' }).click();
        if ((await deliveries.count()) > 0 && (await deliveries.innerText()).includes('410')) break;
        await page.waitForTimeout(100);
      }
      await expectAccessible(page);
      await page.reload();
      await row.getByText('The endpoint answered 410 Gone.').waitFor();
      page.once('dialog', (confirm) => void confirm.accept());
      await row.getByRole('button', { name: 'Delete' }).click();
      await page.getByText('No webhooks').waitFor();
      expect(faults).toEqual([]);
      await page.close();
    },
  );
});
