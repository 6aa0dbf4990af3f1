/**
 * Removes the background of a picture on a single colour. Models that cannot make transparency draw such
 * pictures.
 *
 * A flood fill from the edges finds the background, so that the same colour within the subject stays. The
 * pixels of the rim mix background and subject. They get the subject's colour, and their share of background
 * becomes transparency, so that no halo is left.
 */

/** Pixels of four bytes: red, green, blue, alpha (not premultiplied). */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/**
 * Most difference of a channel, of 255, to count as background. JPEG and faint shades cause such differences.
 */
const CLEAR = 22;
/** Most difference of a channel, of 255, to count as a mixture of background and subject. */
const DETAIL = 40;
/** Part of the edge that must have one colour. With less there is no background. */
const UNIFORM_PART = 0.85;
/** Width of the rim between background and subject, in pixels. */
const RIM = 2;
/** Distance from a pixel of the rim within which the subject's colour is searched, in pixels. */
const REACH = 4;

export type Rgb = readonly [number, number, number];

/**
 * Makes the background transparent, in place.
 * @returns the colour of the background; null: there is none, and nothing was changed
 */
export function cutOut(picture: Pixels): Rgb | null {
  const background = findBackground(picture);
  if (background === null) return null;
  const cleared = flood(picture, background);
  if (cleared.count < edgeOf(picture).length || cleared.count === picture.width * picture.height) return null;
  clear(picture, background, cleared.mask);
  return background;
}

/** Returns the median colour of the edge; null when too little of the edge has it. */
function findBackground(picture: Pixels): Rgb | null {
  const edge = edgeOf(picture);
  const median = (channel: number): number => {
    const values = edge.map((pixel) => picture.data[pixel * 4 + channel] ?? 0).sort((a, b) => a - b);
    return values[values.length >> 1] ?? 0;
  };
  const colour: Rgb = [median(0), median(1), median(2)];
  const alike = edge.filter((pixel) => distance(picture, pixel, colour) <= CLEAR).length;
  return alike >= edge.length * UNIFORM_PART ? colour : null;
}

/** Returns the indexes of the pixels along the edge. */
function edgeOf({ width, height }: Pixels): number[] {
  const edge: number[] = [];
  for (let x = 0; x < width; x++) edge.push(x, (height - 1) * width + x);
  for (let y = 1; y < height - 1; y++) edge.push(y * width, y * width + width - 1);
  return edge;
}

/** Finds the background. `mask` is 255 there and 0 elsewhere; `count` is the number of its pixels. */
function flood(picture: Pixels, background: Rgb): { mask: Uint8Array; count: number } {
  const { width, height } = picture;
  const mask = new Uint8Array(width * height);
  const queue = new Int32Array(width * height);
  let end = 0;
  const visit = (pixel: number): void => {
    if (mask[pixel] !== 0 || distance(picture, pixel, background) > CLEAR) return;
    mask[pixel] = 255;
    queue[end++] = pixel;
  };
  for (const pixel of edgeOf(picture)) visit(pixel);
  for (let at = 0; at < end; at++) {
    for (const next of neighbours(queue[at] ?? 0, width, height)) visit(next);
  }
  return { mask, count: end };
}

/** Makes the background transparent and unmixes the rim. */
function clear(picture: Pixels, background: Rgb, mask: Uint8Array): void {
  const { data, width, height } = picture;
  const rim: number[] = [];
  let front: number[] = [];
  for (let pixel = 0; pixel < mask.length; pixel++) {
    if (mask[pixel] !== 255) continue;
    data[pixel * 4 + 3] = 0;
    front.push(pixel);
  }
  for (let depth = 1; depth <= RIM; depth++) {
    const next: number[] = [];
    for (const pixel of front) {
      for (const beside of neighbours(pixel, width, height)) {
        if (mask[beside] !== 0) continue;
        mask[beside] = depth;
        next.push(beside);
      }
    }
    rim.push(...next);
    front = next;
  }
  for (const pixel of rim) unmix(picture, pixel, background, colourBehind(picture, mask, pixel));
}

/**
 * Returns the subject's colour near a pixel of the rim: the mean of the pixels inside the rim; null: none are
 * near.
 */
function colourBehind({ data, width, height }: Pixels, mask: Uint8Array, pixel: number): Rgb | null {
  const [x, y] = [pixel % width, Math.floor(pixel / width)];
  const sum: [number, number, number] = [0, 0, 0];
  let count = 0;
  for (let v = Math.max(0, y - REACH); v <= Math.min(height - 1, y + REACH); v++) {
    for (let u = Math.max(0, x - REACH); u <= Math.min(width - 1, x + REACH); u++) {
      const near = v * width + u;
      if (mask[near] !== 0) continue;
      for (const channel of [0, 1, 2] as const) sum[channel] += data[near * 4 + channel] ?? 0;
      count += 1;
    }
  }
  return count === 0 ? null : [sum[0] / count, sum[1] / count, sum[2] / count];
}

/**
 * Gives a mixed pixel the subject's colour, with the subject's share as its opacity. Other pixels stay
 * unchanged.
 */
function unmix({ data }: Pixels, pixel: number, background: Rgb, behind: Rgb | null): void {
  if (behind === null) return;
  const at = pixel * 4;
  const channels = [0, 1, 2] as const;
  const apart = channels.map((channel) => behind[channel] - background[channel]);
  const own = channels.map((channel) => (data[at + channel] ?? 0) - background[channel]);
  const length = apart.reduce((sum, value) => sum + value * value, 0);
  const part = own.reduce((sum, value, channel) => sum + value * (apart[channel] ?? 0), 0) / length;
  // A colour off the line between the two is a detail of the subject, and stays.
  const off = Math.max(...own.map((value, channel) => Math.abs(value - part * (apart[channel] ?? 0))));
  if (!(part < 0.97) || off > DETAIL) return;
  for (const channel of channels) data[at + channel] = Math.round(behind[channel]);
  data[at + 3] = Math.round(255 * Math.max(0, part));
}

/** Returns the largest difference of a channel. */
function distance({ data }: Pixels, pixel: number, [r, g, b]: Rgb): number {
  const at = pixel * 4;
  return Math.max(
    Math.abs((data[at] ?? 0) - r),
    Math.abs((data[at + 1] ?? 0) - g),
    Math.abs((data[at + 2] ?? 0) - b),
  );
}

function neighbours(pixel: number, width: number, height: number): number[] {
  const x = pixel % width;
  const found: number[] = [];
  if (x > 0) found.push(pixel - 1);
  if (x < width - 1) found.push(pixel + 1);
  if (pixel >= width) found.push(pixel - width);
  if (pixel < width * (height - 1)) found.push(pixel + width);
  return found;
}
