/**
 * The only place that decides whether a file is a supported picture, and the only one that decodes uploads.
 * It returns type, size and thumbhash, all read from the content.
 *
 * Guarantees, in this order; each step sees only files that have passed the one before:
 * 1. The first bytes are of a supported type (sniff.ts). Nothing else is ever given to sharp, so none of its
 *    other loaders, SVG above all, meets bytes from outside. They are not blocked for the process, since the
 *    sample provider draws with SVG.
 * 2. The container is whole to its end (storage/picture/container-check.ts), so the decoder never meets a
 *    file that is cut.
 * 3. The header claims at most `maxPixels` over all frames, and `maxSide` on each side. It is read without
 *    decoding: a decompression bomb costs nothing.
 * 4. The first frame decodes in time. The later frames of an animation are proven by their container alone.
 *
 * At most `concurrency` pictures are in the decoder at a time, at most `maxWaiting` wait in their order. A
 * decoder may hold all pixels of a picture at once (measured: 5 bytes for each in GIF, 6 in progressive
 * JPEG, 9 in interlaced PNG, 25 in AVIF of twelve bits), so the two limits together bound the memory.
 *
 * Assumptions: this server chose the path (libvips reads options out of a name that ends in `[…]`), and no
 * process writes to the file meanwhile.
 */
import { rgbaToThumbHash } from 'thumbhash';
import { FixativeError, OverloadedError, TooLargeError, UnsupportedTypeError } from '../../errors.ts';
import type { LocalFile, RandomReader } from '../files/local-file.ts';
import { makeGate } from '../gate.ts';
import { proveWhole } from './container-check.ts';
import { measurePicture, openPicture } from './decoder.ts';
import {
  type PictureType,
  SNIFF_BYTES,
  type Sniffed,
  type SUPPORTED_TYPES,
  sniff,
  TYPE_NAMES,
} from './sniff.ts';

export interface Picture {
  readonly mimeType: PictureType;
  /** Without a dot. */
  readonly extension: (typeof SUPPORTED_TYPES)[PictureType];
  /**
   * In pixels, as a browser shows it: of one frame, after the orientation that EXIF (or AVIF's irot) asks
   * for.
   */
  readonly width: number;
  readonly height: number;
  /** A ThumbHash, https://evanw.github.io/thumbhash/, some 25 bytes in Base64. */
  readonly thumbhash: string;
}

/**
 * Reads type, size and thumbhash of the picture in a file, and proves that it is whole.
 *
 * @throws FixativeError EMPTY_FILE where there are no bytes
 * @throws UnsupportedTypeError where the content is of no supported type, with what was detected
 * @throws TooLargeError in pixels, counting all frames; in frames where there are more than MAX_FRAMES of
 *   them
 * @throws TooLargeError in seconds where it takes too long to decode
 * @throws OverloadedError where too many wait already
 * @throws FixativeError DAMAGED_IMAGE where it is cut, corrupt or cannot be decoded
 * @throws the error of the file system, as it is, where the file cannot be read
 */
export type ReadPicture = (file: LocalFile) => Promise<Picture>;

export interface PictureLimits {
  /** Most pixels of a side, because a row is decoded whole. Default: 65,535. */
  readonly maxSide?: number;
  /** Most pictures that may wait for the decoder. Default: 100. */
  readonly maxWaiting?: number;
  /** Timeout of the decoder for one picture. Default: 60. */
  readonly timeoutSeconds?: number;
  /** Most pixels of a picture: width × height × frames. */
  readonly maxPixels: number;
  /**
   * Pictures in the decoder at a time. It runs on libuv's threads, which the file system needs too. Default:
   * 2.
   */
  readonly concurrency?: number;
}

export function makePictureReader(limits: PictureLimits): ReadPicture {
  const { maxPixels, concurrency = 2, maxSide = 65_535, maxWaiting = 100, timeoutSeconds = 60 } = limits;
  const inTurn = makeGate(concurrency, {
    maxWaiting,
    refuse(waiting) {
      throw new OverloadedError(
        `Too many pictures wait to be decoded (${waiting}; MAX_DECODES_WAITING). Try again in a moment.`,
        DECODE_RETRY_SECONDS,
      );
    },
  });

  return async function readPicture(file) {
    const { mimeType, extension } = await recognise(file);
    await proveWhole(file, mimeType);
    return inTurn(async () => {
      const { path } = file;
      const { width, height } = await measure(path, mimeType, { maxPixels, maxSide });
      const thumbhash = await hashThumb(path, mimeType, { maxPixels, timeoutSeconds });
      return { mimeType, extension, width, height, thumbhash };
    });
  };
}

type Recognised = Exclude<Sniffed, { mimeType: null }>;

async function recognise({ reader }: LocalFile): Promise<Recognised> {
  const sniffed = sniff(await readHead(reader));
  if (sniffed.mimeType !== null) return sniffed;
  const names = Object.values(TYPE_NAMES);
  const allowed = `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
  throw new UnsupportedTypeError(
    `The content is not a picture of a supported type (detected: ${sniffed.detected}). Send it as ${allowed}.`,
    sniffed.detected,
  );
}

async function readHead(reader: RandomReader): Promise<Uint8Array> {
  const head = Buffer.alloc(SNIFF_BYTES);
  let filled = 0;
  while (filled < head.length) {
    const { bytesRead } = await reader.read(head, filled, head.length - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  if (filled === 0) throw new FixativeError('EMPTY_FILE', 'The file has no bytes. Send the picture itself.');
  return head.subarray(0, filled);
}

/** sharp's name for each type. It treats AVIF as one kind of HEIF. */
const SHARP_FORMATS: Readonly<Record<PictureType, string>> = {
  'image/png': 'png',
  'image/jpeg': 'jpeg',
  'image/webp': 'webp',
  'image/gif': 'gif',
  'image/avif': 'heif',
};

/** Reads the header; decodes nothing, so the refusal can name the size. */
async function measure(
  path: string,
  mimeType: PictureType,
  { maxPixels, maxSide }: { maxPixels: number; maxSide: number },
): Promise<{ width: number; height: number }> {
  const { format, width, height, stored, frames } = await measurePicture(path).catch((cause: unknown) => {
    throw damaged(mimeType, 'its container is whole, but its header cannot be read', cause);
  });
  if (format !== SHARP_FORMATS[mimeType]) throw damaged(mimeType, `the decoder takes it for ${format}`);
  const side = Math.max(stored.width, stored.height);
  if (side > maxSide) {
    throw new TooLargeError(
      `The picture is ${stored.width} × ${stored.height} pixels large; a side can have up to ${maxSide} (MAX_IMAGE_SIDE). Send a smaller one.`,
      { limit: maxSide, actual: side, unit: 'pixels' },
    );
  }
  const pixels = stored.width * stored.height * frames;
  if (pixels > maxPixels) {
    const size = `${frames > 1 ? `${frames} frames of ` : ''}${stored.width} × ${stored.height} pixels`;
    throw new TooLargeError(
      `The picture has ${size}, ${pixels} in all; the limit is ${maxPixels}. Send a smaller one.`,
      { limit: maxPixels, actual: pixels, unit: 'pixels' },
    );
  }
  return { width, height };
}

const DECODE_RETRY_SECONDS = 5;

/**
 * ThumbHash takes up to 100; it keeps seven waves across at most, and its own work grows with the pixels.
 */
const THUMB_PIXELS = 32;

/**
 * Decodes the first frame, all of it, though only a thumbnail is kept: this is also the proof that there are
 * pixels.
 */
async function hashThumb(
  path: string,
  mimeType: PictureType,
  { maxPixels, timeoutSeconds }: { maxPixels: number; timeoutSeconds: number },
): Promise<string> {
  const thumb = await openPicture(path, { maxPixels, sequentialRead: true })
    .then((picture) =>
      picture
        .resize(THUMB_PIXELS, THUMB_PIXELS, { fit: 'inside', withoutEnlargement: true })
        .ensureAlpha()
        .raw()
        .timeout({ seconds: timeoutSeconds })
        .toBuffer({ resolveWithObject: true }),
    )
    .catch((cause: unknown) => {
      if (/\btimeout\b/.test(String((cause as Error).message))) {
        throw new TooLargeError(
          `The ${TYPE_NAMES[mimeType]} takes longer than ${timeoutSeconds} s to decode (DECODE_TIMEOUT_SECONDS). Send a simpler one.`,
          { limit: timeoutSeconds, unit: 'seconds' },
          { cause },
        );
      }
      throw damaged(mimeType, 'its container is whole, but its pixels cannot be decoded', cause);
    });
  const hash = rgbaToThumbHash(thumb.info.width, thumb.info.height, thumb.data);
  return Buffer.from(hash).toString('base64');
}

/**
 * Makes the error of a damaged picture. The message of sharp stays in `cause`, because it names our own
 * paths, and often says only "Unknown error".
 */
function damaged(mimeType: PictureType, how: string, cause?: unknown): FixativeError {
  const message = `The ${TYPE_NAMES[mimeType]} is damaged: ${how}.`;
  return new FixativeError('DAMAGED_IMAGE', message, cause === undefined ? {} : { cause });
}
