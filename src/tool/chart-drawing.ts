/**
 * Draws a chart as a PNG: Vega compiles and draws SVG in a process of its own (chart-child.ts) that has ten seconds, a bounded heap,
 * an empty environment and, by Node's permissions, no files but the program's and no processes, and is ended whatever happens;
 * then the SVG is looked through for anything that leads outside, and sharp renders it. Fonts are those of the machine; without
 * any, a chart has no letters.
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
import type { Chart } from './chart.ts';
import type { JsonObject } from './chart-spec.ts';

export interface DrawingJob {
  readonly spec: JsonObject;
  /** When the process is to end itself, should nobody have ended it. */
  readonly endAfterMs: number;
}

export type Drawing =
  | { readonly svg: string; readonly warnings: readonly string[] }
  | { readonly svg: null; readonly faults: readonly string[] };

export interface DrawnChart {
  /** A PNG. */
  readonly bytes: Uint8Array;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface DrawingOptions {
  /** Default 10. */
  readonly timeoutSeconds?: number;
  readonly signal?: AbortSignal;
}

const MiB = 1024 * 1024;
const MAX_SIDE = 4096;
const MAX_DRAWING_BYTES = 16 * MiB;
const MAX_HEAP_MIB = 384;
/** Charts are designed for about this many pixels on their shorter side; larger ones are the same, enlarged. */
const DESIGNED_SIDE = 480;

/**
 * @param size `WIDTHxHEIGHT`: exactly that for a chart that says no width and height of its own; others keep their shape and become as
 *   large as fits.
 * @throws InputError INVALID_INPUT for a specification that cannot be drawn, or not within the time and memory that it has.
 */
export async function drawChart(
  chart: Chart,
  size: string,
  options: DrawingOptions = {},
): Promise<DrawnChart> {
  const wanted = parseSize(size);
  if (Math.max(wanted.width, wanted.height) > MAX_SIDE)
    throw refused(`A chart is at most ${MAX_SIDE} pixels wide and high`);
  const drawing = await drawApart(sized(chart.spec, wanted), options);
  if (drawing.svg === null) throw refused(drawing.faults.join('; ').slice(0, 500));
  const { svg, width, height } = enlarge(drawing.svg, wanted);
  requireInward(svg);
  const bytes = await sharp(Buffer.from(svg), { limitInputPixels: MAX_SIDE * MAX_SIDE })
    .flatten({ background: '#fff' })
    .timeout({ seconds: options.timeoutSeconds ?? 10 })
    .png()
    .toBuffer()
    .catch((cause: unknown) => {
      throw refused('What it draws is too much to be rendered', cause);
    });
  const warnings = drawing.warnings.length > 0 ? { warnings: drawing.warnings } : {};
  return { bytes, metadata: { ...(chart.kind ? { kind: chart.kind } : {}), width, height, ...warnings } };
}

/** A chart of one view takes the size that is wanted; one that is composed of several has a size of its own. */
function sized(spec: JsonObject, wanted: { width: number; height: number }): JsonObject {
  const { $schema, ...rest } = spec;
  const single = 'mark' in rest || 'layer' in rest;
  const facets = Object.keys((rest.encoding as JsonObject | undefined) ?? {});
  const composed = facets.some((channel) => ['row', 'column', 'facet'].includes(channel));
  if (!single || composed || 'width' in rest || 'height' in rest || 'autosize' in rest) return rest;
  const scale = Math.max(1, Math.min(wanted.width, wanted.height) / DESIGNED_SIDE);
  return {
    ...rest,
    width: Math.round(wanted.width / scale),
    height: Math.round(wanted.height / scale),
    autosize: { type: 'fit', contains: 'padding' },
  };
}

function drawApart(spec: JsonObject, { timeoutSeconds = 10, signal }: DrawingOptions): Promise<Drawing> {
  signal?.throwIfAborted();
  const program = fileURLToPath(new URL('./chart-child.ts', import.meta.url));
  const child = spawn(execPath, [...confine(program), program], {
    env: { TZ: 'UTC' },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const { promise, resolve, reject } = Promise.withResolvers<Drawing>();
  const timer = setTimeout(
    () => reject(refused(`It took more than ${timeoutSeconds} seconds to compute`)),
    timeoutSeconds * 1000,
  );
  const cancel = (): void => reject(signal?.reason);
  signal?.addEventListener('abort', cancel, { once: true });
  const pieces: Buffer[] = [];
  let received = 0;
  child.stdout.on('data', (piece: Buffer) => {
    received += piece.length;
    if (received > MAX_DRAWING_BYTES) return reject(refused('It draws more than can be rendered'));
    pieces.push(piece);
  });
  child.on('error', reject);
  child.on('close', (code, killedBy) => {
    if (code === 0) resolve(JSON.parse(Buffer.concat(pieces).toString()) as Drawing);
    else reject(refused(`It takes more memory than a chart may, or broke (${killedBy ?? code})`));
  });
  // A process that ends before it has read everything is told of by its end.
  child.stdin.on('error', () => {});
  const job: DrawingJob = { spec, endAfterMs: (timeoutSeconds + 5) * 1000 };
  child.stdin.end(JSON.stringify(job));
  return promise.finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', cancel);
    child.kill('SIGKILL');
  });
}

/** What it may read is what it runs, and neither the settings nor the data that may lie beside it. */
function confine(program: string): string[] {
  const vega = findPackageJSON('vega', import.meta.url);
  if (!vega) throw new TypeError('The package vega is not installed.');
  const room = path.dirname(program);
  const packages = path.dirname(path.dirname(realpathSync(vega)));
  const manifest = path.resolve(room, '../../package.json');
  return [
    `--max-old-space-size=${MAX_HEAP_MIB}`,
    '--disallow-code-generation-from-strings',
    '--permission',
    ...[room, manifest, packages].map((readable) => `--allow-fs-read=${readable}`),
    '--allow-worker',
  ];
}

/** Gives the SVG the size in which it is to be rendered; Vega writes a `viewBox`, so everything in it grows alike. */
function enlarge(svg: string, wanted: { width: number; height: number }) {
  const head = /^<svg [^>]*?width="([\d.]+)" height="([\d.]+)" viewBox="[^"]*"/.exec(svg);
  const [drawnWidth, drawnHeight] = [Number(head?.[1]), Number(head?.[2])];
  if (!head || !(drawnWidth >= 1 && drawnHeight >= 1)) throw refused('It has no size');
  if (Math.max(drawnWidth, drawnHeight) > MAX_SIDE) {
    throw refused(`It is ${drawnWidth} × ${drawnHeight} pixels large, and ${MAX_SIDE} each way is the limit`);
  }
  const scale = Math.min(wanted.width / drawnWidth, wanted.height / drawnHeight);
  const [across = 1, down = 1] = [drawnWidth * scale, drawnHeight * scale];
  // What was designed for this shape misses it by the rounding of its sides at most, and fills it.
  const fills = across > wanted.width * 0.99 && down > wanted.height * 0.99;
  const width = fills ? wanted.width : Math.max(1, Math.round(across));
  const height = fills ? wanted.height : Math.max(1, Math.round(down));
  const enlarged = head[0]
    .replace(/ width="[\d.]+"/, ` preserveAspectRatio="none" width="${width}"`)
    .replace(/ height="[\d.]+"/, ` height="${height}"`);
  return { svg: enlarged + svg.slice(head[0].length), width, height };
}

/** The elements that Vega draws with; it knows `image` and `a` as well, and a chart has neither. */
const ELEMENTS = new Set(
  'svg g path line rect text tspan defs clipPath linearGradient radialGradient stop title'.split(' '),
);

/** Looks at every tag, and at none of the texts between them: a title may say what it likes. */
function requireInward(svg: string): void {
  for (const [, name = '', attributes = ''] of svg.matchAll(/<([A-Za-z!?][\w:-]*)((?:[^>"]|"[^"]*")*)>/g)) {
    if (!ELEMENTS.has(name)) throw refused(`It draws <${name.slice(0, 20)}>, which a chart may not`);
    for (const [, key = '', value = ''] of attributes.matchAll(/([\w:-]+)="([^"]*)"/g)) {
      const outward = /(^|:)href$|^on/i.test(key) || (!/^aria-/.test(key) && /url\(\s*(?!#)/i.test(value));
      if (outward) throw refused(`It leads outside by ${key.slice(0, 20)}`);
    }
  }
}

function refused(why: string, cause?: unknown): InputError {
  return new InputError('INVALID_INPUT', `The chart could not be drawn: ${why.replace(/\.+$/, '')}.`, {
    path: ['input', 'chart'],
    ...(cause === undefined ? {} : { cause }),
  });
}
