/** `<robust-image>` in Chromium, against a server with faults. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type {
  PermanentFailure,
  RobustImageElement,
  RobustImageLogEntry,
  Stored,
} from '../../src/web/robust-image/declarations/robust-image.d.ts';
import { makePicture } from '../pictures.ts';
import { CHROMIUM, openBrowser, type TestBrowser } from './chromium.ts';
import { type FaultyImages, noticedBy, serveFaultyImages, watch } from './faulty-images.ts';

/** Attributes of one element, and what became of it. */
type Attributes = Record<string, string>;
interface Outcome {
  readonly state: string;
  readonly stored: Stored | null;
  readonly failure: PermanentFailure | null;
  readonly log: readonly RobustImageLogEntry[];
  /** Size of the element, and whether an `<img>` with an address that failed is in it. */
  readonly size: readonly [number, number];
  readonly broken: boolean;
}

const SIZE = { width: '200', height: '100', alt: 'A picture', loading: 'eager' };
const THUMBHASH = '1QcSHQRnh493V4dIh4eXh1h4kJUI';
const QUICK = { delay: '20', 'max-delay': '100' };

/** Adds an element and waits for its end. */
function show(page: Page, attributes: Attributes): Promise<Outcome> {
  return page.evaluate(async (given) => {
    const element = document.createElement('robust-image') as RobustImageElement;
    for (const [name, value] of Object.entries(given)) element.setAttribute(name, value);
    const log: RobustImageLogEntry[] = [];
    element.log = (entry) => void log.push(entry);
    const ended = new Promise<Pick<Outcome, 'stored' | 'failure'>>((resolve) => {
      element.addEventListener('stored', ({ detail }) => resolve({ stored: detail, failure: null }));
      element.addEventListener('permanentfailure', ({ detail }) =>
        resolve({ stored: null, failure: detail }),
      );
    });
    document.querySelector('#images')?.append(element);
    const end = await ended;
    const image = element.shadowRoot?.querySelector('img');
    const { width, height } = element.getBoundingClientRect();
    return {
      ...end,
      log,
      state: element.state,
      size: [width, height] as const,
      broken: !image || (image.hasAttribute('src') && image.complete && image.naturalWidth === 0),
    };
  }, attributes);
}

/** Skipped on PostgreSQL, where a browser sees no difference. */
describe.skipIf(!CHROMIUM || process.env.TEST_DATABASE_URL)('a robust image', () => {
  let images: FaultyImages;
  let opened: TestBrowser;
  let page: Page;
  beforeAll(async () => {
    images = await serveFaultyImages(await makePicture({ seed: 74_000, width: 200, height: 100 }));
    opened = await openBrowser();
  }, 60_000);
  afterAll(async () => {
    await opened?.close();
    await images?.close();
  });
  beforeEach(async () => {
    images.forget();
    page = await opened.browser.newPage();
    await watch(page);
    await page.goto(`${images.url}/page`);
    return () => page.close();
  });

  test('is there after one request, and says so', async () => {
    const { stored, state, size } = await show(page, { ...SIZE, src: '/slow/0/a' });
    expect(stored).toMatchObject({ address: `${images.url}/slow/0/a`, attempts: 1 });
    expect([state, size]).toEqual(['stored', [200, 100]]);
    expect(images.seen).toEqual(['GET /slow/0/a']);
  });

  test('is tried again until it is there, with one more request to learn the status', async () => {
    const { stored, log } = await show(page, { ...SIZE, ...QUICK, src: '/fails/2/b' });
    expect(stored).toMatchObject({ attempts: 3 });
    expect(log.map(({ event, status }) => [event, status].join(' ').trim())).toEqual([
      'attempt',
      'retry',
      'attempt',
      'retry',
      'attempt',
      'stored',
    ]);
    expect(images.seen.filter((each) => each.startsWith('GET'))).toHaveLength(3);
    expect(images.seen.filter((each) => each.startsWith('HEAD'))).toHaveLength(2);
  });

  test('is given up after the attempts that it has, and shows nothing', async () => {
    const { failure, broken, size, log } = await show(page, {
      ...SIZE,
      ...QUICK,
      attempts: '4',
      src: '/fails/99/c',
    });
    expect(failure).toMatchObject({ reason: 'exhausted', status: 503, attempts: 4 });
    expect(images.seen.filter((each) => each.startsWith('GET'))).toHaveLength(4);
    expect([broken, size]).toEqual([false, [200, 100]]);
    for (const [index, { delay }] of log.filter(({ event }) => event === 'retry').entries())
      expect(delay).toBeLessThanOrEqual(20 * 2 ** index);
  });

  test.each([
    [404, 'missing'],
    [410, 'missing'],
    [401, 'forbidden'],
    [403, 'forbidden'],
    [400, 'refused'],
  ])('is not tried again after status %i', async (status, reason) => {
    const { failure } = await show(page, { ...SIZE, ...QUICK, src: `/status/${status}/d` });
    expect(failure).toMatchObject({ reason, status, attempts: 1 });
    expect(images.seen).toEqual([`GET /status/${status}/d`, `HEAD /status/${status}/d`]);
  });

  test('is never shown as broken, also when the response is no picture', async () => {
    const { failure, broken } = await show(page, { ...SIZE, ...QUICK, attempts: '2', src: '/text/e' });
    expect(failure).toMatchObject({ reason: 'exhausted', status: 200, attempts: 2 });
    expect(broken).toBe(false);
    const [box] = await page.evaluate(() =>
      [...document.querySelectorAll('robust-image')].map((each) => {
        const image = each.shadowRoot?.querySelector('img');
        return image && [image.getAttribute('src'), getComputedStyle(image).visibility];
      }),
    );
    expect(box).toEqual([null, 'hidden']);
  });

  test('is never painted before it is there, from its first frame to its last', async () => {
    const watched = page.evaluate(
      () =>
        new Promise<{ frames: number; painted: number }>((resolve) => {
          const seen = { frames: 0, painted: 0 };
          const look = () => {
            const element = document.querySelector<RobustImageElement>('robust-image');
            const image = element?.shadowRoot?.querySelector('img');
            if (!element || !image) return void requestAnimationFrame(look);
            seen.frames++;
            const { opacity, visibility } = getComputedStyle(image);
            if (opacity !== '0' && visibility !== 'hidden') seen.painted++;
            if (element.state === 'failed') resolve(seen);
            else requestAnimationFrame(look);
          };
          requestAnimationFrame(look);
        }),
    );
    await show(page, { ...SIZE, delay: '200', 'max-delay': '200', attempts: '4', src: '/fails/99/frames' });
    const { frames, painted } = await watched;
    expect(frames).toBeGreaterThan(3);
    expect(painted).toBe(0);
  });

  test('moves only for a visitor who has not asked for less motion', async () => {
    const animations = async () => {
      await page.evaluate(() => {
        const element = document.createElement('robust-image');
        element.setAttribute('width', '20');
        element.setAttribute('height', '20');
        document.querySelector('#images')?.replaceChildren(element);
      });
      await page.waitForTimeout(50);
      return page.evaluate(() => document.querySelector('robust-image')?.shadowRoot?.getAnimations().length);
    };
    expect(await animations()).toBe(1);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    expect(await animations()).toBe(0);
  });

  test('takes no space when it is not there and the page asks for that', async () => {
    const { size } = await show(page, { ...SIZE, gap: 'collapse', src: '/status/404/f' });
    expect(size).toEqual([0, 0]);
  });

  test('falls back to the original when the server can make no variant', async () => {
    const src = '/images/019adf5c-6c5f-7000-8000-000000000000';
    const { stored, log } = await show(page, { ...SIZE, src });
    expect(stored).toMatchObject({ address: `${images.url}${src}`, attempts: 2 });
    expect(log.map(({ event }) => event)).toContain('original');
    expect(images.seen[0]).toBe(`GET ${src}?w=256&format=webp`);
  });

  test('moves nothing on the page and keeps to a strict policy', async () => {
    const addresses = ['/slow/400/g', '/fails/2/h', '/status/404/i', '/slow/0/j', ''];
    const markup = addresses.map(
      (
        src,
      ) => `<robust-image width="200" height="100" loading="eager" delay="20" thumbhash="${THUMBHASH}" mark
        store="database" alt="A picture" src="${src}"></robust-image><br>`,
    );
    await page.goto(`${images.url}/page?${new URLSearchParams({ markup: markup.join('') })}`);
    const states = () =>
      page.evaluate(() =>
        [...document.querySelectorAll<RobustImageElement>('robust-image')].map(({ state }) => state),
      );
    await expect.poll(states).toEqual(['stored', 'stored', 'failed', 'stored', 'pending']);
    await page.evaluate(() => {
      const elements = [...document.querySelectorAll<RobustImageElement>('robust-image')];
      const last = elements.at(-1);
      if (last) last.src = '/slow/200/late';
    });
    await expect.poll(states).toEqual(['stored', 'stored', 'failed', 'stored', 'stored']);
    expect(await noticedBy(page)).toEqual({ violations: [], shift: 0 });
    // The observer works: this does move something.
    await page.evaluate(() => document.querySelector('robust-image')?.setAttribute('height', '300'));
    expect((await noticedBy(page)).shift).toBeGreaterThan(0);
  });

  test('shows its placeholder and its mark', async () => {
    const pending = await page.evaluate(async (thumbhash) => {
      const element = document.createElement('robust-image') as RobustImageElement;
      for (const [name, value] of Object.entries({
        width: '64',
        height: '64',
        thumbhash,
        mark: '',
        store: 'filesystem',
      }))
        element.setAttribute(name, value);
      document.querySelector('#images')?.append(element);
      await new Promise(requestAnimationFrame);
      const look = () => {
        const frame = element.shadowRoot?.querySelector<HTMLElement>('[part=frame]');
        const mark = element.shadowRoot?.querySelector<HTMLElement>('[part=mark]');
        return {
          state: element.state,
          placeholder: frame?.style.backgroundImage.slice(0, 26),
          mark: mark?.checkVisibility() ? mark.textContent : null,
        };
      };
      const before = look();
      element.src = '/slow/0/k';
      await new Promise((resolve) => element.addEventListener('stored', resolve));
      await new Promise((resolve) => setTimeout(resolve, 300));
      return [before, look()];
    }, THUMBHASH);
    expect(pending).toEqual([
      { state: 'pending', placeholder: 'url("data:image/png;base64', mark: null },
      { state: 'stored', placeholder: '', mark: 'filesystem' },
    ]);
  });

  test('is tried at once when the browser is online again', async () => {
    const done = show(page, { ...SIZE, delay: '600000', 'max-delay': '600000', src: '/fails/1/l' });
    await expect.poll(() => images.seen).toHaveLength(2);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await page.evaluate(() => window.dispatchEvent(new Event('online')));
    expect((await done).stored).toMatchObject({ attempts: 2 });
  });
});
