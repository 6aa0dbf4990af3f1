import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, openBrowser, type TestBrowser } from '../browser/chromium.ts';
import { DeleteImageDocument } from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { expectAccessible, openGallery } from './pages.ts';

describe.skipIf(!CHROMIUM)('the page of the audit log', () => {
  let app: TestApp;
  let opened: TestBrowser;
  let browser: TestBrowser['browser'];
  let uuid: string;
  beforeAll(async () => {
    app = await openTestApp();
    opened = await openBrowser();
    ({ browser } = opened);
    const content = await makePicture();
    for (let i = 0; i < 60; i++) await upload(app, { content });
    const id = (await upload(app, { content })).image?.id ?? '';
    uuid = atob(id).split(':')[1] ?? '';
    await app.ask(DeleteImageDocument, { input: { id } });
  });
  afterAll(async () => {
    await opened?.close();
    await app.close();
  });

  test.each(['desktop', 'phone'] as const)(
    'says who did what, and finds a change, on a %s',
    async (screen) => {
      const { page, faults } = await openGallery(app, browser, { path: '/audit', screen });
      const rows = page.getByRole('row').filter({ has: page.getByRole('time') });
      await page.getByText('moved to the trash image').waitFor();
      await expectAccessible(page);
      await page.getByRole('button', { name: 'Show older changes' }).click();
      await expect.poll(() => rows.count()).toBe(62);

      await page.getByLabel('What').selectOption('moved to the trash: image');
      await page.getByRole('button', { name: 'Show', exact: true }).click();
      await expect.poll(() => rows.count()).toBe(1);
      expect(new URL(page.url()).search).toBe('?action=IMAGE_DELETE');
      expect(await rows.innerText()).toMatch(/root\s+root token[\s\S]*moved to the trash image/);
      await rows.getByRole('link', { name: `…${uuid.slice(-8)}` }).click();
      await page.waitForURL(`**/image/${uuid}`);

      await page.goto(`${app.url}/audit?actor=nobody-else`);
      await page.getByText('No changes match').waitFor();
      await page.getByRole('button', { name: 'Clear' }).click();
      await page.getByText('moved to the trash image').waitFor();
      await page.goto(`${app.url}/audit?subject=wrong%20one`);
      await page.getByText('"wrong one" is not the id of', { exact: false }).waitFor();
      expect(faults).toEqual([]);
    },
  );
});
