import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { print } from 'graphql';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, openBrowser, type TestBrowser } from '../browser/chromium.ts';
import {
  DeleteImageDocument,
  GenerateImageDocument,
  ImageCountDocument,
  ImagesDocument,
  PurgeImageDocument,
  RecordImageDocument,
} from '../generated/graphql.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { uploadForm } from '../upload.ts';
import { expectAccessible, openGallery } from './pages.ts';

/** More than one page of the list, so that a window of pages is used. */
const COUNT = 230;
const HOUR = 3_600_000;
const NEWEST = Date.parse('2026-06-30T12:00:00Z');

const SIZES = [
  [96, 64],
  [64, 96],
  [80, 80],
] as const;

/** Records a picture that another service has made. */
async function record(
  app: TestApp,
  content: Buffer,
  input: Record<string, unknown>,
): Promise<{ sha256: string; url: string }> {
  const form = uploadForm({ content }, { tool: 'generateUserImage', ...input }, print(RecordImageDocument));
  const response = await app.fetch('/graphql', { method: 'POST', body: form });
  const { data } = (await response.json()) as {
    data: { recordImage: { image: { sha256: string; url: string } } };
  };
  return data.recordImage.image;
}

/** Records images, eight hours between two: three on most days. */
async function seed(app: TestApp): Promise<void> {
  const one = async (index: number) => {
    const [width, height] = SIZES[index % SIZES.length] as (typeof SIZES)[number];
    const content = await makePicture({ format: 'png', width, height, seed: index });
    const input = {
      prompt: `picture ${index}`,
      tool: index % 2 ? 'generateComic' : 'generateUserImage',
      tags: index % 5 === 0 ? ['fifth'] : [],
      createdAt: new Date(NEWEST - index * 8 * HOUR).toISOString(),
    };
    await record(app, content, input);
  };
  for (let start = 0; start < COUNT; start += 10)
    await Promise.all(Array.from({ length: 10 }, (_, offset) => one(start + offset)));
}

const cells = (page: Page) => page.locator('[role=gridcell]');
const cell = (page: Page, prompt: string) =>
  cells(page).filter({ has: page.getByRole('link', { name: prompt, exact: false }) });

/** Returns the first image below the bars, and its distance from the top of the screen. */
const firstOf = (page: Page) =>
  page.evaluate(() => {
    for (const link of document.querySelectorAll('[role=gridcell] a')) {
      const { top } = link.getBoundingClientRect();
      if (top > 100) return { name: link.getAttribute('aria-label'), top: Math.round(top) };
    }
    return null;
  });

/** Returns the first image below the bars when the page has come to rest. */
async function restingFirstOf(page: Page): ReturnType<typeof firstOf> {
  for (;;) {
    const before = await firstOf(page);
    await page.waitForTimeout(200);
    const after = await firstOf(page);
    if (before?.name === after?.name && before?.top === after?.top) return after;
  }
}

/** Scrolls by the wheel until the function returns true. */
async function scrollUntil(page: Page, step: number, isDone: () => Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    if (await isDone()) return;
    await page.mouse.wheel(0, step);
    await page.waitForTimeout(40);
  }
  throw new Error('the end was not reached');
}

describe.skipIf(!CHROMIUM)('the gallery', () => {
  let app: TestApp;
  let opened: TestBrowser;
  let browser: TestBrowser['browser'];
  beforeAll(async () => {
    app = await openTestApp({ HEAL_DELAY_SECONDS: '3600' });
    await seed(app);
    opened = await openBrowser();
    ({ browser } = opened);
  }, 120_000);
  afterAll(async () => {
    await opened?.close();
    await app.close();
  });

  // An open page holds a connection for events, of which a browser has six for a server.
  afterEach(async () => {
    for (const page of browser.pages()) await page.close();
  });

  const open = async (address = '/', screen: 'desktop' | 'phone' = 'desktop') => {
    const shown = await openGallery(app, browser, { path: address, screen });
    await cells(shown.page).first().waitFor();
    await shown.page.mouse.move(600, 400);
    return shown;
  };

  test.each(['desktop', 'phone'] as const)(
    'has no fault and nothing to say for axe, on a %s',
    async (screen) => {
      const { page, faults } = await open('/?tag=fifth', screen);
      await expectAccessible(page);
      await page.getByRole('button', { name: /^Filters/ }).click();
      await page.getByRole('group', { name: 'Tool' }).waitFor();
      await expectAccessible(page);
      await page.keyboard.press('Escape');
      await cells(page)
        .first()
        .getByRole('link')
        .click({ modifiers: ['Control'] });
      await page.getByText('1 selected').waitFor();
      await expectAccessible(page);
      expect(faults).toEqual([]);
    },
  );

  test('shows every image once from the newest to the oldest and back', async () => {
    const { page, faults } = await open();
    const seen = new Set<string>();
    const look = async () => {
      for (const name of await page
        .locator('[role=gridcell] a')
        .evaluateAll((links) => links.map((each) => each.getAttribute('aria-label') ?? '')))
        seen.add(name);
      return seen.size >= COUNT;
    };
    await scrollUntil(page, 500, look);
    expect(seen.size).toBe(COUNT);
    await scrollUntil(page, -2000, async () => (await page.evaluate(() => scrollY)) === 0);
    expect((await firstOf(page))?.name ?? '').toMatch(/^picture \d$/);
    expect(faults).toEqual([]);
  });

  test('comes back to the same place after an image was opened, and after a reload', async () => {
    const { page } = await open();
    await scrollUntil(page, 700, async () => (await page.evaluate(() => scrollY)) > 3000);
    const before = await restingFirstOf(page);
    await page.getByRole('link', { name: before?.name ?? '', exact: true }).click();
    await page.waitForURL(/\/image\//);
    await page.goBack();
    await cells(page).first().waitFor();
    await expect.poll(() => firstOf(page)).toEqual(before);
    await page.reload();
    await cells(page).first().waitFor();
    await expect.poll(async () => (await firstOf(page))?.name).toBe(before?.name);
  });

  test('goes to a date, from which newer images are above and older ones below', async () => {
    const { page } = await open();
    await page.getByRole('button', { name: 'Go to a date' }).click();
    await page.locator('input[type=date]').fill('2026-05-20');
    await page.keyboard.press('Enter');
    // 2026-05-20 20:00 is 41 days less 8 hours before the newest.
    const expected = Math.ceil((NEWEST - Date.parse('2026-05-21T00:00:00Z')) / (8 * HOUR));
    await cell(page, `picture ${expected}`).first().waitFor();
    await expect.poll(() => page.evaluate(() => scrollY)).toBeGreaterThan(500);
    const names = await page
      .locator('[role=gridcell] a')
      .evaluateAll((links) => links.map((link) => link.getAttribute('aria-label')));
    expect(names).toContain(`picture ${expected - 1}`);
    expect(names).toContain(`picture ${expected + 1}`);
  });

  test('keeps filters in the address, and goes back through them', async () => {
    const { page, faults } = await open();
    await page.keyboard.press('f');
    await page.getByRole('checkbox', { name: /^generateComic/ }).check();
    await page.waitForURL(/tool=generateComic/);
    await page.getByText(`${COUNT / 2} images`).waitFor();
    await page.getByRole('checkbox', { name: /^fifth/ }).check();
    await page.getByText(`${COUNT / 10} images`).waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('picture ');
    await page.waitForURL(/q=picture&/);
    // The field keeps the focus and the space while it searches.
    await page.keyboard.type('15');
    await page.getByText('1 image', { exact: true }).waitFor();
    expect(new URL(page.url()).search).toBe('?q=picture+15&tool=generateComic&tag=fifth');
    await page.goBack();
    await page.getByText(`${COUNT / 10} images`).waitFor();
    await page.getByRole('button', { name: 'Remove #fifth' }).click();
    await page.getByText(`${COUNT / 2} images`).waitFor();
    await page.goto(`${app.url}/?sha256=${'0'.repeat(64)}`);
    await page.getByText('No image matches').waitFor();
    await page.getByRole('button', { name: 'Clear all' }).click();
    await page.getByText(`${COUNT} images`).waitFor();
    expect(faults).toEqual([]);
  });

  test('inserts new images at the start, and elsewhere only tells of them', async () => {
    const { page, faults } = await open();
    const generate = async (prompt: string) => {
      const input = { prompt, tool: 'generateUserImage', model: 'sample', waitSeconds: 60 };
      const { generateImage } = await app.ask(GenerateImageDocument, { input });
      return generateImage.images[0]?.id ?? '';
    };
    const uuids = [await generate('first arrival')];
    await expect.poll(async () => (await firstOf(page))?.name).toBe('first arrival');
    await page.mouse.wheel(0, 900);
    await expect.poll(() => page.evaluate(() => scrollY)).toBeGreaterThan(500);
    const before = await restingFirstOf(page);
    uuids.push(await generate('second arrival'));
    await page.getByRole('button', { name: '1 new image' }).waitFor();
    expect(await firstOf(page)).toEqual(before);
    await page.getByRole('button', { name: '1 new image' }).click();
    await expect.poll(async () => (await firstOf(page))?.name).toBe('second arrival');
    expect(await page.evaluate(() => scrollY)).toBe(0);
    // The address of an image in the trash is 404, so its picture must be there before.
    for (const name of ['first arrival', 'second arrival'])
      await expect
        .poll(() =>
          page
            .getByRole('link', { name, exact: true })
            .locator('img')
            .evaluate((image: HTMLImageElement) => image.complete && image.naturalWidth > 0),
        )
        .toBe(true);
    await app.ask(DeleteImageDocument, { input: { id: uuids[1] ?? '' } });
    await page.getByRole('link', { name: 'second arrival, In the trash' }).waitFor();
    await app.ask(DeleteImageDocument, { input: { id: uuids[0] ?? '' } });
    expect(faults).toEqual([]);
  });

  test('selects by range and keys, deletes in bulk, and undoes it', async () => {
    const { page, faults } = await open();
    const link = (index: number) => page.getByRole('link', { name: `picture ${index}`, exact: true });
    await link(2).click({ modifiers: ['Control'] });
    await link(6).click({ modifiers: ['Shift'] });
    await page.getByText('5 selected').waitFor();
    await page.keyboard.press('x');
    await page.getByText('Moved 5 images to the trash.').waitFor();
    const count = async () => (await app.ask(ImageCountDocument, {})).images.totalCount;
    expect(await count()).toBe(COUNT - 5);
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('Undid the change of 5 images.').waitFor();
    expect(await count()).toBe(COUNT);
    await page.keyboard.press('Escape');
    await link(0).focus();
    for (const key of ['ArrowRight', ' ', 'ArrowRight', ' ']) await page.keyboard.press(key);
    await page.getByText('2 selected').waitFor();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download' }).click(),
    ]);
    const zip = await readFile(await download.path());
    expect(zip.subarray(0, 2).toString()).toBe('PK');
    // Entries of the directory: two images and the manifest.
    expect(zip.toString('latin1').split('PK\u0001\u0002')).toHaveLength(4);
    await page.keyboard.press('t');
    await page.getByLabel('Add').fill('new, better');
    await page.keyboard.press('Enter');
    await page.getByText('Changed the tags of 2 images.').waitFor();
    await page.goto(`${app.url}/?tag=better&tag=new`);
    await page.getByText('2 images').waitFor();
    expect(faults).toEqual([]);
  });

  test('runs an action after the one that runs, and forgets an image that its own page has purged', async () => {
    for (const prompt of ['one of three', 'two of three', 'three of three'])
      await record(app, await makePicture({ seed: prompt.length }), { prompt, tags: ['three'] });
    const { page, faults } = await open('/?tag=three');
    const link = (name: string) => page.getByRole('link', { name: `${name} of three` });
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await page.route('**/graphql', async (route) => {
      if (route.request().postData()?.includes('DeleteTiles')) await held;
      await route.continue();
    });
    for (const name of ['one', 'two']) {
      await link(name).focus();
      await page.keyboard.press('x');
    }
    release();
    for (const name of ['one', 'two'])
      await page.getByRole('link', { name: `${name} of three, In the trash` }).waitFor();
    await link('three').click();
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: 'Delete permanently' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete permanently' }).click();
    await page.waitForURL(/tag=three/);
    await link('one').waitFor();
    expect(await link('three').count()).toBe(0);
    for (const id of (
      await app.ask(ImagesDocument, { filter: { tags: ['three'], trash: 'ONLY' } })
    ).images.nodes.map(({ id }) => id))
      await app.ask(PurgeImageDocument, { input: { id } });
    expect(faults).toEqual([]);
  });

  test('ends its events while it is hidden, and reads what it missed when it is shown', async () => {
    const { page } = await open();
    const ended: string[] = [];
    page.on('requestfailed', (request) => ended.push(request.postData() ?? ''));
    const show = (isShown: boolean) =>
      page.evaluate((hidden) => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
      }, !isShown);
    await page.clock.install();
    await show(false);
    await page.clock.fastForward(31_000);
    await expect.poll(() => ended.some((each) => each.includes('GalleryChanges'))).toBe(true);
    const { url } = await record(app, await makePicture({ seed: 88_888 }), { prompt: 'missed' });
    await show(true);
    await expect.poll(async () => (await firstOf(page))?.name).toBe('missed');
    const [, id = ''] = /images\/([0-9a-f-]+)/.exec(url) ?? [];
    await app.ask(PurgeImageDocument, { input: { id } });
  });

  test('selects by a long press, after which taps add and remove', async () => {
    const { page } = await open('/', 'phone');
    const touch = { pointerType: 'touch', clientX: 60, clientY: 160, bubbles: true };
    const link = page.getByRole('link', { name: 'picture 0', exact: true });
    await link.dispatchEvent('pointerdown', touch);
    await page.getByText('1 selected').waitFor();
    await link.dispatchEvent('pointerup', touch);
    // The click that ends the press neither opens the image nor takes it out.
    await link.dispatchEvent('click', { detail: 1, bubbles: true, cancelable: true });
    await page.getByRole('link', { name: 'picture 1', exact: true }).click();
    await page.getByText('2 selected').waitFor();
    await page.getByRole('link', { name: 'picture 0', exact: true }).click();
    await page.getByText('1 selected').waitFor();
    expect(new URL(page.url()).pathname).toBe('/');
  });

  test('says of each image in a bulk action why it failed', async () => {
    const { page } = await open();
    const link = (index: number) => page.getByRole('link', { name: `picture ${index}`, exact: true });
    await page.route('**/graphql', async (route) => {
      const isDeletion = route.request().postData()?.includes('DeleteTiles') ?? false;
      await (isDeletion ? route.abort() : route.continue());
    });
    for (const index of [1, 2]) await link(index).click({ modifiers: ['Control'] });
    await page.keyboard.press('x');
    await page.getByText('2 of 2 images failed').waitFor();
    await page.getByRole('button', { name: 'Show' }).click();
    await expectAccessible(page);
    await page.unroute('**/graphql');
    await page.getByRole('button', { name: 'Try these again' }).click();
    await page.getByText('Moved 2 images to the trash.').waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await page.getByText('Undid the change of 2 images.').waitFor();
  });

  test('marks an image whose file was deleted, and restores it', async () => {
    const content = await makePicture({ seed: 99_999 });
    const { sha256, url } = await record(app, content, { prompt: 'fragile' });
    const { page, faults } = await open();
    const files = (await app.files('images')).filter((name) => name.includes(sha256));
    expect(files).toHaveLength(1);
    await rm(path.join(app.directory, 'images', files[0] ?? ''));
    await (await app.fetch(new URL(url).pathname)).arrayBuffer();
    await page.reload();
    await page.getByRole('link', { name: 'fragile, At risk' }).click({ modifiers: ['Control'] });
    await expectAccessible(page);
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: 'Restore damaged copies' }).click();
    await page.getByText('Restored 1 image.').waitFor();
    await page.getByRole('link', { name: 'fragile', exact: true }).waitFor();
    expect((await app.files('images')).filter((name) => name.includes(sha256))).toEqual(files);
    expect(faults).toEqual([]);
  });

  test('lists the trash with the days left, takes images out, and deletes for good', async () => {
    const { page, faults } = await open();
    for (const index of [10, 11, 12])
      await page
        .getByRole('link', { name: `picture ${index}`, exact: true })
        .click({ modifiers: ['Control'] });
    await page.keyboard.press('x');
    await page.getByText('Moved 3 images to the trash.').waitFor();
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Trash' }).click();
    const link = (index: number) => page.getByRole('link', { name: `picture ${index}, 30 days left` });
    await link(10).waitFor();
    await expectAccessible(page);
    await link(10).click({ modifiers: ['Control'] });
    await page.getByRole('button', { name: 'Take out of the trash' }).click();
    await page.getByText('Took 1 image out of the trash.').waitFor();
    await link(11).click({ modifiers: ['Control'] });
    await page.getByRole('button', { name: 'Delete permanently' }).click();
    await page.getByRole('heading', { name: 'Delete 1 image permanently?' }).waitFor();
    await expectAccessible(page);
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    await expect.poll(focused).toBe('Delete permanently');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByRole('button', { name: 'Delete permanently' }).click();
    await page.getByText('Deleted 1 image permanently.').waitFor();
    await page.reload();
    await link(12).waitFor();
    await page.getByRole('button', { name: 'Empty the trash' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Empty the trash' }).click();
    await page.getByText('The trash is empty').waitFor();
    await page.getByRole('button', { name: 'Empty the trash' }).waitFor({ state: 'detached' });
    await expectAccessible(page);
    expect(faults).toEqual([]);
  });

  test('changes all images that match, also those that are not loaded', async () => {
    const { page, faults } = await open();
    await page.getByRole('link', { name: 'picture 0', exact: true }).click({ modifiers: ['Control'] });
    expect(await page.getByRole('button', { name: 'Select all that match' }).count()).toBe(0);
    await page.keyboard.press('Control+a');
    await page.getByRole('button', { name: 'Select all that match' }).click();
    await page.getByText('All that match are selected').waitFor();
    await expectAccessible(page);
    const count = async () => (await app.ask(ImageCountDocument, {})).images.totalCount;
    const before = await count();
    await page.keyboard.press('t');
    await page.getByRole('heading', { name: 'Tags of all images that match' }).waitFor();
    await page.getByLabel('Add').fill('everywhere');
    await page.keyboard.press('Enter');
    await page.getByText(`Changed the tags of ${before} images.`).waitFor();
    await page.goto(`${app.url}/?tag=everywhere`);
    await page.getByText(`${before} images`).waitFor();
    expect(faults).toEqual([]);
  });
});
