/**
 * Takes the background away from a picture that was drawn upon one colour, as a model that cannot leave it transparent does: a flood
 * from the edges, so that the same colour within the subject stays. The rim between the two is a mixture of both; its share of
 * background becomes transparency, and the rest is given its own colour back, so that there is no halo.
 */

/** Four bytes a pixel: red, green, blue, alpha; not premultiplied. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** How far a channel may be from the background's, to be background: what JPEG and light shades change. */
const CLEAR = 22;
/** How far a channel may be from a mixture of background and subject, to be one. */
const DETAIL = 40;
/** How much of the edge must be of one colour for there to be a background at all. */
const UNIFORM_PART = 0.85;
/** How far from the background a rim may reach into the subject, in pixels. */
const RIM = 2;
/** How far around a pixel of the rim the subject's own colour is looked for. */
const REACH = 4;

export type Rgb = readonly [number, number, number];

/** Changes `data` in place. @returns the background that it took away; null: there is none, and nothing was changed. */
export function cutOut(picture: Pixels): Rgb | null {
  const background = findBackground(picture);
  if (background === null) return null;
  const cleared = flood(picture, background);
  if (cleared.count < edgeOf(picture).length || cleared.count === picture.width * picture.height) return null;
  clear(picture, background, cleared.mask);
  return background;
}

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

function edgeOf({ width, height }: Pixels): number[] {
  const edge: number[] = [];
  for (let x = 0; x < width; x++) edge.push(x, (height - 1) * width + x);
  for (let y = 1; y < height - 1; y++) edge.push(y * width, y * width + width - 1);
  return edge;
}

/** 255 where the background is, 0 elsewhere. */
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

/** The colour of the subject behind a pixel of its rim: the mean of what lies deeper, close by. */
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

/** Where a pixel is a mixture of background and subject, it becomes the subject's colour, as opaque as its part in it. */
function unmix({ data }: Pixels, pixel: number, background: Rgb, behind: Rgb | null): void {
  if (behind === null) return;
  const at = pixel * 4;
  const channels = [0, 1, 2] as const;
  const apart = channels.map((channel) => behind[channel] - background[channel]);
  const own = channels.map((channel) => (data[at + channel] ?? 0) - background[channel]);
  const length = apart.reduce((sum, value) => sum + value * value, 0);
  const part = own.reduce((sum, value, channel) => sum + value * (apart[channel] ?? 0), 0) / length;
  // A detail of the subject lies on no line between the two colours, and stays.
  const off = Math.max(...own.map((value, channel) => Math.abs(value - part * (apart[channel] ?? 0))));
  if (!(part < 0.97) || off > DETAIL) return;
  for (const channel of channels) data[at + channel] = Math.round(behind[channel]);
  data[at + 3] = Math.round(255 * Math.max(0, part));
}

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
