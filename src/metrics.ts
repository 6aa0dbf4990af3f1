/**
 * Metrics of one process for Prometheus, by prom-client. Values of labels come from short lists of our own,
 * never from a client, so that the number of time series is limited.
 */
import { cpuUsage, memoryUsage } from 'node:process';
import { AggregatorRegistry, Counter, Gauge, Histogram, type MetricObject, Registry } from 'prom-client';
import { type ErrorCode, FixativeError } from './errors.ts';

export interface Metrics {
  readonly registry: Registry;
  readonly requests: Calls<'route' | 'status'>;
  readonly operations: Calls<'operation' | 'outcome'>;
  readonly providerCalls: Calls<'provider' | 'outcome'>;
  readonly storeCalls: Calls<'store' | 'call' | 'outcome'>;
  readonly receivedBytes: Counter;
  readonly sentBytes: Counter;
  readonly files: Counter<'outcome'>;
  readonly fileBytes: Counter;
  readonly cache: Counter<'result'>;
  /** Adds a gauge whose value is read at each scrape. */
  gauge(name: string, help: string, read: () => number | Readonly<Record<string, number>>): void;
}

/** Number and duration of calls of a kind. */
export interface Calls<Label extends string> {
  /** @param seconds duration of the call. */
  note(labels: Readonly<Record<Label, string>>, seconds: number): void;
}

/** Upper limits of the durations, in seconds. */
const QUICK = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const SLOW = [0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300];

export function makeMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = <Label extends string>(name: string, help: string, labelNames: Label[] = []) =>
    new Counter<Label>({ name, help, labelNames, registers });
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Resident memory.',
    registers,
    collect() {
      this.set(memoryUsage.rss());
    },
  });
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Processor time, of user and system.',
    registers,
    collect() {
      const { user, system } = cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  return {
    registry,
    requests: makeCalls(registry, 'fixative_http_requests', 'HTTP requests', {
      counted: ['route', 'status'],
      timed: 'route',
      buckets: QUICK,
    }),
    operations: makeCalls(registry, 'fixative_operations', 'GraphQL operations', {
      counted: ['operation', 'outcome'],
      timed: 'operation',
      buckets: QUICK,
    }),
    providerCalls: makeCalls(registry, 'fixative_provider_calls', 'Calls to providers', {
      counted: ['provider', 'outcome'],
      timed: 'provider',
      buckets: SLOW,
    }),
    storeCalls: makeCalls(registry, 'fixative_store_calls', 'Calls to stores', {
      counted: ['store', 'call', 'outcome'],
      timed: 'store',
      buckets: QUICK,
    }),
    receivedBytes: counter('fixative_received_bytes_total', 'Bytes received from clients over HTTP.'),
    sentBytes: counter('fixative_sent_bytes_total', 'Bytes sent to clients over HTTP.'),
    files: counter('fixative_files_received_total', 'Files that were received or fetched, by outcome.', [
      'outcome',
    ]),
    fileBytes: counter('fixative_file_bytes_received_total', 'Bytes of the files that were received whole.'),
    cache: counter(
      'fixative_cache_requests_total',
      'Requests to the cache of bytes, by result: hit or miss.',
      ['result'],
    ),
    gauge(name, help, read) {
      new Gauge({
        name,
        help,
        registers,
        labelNames: ['state'],
        aggregator: name === 'fixative_event_loop_delay_seconds' ? 'max' : 'sum',
        collect() {
          const value = read();
          if (typeof value === 'number') this.set(value);
          else for (const [state, each] of Object.entries(value)) this.set({ state }, each);
        },
      });
    },
  };
}

/**
 * Makes a counter `NAME_total` of calls and a histogram `NAME_seconds` of their durations. A series of
 * prom-client is looked up by a text of its labels; each is looked up once here.
 */
function makeCalls<Label extends string>(
  registry: Registry,
  name: string,
  what: string,
  { counted, timed, buckets }: { counted: Label[]; timed: Label; buckets: number[] },
): Calls<Label> {
  const registers = [registry];
  const total = new Counter({
    name: `${name}_total`,
    help: `${what}, by ${counted.join(', ')}.`,
    labelNames: counted,
    registers,
  });
  const seconds = new Histogram({
    name: `${name}_seconds`,
    help: `${what}: seconds that each took, by ${timed}.`,
    labelNames: [timed],
    buckets,
    registers,
  });
  const series = new Map<string, { count(): void; observe(seconds: number): void }>();
  return {
    note(labels, duration) {
      const key = counted.map((label) => labels[label]).join(' ');
      let found = series.get(key);
      if (!found) {
        const count = total.labels(labels);
        const histogram = seconds.labels({ [timed]: labels[timed] } as Record<Label, string>);
        found = { count: () => count.inc(), observe: (value) => histogram.observe(value) };
        series.set(key, found);
      }
      found.count();
      found.observe(duration);
    },
  };
}

/** Returns the outcome of a call that failed: the code of a known error, else `INTERNAL`. */
export const outcomeOf = (error: unknown): ErrorCode =>
  error instanceof FixativeError ? error.code : 'INTERNAL';

/** Runs a call and notes its duration and outcome: `ok`, or a code as outcomeOf has it. */
export async function noteCall<Label extends string, Result>(
  calls: Calls<Label | 'outcome'>,
  labels: Readonly<Record<Label, string>>,
  call: () => Promise<Result>,
): Promise<Result> {
  const since = performance.now();
  const note = (outcome: string) =>
    calls.note(
      { ...labels, outcome } as Record<Label | 'outcome', string>,
      (performance.now() - since) / 1000,
    );
  try {
    const result = await call();
    note('ok');
    return result;
  } catch (error) {
    note(outcomeOf(error));
    throw error;
  }
}

/** Metrics of a process as objects, which another process can add to its own. */
export type Measured = MetricObject[];

/** Metrics of one process. */
export interface ProcessMetrics {
  own(): Promise<Measured>;
  /** Returns the gauges that all servers of the database share, as text. */
  shared(): Promise<string>;
}

/** Sums metrics of several processes. */
export const sumOf = async (measured: readonly Measured[]): Promise<Measured> =>
  (await AggregatorRegistry.aggregate([...measured]).getMetricsAsJSON()) as Measured;

/** Returns the text for Prometheus of the metrics of several processes. */
export const textOf = async (measured: readonly Measured[], shared: string): Promise<string> =>
  `${await AggregatorRegistry.aggregate([...measured]).metrics()}${shared}`;
