/**
 * Composes comic pages: rows of panels in black frames, with gutters between them. Two panels in a row are
 * squares; a panel alone in a row is about one and a half times as wide as high. Models offer both shapes.
 * The rows decide the height of the page.
 */
import sharp, { type OverlayOptions } from 'sharp';
import { InputError } from '../errors.ts';
import { chooseCrop } from './finish/crop.ts';
import { cutAndScale } from './finish/to-size.ts';

export interface ComicOptions {
  /** Width of the page in pixels, 256 to 2048. Default: 1024. */
  readonly width?: number;
}

export interface ComicPage {
  /** A PNG. */
  readonly bytes: Uint8Array;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Area of a panel's picture on the page, without its frame, in pixels. */
export interface PanelArea {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export const MAX_PANELS = 6;
const DEFAULT_WIDTH = 1024;
const MIN_WIDTH = 256;
const MAX_WIDTH = 2048;

/** Panels in each row, for pages of one to six panels. */
const ROWS: readonly (readonly number[])[] = [[1], [1, 1], [1, 2], [2, 2], [2, 1, 2], [2, 2, 2]];

/**
 * Height of a panel as a part of its width, by the number of panels in its row. A page of one panel is
 * square.
 */
const HEIGHTS: Readonly<Record<number, number>> = { 1: 0.64, 2: 1 };

/**
 * Composes the page. Equal panels give equal bytes.
 * @param panels files of the pictures, in reading order; they are not changed
 * @returns the page; `places` in its metadata has the area of each panel
 * @throws InputError INVALID_INPUT when there are no panels or more than six
 */
export async function composeComic(
  panels: readonly { readonly file: string }[],
  options: ComicOptions = {},
): Promise<ComicPage> {
  const layout = layOut(panels.length, options.width);
  const { width, height, frame, areas } = layout;
  const pieces: OverlayOptions[] = [];
  for (const [i, { file }] of panels.entries()) {
    const area = areas[i];
    if (!area) break;
    const chosen = await chooseCrop(file, area);
    const picture = await (await cutAndScale(file, chosen, area))
      .flatten({ background: '#fff' })
      .png()
      .toBuffer();
    pieces.push(
      { input: frameBehind(area, frame), left: area.x - frame, top: area.y - frame },
      { input: picture, left: area.x, top: area.y },
    );
  }
  const bytes = await sharp({ create: { width, height, channels: 3, background: '#fff' } })
    .composite(pieces)
    .png()
    .toBuffer();
  return { bytes, metadata: { panels: panels.length, rows: layout.rows, places: areas } };
}

/** Returns the size of each panel on a page of the default width, as `WIDTHxHEIGHT`. */
export function panelSizes(count: number): readonly string[] {
  return layOut(count).areas.map(({ width, height }) => `${width}x${height}`);
}

interface Layout {
  readonly width: number;
  readonly height: number;
  /** Thickness of the frames, in pixels. */
  readonly frame: number;
  /** Number of panels in each row. */
  readonly rows: readonly number[];
  readonly areas: readonly PanelArea[];
}

function layOut(count: number, width = DEFAULT_WIDTH): Layout {
  const rows = ROWS[count - 1];
  if (!rows) {
    throw new InputError('INVALID_INPUT', `A comic needs 1 to ${MAX_PANELS} panels, not ${count}.`, {
      path: ['input', 'panels'],
    });
  }
  if (!Number.isInteger(width) || width < MIN_WIDTH || width > MAX_WIDTH) {
    throw new RangeError(`A comic page must be ${MIN_WIDTH} to ${MAX_WIDTH} pixels wide, not ${width}.`);
  }
  const thickness = (part: number) => Math.max(1, Math.round(width * part));
  const margin = thickness(0.024);
  const gutter = thickness(0.016);
  const frame = thickness(0.005);
  const areas: PanelArea[] = [];
  let y = margin;
  for (const inRow of rows) {
    const outer = Math.floor((width - 2 * margin - (inRow - 1) * gutter) / inRow);
    const high = Math.round(outer * (count === 1 ? 1 : (HEIGHTS[inRow] ?? 1)));
    for (let i = 0; i < inRow; i++) {
      // The last panel of a row gets the pixel that is left over by rounding.
      const x = margin + i * (outer + gutter);
      const wide = i === inRow - 1 ? width - margin - x : outer;
      areas.push({ x: x + frame, y: y + frame, width: wide - 2 * frame, height: high - 2 * frame });
    }
    y += high + gutter;
  }
  return { width, height: y - gutter + margin, frame, rows, areas };
}

/** Returns a dark rectangle that is larger than the area by the frame on each side. */
function frameBehind({ width, height }: PanelArea, frame: number) {
  return {
    create: {
      width: width + 2 * frame,
      height: height + 2 * frame,
      channels: 3 as const,
      background: '#111',
    },
  };
}
