import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';
import { makePicture, makeRandom } from '../pictures.ts';
import { upload } from '../upload.ts';

const NAMES = [
  '../../../../etc/passwd',
  '..\\..\\windows\\win.ini',
  '/etc/passwd',
  'C:\\x.png',
  '\\\\host\\share\\x.png',
  'file:///etc/passwd',
  '.htaccess',
  '..',
  '.',
  '~/.ssh/id_rsa',
  'CON',
  'nul.png',
  'COM1.png',
  'aux.tar.gz',
  '$(touch x).png',
  '`id`.png',
  '; rm -rf .png',
  '<img src=x onerror=alert(1)>.png',
  '"quoted"; filename="other.exe"',
  'a\r\nSet-Cookie: x=1',
  'a%0d%0aX: y',
  'a%00.png',
  'a%2e%2e%2fb.png',
  '\u202egnp.exe',
  '\u2066x\u2069.png',
  '\ufeff\u200bx.png',
  'ｆｕｌｌ／ｗｉｄｔｈ．．／x.png',
  '😀.png',
  'ﷺ'.repeat(300),
  'a'.repeat(5000),
  `${'../'.repeat(1000)}x`,
  'x[page=1].png',
  'x.png:Zone.Identifier',
  '   ',
  '__proto__',
  'constructor',
];

describe('whatever a file is called', () => {
  let app: TestApp;
  let files: string[];
  beforeAll(async () => {
    app = await openTestApp({ STORES: 'filesystem' });
  });
  afterAll(() => app.close());

  test('its name reaches no path and no header as it is', async () => {
    const kept: string[] = [];
    for (const [seed, name] of NAMES.entries()) {
      const byFile = await upload(app, { content: await makePicture({ seed }), name }, { filename: null });
      const byInput = await upload(
        app,
        { content: await makePicture({ seed: seed + 1000 }) },
        { filename: name },
      );
      // A name that cannot be kept is refused by its length or characters; it is never a failure of ours.
      for (const { image, userErrors } of [byFile, byInput]) {
        for (const { code } of userErrors) expect(code).toBe('INVALID_INPUT');
        if (!image) continue;
        expect(image.filename, name).toMatch(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,120}\.png$/);
        expect(image.filename).not.toContain('..');
        kept.push(image.url as string);
        const response = await app.fetch(new URL(image.url as string).pathname);
        expect(response.status).toBe(200);
        const [plain, extended, ...more] = (response.headers.get('content-disposition') ?? '').split(
          '; filename*=',
        );
        expect(plain).toBe(`inline; filename="${image.filename}"`);
        // RFC 8187: nothing in it that could end the value.
        if (extended !== undefined) expect(extended).toMatch(/^UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]+$/);
        expect(more).toEqual([]);
        expect(response.headers.get('set-cookie')).toBeNull();
        await response.arrayBuffer();
      }
    }
    expect(kept.length).toBeGreaterThan(NAMES.length);
    files = await app.files('images');
    for (const file of files) expect(file).toMatch(/^[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{64}\.png$/);
  });

  test('an address with any of them finds nothing, and nothing outside', async () => {
    const secret = (await readFile('/etc/passwd', 'utf8')).slice(0, 20);
    const raw = (path: string) =>
      new Promise<{ status: number; text: string }>((resolve, reject) => {
        const { hostname, port } = new URL(app.url);
        request({ hostname, port, path, headers: { authorization: `Bearer ${ROOT_TOKEN}` } }, (response) => {
          let text = '';
          response.on('data', (chunk) => {
            text += chunk;
          });
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        })
          .on('error', reject)
          .end();
      });
    for (const name of NAMES) {
      for (const room of ['images', 'generated', 'uploads'])
        for (const path of [
          `/${room}/${encodeURIComponent(name)}`,
          `/${room}/${encodeURI(name)}`,
          `/${room}/x/${encodeURIComponent(name)}`,
        ]) {
          if (path.length > 12_000) continue;
          const { status, text } = await raw(path);
          expect(status, path.slice(0, 100)).toBeGreaterThanOrEqual(400);
          expect(status).toBeLessThan(500);
          expect(text).not.toContain(secret);
          // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
          expect(text.trimEnd()).not.toMatch(/[\u0000-\u001f]/);
        }
    }
    await eventually(() => expect(app.logged).toEqual([]));
  });

  test('random ones, too', async () => {
    const random = makeRandom(7);
    const pick = () => String.fromCodePoint(Math.floor(random() * (random() < 0.5 ? 0x80 : 0xd7ff)));
    const content = await makePicture({ seed: 1 });
    for (let i = 0; i < 40; i++) {
      const filename = Array.from({ length: 1 + Math.floor(random() * 60) }, pick).join('');
      const { image, userErrors } = await upload(app, { content }, { filename });
      if (!image) expect(userErrors[0]?.code).toBe('INVALID_INPUT');
      else expect(image.filename).toMatch(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,120}\.png$/);
    }
  });
});
