/** The parts of RobustImage that need no browser. */

import sharp from 'sharp';
import { rgbaToThumbHash, thumbHashToRGBA } from 'thumbhash';
import { describe, expect, test } from 'vitest';
import { makeImageAddress } from '../../src/auth/image-address.ts';
import { makeSigner } from '../../src/auth/signature.ts';
import { VARIANTS } from '../../src/config/sections/delivery.ts';
import {
  endOf,
  hasVariants,
  LISTED_WIDTHS,
  sizesOf,
  srcsetOf,
  usefulWidths,
  waitBeforeRenewal,
} from '../../src/web/robust-image/addresses.ts';
import { judge, retryAfter, waitAfter } from '../../src/web/robust-image/back-off.ts';
import type * as declared from '../../src/web/robust-image/declarations/robust-image.d.ts';
import * as module from '../../src/web/robust-image/robust-image.ts';
import { settle } from '../../src/web/robust-image/settings.ts';
import { decodeThumbhash, placeholderOf, writePng } from '../../src/web/robust-image/thumbhash.ts';
import { makeRandom } from '../pictures.ts';

const UUID = '019adf5c-6c5f-7000-8000-000000000000';
const ADDRESS = `https://images.example.com/images/${UUID}/a-fox.png`;

describe('the back-off', () => {
  const limits = { delay: 500, maxDelay: 30_000 };

  test('doubles up to its limit, and waits for a random part of that', () => {
    const longest = [1, 2, 3, 4, 5, 6, 7, 8, 1000].map((attempt) => waitAfter(attempt, limits, () => 1));
    expect(longest).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    expect(waitAfter(3, limits, () => 0)).toBe(0);
    expect(waitAfter(3, limits, () => 0.25)).toBe(500);
  });

  test('spreads over the whole time', () => {
    const random = makeRandom(1);
    const waits = Array.from({ length: 1000 }, () => waitAfter(4, limits, random));
    expect(Math.min(...waits)).toBeLessThan(100);
    expect(Math.max(...waits)).toBeGreaterThan(3900);
    expect(waits.reduce((sum, each) => sum + each) / 1000).toBeGreaterThan(1800);
  });

  test('reads Retry-After in seconds and as a date', () => {
    const now = Date.parse('2026-11-30T12:00:00Z');
    expect(retryAfter('5', now)).toBe(5000);
    expect(retryAfter('Mon, 30 Nov 2026 12:00:10 GMT', now)).toBe(10_000);
    expect(retryAfter('Mon, 30 Nov 2026 11:00:00 GMT', now)).toBe(0);
    expect(retryAfter('soon', now)).toBe(null);
    expect(retryAfter(null, now)).toBe(null);
  });

  test.each([
    [null, 'retry'],
    [200, 'retry'],
    [408, 'retry'],
    [425, 'retry'],
    [429, 'retry'],
    [500, 'retry'],
    [503, 'retry'],
    [404, 'missing'],
    [410, 'missing'],
    [401, 'forbidden'],
    [403, 'forbidden'],
    [400, 'refused'],
    [422, 'refused'],
  ] as const)('takes status %s as: %s', (status, verdict) => {
    expect(judge(status)).toBe(verdict);
  });

  test('has its limits from the options, and ignores impossible ones', () => {
    expect(settle({ attempts: 0, delay: -1, maxDelay: Number.NaN })).toMatchObject({
      attempts: 5,
      delay: 500,
      maxDelay: 30_000,
    });
    expect(settle({ attempts: 1, delay: 0, maxDelay: 10 })).toMatchObject({
      attempts: 1,
      delay: 0,
      maxDelay: 10,
    });
  });
});

describe('the candidates', () => {
  test('have the widths that the server gives without a signature', () => {
    expect(LISTED_WIDTHS.join(',')).toBe(VARIANTS.settings.VARIANT_SIZES.default);
  });

  test('end with the first that shows the whole original', () => {
    expect(usefulWidths({ width: 500 })).toEqual([64, 128, 256, 320, 480, 640]);
    expect(usefulWidths({ width: 64 })).toEqual([64]);
    expect(usefulWidths({ width: 9000 })).toEqual(LISTED_WIDTHS);
    expect(usefulWidths({ widths: [300, 100, 100, -1] })).toEqual([100, 300]);
  });

  test('are the variants of an image of the server', () => {
    expect(srcsetOf(ADDRESS, { width: 200 })).toBe(
      [
        `${ADDRESS}?w=64&format=webp 64w`,
        `${ADDRESS}?w=128&format=webp 128w`,
        `${ADDRESS}?w=256&format=webp 200w`,
      ].join(', '),
    );
    expect(srcsetOf(`/images/${UUID}?quality=65#x`, { widths: [320], format: 'auto' })).toBe(
      `/images/${UUID}?quality=65&w=320&format=auto 320w`,
    );
  });

  test.each([
    'https://example.com/a.png',
    'data:image/png;base64,AAAA',
    '',
    `${ADDRESS}?signature=x`,
    '/images/x',
  ])('are none for %s', (address) => {
    expect(hasVariants(address)).toBe(false);
    expect(srcsetOf(address, {})).toBe('');
  });

  test('are chosen by the width in the layout where the image is lazy', () => {
    expect(sizesOf(800, 'lazy')).toBe('auto, (max-width: 800px) 100vw, 800px');
    expect(sizesOf(null, 'eager')).toBe('100vw');
  });
});

describe('a signed address', () => {
  test('says when it ends, as the server wrote it', () => {
    const expiresAt = new Date('2026-12-01T10:00:00Z');
    const query = makeImageAddress(makeSigner(['k'.repeat(32)])).sign(UUID, { expiresAt, transform: 'w=63' });
    expect(endOf(`https://images.example.com/images/${UUID}?${query}`)).toBe(expiresAt.getTime());
  });

  test.each([
    ADDRESS,
    `${ADDRESS}?signature=x`,
    `${ADDRESS}?expires=1`,
    `${ADDRESS}?expires=x&signature=x`,
    '',
  ])('is not %s', (address) => {
    expect(endOf(address)).toBe(null);
  });

  test('is renewed before it ends, not all at once, and at once when it has ended', () => {
    const wait = (seconds: number, random: number) =>
      waitBeforeRenewal(seconds * 1000, 0, () => random) / 1000;
    expect([wait(3600, 0), wait(3600, 1)]).toEqual([3540, 3480]);
    expect([wait(60, 0), wait(60, 1)]).toEqual([54, 48]);
    expect([wait(20, 0), wait(20, 1)]).toEqual([15, 10]);
    expect([wait(3, 0), wait(3, 1), wait(-10, 0)]).toEqual([2, 1, 0]);
  });
});

describe('a placeholder', () => {
  /** Hashes of seeded pictures in all proportions, with and without transparency. */
  const hashes = Array.from({ length: 60 }, (_, seed) => {
    const random = makeRandom(seed + 1);
    const [width, height] = [1 + Math.floor(random() * 99), 1 + Math.floor(random() * 99)];
    const [waves, clear] = [random() * 9, seed % 3 === 0];
    const pixel = (index: number) => [
      128 + 127 * Math.sin((index / width) * waves),
      255 * random(),
      255 * (index / (width * height)),
      clear ? 255 * random() : 255,
    ];
    const rgba = Array.from({ length: width * height }, (_, index) => pixel(index).map(Math.floor)).flat();
    return rgbaToThumbHash(width, height, rgba);
  });

  test('is decoded as by the package thumbhash, pixel by pixel', () => {
    for (const hash of hashes) {
      const { w, h, rgba } = thumbHashToRGBA(hash);
      const own = decodeThumbhash(hash);
      expect([own?.width, own?.height]).toEqual([w, h]);
      // The order of additions differs, so a value may be cut to the next lower one.
      const differences = [...rgba].map((value, index) => Math.abs(value - (own?.rgba[index] ?? -99)));
      expect(Math.max(...differences)).toBeLessThanOrEqual(1);
    }
  });

  test('is a PNG that other decoders read', async () => {
    for (const hash of hashes.slice(0, 6)) {
      const pixels = decodeThumbhash(hash);
      if (!pixels) throw new Error('not decoded');
      const { data } = await sharp(writePng(pixels)).raw().toBuffer({ resolveWithObject: true });
      expect(Buffer.compare(data, Buffer.from(pixels.rgba))).toBe(0);
    }
  });

  test.each(['', 'AAAA', 'not base64!', 'AAAAAAAAAA=='])('of %j is none', (text) => {
    expect(placeholderOf(text)).toBe(null);
  });

  test('is a data address', () => {
    expect(placeholderOf(Buffer.from(hashes[0] ?? []).toString('base64'))).toMatch(
      /^data:image\/png;base64,iVBOR/,
    );
  });
});

test('the module can be imported without a DOM, and is what its types say', () => {
  const typed: Pick<typeof declared, 'robustImage'> = module;
  expect(Object.keys(typed)).toEqual(['robustImage']);
});
