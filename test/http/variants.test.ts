import { createHash } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DamagedObjectError } from '../../src/storage/stores/store.ts';
import { openVariantCache } from '../../src/storage/variants/cache.ts';
import { checkTransform, negotiate, planVariant } from '../../src/storage/variants/transform.ts';
import { eventually, openTestApp, type TestApp } from '../harness.ts';
import { makePicture } from '../pictures.ts';
import { upload } from '../upload.ts';

let app: TestApp;
let seed = 62_000;
beforeAll(async () => {
  app = await openTestApp({ VARIANT_SIZES: '16,32,64,128' });
});
afterAll(() => app.close());

async function keep(picture: Buffer, of = app): Promise<string> {
  const { image, userErrors } = await upload(of, { content: picture });
  if (!image?.url) throw new Error(JSON.stringify(userErrors));
  return new URL(image.url).pathname;
}
const get = (address: string, headers: Record<string, string> = {}, method = 'GET') =>
  app.fetch(address, { method, headers: { authorization: '', ...headers } });
async function picture(address: string) {
  const response = await get(address);
  const bytes = Buffer.from(await response.arrayBuffer());
  expect(response.status, bytes.toString('latin1').slice(0, 300)).toBe(200);
  return { response, bytes, facts: await sharp(bytes).metadata() };
}
async function signed(uuid: string, transform: Record<string, unknown>) {
  const response = await app.fetch('/graphql', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      query: 'query ($id: ID!, $transform: ImageTransform) { image(id: $id) { url(transform: $transform) } }',
      variables: { id: uuid, transform },
    }),
  });
  const { data, errors } = (await response.json()) as { data: { image: { url: string } }; errors?: unknown };
  expect(errors).toBeUndefined();
  const url = new URL(data.image.url);
  return url.pathname + url.search;
}
const uuidOf = (address: string) => address.split('/')[2] ?? '';

/** A wide picture: red on the left, blue on the right, green below. */
async function makeFlag(width: number, height: number): Promise<Buffer> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <rect width="100%" height="100%" fill="#0000ff"/><rect width="50%" height="100%" fill="#ff0000"/>
    <rect y="75%" width="100%" height="25%" fill="#00ff00"/></svg>`;
  return sharp(Buffer.from(svg)).png().toBuffer();
}
async function colourAt(bytes: Buffer, left: number, top: number): Promise<number[]> {
  const { data } = await sharp(bytes).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  const { width } = await sharp(bytes).metadata();
  return [...data.subarray((top * width + left) * 4, (top * width + left) * 4 + 4)];
}

describe('a variant', () => {
  test('has the size, the fit and the format that its address says', async () => {
    const at = await keep(await makeFlag(200, 100));
    const cases: [string, number, number, string][] = [
      ['w=64', 64, 32, 'png'],
      ['h=64', 128, 64, 'png'],
      ['w=64&h=64', 64, 64, 'png'],
      ['w=64&h=64&fit=cover&format=webp', 64, 64, 'webp'],
      ['w=64&h=64&fit=contain&format=jpeg&quality=90', 64, 64, 'jpeg'],
      ['w=64&h=64&fit=inside&format=avif', 64, 32, 'heif'],
      ['format=webp&quality=50', 128, 64, 'webp'],
    ];
    for (const [query, width, height, format] of cases) {
      const { response, bytes, facts } = await picture(`${at}?${query}`);
      expect([facts.width, facts.height, facts.format], query).toEqual([width, height, format]);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'content-type': `image/${format === 'heif' ? 'avif' : format}`,
        'content-length': String(bytes.length),
        'cache-control': 'public, max-age=31536000, immutable',
        'x-content-type-options': 'nosniff',
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; sandbox",
      });
      expect(response.headers.get('content-disposition')).toMatch(/\.(\w+)"; filename\*=UTF-8''picture\.\1$/);
      expect(response.headers.get('content-disposition')).toContain(
        `.${format === 'jpeg' ? 'jpg' : format === 'heif' ? 'avif' : format}"`,
      );
    }
    const cover = (await picture(`${at}?w=64&h=64`)).bytes;
    expect(await colourAt(cover, 1, 30)).toEqual([255, 0, 0, 255]);
    expect(await colourAt(cover, 62, 30)).toEqual([0, 0, 255, 255]);
    const contain = (await picture(`${at}?w=64&h=64&fit=contain`)).bytes;
    expect((await colourAt(contain, 30, 1))[3]).toBe(0);
    expect(await colourAt(contain, 5, 30)).toEqual([255, 0, 0, 255]);
  });

  test('is never larger than its original, unless that is asked for', async () => {
    const at = await keep(await makeFlag(40, 20));
    const sizes: [string, number, number][] = [
      ['w=128', 40, 20],
      ['w=64&h=64', 20, 20],
      ['w=128&h=64&fit=contain', 40, 20],
      ['w=128&h=128&fit=inside', 40, 20],
      ['w=128&enlarge=1', 128, 64],
      ['w=64&h=64&enlarge=1', 64, 64],
    ];
    for (const [query, width, height] of sizes) {
      const { facts } = await picture(`${at}?${query}`);
      expect([facts.width, facts.height], query).toEqual([width, height]);
    }
  });

  test('stands upright, in sRGB and eight bits, and says nothing of who made it', async () => {
    const flag = await makeFlag(120, 60);
    const turned = await sharp(flag)
      .withExif({ IFD0: { Artist: 'somebody', Make: 'a camera' }, IFD3: { GPSLatitudeRef: 'N' } })
      .withMetadata({ orientation: 6 })
      .jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
      .toBuffer();
    const { bytes, facts } = await picture(`${await keep(turned)}?h=64`);
    expect([facts.width, facts.height, facts.orientation]).toEqual([32, 64, undefined]);
    expect([facts.exif, facts.xmp, facts.icc]).toEqual([undefined, undefined, undefined]);
    expect(bytes.includes('somebody')).toBe(false);
    // Turned to the right: what was on the left is above.
    const [red = 0, , blue = 255] = await colourAt(bytes, 24, 8);
    expect(red > 200 && blue < 60).toBe(true);
    const deep = await sharp(flag).toColourspace('rgb16').png().toBuffer();
    expect((await picture(`${await keep(deep)}?w=32`)).facts).toMatchObject({
      depth: 'uchar',
      space: 'srgb',
    });
    const cmyk = await sharp(flag).toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer();
    expect((await picture(`${await keep(cmyk)}?w=32&format=png`)).facts.space).toBe('srgb');
  });

  test.each(['gif-animated', 'webp-animated'] as const)('of a %s is its first frame', async (format) => {
    const at = await keep(await makePicture({ format, width: 60, height: 40, seed: seed++ }));
    const { facts } = await picture(`${at}?w=32`);
    expect([facts.pages ?? 1, facts.width, facts.height]).toEqual([1, 32, 21]);
    expect(facts.format).toBe(format === 'gif-animated' ? 'png' : 'webp');
  });

  test('has an ETag of its own, is not made for whoever has it, and takes HEAD and Range', async () => {
    const at = await keep(await makePicture({ seed: seed++ }));
    const original = (await get(at)).headers.get('etag');
    const { response, bytes } = await picture(`${at}?w=32`);
    const etag = response.headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
    expect(etag).not.toBe(original);
    expect((await picture(`${at}?w=32&fit=cover`)).response.headers.get('etag')).toBe(etag);
    expect((await picture(`${at}?w=16`)).response.headers.get('etag')).not.toBe(etag);
    const made = app.variants.made;
    const known = await get(`${at}?w=64&format=webp`, { 'if-none-match': '*' });
    expect([known.status, app.variants.made]).toEqual([304, made]);
    expect((await get(`${at}?w=32`, { 'if-none-match': etag })).status).toBe(304);
    expect((await get(`${at}?w=32`, { 'if-none-match': original ?? '' })).status).toBe(200);
    const head = await get(`${at}?w=32`, {}, 'HEAD');
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(bytes.length)]);
    const part = await get(`${at}?w=32`, { range: 'bytes=2-9' });
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(2, 10))).toBe(true);
    expect((await get(`${at}?w=32`, { range: 'bytes=9999999-' })).status).toBe(416);
  });

  test('is refused with what is allowed, whether there is an image or not', async () => {
    const at = await keep(await makePicture({ seed: seed++ }));
    const bad: [string, RegExp][] = [
      ['w=17&h=32', /one of 16, 32, 64, 128/],
      ['w=16&h=4096&fit=contain', /one of 16, 32, 64, 128/],
      ['w=16&q=80&quality=80', /q and quality are the same/],
      ['q=101', /it must be 1 to 100/],
      ['width=16', /no parameter .*width.*\. Use one of: w, h, fit/],
      ['v=17&blur=5', /no parameter .*blur/],
      ['w=16&__proto__=1', /no parameter .*__proto__/],
      ['w=0', /it must be 1 to 4096/],
      ['q=0', /it must be 1 to 100/],
      ['w=-16', /w must be a whole number/],
      ['w=16.0', /w must be a whole number/],
      ['w=1e3', /w must be a whole number/],
      ['w=', /w must be a whole number/],
      ['w=99999', /it must be 1 to 4096/],
      ['w=16&w=32', /more than once/],
      ['w=16&fit=fill', /fit must be one of cover, contain, inside/],
      ['format=svg', /format must be one of webp, jpeg, png, avif, auto/],
      ['format=__proto__', /format must be one of/],
      ['quality=101', /it must be 1 to 100/],
      ['w=16&enlarge=true', /enlarge must be 1/],
      ['w=4096&format=avif', /AVIF can have up to 2048/],
      ['w=17&signature=abc', /The signature does not match this URL/],
      ['w=16&q=75&signature=abc', /The signature does not match this URL/],
    ];
    for (const [query, message] of bad) {
      for (const address of [at, `/images/${crypto.randomUUID()}`, '/generated/nothing.png']) {
        const response = await get(`${address}?${query}`);
        expect([response.status, response.headers.get('cache-control')], query).toEqual([400, 'no-store']);
        expect(await response.text()).toMatch(message);
      }
    }
    for (const appended of ['', 'v=17&utm_source=x', 'fbclid=abc'])
      expect((await get(`${at}?${appended}`)).status).toBe(200);
  });

  test('is rounded up to a listed one, so that one picture has so many and no more', async () => {
    const at = await keep(await makeFlag(1600, 800));
    const before = app.variants.made;
    const tags = new Set<string>();
    // Defaults of next/image: its widths, and a quality that is not listed.
    for (const width of [16, 32, 48, 64, 96, 128, 256, 384, 640, 750, 828, 1080, 1200, 1920, 2048, 3840]) {
      const listed = [16, 32, 64, 128].find((each) => each >= width) ?? 128;
      for (const query of [`w=${width}&q=75`, `w=${width}&quality=80`, `w=${width}&h=4000&fit=inside&q=80`]) {
        const { response, facts } = await picture(`${at}?${query}`);
        expect([facts.width, facts.height], query).toEqual([listed, listed / 2]);
        tags.add(response.headers.get('etag') ?? '');
      }
    }
    expect(tags.size).toBe(4);
    expect(app.variants.made).toBe(before + 4);
    const jpeg = await keep(
      await sharp(await makeFlag(64, 32))
        .jpeg()
        .toBuffer(),
    );
    const tagOf = async (query: string) => (await get(`${jpeg}?${query}`)).headers.get('etag');
    for (const [asked, listed] of [
      [1, 50],
      [51, 65],
      [75, 80],
      [81, 90],
      [100, 90],
    ] as const)
      expect(await tagOf(`w=32&q=${asked}`)).toBe(await tagOf(`w=32&q=${listed}`));
    expect((await picture(`${at}?h=40`)).facts).toMatchObject({ width: 128, height: 64 });
    expect((await get(`${at}?w=40&h=40&fit=cover`)).status).toBe(400);
  });

  test('of the format auto is what the asker takes', async () => {
    const at = await keep(await makeFlag(200, 100));
    const formatFor = async (accept: string, query = 'w=64&format=auto') => {
      const response = await get(`${at}?${query}`, { accept });
      expect(Object.fromEntries(response.headers)).toMatchObject({ vary: 'Accept' });
      const { format } = await sharp(Buffer.from(await response.arrayBuffer())).metadata();
      const etag = response.headers.get('etag') ?? '';
      expect((await get(`${at}?${query}`, { accept, 'if-none-match': etag })).status).toBe(304);
      const name = format === 'heif' ? 'avif' : format;
      expect(response.headers.get('content-type')).toBe(`image/${name}`);
      return name;
    };
    const chromium = 'image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8';
    expect(await formatFor(chromium)).toBe('avif');
    expect(await formatFor('image/webp,*/*')).toBe('webp');
    expect(await formatFor('image/avif;q=0, IMAGE/WEBP ; q=0.5')).toBe('webp');
    expect(await formatFor('image/*,*/*')).toBe('png');
    expect(await formatFor('')).toBe('png');
    expect(await formatFor(chromium, 'format=auto')).toBe('avif');
    const webp = await keep(
      await sharp(await makeFlag(200, 100))
        .webp()
        .toBuffer(),
    );
    const typeOf = async (accept: string) =>
      (await get(`${webp}?w=64&format=auto`, { accept })).headers.get('content-type');
    expect(
      await Promise.all(['image/png,image/jpeg', 'image/*', '*/*', 'image/webp;q=0, */*'].map(typeOf)),
    ).toEqual(['image/png', 'image/webp', 'image/webp', 'image/png']);
    // On the scale of WebP, where 80 is what AVIF has by itself.
    const tagOf = async (query: string) =>
      (await get(`${at}?${query}`, { accept: chromium })).headers.get('etag');
    expect(await tagOf('w=64&format=auto&q=80')).toBe(await tagOf('w=64&format=avif&q=50'));
    const address = await signed(uuidOf(at), { width: 77, format: 'AUTO' });
    expect(address).toContain('?w=77&format=auto&signature=');
    expect((await get(address, { accept: chromium })).headers.get('content-type')).toBe('image/avif');
  });

  test('of the format auto is not cut down to what AVIF takes', () => {
    const original = { mimeType: 'image/png', width: 4000, height: 3000 };
    const taken = { takes: () => true, maxSide: 4096 };
    const auto = (width: number | null) => checkTransform({ format: 'auto', width });
    expect(negotiate(original, auto(null), taken).format).toBe('webp');
    expect(negotiate(original, auto(2049), taken).format).toBe('webp');
    expect(negotiate(original, auto(2048), taken).format).toBe('avif');
    expect(negotiate(original, auto(null), { ...taken, maxSide: 2048 }).format).toBe('avif');
    const avif = { mimeType: 'image/avif', width: 100, height: 100 };
    const ownOnly = { takes: (_type: string, any?: 'any') => any === 'any', maxSide: 2048 };
    expect(negotiate(avif, checkTransform({ format: 'auto', quality: 80 }), ownOnly)).toMatchObject({
      format: 'avif',
      quality: 50,
    });
  });

  test('of any size up to 4096 is had by a signature for just that', async () => {
    const at = await keep(await makeFlag(200, 100));
    const address = await signed(uuidOf(at), {
      width: 77,
      height: 33,
      fit: 'CONTAIN',
      quality: 81,
      format: 'WEBP',
    });
    expect(address).toContain('?w=77&h=33&fit=contain&format=webp&quality=81&signature=');
    expect((await picture(address)).facts).toMatchObject({ width: 77, height: 33, format: 'webp' });
    for (const other of ['w=78', 'w=4096']) {
      const response = await get(address.replace('w=77', other));
      expect(response.status).toBe(400);
    }
    expect((await get(address.replace('fit=contain', 'fit=inside'))).status).toBe(400);
    const image2 = await keep(await makeFlag(202, 100));
    expect((await get(image2 + address.slice(address.indexOf('?')))).status).toBe(400);
    // Addresses that need no signature have none.
    expect(await signed(uuidOf(at), { width: 64 })).toBe(`${at}?w=64`);
    expect(await signed(uuidOf(at), { width: null })).toBe(at);
    const large = await signed(uuidOf(at), { width: 4096, enlarge: true, format: 'JPEG' });
    expect((await picture(large)).facts).toMatchObject({ width: 4096, height: 2048 });
  });
});

describe('the cache of variants', () => {
  test('fifty askers at once cost one computation, and those who come later none', async () => {
    const at = await keep(await makePicture({ width: 1500, height: 1000, seed: seed++ }));
    const made = app.variants.made;
    const answers = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const response = await get(`${at}?w=128&format=webp`);
        const hash = createHash('sha256').update(Buffer.from(await response.arrayBuffer()));
        return `${response.status} ${hash.digest('hex')}`;
      }),
    );
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toMatch(/^200/);
    expect(app.variants.made).toBe(made + 1);
    await get(`${at}?w=128&format=webp`);
    expect(app.variants.made).toBe(made + 1);
  });

  test('loses nothing but time when its files are gone, and knows them after a restart', async () => {
    const at = await keep(await makePicture({ seed: seed++ }));
    const { bytes } = await picture(`${at}?w=32`);
    await rm(path.join(app.directory, 'variants'), { recursive: true });
    expect((await picture(`${at}?w=32`)).bytes.equals(bytes)).toBe(true);
    // Also the place where they are written first was gone.
    await picture(`${at}?w=64`);
    const made = app.variants.made;
    await picture(`${at}?w=64`);
    expect([app.variants.made - made]).toEqual([0]);
  });

  test('is filled from another copy when one is damaged while it is read', async () => {
    const at = await keep(await makePicture({ seed: seed++ }));
    const spy = vi.spyOn(app.storage, 'open').mockImplementationOnce(async () => {
      const stream = new Readable({
        read() {
          this.destroy(new DamagedObjectError('the object was written to while it was read'));
        },
      });
      return { stream, store: 'filesystem', proves: false };
    });
    expect((await picture(`${at}?w=32`)).facts.width).toBe(32);
    expect(spy).toHaveBeenLastCalledWith(expect.anything(), undefined, { deep: true });
    spy.mockRestore();
  });

  test('forgets what was made of an image when its bytes go', async () => {
    const at = await keep(await makePicture({ seed: seed++ }));
    await picture(`${at}?w=32`);
    const sha256 = (await get(at)).headers.get('etag')?.replaceAll('"', '') ?? '';
    expect(await readdir(path.join(app.directory, 'variants', sha256))).toHaveLength(1);
    const response = await app.fetch('/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        query: `mutation ($id: ID!) { deleteImage(input: { id: $id }) { userErrors { message } } purgeImage(input: { id: $id }) { purgedId userErrors { message } } }`,
        variables: { id: uuidOf(at) },
      }),
    });
    expect(await response.text()).toContain('"purgedId":"');
    await expect(stat(path.join(app.directory, 'variants', sha256))).rejects.toThrow('ENOENT');
    expect((await get(`${at}?w=32`)).status).toBe(404);
  });

  test('forgets an image also while variants of it are being kept', async () => {
    const directory = path.join(app.directory, 'variants-that-come');
    const space = { require: async () => {} } as never;
    const cache = await openVariantCache({ directory, maxBytes: 1e9, space });
    for (let round = 0; round < 10; round++) {
      const sha256 = createHash('sha256').update(String(round)).digest('hex');
      const since = cache.now;
      const content = Buffer.alloc(10);
      const kept = Array.from({ length: 60 }, (_, index) =>
        cache.keep(sha256, `${index}.png`, content, since),
      );
      const all = Promise.allSettled(kept);
      await Promise.race(kept);
      await cache.forget(sha256);
      await all;
      expect(await readdir(path.join(directory, sha256)).catch(() => [])).toEqual([]);
    }
    await rm(directory, { recursive: true });
  });

  test('keeps to its quota: what was not asked for the longest goes', async () => {
    const directory = path.join(app.directory, 'a-cache');
    const space = { require: async () => {} };
    const a = 'a'.repeat(64);
    const b = 'b'.repeat(64);
    const cache = await openVariantCache({ directory, maxBytes: 100, space });
    const has = async (of: typeof cache, sha: string, name: string) => {
      const handle = await of.open(sha, name);
      await handle?.close();
      return handle !== null;
    };
    for (const name of ['1', '2', '3']) await cache.keep(a, name, Buffer.alloc(30), cache.now);
    expect(await has(cache, a, '1')).toBe(true);
    await cache.keep(b, '4', Buffer.alloc(30), cache.now);
    expect(cache.bytes).toBe(90);
    expect(await Promise.all(['1', '2', '3'].map((name) => has(cache, a, name)))).toEqual([
      true,
      false,
      true,
    ]);
    await cache.keep(b, '5', Buffer.alloc(101), cache.now);
    expect(await has(cache, b, '5')).toBe(false);
    // A variant is not kept when its image was forgotten while the variant was made.
    const before = cache.now;
    await cache.forget(a);
    await cache.keep(a, '1', Buffer.alloc(1), before);
    expect([await has(cache, a, '1'), await has(cache, b, '4'), cache.bytes]).toEqual([false, true, 30]);
    const again = await openVariantCache({ directory, maxBytes: 100, space });
    await again.keep(b, '6', Buffer.alloc(5), again.now);
    expect([again.bytes, await has(again, b, '4')]).toEqual([35, true]);
    const smaller = await openVariantCache({ directory, maxBytes: 10, space });
    await smaller.keep(b, '7', Buffer.alloc(5), smaller.now);
    expect(smaller.bytes).toBe(10);
    expect(await readdir(path.join(directory, b))).toEqual(['6', '7']);
  });
});

describe('what is too much', () => {
  test('is answered 503 with Retry-After when the queue is full, and the rest is served', async () => {
    const other = await openTestApp({
      VARIANT_CONCURRENCY: '1',
      VARIANT_QUEUE: '2',
      VARIANT_SIZES: '16,32,64,128',
    });
    try {
      const at = await keep(await makePicture({ width: 2000, height: 1500, seed: seed++ }), other);
      const queries = ['w=16', 'w=32', 'w=64', 'w=128', 'h=16', 'h=32', 'h=64', 'h=128'];
      const answers = await Promise.all(
        queries.map(async (query) => {
          const response = await other.fetch(`${at}?${query}`);
          await response.arrayBuffer();
          return [response.status, response.headers.get('retry-after')].join(' ');
        }),
      );
      const count = (answer: string) => answers.filter((each) => each === answer).length;
      // One is made, two wait; the first may be done before the last has come.
      expect(count('200 ') + count('503 5')).toBe(queries.length);
      expect(count('200 ')).toBeGreaterThanOrEqual(3);
      expect(count('503 5')).toBeGreaterThan(0);
      const again = await other.fetch(`${at}?h=128`);
      expect(again.status).toBe(200);
      await again.arrayBuffer();
    } finally {
      await other.close();
    }
  });

  test('a picture with more pixels than are allowed now is refused, and not tried again at once', async () => {
    const at = await keep(await makePicture({ width: 300, height: 300, seed: seed++ }));
    // As if the limit had been lowered since.
    const { makeVariants } = await import('../../src/storage/variants/variants.ts');
    const { makeImageBytesFinder } = await import('../../src/image/bytes.ts');
    const cache = await openVariantCache({
      directory: path.join(app.directory, 'another-cache'),
      maxBytes: 1000,
      space: { require: async () => {} },
    });
    let opened = 0;
    const storage = {
      spooler: app.storage.spooler,
      open: (...given: Parameters<typeof app.storage.open>) => {
        opened += 1;
        return app.storage.open(...given);
      },
    };
    const limits = { maxPixels: 1000, concurrency: 1, maxWaiting: 1 };
    const variants = makeVariants({ storage, cache, ...limits, log: app.services.log });
    const finder = makeImageBytesFinder(app.database, { entries: 0, log: app.services.log });
    const image = await finder.find({ uuid: uuidOf(at) });
    if (!image) throw new Error('It is there.');
    const plan = planVariant(image.blob, checkTransform({ width: 16 }), 4096);
    for (let time = 0; time < 3; time++)
      await expect(variants.open(image.blob, plan)).rejects.toMatchObject({ code: 'DAMAGED_IMAGE' });
    expect(opened).toBe(1);
    expect(app.storage.spooler.count).toBe(0);
  });

  test('sides are bounded whatever is on record of the original', async () => {
    const original = await makePicture({ width: 300, height: 300, seed: seed++ });
    const at = await keep(original);
    const before = app.variants.made;
    // Before anybody has looked at it: a remembered image would be forgotten a moment after the statement.
    await app.database.query('UPDATE blobs SET width = 1, height = 100000 WHERE sha256 = $1', [
      createHash('sha256').update(original).digest('hex'),
    ]);
    // One side follows from the other, and would pass every bound.
    const { facts } = await picture(`${at}?w=128&enlarge=1`);
    expect([facts.width, facts.height]).toEqual([1, 128]);
    expect(app.variants.made).toBe(before + 1);
  });

  test('leaves no file of its own behind', async () => {
    await app.variants.settled();
    await eventually(() => expect(app.storage.spooler.count).toBe(0));
    expect(await readdir(path.join(app.directory, 'variants', '.writing')).catch(() => [])).toEqual([]);
  });
});

test('plans keep proportions and bounds for pictures of every shape', () => {
  for (const [width, height] of [
    [1, 1],
    [1, 10_000],
    [10_000, 1],
    [4096, 4096],
    [9999, 3],
  ] as const) {
    for (const fit of ['cover', 'contain', 'inside'] as const) {
      for (const enlarge of [true, false]) {
        for (const [w, h] of [
          [4096, 4096],
          [1, 4096],
          [16, 16],
          [77, null],
          [null, 4096],
          [null, null],
        ] as const) {
          const transform = checkTransform({ width: w, height: h, fit, enlarge });
          const plan = planVariant({ mimeType: 'image/png', width, height }, transform, 4096);
          const what = JSON.stringify({ width, height, transform, plan });
          expect(plan.width >= 1 && plan.width <= 4096 && plan.height >= 1 && plan.height <= 4096, what).toBe(
            true,
          );
          if (!transform.enlarge && plan.fit === 'fill')
            expect(plan.width <= width && plan.height <= height, what).toBe(true);
        }
      }
    }
  }
});
