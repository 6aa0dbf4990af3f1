/** The page of retention: policies, their preview with pictures, a run, and its record. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, openBrowser, type TestBrowser } from '../browser/chromium.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { expectAccessible, openGallery } from './pages.ts';

const IMAGES = 6;

describe.skipIf(!CHROMIUM)('the page of retention', () => {
  let app: TestApp;
  let opened: TestBrowser;
  beforeAll(async () => {
    app = await openTestApp();
    opened = await openBrowser();
    for (let seed = 1; seed <= 2 * IMAGES; seed++)
      await upload(app, { content: await makePicture({ seed, width: 64, height: 48 }) });
  }, 60_000);
  afterAll(async () => {
    await opened?.close();
    await app.close();
  });

  test.each(['desktop', 'phone'] as const)(
    'creates a policy, previews it, runs it and shows the record, on a %s',
    async (screen) => {
      const name = `few-on-${screen}`;
      const left = screen === 'desktop' ? IMAGES + 3 : 3;
      const { page, faults } = await openGallery(app, opened.browser, { path: '/retention', screen });
      await page.getByRole('button', { name: 'Create policy' }).click();
      const form = page.getByRole('dialog');
      await form.getByLabel('Name').fill(name);
      await form.getByLabel('Most images').fill('many');
      await form.getByRole('button', { name: 'Save' }).click();
      await form.getByText('Give a whole number.').waitFor();
      await form.getByLabel('Most images').fill(String(left));
      await expectAccessible(page);
      await form.getByRole('button', { name: 'Save' }).click();

      const row = page.getByRole('row', { name });
      expect(await row.innerText()).toContain(`beyond ${left} images of all`);
      await row.getByRole('button', { name: `Edit ${name}` }).click();
      await page.getByRole('dialog').getByLabel('Stop above this share, in percent').fill('10');
      await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
      await page.getByRole('dialog').waitFor({ state: 'hidden' });

      await row.getByRole('button', { name: `Preview ${name}` }).click();
      const preview = page.getByRole('dialog');
      await preview.getByText('its maxShare allows 10 %', { exact: false }).waitFor();
      await preview.getByText(`3 beyond ${left} images, oldest first`).waitFor();
      expect(await preview.getByRole('listitem').getByRole('link').count()).toBe(3);
      await expectAccessible(page);
      if (process.env.SCREENSHOTS)
        await page.screenshot({ path: `${process.env.SCREENSHOTS}/preview-${screen}.png` });
      await preview.getByRole('button', { name: 'Run anyway' }).click();
      const run = page.getByRole('row').filter({ hasText: 'Completed' }).filter({ hasText: name });
      await run.waitFor();
      expect(await run.innerText()).toMatch(new RegExp(`3 beyond ${left} images, oldest first`));
      await expectAccessible(page);
      if (process.env.SCREENSHOTS)
        await page.screenshot({ path: `${process.env.SCREENSHOTS}/page-${screen}.png` });
      await row
        .first()
        .getByRole('button', { name: `Delete ${name}` })
        .click();
      await page.getByText(`Policy ${name} deleted`).waitFor();
      if (screen === 'desktop')
        await app.database.query(
          `UPDATE generated_images SET deleted_at = now() WHERE id IN (
            SELECT id FROM generated_images WHERE deleted_at IS NULL ORDER BY id LIMIT ${IMAGES - 3})`,
        );
      expect(faults).toEqual([]);
      await page.close();
    },
    60_000,
  );
});
