import type { Model } from '../provider.ts';

/** What is asked of a model that takes no pixels: the ratio of the sides, and how fine, in the provider's own words. */
export interface Shape {
  readonly aspectRatio: `${number}:${number}`;
  readonly resolution: string | null;
}

/**
 * A model that takes a ratio. Its sizes stand for shapes: they are what the provider says that it makes of them, or the
 * nearest there is, and a picture may come some pixels larger or smaller.
 */
export interface ShapedModel extends Model {
  readonly shapes: Readonly<Record<string, Shape>>;
}

/** Writes sizes down by their ratios; `times` enlarges both sides. */
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
