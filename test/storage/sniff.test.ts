import { deflateSync, gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { SNIFF_BYTES, SUPPORTED_TYPES, sniff, TYPE_NAMES } from '../../src/storage/picture/sniff.ts';
import { ENCODINGS, makePicture, NOT_PICTURES, PICTURE_FORMATS } from '../pictures.ts';

const latin1 = (text: string) => Buffer.from(text, 'latin1');

/** The box with which ISO media files begin. */
function ftyp(major: string, ...compatible: string[]): Buffer {
  const box = latin1(`\0\0\0\0ftyp${major}\0\0\0\0${compatible.join('')}`);
  box.writeUInt32BE(box.length);
  return box;
}

describe('a picture that is kept', () => {
  test.each(PICTURE_FORMATS)('%s is known by its content', async (format) => {
    const { mimeType, extension } = ENCODINGS[format];
    const head = (await makePicture({ format })).subarray(0, SNIFF_BYTES);
    expect(sniff(head)).toEqual({ mimeType, extension, detected: TYPE_NAMES[mimeType] });
  });

  test('both versions of GIF are GIF', () => {
    expect(sniff(latin1('GIF87a\x01\0\x01\0')).mimeType).toBe('image/gif');
    expect(sniff(latin1('GIF89a\x01\0\x01\0')).mimeType).toBe('image/gif');
  });

  test('every type has an extension of its own and a name', () => {
    const extensions = Object.values(SUPPORTED_TYPES);
    expect(new Set(extensions).size).toBe(extensions.length);
    expect(Object.keys(TYPE_NAMES)).toEqual(Object.keys(SUPPORTED_TYPES));
  });

  test('the view of a larger buffer is read, not the buffer', async () => {
    const png = await makePicture();
    const inside = Buffer.concat([Buffer.from('GIF89a'), png]);
    expect(sniff(new Uint8Array(inside.buffer, inside.byteOffset + 6, png.length)).mimeType).toBe(
      'image/png',
    );
  });
});

describe('brands of ISO media files', () => {
  test.each([
    ['AVIF', 'avif', []],
    ['AVIF', 'avif', ['avis', 'mif1', 'miaf']],
    ['AVIF', 'mif1', ['miaf', 'avif']],
    ['AVIF', 'msf1', ['avif', 'avis']],
    ['AVIF image sequence', 'avis', ['avif', 'msf1']],
    ['HEIC', 'heic', ['mif1', 'heic']],
    ['HEIC', 'heix', []],
    ['HEIC', 'hevc', ['avif']],
    ['HEIC', 'mif1', ['heic']],
    ['HEIC', 'mif1', ['avif', 'heic']],
    ['HEIF', 'mif1', ['miaf']],
    ['HEIF', 'avci', []],
    ['JPEG 2000', 'jp2 ', []],
    ['Canon raw picture', 'crx ', []],
    ['QuickTime video', 'qt  ', []],
    ['MP4 audio', 'M4A ', []],
    ['MP4 video', 'isom', ['iso2', 'avc1', 'mp41']],
    ['MP4 video', 'mp42', ['avif']],
  ])('%s has the major brand %j with %j', (is, major, compatible) => {
    expect(sniff(ftyp(major, ...compatible)).detected).toBe(is);
  });

  test('only AVIF is kept', () => {
    expect(sniff(ftyp('avif')).mimeType).toBe('image/avif');
    expect(sniff(ftyp('heic', 'avif')).mimeType).toBeNull();
  });

  test('bytes beyond the box are not read as brands', () => {
    expect(sniff(Buffer.concat([ftyp('mif1', 'miaf'), latin1('avif')])).detected).toBe('HEIF');
  });

  test('a truncated box, and any claimed length, is handled', () => {
    const box = ftyp('mif1', 'miaf', 'avif');
    for (let length = 0; length <= box.length; length += 1) {
      expect(sniff(box.subarray(0, length))).toHaveProperty('detected');
    }
    for (const claim of [0, 1, 7, 0x7fffffff, 0xffffffff]) {
      box.writeUInt32BE(claim);
      expect(sniff(box)).toHaveProperty('detected');
    }
  });
});

describe('what is not kept is named', () => {
  test.each(NOT_PICTURES)('$is', ({ is, bytes }) => {
    expect(sniff(bytes)).toEqual({ mimeType: null, detected: is });
  });

  test('TIFF as sharp writes it', async () => {
    const tiff = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'red' } })
      .tiff()
      .toBuffer();
    expect(sniff(tiff)).toEqual({ mimeType: null, detected: 'TIFF' });
  });

  test.each([
    ['BMP', 'BM\x46\0\0\0\0\0\0\0\x36\0\0\0'],
    ['ICO', '\0\0\x01\0\x01\0'],
    ['JPEG XL', '\xff\x0a\xfa\x1f'],
    ['JPEG XL', '\0\0\0\x0cJXL \r\n\x87\n'],
    ['JPEG 2000', '\0\0\0\x0cjP  \r\n\x87\n'],
    ['PSD', '8BPS\0\x01'],
    ['TIFF', 'MM\0*\0\0\0\x08'],
    [
      'WebM video',
      '\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm',
    ],
    ['Matroska video', '\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01'],
    ['QuickTime video', '\0\0\0\x08wide\0\0\0\x08mdat'],
    ['AVI video', 'RIFF\x24\0\0\0AVI LIST'],
    ['WAV audio', 'RIFF\x24\0\0\0WAVEfmt '],
    ['ZIP archive', 'PK\x03\x04\x14\0'],
    ['ELF executable', '\x7fELF\x02\x01\x01'],
    ['script', '#!/bin/sh\necho hello\n'],
    ['data URL, as text', 'data:image/png;base64,iVBORw0KGgo='],
    ['Base64 text of a PNG', 'iVBORw0KGgoAAAANSUhEUgAA'],
    ['PNG broken by a transfer as text', '\x89PNG\n\x1a\n\0\0\0\rIHDR'],
    ['PNG broken by a transfer as text', '\xef\xbf\xbdPNG\r\n\x1a\n'],
    ['unknown binary data', '\0\x01\x02\x03'],
    ['blank text', ' \n\t\n'],
  ])('%s: %j', (is, text) => {
    expect(sniff(latin1(text))).toEqual({ mimeType: null, detected: is });
  });

  test('compressed bytes', () => {
    expect(sniff(gzipSync('picture')).detected).toBe('gzip archive');
    expect(sniff(deflateSync(Buffer.alloc(64))).detected).toBe('unknown binary data');
  });

  test('no bytes are unknown binary data', () => {
    expect(sniff(Buffer.alloc(0))).toEqual({ mimeType: null, detected: 'unknown binary data' });
  });

  test('JSON is told from text that begins like it', () => {
    expect(sniff(Buffer.from('[1, 2]')).detected).toBe('JSON');
    expect(sniff(Buffer.from(' {}')).detected).toBe('JSON');
    expect(sniff(Buffer.from('[core]\nbare = false')).detected).toBe('plain text');
    expect(sniff(Buffer.from('{draft} a note')).detected).toBe('plain text');
  });

  test('text in UTF-16 or with its last character cut is text', () => {
    expect(sniff(Buffer.from('\ufeffGrüße', 'utf16le')).detected).toBe('plain text');
    expect(sniff(Buffer.from('Grüße 漢').subarray(0, -1)).detected).toBe('plain text');
  });
});

describe('markup is named by its root element', () => {
  const svg = '<svg xmlns="http://www.w3.org/2000/svg"/>';

  test.each([
    ['SVG', svg],
    ['SVG', `\ufeff${svg}`],
    ['SVG', ` \r\n\t${svg}`],
    ['SVG', `<?xml version="1.0" encoding="UTF-8"?>\n${svg}`],
    ['SVG', `\ufeff<?xml version="1.0"?><!-- made by <html> hands --><!-- twice -->\n${svg}`],
    ['SVG', '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "svg11.dtd" [<!ENTITY a "b">]><svg/>'],
    ['SVG', '<?xml-stylesheet href="a.css"?><svg:svg xmlns:svg="http://www.w3.org/2000/svg"/>'],
    ['SVG', '<SVG>'],
    ['SVG', '<svg\nwidth="1">'],
    ['HTML', '<!doctype html><svg/>'],
    ['HTML', `<!-- saved from --><html>${svg}</html>`],
    ['HTML', `<body>${svg}`],
    ['HTML', '<script>alert(1)</script>'],
    ['XML', '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'],
    ['XML', '<rss version="2.0">'],
    ['XML', '<?xml version="1.0"?>'],
    ['plain text', '<3 this picture'],
    ['plain text', '<svg…'],
  ])('%s: %s', (is, text) => {
    expect(sniff(Buffer.from(text))).toEqual({ mimeType: null, detected: is });
  });

  test('a comment longer than SNIFF_BYTES hides the root', () => {
    const text = `<!-- ${'x'.repeat(SNIFF_BYTES)} -->${svg}`;
    expect(sniff(Buffer.from(text))).toEqual({ mimeType: null, detected: 'XML or HTML' });
  });

  test('SVG in UTF-16 is SVG', () => {
    expect(sniff(Buffer.from(`\ufeff${svg}`, 'utf16le')).detected).toBe('SVG');
    expect(sniff(Buffer.from(`\ufeff${svg}`, 'utf16le').swap16()).detected).toBe('SVG');
  });
});
