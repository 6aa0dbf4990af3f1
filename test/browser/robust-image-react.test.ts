/** The React component `RobustImage` in Chromium, and rendered by a server. */

import type { Page } from 'playwright-core';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RobustImageProps } from '../../src/web/robust-image/declarations/robust-image-react.d.ts';
import { RobustImage } from '../../src/web/robust-image/react.ts';
import { makePicture } from '../pictures.ts';
import { CHROMIUM, openBrowser, type TestBrowser } from './chromium.ts';
import { type FaultyImages, noticedBy, serveFaultyImages, watch } from './faulty-images.ts';
import type { ReactPage } from './react-page.ts';

test('is rendered by a server as an image without an address, and without attributes of style', () => {
  const html = renderToString(
    createElement(RobustImage, { src: '/images/x', alt: 'A fox', width: 2, height: 1 }),
  );
  expect(html).toBe('<span data-robust-image="sized" data-state="pending"><img alt="A fox"/></span>');
});

/** Skipped on PostgreSQL, where a browser sees no difference. */
describe.skipIf(!CHROMIUM || process.env.TEST_DATABASE_URL)('RobustImage of React', () => {
  let images: FaultyImages;
  let opened: TestBrowser;
  let page: Page;
  beforeAll(async () => {
    const bundle = await rolldown({
      input: new URL('react-page.ts', import.meta.url).pathname,
      platform: 'browser',
      transform: { define: { 'process.env.NODE_ENV': '"development"' } },
    });
    const { output } = await bundle.generate({ format: 'esm', codeSplitting: false });
    await bundle.close();
    const picture = await makePicture({ seed: 74_002, width: 200, height: 100 });
    images = await serveFaultyImages(picture, { '/react.js': output[0].code });
    opened = await openBrowser();
    page = await opened.browser.newPage();
    await watch(page);
    await page.goto(`${images.url}/page`);
    await page.addScriptTag({ url: '/react.js', type: 'module' });
    await page.waitForFunction(() => 'react' in window);
  }, 60_000);
  afterAll(async () => {
    await opened?.close();
    await images?.close();
  });

  const render = (props: RobustImageProps | null) =>
    page.evaluate((given) => {
      (window as unknown as { react: ReactPage }).react.heard.splice(0);
      (window as unknown as { react: ReactPage }).react.render(given);
    }, props);
  const heard = () => page.evaluate(() => (window as unknown as { react: ReactPage }).react.heard);
  const shown = () =>
    page.evaluate(() => {
      const frame = document.querySelector<HTMLElement>('[data-robust-image]');
      const image = frame?.querySelector('img');
      const { width = 0, height = 0 } = frame?.getBoundingClientRect() ?? {};
      return {
        text: frame?.textContent,
        size: [width, height],
        image: [image?.getBoundingClientRect().width, image?.alt, image?.getAttribute('src')],
      };
    });
  const SIZE = { width: 200, height: 100, alt: 'A picture', loading: 'eager', delay: 10 } as const;

  test('retries, shows the picture and the mark, and changes nothing at the next rendering', async () => {
    const props = { ...SIZE, src: '/fails/1/r', mark: true, store: 'database' };
    await render(props);
    await expect.poll(heard).toEqual(['stored 2']);
    expect(await shown()).toEqual({
      text: 'database',
      size: [200, 100],
      image: [200, 'A picture', '/fails/1/r'],
    });
    const requests = images.seen.length;
    await render({ ...props, alt: 'Renamed' });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect((await shown()).image[1]).toBe('Renamed');
    expect([images.seen.length, await heard()]).toEqual([requests, []]);
  });

  test('shows nothing of an image that is not there', async () => {
    await render({ ...SIZE, src: '/status/404/r', gap: 'collapse' });
    await expect.poll(heard).toEqual(['missing']);
    expect(await shown()).toMatchObject({ size: [0, 0], text: '' });
    await render({ ...SIZE, src: '/slow/0/r' });
    await expect.poll(heard).toEqual(['stored 1']);
    expect(await shown()).toMatchObject({ size: [200, 100] });
  });

  test('keeps to a strict policy, and asks for nothing once it is gone', async () => {
    await render({ ...SIZE, src: '/status/503/r', thumbhash: '1QcSHQRnh493V4dIh4eXh1h4kJUI', delay: 300 });
    await expect.poll(() => images.seen.filter((each) => each.includes('503/r')).length).toBeGreaterThan(1);
    await render(null);
    const requests = images.seen.length;
    await new Promise((resolve) => setTimeout(resolve, 700));
    expect(images.seen).toHaveLength(requests);
    expect((await noticedBy(page)).violations).toEqual([]);
  });
});
