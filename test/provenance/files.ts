/** Makes pictures with embedded texts, EXIF and XMP, as real programs write them. */
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { makePicture, makePngChunk, PNG_SIGNATURE, splitPng } from '../pictures.ts';

export const textChunk = (keyword: string, text: string | Buffer) =>
  makePngChunk('tEXt', Buffer.concat([Buffer.from(`${keyword}\0`), Buffer.from(text as string)]));

export const zippedChunk = (keyword: string, text: string | Buffer) =>
  makePngChunk('zTXt', Buffer.concat([Buffer.from(`${keyword}\0\0`), deflateSync(text)]));

export const internationalChunk = (keyword: string, text: string | Buffer, { zipped = false } = {}) =>
  makePngChunk(
    'iTXt',
    Buffer.concat([
      Buffer.from(`${keyword}\0${zipped ? '\x01' : '\0'}\0en\0${keyword}\0`),
      zipped ? deflateSync(text) : Buffer.from(text as string),
    ]),
  );

/** Makes a PNG with these chunks after its header. */
export async function pngWith(...chunks: Buffer[]): Promise<Buffer> {
  const [header, ...rest] = splitPng(await makePicture());
  return Buffer.concat([
    PNG_SIGNATURE,
    header?.chunk ?? Buffer.alloc(0),
    ...chunks,
    ...rest.map((part) => part.chunk),
  ]);
}

/** Makes a JPEG with these segments after its start marker. */
export async function jpegWith(...segments: { code: number; data: Buffer }[]): Promise<Buffer> {
  const jpeg = await makePicture({ format: 'jpeg' });
  const parts = segments.map(({ code, data }) => {
    const head = Buffer.from([0xff, code, 0, 0]);
    head.writeUInt16BE(data.length + 2, 2);
    return Buffer.concat([head, data]);
  });
  return Buffer.concat([jpeg.subarray(0, 2), ...parts, jpeg.subarray(2)]);
}

/** Makes a TIFF structure with a UserComment, as piexif writes it. */
export function exifWithComment(comment: Buffer, { little = false } = {}): Buffer {
  const tiff = Buffer.alloc(44);
  const short = (value: number, at: number) =>
    little ? tiff.writeUInt16LE(value, at) : tiff.writeUInt16BE(value, at);
  const long = (value: number, at: number) =>
    little ? tiff.writeUInt32LE(value, at) : tiff.writeUInt32BE(value, at);
  tiff.write(little ? 'II' : 'MM', 0);
  short(42, 2);
  long(8, 4);
  short(1, 8);
  short(0x8769, 10);
  short(4, 12);
  long(1, 14);
  long(26, 18);
  short(1, 26);
  short(0x9286, 28);
  short(7, 30);
  long(comment.length, 32);
  long(44, 36);
  return Buffer.concat([tiff, comment]);
}

export const exifSegment = (tiff: Buffer) => ({
  code: 0xe1,
  data: Buffer.concat([Buffer.from('Exif\0\0', 'latin1'), tiff]),
});

export const xmpPacket = (inner: string) =>
  `<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">${inner}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>`;

/** Makes a picture with EXIF and XMP, written by sharp. */
export async function withExifAndXmp(format: 'png' | 'jpeg' | 'webp' | 'avif', xmp: string): Promise<Buffer> {
  return sharp(await makePicture())
    .toFormat(format, { effort: 1 } as never)
    .withExif({
      IFD0: { Make: 'Nikon', Model: 'Nikon Z6', Software: 'Firmware 2', ImageDescription: 'a lake' },
      IFD2: { DateTimeOriginal: '2024:05:06 07:08:09', OffsetTimeOriginal: '+02:00' },
    })
    .withXmp(xmp)
    .toBuffer();
}
