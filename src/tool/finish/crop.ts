/**
 * Which part of a picture is kept when it has to have another shape: the part that the eye goes to (skin, strong colours, detail), as
 * libvips' `attention` finds it. That is no recognition of faces, but of a portrait it keeps the face. It is looked for in a small
 * copy, so that it costs the same for every picture, and said in pixels of the picture itself.
 */
import sharp from 'sharp';
import { measurePicture } from '../../storage/picture/decoder.ts';
import { type Extent, openPicture } from './picture.ts';

export interface Crop {
  /** In pixels of the picture as a browser shows it. */
  readonly crop: Extent & { readonly x: number; readonly y: number };
  /** Where the eye goes to. */
  readonly focus: { readonly x: number; readonly y: number };
}

const COPY_SIDE = 512;

/** The largest part of the picture that has the shape of `wanted`. */
export async function chooseCrop(file: string, wanted: Extent): Promise<Crop> {
  const picture = await measurePicture(file);
  const crop = shapeWithin(picture, wanted);
  const scale = Math.min(1, COPY_SIDE / Math.max(picture.width, picture.height));
  const copy = await (await openPicture(file))
    .resize(side(picture.width * scale), side(picture.height * scale), { fit: 'fill' })
    .flatten()
    .toColourspace('srgb')
    .raw()
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = copy.info;
  const [wide, high] = [side(crop.width * scale), side(crop.height * scale)];
  // Where nothing is to be cut, libvips would not look; a pixel less, and it does.
  const whole = wide === width && high === height;
  const { info } = await sharp(copy.data, { raw: { width, height, channels } })
    .resize(whole ? Math.max(1, wide - 1) : wide, high, { position: sharp.strategy.attention })
    .raw()
    .toBuffer({ resolveWithObject: true });
  const focus = {
    x: clamp(Math.round(((info.attentionX ?? width / 2) / width) * picture.width), 0, picture.width - 1),
    y: clamp(Math.round(((info.attentionY ?? height / 2) / height) * picture.height), 0, picture.height - 1),
  };
  // The place within the copy is rounded to its pixels; a crop around the focus would jump about less, but may cut what is beside it.
  const place = {
    x: Math.round(((-(info.cropOffsetLeft ?? 0) || 0) / width) * picture.width),
    y: Math.round(((-(info.cropOffsetTop ?? 0) || 0) / height) * picture.height),
  };
  return {
    crop: {
      x: clamp(place.x, 0, picture.width - crop.width),
      y: clamp(place.y, 0, picture.height - crop.height),
      ...crop,
    },
    focus,
  };
}

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
