import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { thumbHashToApproximateAspectRatio, thumbHashToAverageRGBA } from 'thumbhash';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FixativeError, TooLargeError, UnsupportedTypeError } from '../../src/errors.ts';
import { makePictureReader, type Picture, type PictureLimits } from '../../src/storage/picture/picture.ts';
import { withLocalFile } from '../local-file.ts';
import {
  cutLengths,
  ENCODINGS,
  makeClaimingPng,
  makePicture,
  makePngChunk,
  NOT_PICTURES,
  PICTURE_FORMATS,
  PNG_SIGNATURE,
  withoutPngChunk,
  withWrongCrc,
} from '../pictures.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fixative-picture-'));
});
afterAll(() => rm(directory, { recursive: true }));

let files = 0;
async function save(bytes: Uint8Array, name = `${files++}.png`): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, bytes);
  return path;
}

/** Reads a picture by its path. */
function makePathReader(limits: PictureLimits): (path: string) => Promise<Picture> {
  const readPicture = makePictureReader(limits);
  return (path) => withLocalFile(path, readPicture);
}

const readPicture = makePathReader({ maxPixels: 1_000_000 });
const read = async (bytes: Uint8Array, name?: string): Promise<Picture> =>
  readPicture(await save(bytes, name));
const failure = async (bytes: Uint8Array): Promise<unknown> => read(bytes).catch((error: unknown) => error);

describe.each(PICTURE_FORMATS)('%s', (format) => {
  const { mimeType, extension } = ENCODINGS[format];

  test('is read: type, size of one frame, thumbhash', async () => {
    const picture = await read(await makePicture({ format, width: 120, height: 80 }));
    expect(picture).toEqual({ mimeType, extension, width: 120, height: 80, thumbhash: expect.any(String) });
    const hash = Buffer.from(picture.thumbhash, 'base64');
    expect(hash.length).toBeGreaterThan(15);
    expect(thumbHashToApproximateAspectRatio(hash)).toBeCloseTo(1.5, 0);
  });

  test('is damaged wherever it is cut', async () => {
    const picture = await makePicture({ format });
    for (const length of cutLengths(picture.length)) {
      expect(await failure(picture.subarray(0, length))).toMatchObject({ code: 'DAMAGED_IMAGE' });
    }
  });

  test('above the limit of pixels is refused with its size', async () => {
    const frames = ENCODINGS[format].frames;
    const path = await save(await makePicture({ format, width: 50, height: 40 }));
    await expect(makePathReader({ maxPixels: 2000 * frames })(path)).resolves.toMatchObject({ mimeType });
    const refused = makePathReader({ maxPixels: 2000 * frames - 1 })(path);
    await expect(refused).rejects.toThrow(TooLargeError);
    await expect(refused).rejects.toMatchObject({
      code: 'TOO_LARGE',
      limit: 2000 * frames - 1,
      actual: 2000 * frames,
      unit: 'pixels',
      message: expect.stringContaining('50 × 40 pixels'),
    });
  });
});

test('the name of a file is ignored', async () => {
  const jpeg = await makePicture({ format: 'jpeg' });
  expect(await read(jpeg, 'notes.txt')).toMatchObject({ mimeType: 'image/jpeg', extension: 'jpg' });
  expect(await read(jpeg, 'without-a-name')).toMatchObject({ mimeType: 'image/jpeg' });
});

test('an empty file is told from an unsupported one', async () => {
  expect(await failure(Buffer.alloc(0))).toMatchObject({ code: 'EMPTY_FILE' });
});

test('a file that cannot be read is the error of the file system', async () => {
  const reader = { read: () => Promise.reject(Object.assign(new Error('a bad block'), { code: 'EIO' })) };
  const read = makePictureReader({ maxPixels: 1_000_000 })({
    path: join(directory, 'x'),
    bytes: 100,
    reader,
  });
  await expect(read).rejects.toMatchObject({ code: 'EIO' });
});

test.each(NOT_PICTURES)('$is with a .png name is refused by what it is', async ({ is, bytes }) => {
  const error = await failure(bytes);
  expect(error).toBeInstanceOf(UnsupportedTypeError);
  expect(error).toMatchObject({ code: 'UNSUPPORTED_TYPE', detected: is });
  expect((error as Error).message).toBe(
    `The content is not a picture of a supported type (detected: ${is}). Send it as PNG, JPEG, WebP, GIF or AVIF.`,
  );
});

test('unsupported types never reach sharp, even those that it can read', async () => {
  const tiff = await sharp(await makePicture())
    .tiff()
    .toBuffer();
  expect(await failure(tiff)).toMatchObject({ code: 'UNSUPPORTED_TYPE', detected: 'TIFF' });
});

describe('a bomb', () => {
  test('of 30,000 × 30,000 claimed pixels is refused without decoding', async () => {
    const path = await save(makeClaimingPng(30_000, 30_000));
    const before = process.memoryUsage().rss;
    const refused = makePathReader({ maxPixels: 100_000_000 })(path);
    await expect(refused).rejects.toMatchObject({ code: 'TOO_LARGE', actual: 900_000_000, unit: 'pixels' });
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  });

  test('that hides a large AVIF behind a small header does not decode', async () => {
    const avif = await makePicture({ format: 'avif', width: 900, height: 900 });
    const size = avif.indexOf('ispe') + 8;
    avif.writeUInt32BE(10, size);
    avif.writeUInt32BE(10, size + 4);
    expect(await failure(avif)).toMatchObject({ code: 'DAMAGED_IMAGE' });
  });
});

describe('damage that sharp ignores', () => {
  test('a wrong CRC and a missing end are refused, though sharp decodes both', async () => {
    const png = await makePicture();
    for (const spoilt of [withWrongCrc(png, 'IHDR'), withoutPngChunk(png, 'IEND')]) {
      expect(await failure(spoilt)).toMatchObject({ code: 'DAMAGED_IMAGE' });
    }
    await sharp(withoutPngChunk(png, 'IEND')).raw().toBuffer();
  });
});

describe('damage that only a decoder can find', () => {
  const containerWhole = {
    code: 'DAMAGED_IMAGE',
    message: expect.stringContaining('its container is whole'),
  };

  test('PNG chunks with right CRCs around pixels that are no zlib data', async () => {
    const header = Buffer.from([0, 0, 0, 9, 0, 0, 0, 9, 8, 2, 0, 0, 0]);
    const png = (data: Buffer) =>
      Buffer.concat([
        PNG_SIGNATURE,
        makePngChunk('IHDR', header),
        makePngChunk('IDAT', data),
        makePngChunk('IEND'),
      ]);
    expect(await failure(png(Buffer.from('no zlib data')))).toMatchObject(containerWhole);
    const tooFewRows = deflateSync(Buffer.alloc(28 * 4));
    expect(await failure(png(tooFewRows))).toMatchObject(containerWhole);
  });

  test('AVIF with its data overwritten', async () => {
    const avif = await makePicture({ format: 'avif' });
    avif.fill(0, avif.indexOf('mdat') + 4);
    expect(await failure(avif)).toMatchObject(containerWhole);
  });

  test('WebP whose chunk of pixels holds none', async () => {
    const webp = await makePicture({ format: 'webp' });
    webp.fill(0, 20);
    expect(await failure(webp)).toMatchObject(containerWhole);
  });

  test('the cause is kept, and the path stays out of the message', async () => {
    const avif = await makePicture({ format: 'avif' });
    avif.fill(0, avif.indexOf('mdat') + 4);
    const error = (await failure(avif)) as FixativeError;
    expect(error).toBeInstanceOf(FixativeError);
    expect(error.cause).toBeInstanceOf(Error);
    expect(error.message).not.toContain(directory);
  });
});

describe('as a browser shows it', () => {
  test.each(['jpeg', 'png', 'webp', 'avif'] as const)(
    '%s that is turned by its orientation is measured upright',
    async (format) => {
      const upright = await makePicture({ width: 60, height: 40 });
      const turned = await sharp(upright).withMetadata({ orientation: 6 }).toFormat(format).toBuffer();
      const picture = await read(turned);
      expect(picture).toMatchObject({ width: 40, height: 60 });
      expect(thumbHashToApproximateAspectRatio(Buffer.from(picture.thumbhash, 'base64'))).toBeLessThan(1);
    },
  );

  test('grey, CMYK and sixteen bits have a thumbhash like any other', async () => {
    const red = sharp({ create: { width: 30, height: 30, channels: 3, background: '#c03020' } });
    const variants = [
      await red.clone().toColourspace('cmyk').jpeg().toBuffer(),
      await red.clone().toColourspace('rgb16').png().toBuffer(),
    ];
    for (const bytes of variants) {
      const { r, g, b } = thumbHashToAverageRGBA(Buffer.from((await read(bytes)).thumbhash, 'base64'));
      expect(r).toBeGreaterThan(2 * g);
      expect(r).toBeGreaterThan(2 * b);
    }
    for (const grey of [
      await red.clone().greyscale().png().toBuffer(),
      await red.clone().greyscale().jpeg().toBuffer(),
      await red.clone().toColourspace('grey16').png().toBuffer(),
      await red.clone().greyscale().ensureAlpha(0.5).webp().toBuffer(),
    ]) {
      const { r, g, b } = thumbHashToAverageRGBA(Buffer.from((await read(grey)).thumbhash, 'base64'));
      expect(Math.abs(r - g) + Math.abs(g - b)).toBeLessThan(0.1);
    }
  });

  test('transparency is in the thumbhash', async () => {
    const clear = await sharp({ create: { width: 9, height: 9, channels: 4, background: '#ff000080' } })
      .png()
      .toBuffer();
    expect(thumbHashToAverageRGBA(Buffer.from((await read(clear)).thumbhash, 'base64')).a).toBeCloseTo(
      0.5,
      1,
    );
  });

  test.each([
    [1, 1],
    [5000, 1],
    [1, 5000],
    [100, 100],
    [101, 99],
  ])('%i × %i pixels have a thumbhash', async (width, height) => {
    expect(await read(await makePicture({ width, height }))).toMatchObject({
      width,
      height,
      thumbhash: expect.stringMatching(/^\S+$/),
    });
  });
});

describe('the limit of concurrent decodes', () => {
  test('reads all of many pictures, and frees the slot of one that fails', async () => {
    const one = makePathReader({ maxPixels: 1_000_000, concurrency: 1 });
    const good = await save(await makePicture({ seed: 7 }));
    const overwritten = await makePicture({ format: 'avif' });
    overwritten.fill(0, overwritten.indexOf('mdat') + 4);
    const bad = await save(overwritten);
    const all = await Promise.allSettled([bad, good, bad, good, good, bad, good].map(one));
    expect(all.map((each) => each.status)).toEqual([
      'rejected',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
    ]);
  });

  test('is not exceeded', async () => {
    const path = await save(await makePicture({ format: 'avif', width: 600, height: 600 }));
    const limited = makePathReader({ maxPixels: 1_000_000, concurrency: 1 });
    let most = 0;
    const count = () => {
      const { process: running, queue } = sharp.counters();
      return running + queue;
    };
    // Counts twice and takes the smaller: a job that moves from the queue to its thread between the two reads
    // is in both.
    const watch = setInterval(() => {
      most = Math.max(most, Math.min(count(), count()));
    }, 1);
    // Some come while others wait, and some while one is just done.
    const visitors = Array.from({ length: 3 }, async () => {
      for (let visit = 0; visit < 3; visit += 1) await limited(path);
    });
    await Promise.all(visitors).finally(() => clearInterval(watch));
    expect(most).toBe(1);
  });
});

test('the same picture has the same thumbhash, and another has another', async () => {
  const [first, again, other] = [
    await read(await makePicture({ seed: 1 })),
    await read(await makePicture({ seed: 1 })),
    await read(await makePicture({ seed: 2 })),
  ];
  expect(again).toEqual(first);
  expect(other.thumbhash).not.toBe(first.thumbhash);
});
