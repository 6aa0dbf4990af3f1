/**
 * Names the type of bytes by their content alone. The name and the declared type of a file are ignored
 * (promise 7): a PNG called `photo.txt` is a PNG, and a web page called `photo.png` is a web page.
 *
 * Guarantees: the answer follows from the first bytes only, takes the same short time for every input, and is
 * never a decoder's opinion. `mimeType` is set for exactly the types of SUPPORTED_TYPES; everything else is
 * named as well as it can be, for the message that refuses it. It trusts nothing and proves little: a file
 * that begins as a PNG may still be cut short (storage/picture/container-check.ts) or hold nothing that
 * decodes (picture.ts).
 *
 * Follows the WHATWG MIME Sniffing Standard, https://mimesniff.spec.whatwg.org/, for pictures, text and
 * binary; brands of ISO media files are those of AVIF, https://aomediacodec.github.io/av1-avif/#brands, and
 * of the MP4 registration authority, https://mp4ra.org/registered-types/brands. SVG is refused on purpose: it
 * is a program for the viewer, not a picture.
 */

/** Each supported type, with the extension of its files. */
export const SUPPORTED_TYPES = {
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/webp': 'webp',
  'image/gif': 'gif',
  'image/avif': 'avif',
} as const;

export type PictureType = keyof typeof SUPPORTED_TYPES;

/** Each type as a person calls it. */
export const TYPE_NAMES: Readonly<Record<PictureType, string>> = {
  'image/png': 'PNG',
  'image/jpeg': 'JPEG',
  'image/webp': 'WebP',
  'image/gif': 'GIF',
  'image/avif': 'AVIF',
};

/** Bytes at the start of a file that `sniff` reads. */
export const SNIFF_BYTES = 4 * 1024;

export type Sniffed =
  | {
      readonly mimeType: PictureType;
      readonly extension: (typeof SUPPORTED_TYPES)[PictureType];
      readonly detected: string;
    }
  | { readonly mimeType: null; readonly detected: string };

/**
 * Names the content that begins with `head`.
 *
 * @param head the first bytes of the file: SNIFF_BYTES of them, or all where there are fewer
 * @returns the type and extension of a picture that is kept, or `mimeType: null`; `detected` names the
 *   content either way. Nothing is thrown.
 */
export function sniff(head: Uint8Array): Sniffed {
  const bytes = Buffer.from(head.buffer, head.byteOffset, Math.min(head.byteLength, SNIFF_BYTES));
  const latin1 = bytes.toString('latin1');
  const detected = bySignature(latin1) ?? byBrand(bytes, latin1) ?? byText(bytes) ?? 'unknown binary data';
  if (!isPictureType(detected)) return { mimeType: null, detected };
  return { mimeType: detected, extension: SUPPORTED_TYPES[detected], detected: TYPE_NAMES[detected] };
}

function isPictureType(name: string): name is PictureType {
  return Object.hasOwn(SUPPORTED_TYPES, name);
}

/**
 * Type of a file that has each of `parts` at its offset: a supported type, or the name of another. The first
 * row that matches wins, so a row with more parts comes before a row with fewer.
 */
type Signature = readonly [is: PictureType | (string & {}), ...parts: readonly (readonly [number, string])[]];

const SIGNATURES: readonly Signature[] = [
  ['image/png', [0, '\x89PNG\r\n\x1a\n']],
  ['image/jpeg', [0, '\xff\xd8\xff']],
  ['image/webp', [0, 'RIFF'], [8, 'WEBP']],
  ['image/gif', [0, 'GIF87a']],
  ['image/gif', [0, 'GIF89a']],
  // The signature of PNG is made so that a transfer as text breaks it:
  // https://www.w3.org/TR/png-3/#5PNG-file-signature
  ['PNG broken by a transfer as text', [0, '\x89PNG']],
  ['PNG broken by a transfer as text', [0, '\xef\xbf\xbdPNG']],
  ['JPEG XL', [0, '\xff\x0a']],
  ['JPEG XL', [0, '\0\0\0\x0cJXL \r\n\x87\n']],
  ['JPEG 2000', [0, '\0\0\0\x0cjP  \r\n\x87\n']],
  ['JPEG 2000', [0, '\xff\x4f\xff\x51']],
  ['TIFF', [0, 'II*\0']],
  ['TIFF', [0, 'MM\0*']],
  ['TIFF', [0, 'II+\0\x08\0']],
  ['TIFF', [0, 'MM\0+\0\x08']],
  ['BMP', [0, 'BM'], [6, '\0\0\0\0']],
  ['ICO', [0, '\0\0\x01\0']],
  ['CUR', [0, '\0\0\x02\0']],
  ['PSD', [0, '8BPS']],
  ['OpenEXR', [0, 'v/1\x01']],
  ['QOI', [0, 'qoif']],
  ['DDS', [0, 'DDS \x7c\0\0\0']],
  ['Radiance HDR', [0, '#?RADIANCE']],
  ['PDF', [0, '%PDF-']],
  ['PostScript', [0, '%!PS']],
  ['WebM video', [0, '\x1a\x45\xdf\xa3'], [24, 'webm']],
  ['WebM video', [0, '\x1a\x45\xdf\xa3'], [31, 'webm']],
  ['Matroska video', [0, '\x1a\x45\xdf\xa3']],
  ['AVI video', [0, 'RIFF'], [8, 'AVI ']],
  ['WAV audio', [0, 'RIFF'], [8, 'WAVE']],
  ['QuickTime video', [4, 'moov']],
  ['QuickTime video', [4, 'mdat']],
  ['QuickTime video', [4, 'wide']],
  ['Ogg audio or video', [0, 'OggS']],
  ['MP3 audio', [0, 'ID3']],
  ['FLAC audio', [0, 'fLaC']],
  ['ZIP archive', [0, 'PK\x03\x04']],
  ['ZIP archive', [0, 'PK\x05\x06']],
  ['gzip archive', [0, '\x1f\x8b']],
  ['bzip2 archive', [0, 'BZh'], [4, '1AY&SY']],
  ['xz archive', [0, '\xfd7zXZ\0']],
  ['Zstandard archive', [0, '\x28\xb5\x2f\xfd']],
  ['7-Zip archive', [0, '7z\xbc\xaf\x27\x1c']],
  ['RAR archive', [0, 'Rar!\x1a\x07']],
  ['tar archive', [257, 'ustar']],
  ['ELF executable', [0, '\x7fELF']],
  ['Windows executable', [0, 'MZ'], [3, '\0']],
  ['WebAssembly', [0, '\0asm']],
  ['SQLite database', [0, 'SQLite format 3\0']],
  ['script', [0, '#!']],
  // Text that a program sends when it forgot to decode a provider's answer.
  ['data URL, as text', [0, 'data:']],
  ['Base64 text of a PNG', [0, 'iVBORw0KGgo']],
  ['Base64 text of a JPEG', [0, '/9j/']],
  ['Base64 text of a GIF', [0, 'R0lGODdh']],
  ['Base64 text of a GIF', [0, 'R0lGODlh']],
  ['Base64 text of a WebP', [0, 'UklGR']],
];

function bySignature(latin1: string): string | null {
  const found = SIGNATURES.find(([, ...parts]) => parts.every(([at, bytes]) => latin1.startsWith(bytes, at)));
  return found?.[0] ?? null;
}

/** ISO media files by their major brand. A brand that is not here is video of some kind. */
const BRANDS: Readonly<Record<string, PictureType | (string & {})>> = {
  avif: 'image/avif',
  // sharp 0.35 (libvips 8.18) opens no file of this major brand, even where a still picture is in it.
  avis: 'AVIF image sequence',
  heic: 'HEIC',
  heix: 'HEIC',
  heim: 'HEIC',
  heis: 'HEIC',
  hevc: 'HEIC',
  hevx: 'HEIC',
  hevm: 'HEIC',
  hevs: 'HEIC',
  mif1: 'HEIF',
  mif2: 'HEIF',
  msf1: 'HEIF',
  miaf: 'HEIF',
  avci: 'HEIF',
  avcs: 'HEIF',
  'jp2 ': 'JPEG 2000',
  'jpx ': 'JPEG 2000',
  'crx ': 'Canon raw picture',
  'qt  ': 'QuickTime video',
  'M4A ': 'MP4 audio',
  'M4B ': 'MP4 audio',
};

/** The major brands that say only "some pictures", so that the compatible brands must say which. */
const GENERIC_BRANDS = new Set(['mif1', 'msf1']);

function byBrand(bytes: Buffer, latin1: string): string | null {
  if (!latin1.startsWith('ftyp', 4) || bytes.length < 12) return null;
  const major = latin1.slice(8, 12);
  const name = BRANDS[major] ?? 'MP4 video';
  if (!GENERIC_BRANDS.has(major)) return name;

  // Where both are named, the file may hold either and the decoder chooses the one that we do not keep: so
  // HEIC wins.
  const end = Math.min(bytes.readUInt32BE(0), bytes.length);
  let compatible = name;
  for (let at = 16; at + 4 <= end; at += 4) {
    const other = BRANDS[latin1.slice(at, at + 4)];
    if (other === 'HEIC') return other;
    if (other === 'image/avif') compatible = other;
  }
  return compatible;
}

function byText(bytes: Buffer): string | null {
  const encoding = encodingOf(bytes);
  if (encoding === null) return null;
  // `stream` lets the last character be cut; `ignoreBOM: false` takes the mark away.
  const text = new TextDecoder(encoding).decode(bytes, { stream: true }).trimStart();
  if (text.startsWith('<')) return nameMarkup(text) ?? 'plain text';
  if (/^(\{\s*("|\})|\[\s*([{["\d-]|\]|true|false|null))/.test(text)) return 'JSON';
  return text === '' ? 'blank text' : 'plain text';
}

/** Null for what is no text: https://mimesniff.spec.whatwg.org/#binary-data-byte */
function encodingOf(bytes: Buffer): string | null {
  if (bytes.length === 0) return null;
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return bytes.some(isBinary) ? null : 'utf-8';
}

function isBinary(byte: number): boolean {
  return byte <= 0x08 || byte === 0x0b || (byte >= 0x0e && byte <= 0x1a) || (byte >= 0x1c && byte <= 0x1f);
}

const HTML_ELEMENTS = new Set(
  'html head body title meta link style script iframe div p span a b br h1 table img font center'.split(' '),
);

/**
 * SVG, HTML or XML, by the doctype or the first element that stands behind comments and processing
 * instructions. It reads as far as a parser would to find the root element and not as a parser, since nothing
 * is decided by it but a name.
 */
function nameMarkup(text: string): string | null {
  let rest = text;
  for (;;) {
    rest = rest.trimStart();
    const prologue = rest.startsWith('<!--') ? '-->' : rest.startsWith('<?') ? '?>' : null;
    if (prologue === null) break;
    const end = rest.indexOf(prologue);
    if (end === -1) return 'XML or HTML';
    rest = rest.slice(end + prologue.length);
  }
  const root =
    /^<!doctype\s+(?:[\w.-]+:)?([\w.-]+)/i.exec(rest)?.[1] ??
    /^<(?:[\w.-]+:)?([a-z][\w.-]*)(?=[\s/>]|$)/i.exec(rest)?.[1];
  const element = root?.toLowerCase();
  if (element === 'svg') return 'SVG';
  if (element !== undefined && HTML_ELEMENTS.has(element)) return 'HTML';
  return element !== undefined || text.startsWith('<?xml') ? 'XML' : null;
}
