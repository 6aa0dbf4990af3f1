import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, openBrowser, type TestBrowser } from '../browser/chromium.ts';
import { ImagesDocument } from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { expectAccessible, openGallery } from './pages.ts';

describe.skipIf(!CHROMIUM)('the page that uploads images', () => {
  let app: TestApp;
  let opened: TestBrowser;
  beforeAll(async () => {
    app = await openTestApp({ MAX_UPLOAD_BYTES: '200000' });
    opened = await openBrowser();
  });
  afterAll(async () => {
    await opened?.close();
    await app.close();
  });

  const open = (screen: 'desktop' | 'phone' = 'desktop') =>
    openGallery(app, opened.browser, { path: '/upload', screen });
  const list = async () =>
    (await app.ask(ImagesDocument, { first: 100 })).images.edges.map(({ node }) => node);
  const named = async (filename: string) =>
    (await app.ask(ImagesDocument, { filter: { filename } })).images.nodes;
  const picture = async (name: string, seed: number, size = 40) => ({
    name,
    mimeType: 'image/png',
    buffer: await makePicture({ width: size, height: size, seed }),
  });
  const choose = (page: Page, files: Parameters<Page['setInputFiles']>[1]) =>
    page.setInputFiles('input[type=file][multiple]:not([webkitdirectory])', files);
  const row = (page: Page, name: string) => page.getByRole('listitem').filter({ hasText: name });

  test.each(['desktop', 'phone'] as const)(
    'stores files, and says why it refuses others, on a %s',
    async (screen) => {
      const { page, faults } = await open(screen);
      const options = page.getByText('Settings for the next files');
      if (screen === 'phone') await options.click();
      await page.getByLabel('Tags').fill(`${screen},`);
      await page.getByLabel('Visibility').selectOption('PRIVATE');
      if (screen === 'phone') await options.click();
      const seed = screen === 'phone' ? 10 : 20;
      const whole = await picture('cut.png', seed + 3);
      await choose(page, [
        await picture('first.png', seed),
        await picture('second.png', seed + 1),
        { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') },
        {
          name: 'phone.heic',
          mimeType: 'image/heic',
          buffer: Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic'),
        },
        await picture('huge.png', seed + 2, 400),
        { ...whole, buffer: whole.buffer.subarray(0, 500) },
      ]);
      await page.getByRole('heading', { name: 'Finished' }).waitFor();
      await page.getByText('2 stored', { exact: true }).waitFor();
      await page.getByText('4 refused', { exact: true }).waitFor();
      await row(page, 'notes.txt').getByText('not an image that the server keeps').waitFor();
      await row(page, 'phone.heic').getByText('This is HEIC.').waitFor();
      await row(page, 'huge.png').getByText('Larger than the limit of the server, 200 kB.').waitFor();
      await row(page, 'cut.png').getByText('damaged').waitFor();
      const [newest] = await list();
      expect(newest).toMatchObject({ tags: [screen], origin: 'UPLOADED' });
      await expectAccessible(page);
      const [wide, shown] = await page.evaluate(() => [document.body.scrollWidth, innerWidth]);
      expect(wide).toBeLessThanOrEqual(shown as number);
      await page.getByRole('link', { name: 'See them in the gallery' }).click();
      await page.waitForURL(`${app.url}/?request=${newest?.requestId}`);
      expect(faults).toEqual([]);
      await page.close();
    },
  );

  test('points out an image that exists, and leads to it', async () => {
    const { page, faults } = await open();
    const file = await picture('same.png', 30);
    await choose(page, [file, { ...file, name: 'same-copy.png' }]);
    await page.getByText('1 already there', { exact: true }).waitFor();
    await page.getByLabel('If you have the same image already').selectOption('ERROR');
    await choose(page, [{ ...file, name: 'third.png' }]);
    await row(page, 'third.png').getByText('Already there').waitFor();
    expect(await named('same')).toHaveLength(1);
    await row(page, 'third.png').getByRole('link').click();
    await page.waitForURL(/\/image\//);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('sends a file again whose response was lost, and stores it once', async () => {
    const { page } = await open();
    let lost = 0;
    await page.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('uploadImage(') || lost > 0) return route.continue();
      lost += 1;
      await route.fetch();
      return route.abort();
    });
    await page.getByLabel('If you have the same image already').selectOption('CREATE');
    await choose(page, [await picture('lost.png', 40)]);
    await row(page, 'lost.png').getByText('Next try in').waitFor();
    await row(page, 'lost.png').getByText('Stored').waitFor();
    expect(await named('lost')).toHaveLength(1);
    expect(lost).toBe(1);
    await page.close();
  });

  test('waits as long as the server asks for', async () => {
    const { page } = await open();
    const times: number[] = [];
    await page.route('**/graphql', async (route) => {
      if (!route.request().postData()?.includes('uploadImage(')) return route.continue();
      times.push(Date.now());
      const errors = [{ message: 'Too many requests.', extensions: { code: 'RATE_LIMITED' } }];
      if (times.length > 1) return route.continue();
      return route.fulfill({ status: 429, headers: { 'retry-after': '2' }, json: { errors } });
    });
    await choose(page, [await picture('patient.png', 50)]);
    await row(page, 'patient.png').getByText('Stored').waitFor();
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(1900);
    await page.close();
  });

  test('imports addresses, and says which lines are none', async () => {
    const { page, faults } = await open();
    await page.getByRole('button', { name: 'Import from the web' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Addresses of images').fill('fox.png');
    await dialog.getByRole('button', { name: 'Import', exact: true }).click();
    await dialog.getByText('Not an address').waitFor();
    await expectAccessible(page);
    await dialog.getByLabel('Addresses of images').fill(`${app.url}/fox.png\n`);
    await dialog.getByRole('button', { name: 'Import', exact: true }).click();
    await row(page, 'fox.png').getByText('Refused').waitFor();
    await page.evaluate((url) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text/plain', url);
      document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true }));
    }, `${app.url}/pasted.png`);
    await row(page, 'pasted.png').getByText('Refused').waitFor();
    expect(faults).toEqual([]);
    await page.close();
  });

  test('takes a thousand files that are dropped, without freezing, and can be paused', async () => {
    const { page, faults } = await open();
    const bytes = [...(await makePicture({ width: 8, height: 8, seed: 60 }))];
    const longest = await page.evaluate(async (content) => {
      const data = new DataTransfer();
      for (let index = 0; index < 1000; index++) {
        const file = new File([new Uint8Array(content)], `file-${index}.png`, { type: 'image/png' });
        data.items.add(file);
      }
      const longestFrame = async () => {
        let longest = 0;
        let last = performance.now();
        for (const end = last + 1500; last < end; ) {
          const now = await new Promise(requestAnimationFrame);
          longest = Math.max(longest, now - last);
          last = now;
        }
        return longest;
      };
      // A busy machine has long frames of its own.
      const idle = await longestFrame();
      document.dispatchEvent(new DragEvent('dragenter', { dataTransfer: data, bubbles: true }));
      document.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
      return (await longestFrame()) - 4 * idle;
    }, bytes);
    await page
      .getByText(/of 1,000 images done/)
      .first()
      .waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    expect(longest, 'milliseconds of the longest frame, less those of the machine').toBeLessThan(1000);
    expect(await page.getByRole('listitem').count()).toBeLessThan(60);
    await page.evaluate(() => scrollTo(0, 40_000));
    await eventually(async () => expect(await row(page, 'file-5').count()).toBeGreaterThan(3));
    expect(await page.getByRole('listitem').count()).toBeLessThan(60);
    const pictures = await page.evaluate(() => document.querySelectorAll('li img[src^="blob:"]').length);
    expect(pictures).toBeLessThan(60);
    await page.evaluate(() => scrollTo(0, 0));
    await choose(page, [{ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') }]);
    await page.getByRole('button', { name: 'Only problems' }).click();
    await eventually(async () => expect(await page.getByRole('listitem').count()).toBe(1));
    await row(page, 'notes.txt').waitFor();
    await page.getByRole('button', { name: 'Show all' }).click();
    await page.getByRole('button', { name: 'Cancel all' }).click();
    await page.getByRole('button', { name: 'Clear the list' }).click();
    await page.getByRole('heading', { name: 'Drop images anywhere on this page' }).waitFor();
    expect(await page.getByRole('listitem').count()).toBe(0);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('waits while the browser is offline, and goes on by itself', async () => {
    const { page } = await open();
    await page.context().setOffline(true);
    await choose(page, [await picture('patient-offline.png', 80)]);
    await page.getByRole('alert').getByText('You are offline').waitFor();
    await page.context().setOffline(false);
    await row(page, 'patient-offline.png').getByText('Stored').waitFor();
    expect(await named('patient-offline')).toHaveLength(1);
    await page.close();
  });

  test('uploads a folder, without the hidden files of the system', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'fixative-folder-'));
    await mkdir(path.join(directory, 'inner'));
    await writeFile(path.join(directory, 'inner', 'deep.png'), await makePicture({ seed: 90 }));
    await writeFile(path.join(directory, '.DS_Store'), 'x');
    const { page, faults } = await open();
    await page.setInputFiles('input[webkitdirectory]', directory);
    await row(page, 'deep.png').getByText('Stored').waitFor();
    expect(await page.getByRole('listitem').count()).toBe(1);
    expect(faults).toEqual([]);
    await page.close();
    await rm(directory, { recursive: true });
  });

  test('asks before the tab is closed while files are under way', async () => {
    const { page } = await open();
    await page.route('**/graphql', () => undefined);
    await choose(page, [await picture('slow.png', 70)]);
    await row(page, 'slow.png')
      .getByText(/Uploading|Storing/)
      .waitFor();
    // The uploads go on while another page is shown.
    await page.getByRole('link', { name: 'Make', exact: true }).click();
    await page.getByRole('link', { name: 'Upload', exact: true }).click();
    await row(page, 'slow.png').waitFor();
    const asked = page.waitForEvent('dialog');
    void page.close({ runBeforeUnload: true });
    const dialog = await asked;
    expect(dialog.type()).toBe('beforeunload');
    await dialog.accept();
  });
});
