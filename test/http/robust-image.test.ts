/** Tests the modules that pages of other origins load. Needs `npm run build`. */
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestApp, type TestApp } from '../harness.ts';

/** Limit of the module, in bytes after gzip. */
const MAX_MODULE_BYTES = 7 * 1024;

const NAMES = ['robust-image.js', 'robust-image-react.js', 'robust-image.d.ts', 'robust-image-react.d.ts'];

describe('the modules of RobustImage', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await openTestApp();
  });
  afterAll(() => app.close());

  /** Without credentials. */
  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(app.url + path, { method, headers });

  test.each(NAMES)('%s is shared with every origin, for an hour', async (name) => {
    const response = await ask(`/${name}`, { origin: 'https://app.example.com' });
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'access-control-allow-origin': '*',
      'cache-control': 'public, max-age=3600',
      'content-type': name.endsWith('.js') ? 'text/javascript; charset=utf-8' : 'text/plain; charset=utf-8',
      'cross-origin-resource-policy': 'cross-origin',
      'x-content-type-options': 'nosniff',
    });
  });

  test('are not sent again to a client that has them, in each coding', async () => {
    for (const coding of ['identity', 'gzip', 'br']) {
      const first = await ask('/robust-image.js', { 'accept-encoding': coding });
      const etag = first.headers.get('etag') ?? '';
      expect(first.headers.get('content-encoding') ?? 'identity').toBe(coding);
      expect(await first.text()).toContain('robust-image');
      const again = await ask('/robust-image.js', { 'accept-encoding': coding, 'if-none-match': etag });
      expect([again.status, again.headers.get('etag'), await again.text()]).toEqual([304, etag, '']);
    }
  });

  test('answer HEAD without a body, and nothing but reading', async () => {
    const head = await ask('/robust-image.js', {}, 'HEAD');
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect((await ask('/robust-image.js', {}, 'POST')).status).toBe(405);
    expect((await ask('/robust-image.mjs')).status).toBe(404);
  });

  test('are small, import nothing but React, and are one file each', async () => {
    const [element, react] = await Promise.all(
      NAMES.slice(0, 2).map(async (name) => (await ask(`/${name}`)).text()),
    );
    const importsOf = (text = '') =>
      [...text.matchAll(/\bfrom\s*["']([^"']+)["']|\bimport\s*\(/g)].map(([, from]) => from);
    expect(importsOf(element)).toEqual([]);
    expect(importsOf(react)).toEqual(['react']);
    for (const text of [element, react])
      expect(gzipSync(text ?? '', { level: 9 }).length).toBeLessThan(MAX_MODULE_BYTES);
    expect(gunzipSync(gzipSync(element ?? '')).toString()).toBe(element);
  });

  test('have a page of examples with a strict policy', async () => {
    const response = await ask('/robust-image');
    const policy = response.headers.get('content-security-policy') ?? '';
    expect(response.status).toBe(200);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain('unsafe');
    expect(await response.text()).not.toMatch(/<style|\sstyle=|<script(?![^>]*src=)/);
  });
});
