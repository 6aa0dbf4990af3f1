/**
 * Draws a chart as a PNG.
 *
 * - Vega draws SVG in a child process (chart-child.ts). The process has ten seconds, a limited heap and an
 *   empty environment. Node's permissions let it read only the program's files and start no processes. It is
 *   always killed in the end.
 * - The SVG is checked for references to the outside.
 * - sharp renders the SVG with the fonts of the machine. Without any font, a chart has no text.
 */
import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import path from 'node:path';
import { execPath } from 'node:process';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { InputError } from '../errors.ts';
import { parseSize } from '../provider/models.ts';
import { CHART_PATH, type Chart, type JsonObject } from './chart-json.ts';

/** Input of the child process. */
export interface DrawingJob {
  readonly spec: JsonObject;
  /** Milliseconds after which the process ends itself, in case the server can no longer kill it. */
  readonly endAfterMs: number;
}

/** Output of the child process. */
export type Drawing =
  | { readonly svg: string; readonly warnings: readonly string[] }
  | { readonly svg: null; readonly faults: readonly string[] };

export interface DrawnChart {
  /** A PNG. */
  readonly bytes: Uint8Array;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface DrawingOptions {
  /** Seconds for the child process, and again for rendering. Default 10. */
  readonly timeoutSeconds?: number;
  readonly signal?: AbortSignal;
}

const MiB = 1024 * 1024;
/** Longest side of a chart, in pixels. */
const MAX_SIDE = 4096;
/** Most bytes of a child's output. */
const MAX_DRAWING_BYTES = 16 * MiB;
const MAX_HEAP_MIB = 384;
/**
 * Shorter side for which charts are laid out, in pixels. Larger charts are enlarged, so that their text stays
 * readable.
 */
const LAYOUT_SIDE = 480;

/**
 * Draws a chart.
 * @param size `WIDTHxHEIGHT` of the picture. A specification with its own width or height keeps its shape and
 *   is scaled to fit.
 * @throws InputError INVALID_INPUT when the chart cannot be drawn within its limits of time and memory
 */
export async function drawChart(
  chart: Chart,
  size: string,
  options: DrawingOptions = {},
): Promise<DrawnChart> {
  const wanted = parseSize(size);
  if (Math.max(wanted.width, wanted.height) > MAX_SIDE)
    throw chartNotDrawn(`A chart can be at most ${MAX_SIDE} pixels wide and high`);
  const drawing = await drawInChild(withSize(chart.spec, wanted), options);
  if (drawing.svg === null) throw chartNotDrawn(drawing.faults.join('; ').slice(0, 500));
  const { svg, width, height } = scaleSvg(drawing.svg, wanted);
  checkSvg(svg);
  const bytes = await sharp(Buffer.from(svg), { limitInputPixels: MAX_SIDE * MAX_SIDE })
    .flatten({ background: '#fff' })
    .timeout({ seconds: options.timeoutSeconds ?? 10 })
    .png()
    .toBuffer()
    .catch((cause: unknown) => {
      throw chartNotDrawn('Its drawing is too complex to be rendered', cause);
    });
  const warnings = drawing.warnings.length > 0 ? { warnings: drawing.warnings } : {};
  return { bytes, metadata: { ...(chart.kind ? { kind: chart.kind } : {}), width, height, ...warnings } };
}

/**
 * Sets the size of a chart with a single view. A chart of several views, or with a size of its own, stays
 * unchanged.
 */
function withSize(spec: JsonObject, wanted: { width: number; height: number }): JsonObject {
  const { $schema, ...rest } = spec;
  const single = 'mark' in rest || 'layer' in rest;
  const facets = Object.keys((rest.encoding as JsonObject | undefined) ?? {});
  const composed = facets.some((channel) => ['row', 'column', 'facet'].includes(channel));
  if (!single || composed || 'width' in rest || 'height' in rest || 'autosize' in rest) return rest;
  const scale = Math.max(1, Math.min(wanted.width, wanted.height) / LAYOUT_SIDE);
  return {
    ...rest,
    width: Math.round(wanted.width / scale),
    height: Math.round(wanted.height / scale),
    autosize: { type: 'fit', contains: 'padding' },
  };
}

function drawInChild(spec: JsonObject, { timeoutSeconds = 10, signal }: DrawingOptions): Promise<Drawing> {
  signal?.throwIfAborted();
  const program = fileURLToPath(new URL('./chart-child.ts', import.meta.url));
  const child = spawn(execPath, [...childFlags(program), program], {
    env: { TZ: 'UTC' },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const { promise, resolve, reject } = Promise.withResolvers<Drawing>();
  const timer = setTimeout(
    () => reject(chartNotDrawn(`Drawing took more than ${timeoutSeconds} seconds`)),
    timeoutSeconds * 1000,
  );
  const cancel = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', cancel, { once: true });
  const pieces: Buffer[] = [];
  let received = 0;
  child.stdout.on('data', (piece: Buffer) => {
    received += piece.length;
    if (received > MAX_DRAWING_BYTES) return reject(chartNotDrawn('Its drawing is too large to be rendered'));
    pieces.push(piece);
  });
  child.on('error', reject);
  child.on('close', (code, killedBy) => {
    if (code === 0) resolve(JSON.parse(Buffer.concat(pieces).toString()) as Drawing);
    else reject(chartNotDrawn(`It used too much memory or failed (${killedBy ?? code})`));
  });
  // The `close` event reports a process that ends before it has read its input.
  child.stdin.on('error', () => {});
  const job: DrawingJob = { spec, endAfterMs: (timeoutSeconds + 5) * 1000 };
  child.stdin.end(JSON.stringify(job));
  return promise.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cancel);
    child.kill('SIGKILL');
  });
}

/**
 * Returns Node's flags that limit the child. It may read only its own code and packages, not settings or data
 * beside them.
 */
function childFlags(program: string): string[] {
  const vega = findPackageJSON('vega', import.meta.url);
  if (!vega) throw new TypeError('The package vega is not installed.');
  const folder = path.dirname(program);
  const packages = path.dirname(path.dirname(realpathSync(vega)));
  const manifest = path.resolve(folder, '../../package.json');
  return [
    `--max-old-space-size=${MAX_HEAP_MIB}`,
    '--disallow-code-generation-from-strings',
    '--permission',
    ...[folder, manifest, packages].map((readable) => `--allow-fs-read=${readable}`),
    '--allow-worker',
  ];
}

/** Sets the size of the SVG. Vega writes a `viewBox`, so everything in it is scaled equally. */
function scaleSvg(svg: string, wanted: { width: number; height: number }) {
  const head = /^<svg [^>]*?width="([\d.]+)" height="([\d.]+)" viewBox="[^"]*"/.exec(svg);
  const [drawnWidth, drawnHeight] = [Number(head?.[1]), Number(head?.[2])];
  if (!head || !(drawnWidth >= 1 && drawnHeight >= 1)) throw chartNotDrawn('Its drawing has no size');
  if (Math.max(drawnWidth, drawnHeight) > MAX_SIDE) {
    throw chartNotDrawn(
      `Its drawing has ${drawnWidth} × ${drawnHeight} pixels; at most ${MAX_SIDE} each way are allowed`,
    );
  }
  const scale = Math.min(wanted.width / drawnWidth, wanted.height / drawnHeight);
  const [across = 1, down = 1] = [drawnWidth * scale, drawnHeight * scale];
  // A chart that was laid out for this shape differs only by rounding. It gets exactly the wanted size.
  const fills = across > wanted.width * 0.99 && down > wanted.height * 0.99;
  const width = fills ? wanted.width : Math.max(1, Math.round(across));
  const height = fills ? wanted.height : Math.max(1, Math.round(down));
  const enlarged = head[0]
    .replace(/ width="[\d.]+"/, ` preserveAspectRatio="none" width="${width}"`)
    .replace(/ height="[\d.]+"/, ` height="${height}"`);
  return { svg: enlarged + svg.slice(head[0].length), width, height };
}

/** Elements that a chart may have. Vega can also draw `image` and `a`, which refer to the outside. */
const ELEMENTS = new Set(
  'svg g path line rect text tspan defs clipPath linearGradient radialGradient stop title'.split(' '),
);

/** Rejects references to the outside. Checks the tags only, because texts between them may say anything. */
function checkSvg(svg: string): void {
  for (const [, name = '', attributes = ''] of svg.matchAll(/<([A-Za-z!?][\w:-]*)((?:[^>"]|"[^"]*")*)>/g)) {
    if (!ELEMENTS.has(name))
      throw chartNotDrawn(`It draws <${name.slice(0, 20)}>, which a chart may not have`);
    for (const [, key = '', value = ''] of attributes.matchAll(/([\w:-]+)="([^"]*)"/g)) {
      const isOutside = /(^|:)href$|^on/i.test(key) || (!/^aria-/.test(key) && /url\(\s*(?!#)/i.test(value));
      if (isOutside) throw chartNotDrawn(`Its attribute ${key.slice(0, 20)} refers to an outside resource`);
    }
  }
}

function chartNotDrawn(reason: string, cause?: unknown): InputError {
  return new InputError('INVALID_INPUT', `The chart could not be drawn: ${reason.replace(/\.+$/, '')}.`, {
    path: CHART_PATH,
    ...(cause === undefined ? {} : { cause }),
  });
}
