import { cpus, loadavg, totalmem } from 'node:os';
import { GiB } from '../src/config.ts';
import type { Queryable } from '../src/database/database.ts';
import type { ContestResult } from './contest.ts';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly node: string;
  readonly nodeEnv: string;
  readonly postgresql: string;
  /** Load average of the minute before the run: other work of the machine. */
  readonly loadBefore: number;
}

export async function readMachine(database: Queryable): Promise<Machine> {
  const [row] = await database.query<{ server_version: string }>('SHOW server_version');
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / GiB),
    node: process.version,
    nodeEnv: process.env.NODE_ENV ?? 'not set',
    postgresql: row?.server_version ?? 'unknown',
    loadBefore: Number(loadavg()[0]?.toFixed(2)),
  };
}

export function describeMachine(machine: Machine): string {
  return `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB; Node ${machine.node}, NODE_ENV ${machine.nodeEnv}; PostgreSQL ${machine.postgresql}; load ${machine.loadBefore}`;
}

const HEAD = [
  '',
  'ours/s',
  'limit/s',
  'ratio',
  'min',
  'max',
  'ours µs',
  'limit µs',
  'ours pg µs',
  'limit pg µs',
];

export function writeTable(results: readonly ContestResult[]): string {
  const whole = (number: number | null) => (number === null ? '-' : number.toFixed(0));
  const rate = (number: number) => number.toFixed(number < 10 ? 2 : 0);
  const rows = results.map(({ name, ours, limit, ratio }) => [
    name,
    rate(ours.rate),
    rate(limit.rate),
    ratio.median.toFixed(2),
    ratio.min.toFixed(2),
    ratio.max.toFixed(2),
    whole(ours.cpuMicros),
    whole(limit.cpuMicros),
    whole(ours.databaseMicros),
    whole(limit.databaseMicros),
  ]);
  const widths = HEAD.map((_, column) => Math.max(...[HEAD, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ');
  return [
    ...[HEAD, ...rows].map(line),
    '',
    ...results.map(({ name, about }) => `${name.padEnd(widths[0] ?? 0)}  ${about}`),
    '/s: requests a second, median of the rounds. ratio: ours divided by limit, per round: median, min and max.',
    'µs: CPU time for a request, of the server and of PostgreSQL.',
  ].join('\n');
}
