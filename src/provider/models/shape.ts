import type { Model } from '../provider.ts';

/** Size for a model that takes no pixels, in the provider's spelling. */
export interface Shape {
  readonly aspectRatio: `${number}:${number}`;
  /** null: the model has no such setting. */
  readonly resolution: string | null;
}

/**
 * A model that takes an aspect ratio instead of a size in pixels. Its `sizes` are those that the provider
 * documents for the ratios, or the nearest ones. A picture may be some pixels larger or smaller.
 */
export interface ShapedModel extends Model {
  readonly shapes: Readonly<Record<string, Shape>>;
}

/** Returns the shapes by size. `times` enlarges both sides of every size. */
export function shapes(
  sizes: Readonly<Record<`${number}:${number}`, string>>,
  resolution: string | null = null,
  times = 1,
): Record<string, Shape> {
  return Object.fromEntries(
    Object.entries(sizes).map(([aspectRatio, size]) => {
      const larger = size.split('x').map((side) => Number(side) * times);
      return [larger.join('x'), { aspectRatio: aspectRatio as Shape['aspectRatio'], resolution }];
    }),
  );
}
