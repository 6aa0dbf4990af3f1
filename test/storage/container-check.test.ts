import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { proveWhole } from '../../src/storage/picture/container-check.ts';
import { MAX_FRAMES, PIECE_BYTES } from '../../src/storage/picture/containers/pieces.ts';
import type { PictureType } from '../../src/storage/picture/sniff.ts';
import { withLocalFile } from '../local-file.ts';
import {
  cutLengths,
  ENCODINGS,
  makeClaimingPng,
  makePicture,
  makePngChunk,
  PICTURE_FORMATS,
  PNG_SIGNATURE,
  splitPng,
  withoutPngChunk,
  withWrongCrc,
} from '../pictures.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fixative-whole-'));
});
afterAll(() => rm(directory, { recursive: true }));

let files = 0;
async function prove(bytes: Uint8Array, mimeType: PictureType): Promise<void> {
  const path = join(directory, `${files++}`);
  await writeFile(path, bytes);
  await withLocalFile(path, (file) => proveWhole(file, mimeType));
}

/** Expects DAMAGED_IMAGE with a message that contains `how`. */
async function expectDamage(
  bytes: Uint8Array,
  mimeType: PictureType,
  how: string | RegExp = '',
): Promise<void> {
  const message = typeof how === 'string' ? expect.stringContaining(how) : expect.stringMatching(how);
  await expect(prove(bytes, mimeType)).rejects.toMatchObject({ code: 'DAMAGED_IMAGE', message });
}

describe.each(PICTURE_FORMATS)('%s', (format) => {
  const { mimeType } = ENCODINGS[format];

  test.each([
    [64, 48],
    [1, 1],
    [333, 1],
    [401, 299],
  ])('of %i × %i pixels is whole', async (width, height) => {
    await prove(await makePicture({ format, width, height }), mimeType);
  });

  test('is refused wherever it is cut', async () => {
    for (const seed of [1, 2, 3]) {
      const picture = await makePicture({ format, width: 90 + seed, seed });
      for (const length of cutLengths(picture.length)) {
        await expectDamage(picture.subarray(0, length), mimeType);
      }
    }
  });

  test('is refused at every single length of its first and last hundred bytes', async () => {
    const picture = await makePicture({ format });
    for (let i = 0; i < 100; i += 1) {
      await expectDamage(picture.subarray(0, i), mimeType);
      await expectDamage(picture.subarray(0, picture.length - 1 - i), mimeType);
    }
  });

  test('is refused as any other type', async () => {
    const picture = await makePicture({ format });
    for (const other of ['image/png', 'image/jpeg', 'image/webp', 'image/gif', 'image/avif'] as const) {
      if (other !== mimeType) await expectDamage(picture, other);
    }
  });
});

test.each(PICTURE_FORMATS.filter((format) => format !== 'avif'))(
  'bytes after the end of %s are allowed',
  async (format) => {
    const { mimeType } = ENCODINGS[format];
    const picture = await makePicture({ format });
    const trailers = [
      Buffer.from('\0'),
      Buffer.from('SEFT trailer'),
      await makePicture({ format: 'jpeg' }),
      Buffer.alloc(PIECE_BYTES),
    ];
    for (const trailer of trailers) await prove(Buffer.concat([picture, trailer]), mimeType);
  },
);

// Zeros in a WebP break nothing that the container check reads, so only the decoder notices them.
test.each(PICTURE_FORMATS.filter((format) => !format.startsWith('webp')))(
  '%s is refused when its tail was never written',
  async (format) => {
    const picture = await makePicture({ format });
    await expectDamage(Buffer.from(picture).fill(0, 30), ENCODINGS[format].mimeType);
  },
);

test('an unreadable file throws the error of the file system, not DAMAGED_IMAGE', async () => {
  const reader = { read: () => Promise.reject(Object.assign(new Error('a bad block'), { code: 'EIO' })) };
  await expect(proveWhole({ bytes: 100, reader }, 'image/png')).rejects.toMatchObject({ code: 'EIO' });
});

describe('PNG', () => {
  const header = (bytes: number[]) => makePngChunk('IHDR', Uint8Array.from(bytes));
  const assemble = (...chunks: Buffer[]) => Buffer.concat([PNG_SIGNATURE, ...chunks]);
  const sane = header([0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0]);
  const data = makePngChunk('IDAT', Buffer.from('not looked into'));
  const end = makePngChunk('IEND');

  test('any wrong CRC is found, of pixels as of text', async () => {
    const png = await sharp(await makePicture())
      .withExif({ IFD0: { Copyright: 'us' } })
      .png()
      .toBuffer();
    const types = new Set(splitPng(png).map((part) => part.type));
    expect(types).toContain('eXIf');
    for (const type of types) {
      await expectDamage(
        withWrongCrc(png, type),
        'image/png',
        new RegExp(`the ${type} chunk at byte \\d+ does not fit its CRC`),
      );
    }
  });

  test('any changed byte is found', async () => {
    const png = await makePicture({ width: 12, height: 9 });
    for (let at = 0; at < png.length; at += 1) {
      const changed = Buffer.from(png);
      changed.writeUInt8(changed.readUInt8(at) ^ 0x20, at);
      await expectDamage(changed, 'image/png');
    }
  });

  test('a missing IHDR, IDAT or IEND is named', async () => {
    const png = await makePicture();
    await expectDamage(withoutPngChunk(png, 'IEND'), 'image/png', 'before an IEND chunk');
    await expectDamage(withoutPngChunk(png, 'IDAT'), 'image/png', 'it has no IDAT chunk');
    await expectDamage(withoutPngChunk(png, 'IHDR'), 'image/png', 'IHDR comes first and once');
    await expectDamage(assemble(sane, sane, data, end), 'image/png', 'IHDR comes first and once');
  });

  test.each([
    ['claims 0 × 1 pixels', [0, 0, 0, 0, 0, 0, 0, 1, 8, 2, 0, 0, 0]],
    ['claims 1 × 4294967295 pixels', [0, 0, 0, 1, 255, 255, 255, 255, 8, 2, 0, 0, 0]],
    ['colour type 2 with bit depth 4', [0, 0, 0, 1, 0, 0, 0, 1, 4, 2, 0, 0, 0]],
    ['colour type 7', [0, 0, 0, 1, 0, 0, 0, 1, 8, 7, 0, 0, 0]],
    ['a method of compression', [0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 1, 0, 0]],
    ['a method of compression', [0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 2]],
    ['IHDR has 12 bytes', [0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0]],
  ])('a header that %s is refused', async (how, bytes) => {
    await expectDamage(assemble(header(bytes), data, end), 'image/png', how);
  });

  test('a length past the end or past the format is refused', async () => {
    for (const claim of [1000, 0x7fffffff, 0x80000000, 0xffffffff]) {
      const long = Buffer.from(data);
      long.writeUInt32BE(claim);
      await expectDamage(
        assemble(sane, long, end),
        'image/png',
        `the IDAT chunk at byte 33 claims ${claim} bytes`,
      );
    }
  });

  test('a decompression bomb passes; picture.ts refuses its size', async () => {
    await prove(makeClaimingPng(30_000, 30_000), 'image/png');
  });

  test('chunks may lie across the pieces in any way', async () => {
    for (let shift = -14; shift <= 14; shift += 1) {
      const filler = makePngChunk('teXt', Buffer.alloc(PIECE_BYTES - 8 - 25 - 12 + shift, 7));
      await prove(
        assemble(sane, filler, data, makePngChunk('IDAT', Buffer.alloc(3 * PIECE_BYTES)), end),
        'image/png',
      );
    }
  });
});

describe('JPEG', () => {
  const EOI = Buffer.from([0xff, 0xd9]);
  let jpeg: Buffer;
  let start: Buffer;
  beforeAll(async () => {
    jpeg = await makePicture({ format: 'jpeg' });
    start = jpeg.subarray(0, -2);
  });

  test('data, stuffing and restarts may lie across the pieces in any way', async () => {
    const fillers: Buffer[] = [
      Buffer.from([0x55]),
      Buffer.from([0xff, 0x00]),
      Buffer.from([0xff, 0xd3]),
      Buffer.from([0xff, 0x00, 0x12]),
    ];
    for (const filler of fillers) {
      for (let shift = 0; shift < 6; shift += 1) {
        const count = Math.floor((2 * PIECE_BYTES - start.length - shift) / filler.length);
        const body = Buffer.concat([
          start,
          Buffer.alloc(shift, 0x11),
          Buffer.alloc(count * filler.length, filler),
        ]);
        await prove(Buffer.concat([body, EOI]), 'image/jpeg');
        await prove(Buffer.concat([body, Buffer.alloc(5, 0xff), EOI]), 'image/jpeg');
        await expectDamage(body, 'image/jpeg', 'before the end marker (EOI)');
        await expectDamage(
          Buffer.concat([body, EOI.subarray(0, 1)]),
          'image/jpeg',
          'before the end marker (EOI)',
        );
      }
    }
  });

  test('fill bytes 0xFF are skipped', async () => {
    await prove(Buffer.concat([start, Buffer.alloc(2 * PIECE_BYTES, 0xff), EOI]), 'image/jpeg');
    await expectDamage(Buffer.concat([start, Buffer.alloc(2 * PIECE_BYTES, 0xff)]), 'image/jpeg');
  });

  test('a second picture that begins before the end is refused', async () => {
    await expectDamage(Buffer.concat([start, jpeg]), 'image/jpeg', 'another picture begins');
  });

  test('an end marker within a segment, as of an embedded thumbnail, does not end the picture', async () => {
    const exif = Buffer.concat([Buffer.from([0xff, 0xe1, 0x00, 0x06]), EOI, EOI]);
    await prove(Buffer.concat([jpeg.subarray(0, 2), exif, jpeg.subarray(2)]), 'image/jpeg');
    await expectDamage(
      Buffer.concat([jpeg.subarray(0, 2), exif, start.subarray(2)]),
      'image/jpeg',
      'end marker',
    );
  });

  test('stray bytes between segments are skipped, as in libjpeg', async () => {
    const stray = Buffer.concat([jpeg.subarray(0, 2), Buffer.from([0, 0, 0x41]), jpeg.subarray(2)]);
    await prove(stray, 'image/jpeg');
    await sharp(stray, { failOn: 'error' }).raw().toBuffer();
  });

  test('markers without a picture are refused', async () => {
    const app = Buffer.from([0xff, 0xe0, 0x00, 0x04, 1, 2]);
    const scan = Buffer.from([0xff, 0xda, 0x00, 0x02]);
    const begin = jpeg.subarray(0, 2);
    await expectDamage(Buffer.concat([begin, EOI]), 'image/jpeg', 'without a scan');
    await expectDamage(Buffer.concat([begin, app, EOI]), 'image/jpeg', 'without a scan');
    await expectDamage(Buffer.concat([begin, scan, EOI]), 'image/jpeg', 'before any frame header');
    await expectDamage(
      Buffer.concat([begin, Buffer.from([0xff, 0xe0, 0, 1]), EOI]),
      'image/jpeg',
      'impossible length',
    );
  });

  test('a segment that reaches past the end is named', async () => {
    const app = Buffer.from([0xff, 0xe2, 0xff, 0xff]);
    await expectDamage(
      Buffer.concat([jpeg.subarray(0, 2), app, EOI]),
      'image/jpeg',
      'the segment 0xFFE2 at byte 2',
    );
  });
});

describe('GIF', () => {
  test('a comment of thousands of sub-blocks is walked across the pieces', async () => {
    const gif = await makePicture({ format: 'gif' });
    const sub = Buffer.concat([Buffer.from([200]), Buffer.alloc(200, 0x3b)]);
    const comment = Buffer.concat([
      Buffer.from([0x21, 0xfe]),
      Buffer.alloc(3000 * sub.length, sub),
      Buffer.from([0]),
    ]);
    const body = gif.subarray(0, -1);
    await prove(Buffer.concat([body, comment, Buffer.from([0x3b])]), 'image/gif');
    await expectDamage(
      Buffer.concat([body, comment.subarray(0, -1)]),
      'image/gif',
      'within the data of a block',
    );
    await expectDamage(Buffer.concat([body, comment]), 'image/gif', 'before the trailer');
    await expectDamage(Buffer.concat([body, comment, Buffer.from([0x77])]), 'image/gif', 'no block begins');
  });

  test('a header and a trailer without a frame are no picture', async () => {
    await expectDamage(Buffer.from('GIF89a\x01\0\x01\0\0\0\0\x3b', 'latin1'), 'image/gif', 'it has no frame');
  });

  test('too many frames are refused before a decoder counts them', async () => {
    const head = Buffer.from('GIF89a\x01\0\x01\0\0\0\0', 'latin1');
    const frame = Buffer.from([0x2c, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0]);
    const animation = (frames: number) =>
      Buffer.concat([head, Buffer.alloc(frames * frame.length, frame), Buffer.from([0x3b])]);
    await prove(animation(MAX_FRAMES), 'image/gif');
    await expect(prove(animation(MAX_FRAMES + 1), 'image/gif')).rejects.toMatchObject({ code: 'TOO_LARGE' });
  });
});

describe('WebP', () => {
  function chunk(type: string, data: Buffer, padding = data.length % 2): Buffer {
    const head = Buffer.alloc(8);
    head.write(type, 'latin1');
    head.writeUInt32LE(data.length, 4);
    return Buffer.concat([head, data, Buffer.alloc(padding)]);
  }
  const riff = (...chunks: Buffer[]) => chunk('RIFF', Buffer.concat([Buffer.from('WEBP'), ...chunks]));
  const pixels = chunk('VP8 ', Buffer.alloc(10));

  test('the padding of a last chunk of odd length is optional', async () => {
    await prove(riff(chunk('VP8L', Buffer.alloc(7), 1)), 'image/webp');
    await prove(riff(chunk('VP8L', Buffer.alloc(7), 0)), 'image/webp');
    await prove(riff(chunk('VP8X', Buffer.alloc(10)), chunk('ICCP', Buffer.alloc(3)), pixels), 'image/webp');
  });

  test('a file without pixels is refused, and a frame without pixels', async () => {
    const frame = (...inner: Buffer[]) => chunk('ANMF', Buffer.concat([Buffer.alloc(16), ...inner]));
    await expectDamage(riff(), 'image/webp', 'no VP8 or VP8L chunk');
    await expectDamage(riff(chunk('VP8X', Buffer.alloc(10))), 'image/webp', 'no VP8 or VP8L chunk');
    await prove(riff(frame(pixels), frame(chunk('ALPH', Buffer.alloc(5)), pixels)), 'image/webp');
    await expectDamage(riff(frame(pixels), frame()), 'image/webp', 'has no pixels');
    await expectDamage(riff(chunk('ANMF', Buffer.alloc(6))), 'image/webp');
  });

  test('a chunk that is larger than its parent is refused', async () => {
    const long = Buffer.from(pixels);
    long.writeUInt32LE(11, 4);
    await expectDamage(riff(long), 'image/webp', 'the chunk at byte 12 claims 11 bytes');
    const inner = chunk('ANMF', Buffer.concat([Buffer.alloc(16), long]));
    await expectDamage(riff(inner, pixels), 'image/webp', 'the chunk at byte 36 claims 11 bytes');
  });

  test('bytes that are left over within RIFF are refused', async () => {
    await expectDamage(riff(pixels, Buffer.alloc(4)), 'image/webp', '4 bytes are left over');
  });

  test('too many frames are refused', async () => {
    const frame = chunk('ANMF', Buffer.concat([Buffer.alloc(16), pixels]));
    const animation = riff(Buffer.alloc((MAX_FRAMES + 1) * frame.length, frame));
    await expect(prove(animation, 'image/webp')).rejects.toMatchObject({ code: 'TOO_LARGE' });
  });
});

describe('AVIF', () => {
  function box(type: string, ...content: (Buffer | number[])[]): Buffer {
    const body = Buffer.concat(content.map((part) => Buffer.from(part)));
    const head = Buffer.alloc(8);
    head.writeUInt32BE(8 + body.length);
    head.write(type, 4, 'latin1');
    return Buffer.concat([head, body]);
  }
  const u32 = (value: number) => [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  const ftyp = box('ftyp', Buffer.from('avif\0\0\0\0mif1'));
  /**
   * One item with one extent; version 1, so that it may lie in the file (0), in idat (1) or in an item (2).
   */
  const iloc = (method: number, offset: number, length: number) =>
    box('iloc', [1, 0, 0, 0, 0x44, 0x00, 0, 1], [0, 1, 0, method, 0, 0, 0, 1], u32(offset), u32(length));
  const meta = (...boxes: Buffer[]) => box('meta', [0, 0, 0, 0], ...boxes);
  const mdat = box('mdat', Buffer.alloc(40));

  test('an extent may end at the end of the file, and not a byte later', async () => {
    const size = Buffer.concat([ftyp, meta(iloc(0, 0, 0)), mdat]).length;
    await prove(Buffer.concat([ftyp, meta(iloc(0, size - 40, 40)), mdat]), 'image/avif');
    await expectDamage(
      Buffer.concat([ftyp, meta(iloc(0, size - 40, 41)), mdat]),
      'image/avif',
      `the data of an item reaches to byte ${size + 1}, and there are ${size}`,
    );
  });

  test('an extent within idat is checked against idat, before or after iloc', async () => {
    const idat = box('idat', Buffer.alloc(10));
    await prove(Buffer.concat([ftyp, meta(iloc(1, 2, 8), idat)]), 'image/avif');
    await prove(Buffer.concat([ftyp, meta(idat, iloc(1, 2, 8))]), 'image/avif');
    await expectDamage(
      Buffer.concat([ftyp, meta(iloc(1, 2, 9), idat), mdat]),
      'image/avif',
      'reaches to byte 11',
    );
    await expectDamage(Buffer.concat([ftyp, meta(iloc(1, 0, 1)), mdat]), 'image/avif', 'and there are 0');
  });

  test('a missing required box is refused', async () => {
    await expectDamage(Buffer.concat([ftyp, mdat]), 'image/avif', 'it has no meta box');
    await expectDamage(Buffer.concat([ftyp, meta(), mdat]), 'image/avif', 'no iloc box');
    await expectDamage(Buffer.concat([ftyp, meta(iloc(0, 8, 4))]), 'image/avif', 'it has no mdat box');
    await expectDamage(Buffer.concat([meta(iloc(0, 8, 4)), mdat]), 'image/avif', 'where ftyp belongs');
  });

  test('the last box may have size 0 (to the end), and boxes may have 64-bit sizes', async () => {
    const endless = Buffer.from(mdat);
    endless.writeUInt32BE(0);
    const head = Buffer.concat([ftyp, meta(iloc(0, 8, 4))]);
    await prove(Buffer.concat([head, endless]), 'image/avif');
    const long = Buffer.concat([
      Buffer.from([0, 0, 0, 1]),
      Buffer.from('mdat'),
      Buffer.from([...u32(0), ...u32(26)]),
      Buffer.alloc(10),
    ]);
    await prove(Buffer.concat([head, long]), 'image/avif');
    await expectDamage(Buffer.concat([head, long.subarray(0, -1)]), 'image/avif', 'claims 26 bytes');
  });

  test('iloc at the start of a large file is read after the walk', async () => {
    const large = Buffer.concat([box('mdat', Buffer.alloc(2 * PIECE_BYTES)), box('free', Buffer.alloc(9))]);
    const head = ftyp.length + meta(iloc(0, 0, 0)).length;
    const end = head + large.length;
    await prove(Buffer.concat([ftyp, meta(iloc(0, head + 8, 2 * PIECE_BYTES)), large]), 'image/avif');
    await prove(Buffer.concat([ftyp, large, meta(iloc(0, ftyp.length + 8, 2 * PIECE_BYTES))]), 'image/avif');
    const beyond = Buffer.concat([ftyp, meta(iloc(0, end - 9, 10)), large]);
    await expectDamage(beyond, 'image/avif', `reaches to byte ${end + 1}`);
  });

  test('a box that is smaller than its header is refused', async () => {
    for (const claim of [2, 7]) {
      const tiny = Buffer.from(mdat);
      tiny.writeUInt32BE(claim);
      await expectDamage(Buffer.concat([ftyp, tiny]), 'image/avif', `claims ${claim} bytes`);
    }
  });

  test('bytes after the last box are refused', async () => {
    await expectDamage(
      Buffer.concat([await makePicture({ format: 'avif' }), Buffer.from('trailer')]),
      'image/avif',
    );
  });

  test('an iloc box with a wrong number of items or an unknown form is refused', async () => {
    const many = iloc(0, 8, 4);
    many.writeUInt16BE(60_000, 8 + 6);
    await expectDamage(Buffer.concat([ftyp, meta(many), mdat]), 'image/avif');
    const strange = iloc(0, 8, 4);
    strange.writeUInt8(0x35, 8 + 4);
    await expectDamage(Buffer.concat([ftyp, meta(strange), mdat]), 'image/avif', 'is not of a known form');
  });
});

test('memory does not grow with the size of the file', async () => {
  const path = join(directory, 'large.png');
  const pieces = 64 * 4;
  const piece = Buffer.alloc(PIECE_BYTES, 'grain');
  const small = makeClaimingPng(1, 1);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(pieces * PIECE_BYTES);
  head.write('IDAT', 4);
  let crc = crc32(head.subarray(4));
  const file = await open(path, 'w');
  await file.write(small.subarray(0, 33));
  await file.write(head);
  for (let i = 0; i < pieces; i += 1) {
    await file.write(piece);
    crc = crc32(piece, crc);
  }
  const tail = Buffer.alloc(4);
  tail.writeUInt32BE(crc);
  await file.write(Buffer.concat([tail, makePngChunk('IEND')]));
  await file.close();

  const before = process.memoryUsage().arrayBuffers;
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage().arrayBuffers);
  }, 1);
  await withLocalFile(path, (file) => proveWhole(file, 'image/png')).finally(() => clearInterval(watch));
  expect(most - before).toBeLessThan(4 * PIECE_BYTES);
});
