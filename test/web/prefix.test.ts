import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, openBrowser, type TestBrowser } from '../browser/chromium.ts';
import { openTestApp, type TestApp } from '../harness.ts';
import { isInstalled, type Nginx, startNginx } from '../nginx.ts';
import { freePort } from '../postgresql.ts';

describe.skipIf(!CHROMIUM || !isInstalled('nginx'))('the gallery behind a proxy that strips a prefix', () => {
  let app: TestApp;
  let nginx: Nginx;
  let opened: TestBrowser;
  let directory: string;
  let publicUrl: string;
  beforeAll(async () => {
    const publicPort = await freePort();
    publicUrl = `http://127.0.0.1:${publicPort}/pictures`;
    app = await openTestApp({ PUBLIC_URL: publicUrl });
    directory = await mkdtemp(path.join(tmpdir(), 'fixative-prefix-'));
    const server = app.url;
    nginx = await startNginx({
      directory,
      site: (port) => `server {
        listen 127.0.0.1:${port};
        listen 127.0.0.1:${publicPort};
        location /pictures/ {
          proxy_pass ${server}/;
          proxy_http_version 1.1;
          proxy_set_header Connection "";
          proxy_set_header Host $http_host;
          proxy_buffering off;
        }
      }`,
    });
    opened = await openBrowser();
  });
  afterAll(async () => {
    await opened?.close();
    await nginx?.stop();
    await app?.close();
    await rm(directory, { recursive: true, force: true });
  });

  test('works as at the root: login, pages, images, log out', async () => {
    const page = await opened.browser.newPage();
    const outside: string[] = [];
    const failed: string[] = [];
    page.on('request', (request) => {
      if (/^https?:/.test(request.url()) && !request.url().startsWith(`${publicUrl}/`))
        outside.push(request.url());
    });
    page.on('response', (response) => {
      if (response.status() >= 400) failed.push(`${response.status()} ${response.url()}`);
    });
    await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query:
          'mutation { generateImage(input: { prompt: "a fox", model: "sample", size: "64x64" }) { images { id } } }',
      }),
    });
    await page.goto(`${publicUrl}/login?code=${app.authenticator.loginCode}`);
    await page.waitForURL(`${publicUrl}/`);
    for (const name of ['Overview', 'Stores', 'Gallery']) {
      await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name, exact: true }).click();
      await page.waitForFunction((title) => document.title.startsWith(title), name);
    }
    const picture = page.locator('main img').first();
    await picture.waitFor();
    await page.waitForFunction(() => [...document.images].every((image) => image.naturalWidth > 0));
    await page.goto(`${publicUrl}/overview`);
    await page.getByRole('button', { name: 'Account' }).click();
    await page.getByRole('menuitem', { name: 'Log out' }).click();
    await page.waitForURL(`${publicUrl}/logout`);
    await page.getByRole('link', { name: 'Log in again' }).click();
    await page.waitForURL(`${publicUrl}/login`);
    // A browser asks for the icon of a page without one at the root of the host.
    expect(outside.filter((url) => !url.endsWith('/favicon.ico'))).toEqual([]);
    expect(failed.filter((line) => !line.endsWith('/login') && !line.endsWith('/favicon.ico'))).toEqual([]);
  });
});
