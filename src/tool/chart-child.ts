/**
 * Draws one chart in a process of its own, which ends with it: the specification comes by standard input, the SVG leaves by standard
 * output. A specification is a program: here it finds neither a network nor files, no code is made of text, and its time and
 * memory are bounded by whoever started the process (chart-drawing.ts). A thread would not do: V8 ends the whole process when one
 * large array does not fit into a thread's heap.
 *
 * Vega's interpreter keeps expressions from `Function`, and V8 makes no code of text in this process at all. What else an
 * expression might reach is taken away before anything of the specification runs.
 */

import { exit, stdin, stdout } from 'node:process';
import { text } from 'node:stream/consumers';
import { Worker } from 'node:worker_threads';
import * as vega from 'vega';
import { expressionInterpreter } from 'vega-interpreter';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { Drawing, DrawingJob } from './chart-drawing.ts';

const MAX_WARNINGS = 5;

/** What JavaScript throws by itself; Vega throws plain errors. */
const INTERNAL = [TypeError, RangeError, ReferenceError, SyntaxError];
const BROKEN =
  'Vega broke on a value of the specification that is not of the kind that belongs there; an editor of Vega-Lite finds its place';

/** Should the server be killed meanwhile, nobody is left to end this process; so a thread of it does, whatever the chart computes. */
const WATCH = `
const { kill, pid } = require('node:process');
setTimeout(() => kill(pid, 'SIGKILL'), require('node:worker_threads').workerData);
`;

/** A text as Vega gives it to be measured. */
interface TextItem {
  readonly fontSize?: number;
  readonly fontWeight?: string | number;
  readonly limit?: number;
}

const job = JSON.parse(await text(stdin)) as DrawingJob;
new Worker(WATCH, { eval: true, workerData: job.endAfterMs }).unref();
measureTexts();
disarm();
// A specification may have set timers, which nobody waits for.
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
    // An error inside the code of Vega does not help the author of the specification. It is left out where another message is there.
    const isInternal = messages.some((each) => INTERNAL.some((type) => each instanceof type));
    if (isInternal && list.length > 0) return logger;
    const message = isInternal ? BROKEN : messages.map(textOf).join(' ').slice(0, 300);
    if (list.length < MAX_WARNINGS) list.push(message);
    return logger;
  }
  const refuse = async (address: unknown): Promise<never> => {
    note(faults, [`It asks for ${String(address).slice(0, 100)}, and a chart loads nothing`]);
    throw new Error('A chart loads nothing.');
  };
  // The parts of Vega's types that differ from what it calls are its own.
  const loader = {
    options: {},
    load: refuse,
    sanitize: refuse,
    http: refuse,
    file: refuse,
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
 * There is no canvas to measure letters with, and Vega then takes every letter for 0.8 of its height, which leaves a third of a chart
 * empty beside a legend. These are the widths of DejaVu Sans, rather wide among sans-serif fonts, by kinds of letters.
 */
function measureTexts(): void {
  const { textMetrics } = vega as unknown as { textMetrics: { width: unknown } };
  textMetrics.width = (item: TextItem, text: unknown): number => {
    const bold = item.fontWeight === 'bold' || Number(item.fontWeight) >= 600;
    let heights = 0;
    for (const letter of String(text ?? '').trim()) heights += widthOf(letter);
    const width = heights * (Number(item.fontSize ?? 11) || 0) * (bold ? 1.12 : 1);
    return Math.ceil(item.limit && item.limit > 0 ? Math.min(width, item.limit) : width);
  };
}

/** As a part of the height. */
function widthOf(letter: string): number {
  if (/[\u1100-\u11ff\u2e80-\ud7ff\uf900-\ufaff\ufe30-\uffef]|[^\0-\uffff]/u.test(letter)) return 1;
  if (/[\p{Mn}\p{Me}]/u.test(letter)) return 0;
  if (/[ijlI.,:;'|!()[\] ]/.test(letter)) return 0.36;
  if (/[mwMW%@]/.test(letter)) return 0.95;
  return /[\p{Lu}]/u.test(letter) ? 0.72 : 0.62;
}

function textOf(value: unknown): string {
  return (value instanceof Error ? value.message : String(value)).slice(0, 300);
}

function disarm(): void {
  const kinds = [() => {}, async () => {}, function* () {}, async function* () {}];
  for (const kind of kinds) Reflect.deleteProperty(Object.getPrototypeOf(kind), 'constructor');
  const none = (): never => {
    throw new Error('No code is made of text here.');
  };
  Object.assign(globalThis, { Function: none, eval: none });
  for (const name of ['process', 'fetch', 'Buffer', 'WebSocket', 'EventSource', 'WebAssembly', 'navigator']) {
    Reflect.deleteProperty(globalThis, name);
  }
  // The interpreter reports what it prevents, once for every row.
  for (const name of ['error', 'warn', 'log', 'info', 'debug'] as const) console[name] = () => {};
}
