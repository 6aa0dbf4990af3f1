/** Bytes at the start of a file that `typeOf` reads. */
export const HEAD_BYTES = 256;

const SIGNATURES: readonly (readonly [name: string, offset: number, text: string])[] = [
  ['PNG', 0, '\x89PNG\r\n\x1a\n'],
  ['JPEG', 0, '\xff\xd8\xff'],
  ['WebP', 8, 'WEBP'],
  ['GIF', 0, 'GIF8'],
  ['PDF', 0, '%PDF'],
  ['ZIP', 0, 'PK\x03\x04'],
  ['TIFF', 0, 'II*\0'],
  ['TIFF', 0, 'MM\0*'],
  ['BMP', 0, 'BM'],
  ['JPEG XL', 0, '\xff\x0a'],
  ['SVG', 0, '<svg'],
  ['SVG', 0, '<?xml'],
];

const SUPPORTED: readonly string[] = ['PNG', 'JPEG', 'WebP', 'GIF', 'AVIF'];

/** Type of a file by its first bytes; null: unknown. The server decides; this only saves a vain upload. */
export function typeOf(head: Uint8Array): { readonly name: string; readonly isSupported: boolean } | null {
  const text = Array.from(head, (byte) => String.fromCharCode(byte)).join('');
  const signature = SIGNATURES.find(([, offset, part]) => text.startsWith(part, offset));
  const name = signature?.[0] ?? brandOf(text);
  return name === null ? null : { name, isSupported: SUPPORTED.includes(name) };
}

/** Brands of ISO media files; the first that the file lists decides. */
function brandOf(text: string): string | null {
  if (!text.startsWith('ftyp', 4)) return null;
  const brands = text.slice(8);
  if (/avif|avis/.test(brands)) return 'AVIF';
  if (/hei[cxms]|hev[cxms]|mif1/.test(brands)) return 'HEIC';
  return 'video';
}
