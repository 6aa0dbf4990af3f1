/**
 * The only module that opens pictures with sharp. It shows them as browsers do: upright, the first frame,
 * the whole canvas.
 *
 * libvips differs from browsers in two cases:
 * - GIF. If the header says 640 × 480, 800 × 600 and the like, libvips takes the size from the frames
 *   (libnsgif, `nsgif__parse_logical_screen`). It paints black what no frame covers. Here the canvas has the
 *   size in the header, enlarged if the first frame is outside of it, and the rest is transparent. Wuffs,
 *   the decoder of Chromium, does the same (`QUIRK_IMAGE_BOUNDS_ARE_STRICT` in its documentation).
 * - JPEG with a gain map (Ultra HDR). libvips has a separate loader, which fails for grey pictures unless
 *   they are scaled down by more than two. That loader is blocked in the whole process. The picture without
 *   the gain map is what displays without HDR show.
 */
import { open } from 'node:fs/promises';
import sharp, { type Sharp, type SharpOptions } from 'sharp';
import type { RandomReader } from '../files/local-file.ts';
import { type GifLayout, readGifLayout } from './containers/gif.ts';
import { Pieces } from './containers/pieces.ts';

sharp.block({ operation: ['VipsForeignLoadUhdr'] });
// libvips would keep files open and pixels in memory for the next read of a path. A path that is read again
// has other bytes.
sharp.cache(false);

export interface Measured {
  /** As sharp calls it; `heif` is AVIF. */
  readonly format: string;
  /** In pixels, as a browser shows it: after the orientation that EXIF (or AVIF's irot) asks for. */
  readonly width: number;
  readonly height: number;
  /**
   * In pixels, what the decoder has to hold: rows as they are stored, and for GIF the larger of its canvas
   * and ours.
   */
  readonly stored: { readonly width: number; readonly height: number };
  readonly frames: number;
  readonly hasAlpha: boolean;
}

export interface OpenOptions {
  /** Most pixels of one frame. */
  readonly maxPixels: number;
  /** Decodes from top to bottom without random access, in less memory. Default false. */
  readonly sequentialRead?: boolean;
}

/**
 * Reads the header and decodes nothing.
 * @param source path of a file that no process writes to, or all bytes of it
 * @throws the error of sharp
 */
export async function measurePicture(source: string | Uint8Array): Promise<Measured> {
  const header = await sharp(source, { limitInputPixels: false, failOn: 'none' }).metadata();
  const { format, hasAlpha, pages: frames = 1 } = header;
  const layout = format === 'gif' ? await layoutOf(source) : null;
  if (layout === null) return { format, ...header.autoOrient, stored: header, frames, hasAlpha };
  const { width, height } = layout;
  const stored = { width: Math.max(width, header.width), height: Math.max(height, header.height) };
  return { format, width, height, stored, frames, hasAlpha: hasAlpha || !covers(layout) };
}

/**
 * Opens a picture to work on.
 * @param source as for {@link measurePicture}
 * @throws the error of sharp, now for some pictures and for others when the result is asked for
 */
export async function openPicture(source: string | Uint8Array, options: OpenOptions): Promise<Sharp> {
  const { maxPixels, sequentialRead = false } = options;
  // Not 'warning': it refuses pictures that every viewer shows, for a stray byte in a JPEG or a wrong colour
  // profile.
  const asked: SharpOptions = { limitInputPixels: maxPixels, failOn: 'error', sequentialRead, pages: 1 };
  const layout = await layoutOf(source);
  if (layout !== null) {
    const { width, height } = await sharp(source, { ...asked, limitInputPixels: false }).metadata();
    if (!covers(layout) || width !== layout.width || height !== layout.height) {
      return openCanvas(source, layout, asked);
    }
  }
  return sharp(source, asked).autoOrient();
}

function covers({ width, height, frame }: GifLayout): boolean {
  return frame.left === 0 && frame.top === 0 && frame.width >= width && frame.height >= height;
}

/**
 * The frame in its place on the canvas. sharp extends a picture after it has scaled it, so this is a step of
 * its own, in memory.
 */
async function openCanvas(
  source: string | Uint8Array,
  { width, height, frame }: GifLayout,
  asked: SharpOptions,
): Promise<Sharp> {
  const transparent = { r: 0, g: 0, b: 0, alpha: 0 };
  if (frame.width === 0 || frame.height === 0)
    return sharp({ create: { width, height, channels: 4, background: transparent } });
  const { data, info } = await sharp(source, asked)
    .extract(frame)
    .toColourspace('srgb')
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const canvas = await sharp(data, { raw: { width: info.width, height: info.height, channels: 4 } })
    .extend({
      left: frame.left,
      top: frame.top,
      right: width - frame.left - frame.width,
      bottom: height - frame.top - frame.height,
      background: transparent,
    })
    .raw()
    .toBuffer();
  return sharp(canvas, {
    raw: { width, height, channels: 4 },
    ...(asked.limitInputPixels === undefined ? {} : { limitInputPixels: asked.limitInputPixels }),
  });
}

/** null for what is no GIF, or none that can be read. */
async function layoutOf(source: string | Uint8Array): Promise<GifLayout | null> {
  if (typeof source !== 'string') return readLayout(readerOf(source), source.length);
  const file = await open(source);
  try {
    return await readLayout(file, (await file.stat()).size);
  } finally {
    await file.close();
  }
}

async function readLayout(reader: RandomReader, bytes: number): Promise<GifLayout | null> {
  const head = Buffer.alloc(4);
  await reader.read(head, 0, 4, 0);
  if (head.toString('latin1') !== 'GIF8') return null;
  const pieces = new Pieces({ reader, bytes }, 'GIF');
  try {
    const layout = await readGifLayout(pieces);
    return layout !== null && layout.width > 0 && layout.height > 0 ? layout : null;
  } finally {
    pieces.close();
  }
}

function readerOf(source: Uint8Array): RandomReader {
  const all = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  return {
    read: async (buffer, offset, length, position) => ({
      bytesRead: all.copy(buffer, offset, position, position + length),
    }),
  };
}
