import sharp from 'sharp';
import { parseSize } from '../../provider/models.ts';
import type { Finished } from '../tool.ts';
import { cutOut, type Pixels } from './cut-out.ts';
import { type Extent, openPictureToFinish } from './open-picture.ts';

/** Longest side of the working copy, in pixels. Its pixels take at most 4 MiB. */
const WORK_SIDE = 1024;
/** Free space around the subject, as a part of the icon's shorter side. */
const MARGIN = 0.04;
/** Largest difference of alpha, of 255, that cannot be seen. */
const FAINT = 8;
/** Side of the small version, in pixels. */
const SMALL_SIDE = 128;

/**
 * Makes an icon: a PNG of `size` and a small one of 128 pixels. The subject is centred and as large as fits.
 *
 * | picture | background of the icon |
 * |---|---|
 * | has transparency | unchanged |
 * | on a single colour | removed |
 * | any other | kept; the picture is not cropped to its subject |
 */
export async function finishIcon(file: string, size: string): Promise<Finished> {
  const { width, height } = parseSize(size);
  const { data, info } = await (await openPictureToFinish(file))
    .resize(WORK_SIDE, WORK_SIDE, { fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const picture = { data, width: info.width, height: info.height };
  const wasTransparent = data.some((alpha, at) => at % 4 === 3 && alpha < 255 - FAINT);
  const background = wasTransparent ? null : cutOut(picture);
  const subject = wasTransparent || background ? subjectOf(picture) : null;
  return {
    bytes: await drawIcon(picture, subject, { width, height }),
    variants: [
      {
        part: String(SMALL_SIDE),
        bytes: await drawIcon(picture, subject, { width: SMALL_SIDE, height: SMALL_SIDE }),
      },
    ],
    metadata: {
      transparent: wasTransparent || background !== null,
      ...(background ? { cutOut: `#${Buffer.from(background).toString('hex')}` } : {}),
    },
  };
}

interface Box extends Extent {
  readonly left: number;
  readonly top: number;
}

/** @param subject area to show; null: the whole picture, without a margin */
function drawIcon(picture: Pixels, subject: Box | null, { width, height }: Extent): Promise<Buffer> {
  const source = sharp(picture.data, {
    raw: { width: picture.width, height: picture.height, channels: 4 },
  });
  const fit = { fit: 'contain', background: '#0000' } as const;
  if (subject === null) return source.resize(width, height, fit).png().toBuffer();
  const margin = Math.round(Math.min(width, height) * MARGIN);
  return source
    .extract(subject)
    .resize(Math.max(1, width - 2 * margin), Math.max(1, height - 2 * margin), fit)
    .extend({ top: margin, bottom: margin, left: margin, right: margin, background: '#0000' })
    .png()
    .toBuffer();
}

/** Returns the box around all visible pixels; null when there are none. */
function subjectOf({ data, width, height }: Pixels): Box | null {
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if ((data[(y * width + x) * 4 + 3] ?? 0) <= FAINT) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = y;
    }
  }
  return right < left ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}
