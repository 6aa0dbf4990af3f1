/** RobustImage with our own server: its page of examples, its variants, its signed addresses. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RobustImageElement } from '../../src/web/robust-image/declarations/robust-image.d.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';
import { CHROMIUM, openBrowser, type TestBrowser } from './chromium.ts';
import { noticedBy, watch } from './faulty-images.ts';

/** Skipped on PostgreSQL, where a browser sees no difference. */
describe.skipIf(!CHROMIUM || process.env.TEST_DATABASE_URL)('the page of examples', () => {
  let app: TestApp;
  let opened: TestBrowser;
  let page: Page;
  const requests: string[] = [];
  const failures: string[] = [];
  beforeAll(async () => {
    app = await openTestApp();
    opened = await openBrowser();
  }, 60_000);
  afterAll(async () => {
    await opened?.close();
    await app?.close();
  });
  beforeEach(async () => {
    requests.splice(0);
    failures.splice(0);
    page = await opened.browser.newPage();
    page.on('request', (request) => requests.push(request.url()));
    page.on('pageerror', (error) => failures.push(error.message));
    // The component itself aborts requests.
    page.on('requestfailed', (request) => {
      const error = request.failure()?.errorText;
      if (error !== 'net::ERR_ABORTED' && !request.url().endsWith('/graphql'))
        failures.push(`${request.url()}: ${error}`);
    });
    await watch(page);
    return () => page.close();
  });

  /** Returns the state of each example, and the errors of the page, which would explain a wrong one. */
  const states = async () => ({
    ...(await page.evaluate(() =>
      Object.fromEntries(
        [...document.querySelectorAll<RobustImageElement>('[data-example]')].map((each) => [
          each.dataset.example,
          each.state,
        ]),
      ),
    )),
    failures,
  });
  /** Shows every example, because they are lazy. */
  const scroll = () =>
    page.evaluate(async () => {
      for (const each of document.querySelectorAll('section')) {
        each.scrollIntoView();
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    });
  const ALL = {
    plain: 'stored',
    pending: 'stored',
    retried: 'failed',
    kept: 'failed',
    collapsed: 'failed',
    signed: 'stored',
    marked: 'stored',
    failures: [],
  };

  test('shows all states without an image and without a session', async () => {
    await page.goto(`${app.url}/robust-image`);
    await expect.poll(async () => scroll().then(states), { timeout: 30_000 }).toEqual(ALL);
    expect(await page.isVisible('[data-note]')).toBe(true);
    expect((await noticedBy(page)).violations).toEqual([]);
    expect(requests.filter((url) => !url.startsWith(app.url) && !url.startsWith('data:'))).toEqual([]);
  });

  test('shows all states when the module of the element comes after the script that uses it', async () => {
    await page.route('**/robust-image.js', async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 2000));
      await route.continue();
    });
    await page.goto(`${app.url}/robust-image`);
    await expect.poll(async () => scroll().then(states), { timeout: 30_000 }).toEqual(ALL);
    expect(await page.textContent('[data-log]')).toContain('attempt 1');
  });

  test('shows its own picture when the server does not answer', async () => {
    await page.route('**/graphql', (route) => route.abort('connectionreset'));
    await page.goto(`${app.url}/robust-image`);
    await expect.poll(async () => scroll().then(states), { timeout: 30_000 }).toEqual(ALL);
    expect(await page.isVisible('[data-note]')).toBe(true);
  });

  test('shows the newest image of the visitor, in a size that fits, by a signed address too', async () => {
    const content = await makePicture({ seed: 75_000, width: 1200, height: 600 });
    const { image } = await upload(app, { content }, { visibility: 'PRIVATE' });
    // Without a tab, which would keep the page in the background.
    await opened.browser.request.get(`${app.url}/login?code=${app.authenticator.loginCode}`);
    await page.goto(`${app.url}/robust-image`);
    await expect.poll(async () => scroll().then(states), { timeout: 30_000 }).toEqual(ALL);
    expect(await page.isVisible('[data-note]')).toBe(false);
    const shown = await page.evaluate(() =>
      ['plain', 'marked', 'signed'].map((name) => {
        const element = document.querySelector<RobustImageElement>(`[data-example=${name}]`);
        const url = new URL(element?.shadowRoot?.querySelector('img')?.currentSrc ?? '');
        return [url.pathname, url.searchParams.get('w'), url.searchParams.has('expires')];
      }),
    );
    const { pathname } = new URL(image?.url ?? '');
    expect(shown).toEqual([
      [pathname, '800', false],
      [pathname, '256', false],
      [pathname, null, true],
    ]);
    expect((await noticedBy(page)).violations).toEqual([]);
  });

  test.each(['light', 'dark'] as const)('has no fault that axe finds, in %s', async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    await page.goto(`${app.url}/robust-image`);
    await expect.poll(async () => scroll().then(states), { timeout: 30_000 }).toEqual(ALL);
    // By the debugger, because the policy of the page allows no other script.
    await page.evaluate(await readFile(createRequire(import.meta.url).resolve('axe-core'), 'utf8'));
    const violations = await page.evaluate(async () => {
      const { axe } = window as unknown as {
        axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
      };
      return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`);
    });
    expect(violations).toEqual([]);
  });

  test('an address that has ended is renewed, and then shown, although the server says 404', async () => {
    const content = await makePicture({ seed: 75_001 });
    const { image } = await upload(app, { content }, { visibility: 'PRIVATE' });
    const ask = async () => {
      const response = await app.fetch('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          query: 'query ($id: ID!) { image(id: $id) { url(expiresInSeconds: 60) } }',
          variables: { id: image?.id },
        }),
      });
      return ((await response.json()) as { data: { image: { url: string } } }).data.image.url;
    };
    const signed = await ask();
    const altered = signed.replace(/signature=./, 'signature=_');
    expect((await fetch(altered)).status).toBe(404);
    await opened.browser.clearCookies();
    await page.goto(`${app.url}/robust-image`);
    const outcome = await page.evaluate(
      ([src = '', renewed = '']) =>
        new Promise((resolve) => {
          const element = document.createElement('robust-image') as RobustImageElement;
          element.setAttribute('loading', 'eager');
          element.renew = async () => renewed;
          element.onStored = ({ address, attempts }) => resolve([address, attempts]);
          element.onPermanentFailure = ({ reason }) => resolve(reason);
          element.src = src;
          document.body.append(element);
        }),
      [altered, signed],
    );
    expect(outcome).toEqual([signed, 2]);
  });
});
