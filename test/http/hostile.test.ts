import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createDeflate, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, openTestApp, ROOT_TOKEN, type TestApp } from '../harness.ts';
import {
  cutLengths,
  ENCODINGS,
  makeClaimingPng,
  makePicture,
  makePngChunk,
  NOT_PICTURES,
  PICTURE_FORMATS,
  PNG_SIGNATURE,
  splitPng,
} from '../pictures.ts';
import { upload, uploadForm } from '../upload.ts';

const MiB = 1024 * 1024;

/** A PNG of one grey, however large, in a few bytes. */
function makeFlatPng(
  width: number,
  height: number,
  { interlaced = false, depth = 8 } = {},
): Buffer<ArrayBuffer> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, 0, 0, 0, interlaced ? 1 : 0], 8);
  const rowOf = (pixels: number) => 1 + Math.ceil((pixels * depth) / 8);
  // Adam7: what each of the seven passes holds.
  const passes = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
  ] as const;
  const bytes = interlaced
    ? passes.reduce((sum, [x, y, dx, dy]) => {
        const [w, h] = [Math.ceil((width - x) / dx), Math.ceil((height - y) / dy)];
        return sum + (w > 0 && h > 0 ? rowOf(w) * h : 0);
      }, 0)
    : rowOf(width) * height;
  return Buffer.concat([
    PNG_SIGNATURE,
    makePngChunk('IHDR', header),
    makePngChunk('IDAT', deflateSync(Buffer.alloc(bytes), { level: 1 })),
    makePngChunk('IEND'),
  ]);
}

/** The PNG with more chunks behind its header. */
function withChunks(png: Buffer, ...chunks: Buffer[]): Buffer<ArrayBuffer> {
  const [first, ...rest] = splitPng(png).map(({ chunk }) => chunk);
  return Buffer.concat([PNG_SIGNATURE, first as Buffer, ...chunks, ...rest]);
}

const LETTERS = Buffer.alloc(MiB, 'a');

/**
 * So many MiB of one letter, deflated without ever being there whole: what a bomb costs is measured in the
 * same process.
 */
const deflateMany = (count: number): Promise<Buffer> =>
  buffer(Readable.from(Array.from({ length: count }, () => LETTERS)).pipe(createDeflate({ level: 1 })));

const text = (name: string, value: Buffer | string) =>
  Buffer.concat([Buffer.from(`${name}\0`), Buffer.from(value)]);

describe('what strangers send', () => {
  let app: TestApp;
  let png: Buffer<ArrayBuffer>;
  let jpeg: Buffer<ArrayBuffer>;
  let gif: Buffer<ArrayBuffer>;
  beforeAll(async () => {
    app = await openTestApp({ MAX_UPLOAD_BYTES: '30 MiB' });
    png = await makePicture();
    jpeg = await makePicture({ format: 'jpeg' });
    gif = await makePicture({ format: 'gif' });
  });
  afterAll(() => app.close());

  /** Uploads a file within 20 seconds. Returns the code of the refusal, or the image as it is kept. */
  async function send(content: Uint8Array, name = 'x.png', type = 'image/png') {
    const started = performance.now();
    const { image, userErrors } = await upload(app, { content, name, type });
    expect((performance.now() - started) / 1000).toBeLessThan(20);
    expect(userErrors.map(({ code }) => code)).not.toContain('INTERNAL');
    return image ? { kept: image } : { refused: userErrors[0]?.code };
  }

  test.each(PICTURE_FORMATS)('truncated: %s', async (format) => {
    const whole = await makePicture({ format, seed: 77 });
    // A JPEG that ends within the bytes behind its end mark is whole; no other cut is.
    for (const length of cutLengths(whole.length, 9))
      expect((await send(whole.subarray(0, length))).refused, `${format} cut to ${length}`).toMatch(
        /^(DAMAGED_IMAGE|UNSUPPORTED_TYPE)$/,
      );
  });

  test.each(NOT_PICTURES)('lying: $is that is called a PNG', async ({ bytes }) => {
    expect(await send(bytes)).toEqual({ refused: 'UNSUPPORTED_TYPE' });
  });

  test('lying: each type under the name and the type of another is kept as what it is', async () => {
    for (const format of PICTURE_FORMATS) {
      const { kept } = await send(
        await makePicture({ format, seed: 78 }),
        'x.exe',
        'application/x-msdownload',
      );
      expect(kept).toMatchObject({
        mimeType: ENCODINGS[format].mimeType,
        filename: expect.stringMatching(new RegExp(`\\.${ENCODINGS[format].extension}$`)),
      });
    }
  });

  test('lying: a header that says other than the pixels', async () => {
    const larger = Buffer.from(png);
    larger.writeUInt32BE(5000, 16);
    larger.writeUInt32BE(5000, 20);
    const [, ...rest] = splitPng(larger).map(({ chunk }) => chunk);
    const header = Buffer.from(larger.subarray(16, 29));
    const honest = Buffer.concat([PNG_SIGNATURE, makePngChunk('IHDR', header), ...rest]);
    for (const content of [larger, honest]) expect(await send(content)).toEqual({ refused: 'DAMAGED_IMAGE' });
  });

  test('polyglots are kept as they are, and served so that they are nothing but pictures', async () => {
    const html = '<html><script>alert(1)</script></html>';
    const script = Buffer.from('=1;alert(1);/*');
    const polyglots = [
      Buffer.concat([png, Buffer.from('PK\x03\x04archive')]),
      withChunks(png, makePngChunk('tEXt', text('Comment', html))),
      withChunks(png, makePngChunk('tEXt', text('Comment', '<?php system($_GET[0]); ?>'))),
      Buffer.concat([
        jpeg.subarray(0, 2),
        Buffer.from([0xff, 0xfe, 0, 2 + html.length]),
        Buffer.from(html),
        jpeg.subarray(2),
      ]),
      Buffer.concat([gif, Buffer.from(html)]),
      Buffer.concat([gif, script]),
    ];
    for (const content of polyglots) {
      const { kept } = await send(content, 'x.html', 'text/html');
      const response = await app.fetch(new URL(kept?.url as string).pathname);
      expect(response.headers.get('content-type')).toMatch(/^image\/(png|jpeg|gif)$/);
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
      expect(response.headers.get('content-security-policy')).toContain('sandbox');
      expect(Buffer.from(await response.arrayBuffer()).equals(content)).toBe(true);
    }
    // The first bytes decide the type of a file, even when a picture follows them.
    expect(await send(Buffer.concat([Buffer.from('%PDF-1.7\n'), png]))).toEqual({
      refused: 'UNSUPPORTED_TYPE',
    });
    expect(await send(Buffer.concat([Buffer.from(html), png]))).toEqual({ refused: 'UNSUPPORTED_TYPE' });
  });

  test.each([
    ['pixels that are only claimed', () => makeClaimingPng(30_000, 30_000), 'TOO_LARGE'],
    ['2³¹ − 1 pixels on a side', () => makeClaimingPng(2 ** 31 - 1, 2 ** 31 - 1), 'DAMAGED_IMAGE'],
    ['one row of a million pixels', () => makeFlatPng(1_000_000, 1), 'TOO_LARGE'],
    ['110 million pixels that are there', () => makeFlatPng(11_000, 10_000, { depth: 1 }), 'TOO_LARGE'],
    [
      'text that inflates to 400 MiB',
      async () =>
        withChunks(png, makePngChunk('zTXt', Buffer.concat([text('prompt', '\0'), await deflateMany(400)]))),
      null,
    ],
    [
      'a profile that inflates to 200 MiB',
      async () =>
        withChunks(png, makePngChunk('iCCP', Buffer.concat([text('icc', '\0'), await deflateMany(200)]))),
      null,
    ],
  ])('a bomb: %s', async (_what, make, code) => {
    const content = await make();
    const before = process.memoryUsage().rss;
    const { refused } = await send(content);
    // Null: kept or refused, as long as it costs nothing.
    if (code) expect(refused).toBe(code);
    expect((process.memoryUsage().rss - before) / MiB).toBeLessThan(300);
  });

  test('a bomb: more frames than are looked at', async () => {
    // A frame of one pixel, ten thousand times and one.
    const trailer = gif.length - 1;
    const frame = Buffer.from([0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0]);
    const head = gif.subarray(0, 13 + 3 * 2 ** (((gif[10] as number) & 7) + 1));
    expect(trailer).toBeGreaterThan(0);
    const many = Buffer.concat([head, ...Array.from({ length: 10_001 }, () => frame), Buffer.from([0x3b])]);
    expect(await send(many)).toEqual({ refused: 'TOO_LARGE' });
  });

  test('animated, of sixteen bits, CMYK and turned by EXIF: kept, with the size that a browser shows', async () => {
    const raw = { create: { width: 40, height: 20, channels: 3, background: '#a40' } } as const;
    const rows: [Buffer, number, number][] = [
      [await makePicture({ format: 'gif-animated', width: 40, height: 20 }), 40, 20],
      [await makePicture({ format: 'webp-animated', width: 40, height: 20 }), 40, 20],
      [await sharp(raw).toColourspace('rgb16').png().toBuffer(), 40, 20],
      [await sharp(raw).toColourspace('cmyk').jpeg().toBuffer(), 40, 20],
      [await sharp(raw).withMetadata({ orientation: 6 }).jpeg().toBuffer(), 20, 40],
      [await sharp(raw).withMetadata({ orientation: 3 }).jpeg().toBuffer(), 40, 20],
    ];
    for (const [content, width, height] of rows)
      expect((await send(content)).kept).toMatchObject({ width, height, bytes: content.length });
  });

  test('huge headers: kept, and no more of them is read than is worth it', async () => {
    const segment = Buffer.concat([
      Buffer.from([0xff, 0xe1, 0xff, 0xff]),
      Buffer.from('Exif\0\0'),
      Buffer.alloc(65_527, 0x41),
    ]);
    const contents = [
      withChunks(png, makePngChunk('tEXt', text('prompt', 'x'.repeat(10 * MiB)))),
      withChunks(png, ...Array.from({ length: 20_000 }, (_, i) => makePngChunk('tEXt', text(`k${i}`, 'v')))),
      Buffer.concat([jpeg.subarray(0, 2), ...Array.from({ length: 200 }, () => segment), jpeg.subarray(2)]),
    ];
    for (const content of contents) {
      const { kept } = await send(content);
      expect(kept?.bytes).toBe(content.length);
      expect(JSON.stringify(kept).length).toBeLessThan(100_000);
    }
  });

  test('a file that is cut behind a closing boundary ends', async () => {
    const operations = JSON.stringify({
      query: 'mutation($i: UploadImageInput!) { uploadImage(input: $i) { userErrors { code } } }',
      variables: { i: { file: null } },
    });
    // The part between a closing boundary and the next boundary is lost.
    const body = `--e--\r\n${[
      ['name="lost"', ''],
      ['name="operations"', operations],
      ['name="map"', '{"0":["variables.i.file"]}'],
      ['name="0"; filename="a"', 'x'],
    ]
      .map(
        ([disposition, content]) =>
          `--e\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${content}\r\n`,
      )
      .join('')}`;
    const socket = connect(Number(new URL(app.url).port), '127.0.0.1');
    const answer = new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())));
    socket.write(
      `POST /graphql HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${ROOT_TOKEN}\r\nContent-Type: multipart/form-data; boundary=e\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(await answer).toContain('UPLOAD_INTERRUPTED');
    socket.destroy();
  });

  test('nothing of it was a failure of ours, and nothing is left behind', async () => {
    await eventually(() => expect(app.storage.spooler.count).toBe(0));
    expect(app.logged.filter((line) => JSON.parse(line).level >= 50)).toEqual([]);
  });
});

test('one bomb does not stop the rest: what waits is bounded, and lists are answered meanwhile', async () => {
  const app = await openTestApp({
    DECODES_AT_ONCE: '1',
    MAX_DECODES_WAITING: '1',
    MAX_UPLOAD_BYTES: '30 MiB',
  });
  const heavy = Array.from({ length: 4 }, (_, i) => makeFlatPng(9000, 9000 + i, { interlaced: true }));
  let slowest = 0;
  let done = false;
  const uploads = Promise.all(
    heavy.map(async (content) => {
      const query = `mutation ($input: UploadImageInput!) { uploadImage(input: $input) { image { id } userErrors { code __typename ... on OverloadedError { retryAfterSeconds } } } }`;
      const response = await app.fetch('/graphql', {
        method: 'POST',
        body: uploadForm({ content }, {}, query),
      });
      return ((await response.json()) as { data: { uploadImage: { image: unknown; userErrors: unknown[] } } })
        .data.uploadImage;
    }),
  ).finally(() => {
    done = true;
  });
  while (!done) {
    const started = performance.now();
    expect((await app.fetch('/graphql?query={images(first:1){nodes{id}}}')).status).toBe(200);
    slowest = Math.max(slowest, performance.now() - started);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const results = await uploads;
  const refused = results.filter(({ image }) => image === null).flatMap(({ userErrors }) => userErrors);
  expect(results.length - refused.length).toBeGreaterThanOrEqual(2);
  expect(refused.length).toBeGreaterThanOrEqual(1);
  for (const error of refused)
    expect(error).toEqual({ code: 'OVERLOADED', __typename: 'OverloadedError', retryAfterSeconds: 5 });
  expect(slowest).toBeLessThan(5000);
  expect((await upload(app, { content: await makePicture() })).userErrors).toEqual([]);
  await app.close();
});
