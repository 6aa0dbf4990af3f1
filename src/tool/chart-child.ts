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
import { type Loader, parse, View } from 'vega';
import { expressionInterpreter } from 'vega-interpreter';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { Drawing, DrawingJob } from './chart-drawing.ts';

const MAX_WARNINGS = 5;

/** Should the server be killed meanwhile, nobody is left to end this process; so a thread of it does, whatever the chart computes. */
const WATCH = `
const { kill, pid } = require('node:process');
setTimeout(() => kill(pid, 'SIGKILL'), require('node:worker_threads').workerData);
`;

const job = JSON.parse(await text(stdin)) as DrawingJob;
new Worker(WATCH, { eval: true, workerData: job.endAfterMs }).unref();
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
    if (list.length < MAX_WARNINGS) list.push(messages.map(textOf).join(' ').slice(0, 300));
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
  } as unknown as Loader;
  try {
    const compiled = compile(spec as unknown as TopLevelSpec, { logger: logger as never }).spec;
    const runtime = parse(compiled, undefined, { ast: true });
    const view = new View(runtime, {
      renderer: 'none',
      expr: expressionInterpreter,
      loader,
      logger: logger as never,
    } as never);
    const svg = await view.toSVG();
    return faults.length > 0 ? { svg: null, faults } : { svg, warnings };
  } catch (error) {
    return { svg: null, faults: [...faults, textOf(error)] };
  }
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
