import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type axe from 'axe-core';
import type { BrowserContext, Page } from 'playwright-core';
import { expect } from 'vitest';
import type { TestApp } from '../harness.ts';

const AXE = await readFile(createRequire(import.meta.url).resolve('axe-core'), 'utf8');

/** Sizes of the screens that the gallery is tested on, in CSS pixels. */
export const SCREENS = {
  desktop: { width: 1400, height: 900 },
  phone: { width: 390, height: 844 },
} as const;

/** A page of the gallery, and what it did wrong. */
export interface GalleryPage {
  readonly page: Page;
  /** Violations of the policy, errors in the console, exceptions, and requests to other origins. */
  readonly faults: readonly string[];
}

/** Opens a page of a browser that is logged in as root. @param path path of the gallery, such as `/make`. */
export async function openGallery(
  app: TestApp,
  browser: BrowserContext,
  { path = '/', screen = 'desktop' }: { path?: string; screen?: keyof typeof SCREENS } = {},
): Promise<GalleryPage> {
  const page = await browser.newPage();
  await page.setViewportSize(SCREENS[screen]);
  const faults = collectFaults(app, page);
  await page.goto(`${app.url}/login?code=${app.authenticator.loginCode}`);
  await page.waitForURL(`${app.url}/`);
  if (path !== '/') await page.goto(app.url + path);
  await page.waitForSelector('main');
  return { page, faults };
}

/** Opens a page of a browser that is logged in by a token, typed into the page of the login. */
export async function logIn(app: TestApp, browser: BrowserContext, token: string): Promise<GalleryPage> {
  await browser.clearCookies();
  const page = await browser.newPage();
  // The login page has the status 401, which is an error in the console.
  await page.goto(`${app.url}/login`);
  const faults = collectFaults(app, page);
  await page.fill('input[name=token]', token);
  await page.click('button');
  await page.waitForURL(`${app.url}/`);
  return { page, faults };
}

/** Collects what a page does wrong from now on. */
export function collectFaults(app: TestApp, page: Page): readonly string[] {
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`exception: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (/^https?:/.test(url) && !url.startsWith(app.url)) faults.push(`request to ${url}`);
  });
  return faults;
}

/** Expects that axe finds nothing on the page, in the light and in the dark. */
export async function expectAccessible(page: Page): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    // Colours change by a transition, which a busy machine may delay.
    await page.waitForFunction(() =>
      document.getAnimations().every((animation) => !(animation instanceof CSSTransition)),
    );
    // The browser runs this outside of the policy of the page.
    await page.evaluate(AXE);
    const { violations } = (await page.evaluate('axe.run(document)')) as axe.AxeResults;
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
    expect(found, colorScheme).toEqual([]);
  }
  await page.emulateMedia({ colorScheme: null, reducedMotion: null });
}
