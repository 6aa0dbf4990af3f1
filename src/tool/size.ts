import { InputError } from '../errors.ts';
import { parseSize } from '../provider/models.ts';
import type { Model } from '../provider/provider.ts';
import type { ChooseSize, Tool } from './tool.ts';

/** Of what a tool finishes, in pixels. */
export const MIN_SIDE = 16;
export const MAX_SIDE = 4096;

/**
 * The size that the finished image is to have: the user's, or the tool's; null: as the model makes it.
 * @throws InputError INVALID_INPUT for a size that a tool which finishes its images itself cannot make of a picture.
 */
export function wantedSize(tool: Tool, asked: string | null | undefined): string | null {
  const size = asked ?? tool.defaultSize;
  if (size === null) return null;
  const { width, height } = parseSize(size);
  const path = ['input', 'size'];
  if (tool.square && width !== height) {
    throw new InputError('INVALID_INPUT', `${tool.name} makes square images, and ${size} is not square.`, {
      path,
    });
  }
  const finished = tool.finish !== null || tool.plan === 'chart';
  if (finished && (Math.min(width, height) < MIN_SIDE || Math.max(width, height) > MAX_SIDE)) {
    throw new InputError(
      'INVALID_INPUT',
      `${tool.name} makes images with sides from ${MIN_SIDE} to ${MAX_SIDE} pixels, not ${size.slice(0, 40)}.`,
      { path },
    );
  }
  return size;
}

/**
 * Chooses what to ask a model for, so that `wanted` can be made of it by cutting and scaling: exactly that, where the model has it;
 * otherwise, of the sizes whose shape is nearest, the smallest that is at least as large, so that nothing has to be enlarged, or
 * the largest there is.
 */
export const chooseSize: ChooseSize = (model: Model, wanted: string): string => {
  const asked = parseSize(wanted);
  const { sizes } = model;
  if ('minSide' in sizes) {
    // Scaled as a whole, so that the shape stays; a shape that is longer than the bounds allow is cut short.
    const up = Math.max(1, sizes.minSide / Math.min(asked.width, asked.height));
    const scale = up * Math.min(1, sizes.maxSide / (Math.max(asked.width, asked.height) * up));
    const within = (pixels: number): number =>
      Math.min(sizes.maxSide, Math.max(sizes.minSide, Math.round(pixels * scale)));
    return `${within(asked.width)}x${within(asked.height)}`;
  }
  if (sizes.includes(wanted)) return wanted;
  const offers = sizes.map((size) => ({ size, ...parseSize(size) }));
  const off = (offer: { width: number; height: number }): number =>
    Math.abs(Math.log(offer.width / offer.height / (asked.width / asked.height)));
  const nearest = Math.min(...offers.map(off));
  // One pixel more or less is no other shape.
  const alike = offers
    .filter((offer) => off(offer) <= nearest + 0.01)
    .sort((a, b) => a.width * a.height - b.width * b.height);
  const enough = alike.find((offer) => offer.width >= asked.width && offer.height >= asked.height);
  return enough?.size ?? alike.at(-1)?.size ?? model.defaultSize;
};
