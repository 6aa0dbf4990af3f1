/** A row of tiles that fills the width. */
export interface Row {
  /** Index of its first image in the list that was laid out. */
  readonly start: number;
  /** Whole pixels. */
  readonly height: number;
  /** Width of each tile in whole pixels. */
  readonly widths: readonly number[];
}

export interface LayoutOptions {
  /** Pixels that a row fills, gaps included. */
  readonly width: number;
  readonly gap: number;
  /** Height that rows have on average, in pixels. */
  readonly target: number;
  /** Whether the list ends here: its last row then keeps the target height and may be short. */
  readonly ends: boolean;
}

/** Least and greatest proportion (width by height) of a tile; images beyond are cropped. */
const ASPECT = { min: 0.5, max: 3 };

/** Most that a row may be higher than the target; a row that would be higher stays short. */
const MAX_GROWTH = 1.75;

/** Fields of an image that its proportions follow from. */
export interface Sized {
  readonly width?: number | null;
  readonly height?: number | null;
  /** Requested size, `WIDTHxHEIGHT`, for images without bytes. */
  readonly size?: string | null;
}

/** Returns width by height of the tile of an image; 1 if neither its size nor the requested one is known. */
export function aspectOf({ width, height, size }: Sized): number {
  const [, w = '', h = ''] = /^(\d+)x(\d+)$/.exec(size ?? '') ?? [];
  const aspect = width && height ? width / height : Number(w) / Number(h) || 1;
  return Math.min(ASPECT.max, Math.max(ASPECT.min, aspect));
}

/** Returns the height of rows for a width of the list, in pixels. */
export const targetHeight = (width: number) => Math.round(Math.min(340, Math.max(130, 100 + width * 0.1)));

/**
 * Breaks a list of proportions into rows whose heights differ least from the target. Every row fills the
 * width, so that pages which are laid out apart stand below each other without a hole.
 */
export function layoutRows(aspects: readonly number[], options: LayoutOptions): Row[] {
  const breaks = bestBreaks(aspects, options);
  return breaks.map((start, index) => {
    const end = breaks[index + 1] ?? aspects.length;
    return makeRow(aspects.slice(start, end), start, options, end === aspects.length);
  });
}

/** Returns the start of each row: the least sum of costs, by dynamic programming from the end. */
function bestBreaks(aspects: readonly number[], options: LayoutOptions): number[] {
  const costs = new Array<number>(aspects.length + 1).fill(Number.POSITIVE_INFINITY);
  const ends = new Array<number>(aspects.length + 1).fill(aspects.length);
  costs[aspects.length] = 0;
  for (let start = aspects.length - 1; start >= 0; start--) {
    let sum = 0;
    for (let end = start + 1; end <= aspects.length; end++) {
      sum += aspects[end - 1] as number;
      const height = fullHeight(sum, end - start, options);
      const cost = costOf(height, options, end === aspects.length) + (costs[end] as number);
      if (cost < (costs[start] as number)) {
        costs[start] = cost;
        ends[start] = end;
      }
      // A longer row would only be lower.
      if (height < options.target / 3) break;
    }
  }
  const breaks: number[] = [];
  for (let start = 0; start < aspects.length; start = ends[start] as number) breaks.push(start);
  return breaks;
}

const fullHeight = (sum: number, count: number, { width, gap }: LayoutOptions) =>
  (width - gap * (count - 1)) / sum;

/** Returns how far a row is from the target; a last row that stays short costs nothing. */
function costOf(height: number, { target, ends }: LayoutOptions, isLast: boolean): number {
  if (isLast && ends && height > target) return 0;
  const ratio = Math.max(height, 1) / target;
  return (ratio > 1 ? ratio - 1 : 1 / ratio - 1) ** 2;
}

function makeRow(aspects: readonly number[], start: number, options: LayoutOptions, isLast: boolean): Row {
  const { width, gap, target, ends } = options;
  const sum = aspects.reduce((total, aspect) => total + aspect, 0);
  const full = fullHeight(sum, aspects.length, options);
  const isShort = (isLast && ends && full > target) || full > target * MAX_GROWTH;
  const height = isShort ? (isLast && ends ? target : target * MAX_GROWTH) : full;
  const room = isShort ? height * sum : width - gap * (aspects.length - 1);
  let left = 0;
  let edge = 0;
  const widths = aspects.map((aspect) => {
    left += aspect;
    const next = Math.round((left / sum) * room);
    const tile = next - edge;
    edge = next;
    return tile;
  });
  return { start, height: Math.max(1, Math.round(height)), widths };
}
