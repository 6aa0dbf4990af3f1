import { InputError } from '../errors.ts';
import { parseSize } from '../provider/models.ts';
import type { Model } from '../provider/provider.ts';
import type { Tool } from './tool.ts';

/** Limits of a side of images that this server finishes or draws, in pixels. */
export const MIN_SIDE = 16;
export const MAX_SIDE = 4096;

/** Returns the range of sides of images that this server finishes or draws; null: the model decides. */
export function sizeRangeOf({ finish, plan }: Tool): { minSide: number; maxSide: number } | null {
  return finish !== null || plan === 'chart' ? { minSide: MIN_SIDE, maxSide: MAX_SIDE } : null;
}

/**
 * Returns the size of the finished image: the client's, or the tool's default; null: the model decides.
 * @throws InputError INVALID_INPUT when the size is malformed or the tool cannot make it
 */
export function wantedSize(tool: Tool, requested: string | null | undefined): string | null {
  const size = requested ?? tool.defaultSize;
  if (size === null) return null;
  const { width, height } = parseSize(size);
  const path = ['input', 'size'];
  if (tool.square && width !== height) {
    throw new InputError(
      'INVALID_INPUT',
      `The tool ${tool.name} makes square images only, not ${size}. Give two equal sides.`,
      { path },
    );
  }
  if (
    sizeRangeOf(tool) !== null &&
    (Math.min(width, height) < MIN_SIDE || Math.max(width, height) > MAX_SIDE)
  ) {
    throw new InputError(
      'INVALID_INPUT',
      `The tool ${tool.name} makes images with sides from ${MIN_SIDE} to ${MAX_SIDE} pixels, not ${size.slice(0, 40)}.`,
      { path },
    );
  }
  return size;
}

/**
 * Chooses the size to request from a model, so that `wanted` can be cropped and scaled from it:
 * - `wanted` itself, when the model offers it
 * - otherwise, of the sizes with the nearest shape, the smallest that need not be enlarged
 * - otherwise the largest of that shape
 */
export function chooseSize(model: Model, wanted: string): string {
  const target = parseSize(wanted);
  const { sizes } = model;
  if ('minSide' in sizes) {
    // Both sides are scaled equally, so that the shape stays. A shape that is too long for the bounds is
    // shortened.
    const up = Math.max(1, sizes.minSide / Math.min(target.width, target.height));
    const scale = up * Math.min(1, sizes.maxSide / (Math.max(target.width, target.height) * up));
    const within = (pixels: number): number =>
      Math.min(sizes.maxSide, Math.max(sizes.minSide, Math.round(pixels * scale)));
    return `${within(target.width)}x${within(target.height)}`;
  }
  if (sizes.includes(wanted)) return wanted;
  const offers = sizes.map((size) => ({ size, ...parseSize(size) }));
  const shapeDistance = (offer: { width: number; height: number }): number =>
    Math.abs(Math.log(offer.width / offer.height / (target.width / target.height)));
  const nearest = Math.min(...offers.map(shapeDistance));
  // The tolerance ignores differences of a pixel.
  const sameShape = offers
    .filter((offer) => shapeDistance(offer) <= nearest + 0.01)
    .sort((a, b) => a.width * a.height - b.width * b.height);
  const largeEnough = sameShape.find((offer) => offer.width >= target.width && offer.height >= target.height);
  return largeEnough?.size ?? sameShape.at(-1)?.size ?? model.defaultSize;
}
