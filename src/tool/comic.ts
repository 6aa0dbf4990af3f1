/**
 * A comic page: panels in rows, read from left to right and from top to bottom, in black frames with gutters between. The height
 * follows from the rows, so that a panel is a square, or half as wide again where it stands alone in a row: shapes that models have.
 */
import sharp, { type OverlayOptions } from 'sharp';
import { InputError } from '../errors.ts';
import { chooseCrop } from './finish/crop.ts';
import { cutAndScale } from './finish/to-size.ts';

export interface ComicOptions {
  /** Of the page, in pixels, 256 to 2048; 1024 by default. */
  readonly width?: number;
}

export interface Page {
  readonly bytes: Uint8Array;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface Place {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export const MAX_PANELS = 6;
const DEFAULT_WIDTH = 1024;
const [MIN_WIDTH, MAX_WIDTH] = [256, 2048];

/** For each number of panels, how many stand in each row. */
const ROWS: readonly (readonly number[])[] = [[1], [1, 1], [1, 2], [2, 2], [2, 1, 2], [2, 2, 2]];

/** The height of a panel as a part of its width, by how many stand in its row. A page of one panel is square. */
const SHAPES: Readonly<Record<number, number>> = { 1: 0.64, 2: 1 };

/**
 * Composes the page as a PNG; the same panels give the same bytes.
 * @param panels the pictures in their order; none is changed
 * @returns the bytes, and where each panel stands
 * @throws InputError INVALID_INPUT for no panels or more than six
 */
export async function composeComic(
  panels: readonly { readonly file: string }[],
  options: ComicOptions = {},
): Promise<Page> {
  const layout = layOut(panels.length, options.width);
  const { width, height, frame, places } = layout;
  const pieces: OverlayOptions[] = [];
  for (const [i, { file }] of panels.entries()) {
    const place = places[i];
    if (!place) break;
    const chosen = await chooseCrop(file, place);
    const picture = await (await cutAndScale(file, chosen, place))
      .flatten({ background: '#fff' })
      .png()
      .toBuffer();
    pieces.push(
      { input: filled(place, frame, '#111'), left: place.x - frame, top: place.y - frame },
      { input: picture, left: place.x, top: place.y },
    );
  }
  const bytes = await sharp({ create: { width, height, channels: 3, background: '#fff' } })
    .composite(pieces)
    .png()
    .toBuffer();
  return { bytes, metadata: { panels: panels.length, rows: layout.rows, places } };
}

/** What to ask a model for, for each panel: the shape that it has on the page, as large as a page of the default width shows it, or larger. */
export function panelSizes(count: number): readonly string[] {
  return layOut(count).places.map(({ width, height }) => `${width}x${height}`);
}

interface Layout {
  readonly width: number;
  readonly height: number;
  /** The thickness of a frame. */
  readonly frame: number;
  readonly rows: readonly number[];
  /** Of the pictures, within their frames. */
  readonly places: readonly Place[];
}

function layOut(count: number, width = DEFAULT_WIDTH): Layout {
  const rows = ROWS[count - 1];
  if (!rows) {
    throw new InputError('INVALID_INPUT', `A comic has 1 to ${MAX_PANELS} panels, not ${count}.`, {
      path: ['input', 'panels'],
    });
  }
  if (!Number.isInteger(width) || width < MIN_WIDTH || width > MAX_WIDTH) {
    throw new RangeError(`A comic page is ${MIN_WIDTH} to ${MAX_WIDTH} pixels wide, not ${width}.`);
  }
  const [margin, gutter, frame] = [0.024, 0.016, 0.005].map((part) => Math.max(1, Math.round(width * part)));
  const [m, g, f] = [margin ?? 1, gutter ?? 1, frame ?? 1];
  const places: Place[] = [];
  let y = m;
  for (const inRow of rows) {
    const outer = Math.floor((width - 2 * m - (inRow - 1) * g) / inRow);
    const high = Math.round(outer * (count === 1 ? 1 : (SHAPES[inRow] ?? 1)));
    for (let i = 0; i < inRow; i++) {
      // The last of a row takes the pixel that did not divide.
      const x = m + i * (outer + g);
      const wide = i === inRow - 1 ? width - m - x : outer;
      places.push({ x: x + f, y: y + f, width: wide - 2 * f, height: high - 2 * f });
    }
    y += high + g;
  }
  return { width, height: y - g + m, frame: f, rows, places };
}

function filled({ width, height }: Place, frame: number, background: string) {
  return {
    create: { width: width + 2 * frame, height: height + 2 * frame, channels: 3 as const, background },
  };
}
