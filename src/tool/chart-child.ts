/**
 * Draws one chart in a child process and ends. It reads the specification from standard input and writes the
 * SVG to standard output.
 *
 * A specification is a program. In this process it has no network and no files, and V8 compiles no text.
 * Vega's interpreter evaluates expressions without `Function`. Other globals are removed before the
 * specification runs. The parent process (chart-drawing.ts) limits time and memory.
 *
 * A worker thread is not enough: V8 ends the whole process when a large array does not fit into the thread's
 * heap.
 */

import { exit, stdin, stdout } from 'node:process';
import { text } from 'node:stream/consumers';
import { Worker } from 'node:worker_threads';
import * as vega from 'vega';
import { expressionInterpreter } from 'vega-interpreter';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { Drawing, DrawingJob } from './chart-drawing.ts';

const MAX_WARNINGS = 5;

/** Errors that JavaScript throws. Vega's own errors are plain `Error`s. */
const ENGINE_ERRORS = [TypeError, RangeError, ReferenceError, SyntaxError];
const BROKEN = 'Vega failed on a value of a wrong type. An editor for Vega-Lite can show where it is';

/**
 * Kills this process after a time, from a thread of its own. The server cannot do so when it was killed
 * itself.
 */
const WATCHDOG = `
const { kill, pid } = require('node:process');
setTimeout(() => kill(pid, 'SIGKILL'), require('node:worker_threads').workerData);
`;

/** A text that Vega asks to be measured. */
interface TextItem {
  readonly fontSize?: number;
  readonly fontWeight?: string | number;
  readonly limit?: number;
}

const job = JSON.parse(await text(stdin)) as DrawingJob;
new Worker(WATCHDOG, { eval: true, workerData: job.endAfterMs }).unref();
replaceTextMetrics();
removeGlobals();
// Exits explicitly, because timers of the specification could keep the process alive.
stdout.write(JSON.stringify(await draw(job)), () => exit(0));

async function draw({ spec }: DrawingJob): Promise<Drawing> {
  const faults: string[] = [];
  const warnings: string[] = [];
  const logger = {
    level: () => logger,
    error: (...messages: readonly unknown[]) => note(faults, messages),
    warn: (...messages: readonly unknown[]) => note(warnings, messages),
    info: () => logger,
    debug: () => logger,
  };
  function note(list: string[], messages: readonly unknown[]) {
    // An error within Vega's code does not help the author. It is left out when there is another message.
    const isEngineError = messages.some((each) => ENGINE_ERRORS.some((type) => each instanceof type));
    if (isEngineError && list.length > 0) return logger;
    const message = isEngineError ? BROKEN : messages.map(messageOf).join(' ').slice(0, 300);
    if (list.length < MAX_WARNINGS) list.push(message);
    return logger;
  }
  const refuseToLoad = async (address: unknown): Promise<never> => {
    note(faults, [`It loads ${String(address).slice(0, 100)}, but a chart cannot load data`]);
    throw new Error('A chart cannot load data.');
  };
  // Vega's type of a loader has members that Vega never calls.
  const loader = {
    options: {},
    load: refuseToLoad,
    sanitize: refuseToLoad,
    http: refuseToLoad,
    file: refuseToLoad,
  } as unknown as vega.Loader;
  try {
    const compiled = compile(spec as unknown as TopLevelSpec, { logger: logger as never }).spec;
    const runtime = vega.parse(compiled, undefined, { ast: true });
    const view = new vega.View(runtime, {
      renderer: 'none',
      expr: expressionInterpreter,
      loader,
      logger: logger as never,
    } as never);
    const svg = await view.toSVG();
    return faults.length > 0 ? { svg: null, faults } : { svg, warnings };
  } catch (error) {
    note(faults, [error]);
    return { svg: null, faults };
  }
}

/**
 * Replaces Vega's estimate of text widths. Without a canvas, Vega assumes 0.8 of the font size for every
 * character, which leaves a third of the chart empty beside a legend. These are the widths of DejaVu Sans, a
 * rather wide sans-serif font.
 */
function replaceTextMetrics(): void {
  const { textMetrics } = vega as unknown as { textMetrics: { width: unknown } };
  textMetrics.width = (item: TextItem, text: unknown): number => {
    const bold = item.fontWeight === 'bold' || Number(item.fontWeight) >= 600;
    let heights = 0;
    for (const letter of String(text ?? '').trim()) heights += widthOf(letter);
    const width = heights * (Number(item.fontSize ?? 11) || 0) * (bold ? 1.12 : 1);
    return Math.ceil(item.limit && item.limit > 0 ? Math.min(width, item.limit) : width);
  };
}

/** Returns the width of a character, as a part of the font size. */
function widthOf(letter: string): number {
  if (/[\u1100-\u11ff\u2e80-\ud7ff\uf900-\ufaff\ufe30-\uffef]|[^\0-\uffff]/u.test(letter)) return 1;
  if (/[\p{Mn}\p{Me}]/u.test(letter)) return 0;
  if (/[ijlI.,:;'|!()[\] ]/.test(letter)) return 0.36;
  if (/[mwMW%@]/.test(letter)) return 0.95;
  return /[\p{Lu}]/u.test(letter) ? 0.72 : 0.62;
}

function messageOf(value: unknown): string {
  return (value instanceof Error ? value.message : String(value)).slice(0, 300);
}

/** Removes everything by which an expression could run code or reach the process. */
function removeGlobals(): void {
  const kinds = [() => {}, async () => {}, function* () {}, async function* () {}];
  for (const kind of kinds) Reflect.deleteProperty(Object.getPrototypeOf(kind), 'constructor');
  const rejectCode = (): never => {
    throw new Error('Text cannot be compiled here.');
  };
  Object.assign(globalThis, { Function: rejectCode, eval: rejectCode });
  for (const name of ['process', 'fetch', 'Buffer', 'WebSocket', 'EventSource', 'WebAssembly', 'navigator']) {
    Reflect.deleteProperty(globalThis, name);
  }
  // Vega's interpreter would log what it blocks, once for every row.
  for (const name of ['error', 'warn', 'log', 'info', 'debug'] as const) console[name] = () => {};
}
