import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WEB_PATHS } from '../../src/http/pages/web.ts';
import { openTestApp, type TestApp } from '../harness.ts';

const BROWSER = 'text/html,application/xhtml+xml';

describe('the pages of the gallery', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  const ask = (accept: string, address = '/', method = 'GET') =>
    app.fetch(address, { method, headers: { accept, authorization: '' } });

  test.each(['/', '/image/some-uuid', ...WEB_PATHS])('%s is served without a token', async (address) => {
    const response = await ask(BROWSER, address);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain('text/html');
    expect(response.headers.get('cache-control')).toBe('no-cache');
    expect(await response.text()).toContain('<div id="app"></div>');
    expect(await (await ask(BROWSER, address, 'HEAD')).text()).toBe('');
  });

  test('have a strict policy: no inline script or style, nothing from another origin', async () => {
    const response = await ask(BROWSER);
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'; ");
    expect(policy).not.toMatch(/unsafe|\*/);
    const html = await response.text();
    expect(html).not.toMatch(/<style|style=|<script(?! type="module" crossorigin src="\.\/assets\/)/);
    expect(html).not.toMatch(/https?:/);
  });

  test('have assets that are compressed and never change', async () => {
    const html = await (await ask(BROWSER)).text();
    const names = [...html.matchAll(/(?:src|href)="\.(\/assets\/[^"]+\.(?:js|css))"/g)];
    expect(names.length).toBeGreaterThan(1);
    for (const [, name = ''] of names) {
      const plain = await app.fetch(name, { headers: { authorization: '', 'accept-encoding': 'identity' } });
      expect(plain.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(plain.headers.get('x-content-type-options')).toBe('nosniff');
      const text = await plain.text();
      const ranged = await app.fetch(name, { headers: { authorization: '', range: 'bytes=5-2' } });
      expect([ranged.status, await ranged.text()]).toEqual([200, text]);
      for (const coding of ['br', 'gzip']) {
        const coded = await app.fetch(name, { headers: { authorization: '', 'accept-encoding': coding } });
        expect(coded.headers.get('content-encoding')).toBe(coding);
        expect(Number(coded.headers.get('content-length'))).toBeLessThan(text.length);
        expect(await coded.text()).toBe(text);
      }
    }
  });

  test.each([
    '/assets/nothing.js',
    '/assets/..%2findex.html',
    '/assets/..%2f..%2f..%2fpackage.json',
    '/assets/%2e%2e%2findex.html',
  ])('%s is not there', async (address) => {
    expect((await ask('*/*', address)).status).toBe(404);
  });

  test('are beside the addresses for programs', async () => {
    for (const accept of ['*/*', 'application/json', '']) {
      const response = await ask(accept);
      expect(response.headers.get('vary')).toContain('Accept');
      expect(response.headers.get('content-type')).toContain('application/json');
      expect(await response.json()).toEqual({
        name: 'Fixative',
        graphql: '/graphql',
        image: '/images/{uuid}',
        images: '/api/images/generated',
        health: '/health',
        ready: '/ready',
        metrics: '/metrics',
        login: '/login',
      });
    }
  });
});

test('the pages name the path of PUBLIC_URL, which a proxy strips', async () => {
  const app = await openTestApp({ PUBLIC_URL: 'https://example.com/pictures/' });
  const response = await app.fetch('/make', { headers: { accept: BROWSER } });
  expect(await response.text()).toContain('<base href="/pictures/" />');
  expect(response.headers.get('content-security-policy')).toContain(
    "img-src 'self' data: blob: https://example.com;",
  );
  await app.close();
});

test('a build that goes away does not disturb a running server', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-web-'));
  await cp(fileURLToPath(new URL('../../dist/web', import.meta.url)), directory, { recursive: true });
  const app = await openTestApp({}, { webDirectory: directory });
  await rm(directory, { recursive: true });
  const html = await (await app.fetch('/', { headers: { accept: BROWSER } })).text();
  const [, script = ''] = /src="\.(\/assets\/[^"]+\.js)"/.exec(html) ?? [];
  for (const coding of ['br', 'identity'])
    expect((await app.fetch(script, { headers: { 'accept-encoding': coding } })).status).toBe(200);
  await app.close();
});

test('without a build, a page names the command that makes it', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'fixative-web-'));
  const app = await openTestApp({}, { webDirectory: directory });
  const response = await app.fetch('/image/some-uuid', { headers: { accept: BROWSER } });
  expect(response.status).toBe(503);
  const html = await response.text();
  expect(html).toContain('npm run build');
  expect(html).toContain('<base href="/">');
  expect((await app.fetch('/assets/x.js')).status).toBe(404);
  await app.close();
  await rm(directory, { recursive: true });
});
