/**
 * Chooses the part of a picture to keep in another shape. libvips' strategy `attention` finds the focus:
 * skin, strong colours, detail. It does not recognise faces, but it keeps the face of a portrait. It runs on
 * a small copy, so that large pictures cost no more.
 */
import sharp from 'sharp';
import { measurePicture } from '../../storage/picture/decoder.ts';
import { type Extent, openPictureToFinish } from './open-picture.ts';

export interface Crop {
  /** Area to keep, in pixels of the picture as a browser shows it. */
  readonly crop: Extent & { readonly x: number; readonly y: number };
  /** Point that draws most attention, in the same pixels. */
  readonly focus: { readonly x: number; readonly y: number };
}

/** Longest side of the small copy, in pixels. */
const COPY_SIDE = 512;

/** Chooses the largest area with the shape of `wanted`. */
export async function chooseCrop(file: string, wanted: Extent): Promise<Crop> {
  const picture = await measurePicture(file);
  const crop = shapeWithin(picture, wanted);
  const scale = Math.min(1, COPY_SIDE / Math.max(picture.width, picture.height));
  const copy = await (await openPictureToFinish(file))
    .resize(side(picture.width * scale), side(picture.height * scale), { fit: 'fill' })
    .flatten()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = copy.info;
  const [wide, high] = [side(crop.width * scale), side(crop.height * scale)];
  // libvips finds no focus when nothing is cut. One pixel less makes it do so.
  const whole = wide === width && high === height;
  const { info } = await sharp(copy.data, { raw: { width, height, channels } })
    .resize(whole ? Math.max(1, wide - 1) : wide, high, { position: sharp.strategy.attention })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const focus = {
    x: clamp(Math.round(((info.attentionX ?? width / 2) / width) * picture.width), 0, picture.width - 1),
    y: clamp(Math.round(((info.attentionY ?? height / 2) / height) * picture.height), 0, picture.height - 1),
  };
  // libvips' area is rounded to pixels of the copy. An area around the focus would be more exact, but could
  // cut off what is beside it.
  const corner = {
    x: Math.round(((-(info.cropOffsetLeft ?? 0) || 0) / width) * picture.width),
    y: Math.round(((-(info.cropOffsetTop ?? 0) || 0) / height) * picture.height),
  };
  return {
    crop: {
      x: clamp(corner.x, 0, picture.width - crop.width),
      y: clamp(corner.y, 0, picture.height - crop.height),
      ...crop,
    },
    focus,
  };
}

/** Returns the largest size within the picture that has the shape of `wanted`. */
function shapeWithin(picture: Extent, wanted: Extent): Extent {
  const scale = Math.min(picture.width / wanted.width, picture.height / wanted.height);
  return {
    width: Math.min(picture.width, side(wanted.width * scale)),
    height: Math.min(picture.height, side(wanted.height * scale)),
  };
}

function side(pixels: number): number {
  return Math.max(1, Math.round(pixels));
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
