import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, openBrowser, type TestBrowser } from '../browser/chromium.ts';
import {
  CancelGenerationDocument,
  DeleteImageDocument,
  GenerateImageDocument,
  type GenerateImageInput,
  ImageOnPageDocument,
  PurgeImageDocument,
} from '../generated/graphql.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { pngWith, textChunk } from '../provenance/files.ts';
import { upload } from '../upload.ts';
import { expectAccessible, logIn, openGallery, type SCREENS } from './pages.ts';

const PROMPT = 'A red fox asleep under a pine in fresh snow, first light of the morning, wide lens';

describe.skipIf(!CHROMIUM)('the page of an image', () => {
  let app: TestApp;
  let opened: TestBrowser;
  let browser: TestBrowser['browser'];
  beforeAll(async () => {
    app = await openTestApp({ STORES: 'filesystem,database' });
    opened = await openBrowser();
    ({ browser } = opened);
    await browser.grantPermissions(['clipboard-read', 'clipboard-write']);
  });
  afterAll(async () => {
    await opened?.close();
    await app.close();
  });

  const read = async (id: string) => (await app.ask(ImageOnPageDocument, { id })).image;

  async function generate(input: GenerateImageInput) {
    const { generateImage } = await app.ask(GenerateImageDocument, {
      input: { model: 'sample', size: '192x128', ...input },
    });
    const image = await read(generateImage.images[0]?.id ?? '?');
    if (!image) throw new Error(JSON.stringify(generateImage.userErrors));
    return image;
  }

  async function open(uuid: string, screen: keyof typeof SCREENS = 'desktop') {
    const opened = await openGallery(app, browser, { path: `/image/${uuid}`, screen });
    await opened.page.getByRole('region', { name: 'Details' }).waitFor();
    return opened;
  }

  const section = (page: Page, name: string): Locator => page.getByRole('region', { name, exact: true });
  const said = (page: Page, message: string) => page.getByRole('status').getByText(message).waitFor();
  const copied = (page: Page) => page.evaluate(() => navigator.clipboard.readText());

  test.each(['desktop', 'phone'] as const)('shows what is known about it, on a %s', async (screen) => {
    const { uuid } = await generate({
      prompt: PROMPT,
      tags: ['winter'],
      username: 'Ada',
      requestId: `of-${screen}`,
      metadata: { channel: 'general' },
    });
    const { page, faults } = await open(uuid, screen);
    await page.waitForFunction(() =>
      document.title.startsWith('A red fox asleep under a pine in fresh snow'),
    );
    expect(await section(page, 'Prompt').textContent()).toContain(PROMPT);
    const image = await read(uuid);
    for (const fact of [
      'sample',
      '192 × 128',
      image?.sha256 ?? '?',
      'image/png',
      `of-${screen}`,
      'Ada (root)',
      uuid,
    ])
      await section(page, 'Details').getByText(fact, { exact: true }).first().waitFor();
    await section(page, 'Attempts').getByRole('cell', { name: 'Succeeded' }).waitFor();
    await section(page, 'Copies').getByText('Every store has a healthy copy.').waitFor();
    await section(page, 'Family').getByText('It was not edited from another image').waitFor();
    expect(await section(page, 'Metadata').textContent()).toContain('"channel": "general"');
    await page.locator('main button img').evaluate((image: HTMLImageElement) => image.decode());
    await expectAccessible(page);
    const [wide, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    expect(wide).toBeLessThanOrEqual(shown as number);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('moves to its neighbours by keys, zooms, and goes back to the gallery', async () => {
    const images: { readonly uuid: string }[] = [];
    for (const name of ['first', 'second', 'third'])
      images.push(await generate({ prompt: `The ${name} hill` }));
    const { page, faults } = await open(images[1]?.uuid ?? '');
    const isAt = (index: number) =>
      page
        .waitForURL(`${app.url}/image/${images[index]?.uuid}`)
        .then(() => page.getByRole('region', { name: 'Picture' }).waitFor());
    // The newest comes first.
    await page.getByRole('button', { name: 'Previous image' }).waitFor();
    await page.keyboard.press('ArrowLeft');
    await isAt(2);
    await page.getByRole('button', { name: 'Next image' }).waitFor();
    await page.keyboard.press('ArrowRight');
    await isAt(1);
    await page.getByRole('button', { name: 'Next image' }).click();
    await isAt(0);
    await page.waitForFunction(() => document.title.startsWith('The first hill'));
    await page.getByRole('button', { name: 'Previous image' }).waitFor();
    await page.keyboard.press('z');
    const viewer = page.getByRole('dialog', { name: 'Full-screen view' });
    await viewer.waitFor();
    await expectAccessible(page);
    await viewer.getByRole('button', { name: 'Previous image' }).click();
    await page.waitForURL(`${app.url}/image/${images[1]?.uuid}`);
    // Keys of the page do nothing behind the viewer.
    await page.keyboard.press('x');
    await page.keyboard.press('Escape');
    await viewer.waitFor({ state: 'detached' });
    expect(page.url()).toBe(`${app.url}/image/${images[1]?.uuid}`);
    expect((await read(images[1]?.uuid ?? ''))?.deletedAt).toBe(null);
    await page.keyboard.press('Escape');
    await page.waitForURL(`${app.url}/`);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('follows the list that it was opened from, and goes back there from any of its images', async () => {
    const tag = ['of-a-list'];
    const parent = await generate({ prompt: 'The elder', tags: ['other'] });
    const older = await generate({ prompt: 'The older', tags: tag, parentId: parent.id });
    await generate({ prompt: 'Between them', tags: ['other'] });
    const newer = await generate({ prompt: 'The newer', tags: tag });
    const { page, faults } = await openGallery(app, browser, { path: '/?tag=of-a-list' });
    await page.locator(`main a[href$="${newer.uuid}"]`).click();
    await page.getByRole('button', { name: 'Next image' }).waitFor();
    await page.keyboard.press('ArrowRight');
    await page.waitForURL(`${app.url}/image/${older.uuid}`);
    await section(page, 'Family')
      .getByRole('link', { name: /The elder/ })
      .click();
    await page.waitForURL(`${app.url}/image/${parent.uuid}`);
    await page.waitForFunction(() => document.title.startsWith('The elder'));
    await page.keyboard.press('Escape');
    await page.waitForURL(`${app.url}/?tag=of-a-list`);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('restores a copy that was deleted from the disk, and says from which store', async () => {
    const { uuid, sha256 } = await generate({ prompt: 'A copy that will be lost' });
    const hash = sha256 ?? '';
    const [file] = (await app.files('images')).filter((name) => name.includes(hash));
    const lost = path.join(app.directory, 'images', file ?? '?');
    const { page, faults } = await open(uuid);
    await page.locator('main button img').evaluate((image: HTMLImageElement) => image.decode());
    // Nothing reads the picture any more, so the server does not notice the loss by itself.
    await rm(lost);
    await section(page, 'Copies').getByRole('button', { name: 'Check and restore', exact: true }).click();
    await said(page, 'Restored in filesystem, from database.');
    expect((await stat(lost)).isFile()).toBe(true);
    await section(page, 'Copies')
      .getByRole('button', { name: 'Check and restore the copy in database' })
      .click();
    await said(page, 'Checked: the copy in database is healthy.');
    expect(faults).toEqual([]);
    await page.close();
  });

  test('says that the bytes are lost, and generates the image again', async () => {
    const alone = await openTestApp({ STORES: 'filesystem' });
    const input = { prompt: 'To be lost', model: 'sample', size: '192x128' };
    const { generateImage } = await alone.ask(GenerateImageDocument, { input });
    const [file] = await alone.files('images');
    await rm(path.join(alone.directory, 'images', file ?? '?'));
    const id = generateImage.images[0]?.id ?? '?';
    const uuid = (await alone.ask(ImageOnPageDocument, { id })).image?.uuid;
    const { page } = await openGallery(alone, browser, { path: `/image/${uuid}` });
    await section(page, 'Picture').getByText('Its bytes are lost').waitFor();
    await section(page, 'Copies').getByText('Missing').waitFor();
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Generate again' }).click();
    await page.getByRole('button', { name: /^Look at it full screen/ }).waitFor();
    await section(page, 'Copies').getByText('Healthy', { exact: true }).waitFor();
    await page.close();
    await alone.close();
  });

  test('edits tags, metadata, name and visibility in place', async () => {
    const { uuid } = await generate({ prompt: 'To be edited', tags: ['old'] });
    const { page, faults } = await open(uuid);
    await page.keyboard.press('t');
    await page.keyboard.type('new tag');
    await page.keyboard.press('Enter');
    await section(page, 'Tags').getByRole('link', { name: 'new tag' }).waitFor();
    await section(page, 'Tags').getByRole('button', { name: 'Remove the tag old' }).press('Enter');
    await eventually(async () => expect((await read(uuid))?.tags).toEqual(['new tag']));
    // The focus goes to what follows the button that is gone.
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    await expect.poll(focused).toBe('new tag');

    await page.getByRole('button', { name: 'Edit the metadata' }).click();
    const field = page.getByRole('textbox', { name: 'JSON object' });
    await field.fill('{"a": }');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('This is not JSON').waitFor();
    await expectAccessible(page);
    await field.fill('{"rating": 5}');
    await page.getByRole('button', { name: 'Save' }).click();
    await field.waitFor({ state: 'detached' });
    expect((await read(uuid))?.metadata).toEqual({ rating: 5 });

    await page.getByRole('switch', { name: 'Private' }).click();
    await said(page, 'The image is private now');
    await page.getByRole('switch', { name: 'Pinned' }).click();
    await said(page, 'The image is pinned now');
    expect(await page.getByRole('switch', { name: 'Pinned' }).getAttribute('aria-checked')).toBe('true');
    await page.getByRole('button', { name: 'Edit the name' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('übersicht.png');
    await page.keyboard.press('Enter');
    await said(page, 'File renamed');
    expect(await read(uuid)).toMatchObject({ visibility: 'PRIVATE', originalFilename: 'übersicht.png' });
    expect(faults).toEqual([]);
    await page.close();
  });

  test('gives addresses to copy; a signed one shows a private image to anyone', async () => {
    const { uuid } = await generate({ prompt: 'A "private" fox', visibility: 'PRIVATE' });
    const { page, faults } = await open(uuid);
    const addresses = section(page, 'Addresses');
    await addresses.getByRole('button', { name: 'Copy: HTML' }).first().click();
    await eventually(async () =>
      expect(await copied(page)).toMatch(
        /^<img src="http:\S+\.png" width="192" height="128" alt="A &quot;private&quot; fox">$/,
      ),
    );
    const variant = addresses.getByRole('group', { name: 'Smaller or in another format' });
    await variant.getByLabel('Width').selectOption('128');
    await variant.getByLabel('Format').selectOption('WebP');
    await eventually(async () =>
      expect(await variant.getByRole('textbox', { name: 'Address' }).inputValue()).toMatch(
        /w=128&format=webp$/,
      ),
    );
    await addresses.getByRole('button', { name: 'Make the address' }).click();
    const signed = await addresses.getByLabel('Signed', { exact: true }).inputValue();
    const statusOf = async (url: string) => (await fetch(url)).status;
    expect(await statusOf(signed)).toBe(200);
    expect(await statusOf(await addresses.getByRole('textbox', { name: 'Original' }).inputValue())).toBe(404);
    await page.keyboard.press('Escape');
    expect(faults).toEqual([]);
    await page.close();
  });

  test('moves to the trash with a way back, and deletes permanently after a question', async () => {
    const { uuid } = await generate({ prompt: 'To be deleted' });
    const { page, faults } = await open(uuid);
    await page.keyboard.press('x');
    await section(page, 'Picture').getByText('In the trash', { exact: true }).waitFor();
    await expectAccessible(page);
    await page.getByRole('status').getByRole('button', { name: 'Undo' }).click();
    await page.getByRole('button', { name: /^Look at it full screen/ }).waitFor();
    expect((await read(uuid))?.deletedAt).toBe(null);
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: 'Delete permanently' }).click();
    const question = page.getByRole('dialog', { name: 'Delete this image permanently?' });
    await question.waitFor();
    // Escape closes the question, and leaves the page.
    await page.keyboard.press('Escape');
    await question.waitFor({ state: 'detached' });
    expect(page.url()).toBe(`${app.url}/image/${uuid}`);
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: 'Delete permanently' }).click();
    await question.getByRole('button', { name: 'Delete permanently' }).click();
    await page.waitForURL(`${app.url}/`);
    expect(await read(uuid)).toBe(null);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('follows what other clients do: cancelled, deleted, purged', async () => {
    const scheduledFor = new Date(Date.now() + 86_400_000).toISOString();
    const { id, uuid } = await generate({ prompt: 'Planned', scheduledFor, waitSeconds: 0 });
    const { page, faults } = await open(uuid);
    const picture = section(page, 'Picture');
    await picture.getByText('Waiting to be generated').waitFor();
    await expectAccessible(page);
    await app.ask(CancelGenerationDocument, { input: { id } });
    await picture.getByText('CANCELLED', { exact: true }).waitFor();
    await expectAccessible(page);
    await picture.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('button', { name: /^Look at it full screen/ }).waitFor();
    await app.ask(DeleteImageDocument, { input: { id } });
    await picture.getByText('In the trash', { exact: true }).waitFor();
    await app.ask(PurgeImageDocument, { input: { id } });
    await page.getByText('There is no such image').waitFor();
    await expectAccessible(page);
    expect(faults).toEqual([]);
    await page.close();
  });

  test('shows the family as a tree that leads from image to image', async () => {
    const parent = await generate({ prompt: 'The parent' });
    const image = await generate({ prompt: 'The middle', parentId: parent.id });
    await generate({ prompt: 'The edit', parentId: image.id });
    const { page, faults } = await open(image.uuid);
    const family = section(page, 'Family');
    await family.getByRole('link', { name: /The edit/ }).waitFor();
    const depths = await family
      .getByRole('listitem')
      .evaluateAll((items) =>
        items.map((item) => [
          item.textContent?.match(/The (parent|middle|edit)/)?.[1],
          item.querySelectorAll('li').length,
        ]),
      );
    expect(depths).toEqual([
      ['parent', 2],
      ['middle', 1],
      ['edit', 0],
    ]);
    await family.getByRole('link', { name: /The parent/ }).click();
    await page.waitForURL(`${app.url}/image/${parent.uuid}`);
    await page.waitForFunction(() => document.title.startsWith('The parent'));
    await page.goBack();
    await page.waitForFunction(() => document.title.startsWith('The middle'));
    expect(faults).toEqual([]);
    await page.close();
  });

  test('shows what the file says, and the images with the same bytes', async () => {
    const parameters = 'a castle\nNegative prompt: blurry\nSteps: 28, Sampler: Euler, Seed: 1234567890';
    const content = await pngWith(textChunk('parameters', parameters));
    const { image } = await upload(app, { content, name: 'one.png' });
    await upload(app, { content, name: 'two.png' }, { userId: 'ann', username: 'Ann' });
    const uuid = (await read(image?.id ?? '?'))?.uuid ?? '?';
    const { page, faults } = await open(uuid);
    await section(page, 'Prompt').getByText('blurry').waitFor();
    await section(page, 'How it was made').getByText('1234567890').waitFor();
    const statements = section(page, 'What the file says');
    await statements.getByText('AUTOMATIC1111').waitFor();
    await statements.getByText('All texts of the file').click();
    await statements.getByText('Steps: 28, Sampler: Euler').waitFor();
    await expectAccessible(page);
    await section(page, 'Images with the same bytes')
      .getByRole('link', { name: /of Ann/ })
      .click();
    await section(page, 'Record').getByText('Ann (ann)').waitFor();
    expect(faults).toEqual([]);
    await page.close();
  });

  test('offers to a reader only what a reader may do', async () => {
    const { uuid } = await generate({ prompt: 'To be read', userId: 'ann', tags: ['seen'] });
    const { token } = await app.services.tokens.create({
      name: 'reader',
      userId: 'ann',
      scopes: ['images:read'],
    });
    const { page, faults } = await logIn(app, browser, token);
    await page.goto(`${app.url}/image/${uuid}`);
    await section(page, 'Tags').getByRole('link', { name: 'seen' }).waitFor();
    for (const name of ['Make again', 'Edit from this'])
      expect(await page.getByRole('link', { name }).count(), name).toBe(0);
    for (const name of ['Delete', /restore/i, /^Remove the tag/, /^Edit/, /^Add$/])
      expect(await page.getByRole('button', { name }).count(), String(name)).toBe(0);
    expect(await page.getByRole('switch', { name: 'Private' }).isDisabled()).toBe(true);
    await expectAccessible(page);
    expect(faults).toEqual([]);
    await page.close();
  });
});
