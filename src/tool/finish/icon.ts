import sharp from 'sharp';
import { parseSize } from '../../provider/models.ts';
import type { Finished } from '../tool.ts';
import { cutOut, type Pixels } from './cut-out.ts';
import { openPicture } from './picture.ts';

/** The side of the copy that is worked upon: enough for any icon, and 4 MiB of pixels. */
const WORK_SIDE = 1024;
/** Left free around the subject, as a part of the icon's side. */
const MARGIN = 0.04;
/** Below this alpha there is nothing to see. */
const FAINT = 8;
const SMALL = 128;

/**
 * Makes an icon: without its background, the subject in the middle and as large as fits, as a PNG of the wanted size and a smaller
 * one of 128. A picture that has transparency keeps it as it is; one that was drawn upon a single colour is cut out; any other keeps
 * its background and its frame.
 */
export async function finishIcon(file: string, size: string): Promise<Finished> {
  const { width, height } = parseSize(size);
  const { data, info } = await (await openPicture(file))
    .resize(WORK_SIDE, WORK_SIDE, { fit: 'inside', withoutEnlargement: true })
    .toColourspace('srgb')
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true });
  const picture = { data, width: info.width, height: info.height };
  const transparent = data.some((alpha, at) => at % 4 === 3 && alpha < 255 - FAINT);
  const background = transparent ? null : cutOut(picture);
  const subject = transparent || background ? subjectOf(picture) : null;

  const draw = (wide: number, high: number): Promise<Buffer> => {
    const source = sharp(data, { raw: { width: info.width, height: info.height, channels: 4 } });
    if (subject === null) {
      return source.resize(wide, high, { fit: 'contain', background: '#0000' }).png().toBuffer();
    }
    const margin = Math.round(Math.min(wide, high) * MARGIN);
    return source
      .extract(subject)
      .resize(Math.max(1, wide - 2 * margin), Math.max(1, high - 2 * margin), {
        fit: 'contain',
        background: '#0000',
      })
      .extend({ top: margin, bottom: margin, left: margin, right: margin, background: '#0000' })
      .png()
      .toBuffer();
  };
  return {
    bytes: await draw(width, height),
    variants: [{ part: String(SMALL), bytes: await draw(SMALL, SMALL) }],
    metadata: {
      transparent: transparent || background !== null,
      ...(background ? { cutOut: `#${Buffer.from(background).toString('hex')}` } : {}),
    },
  };
}

/** The box around what can be seen; null where nothing can. */
function subjectOf({ data, width, height }: Pixels) {
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
