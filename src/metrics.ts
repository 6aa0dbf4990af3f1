/**
 * Metrics of one process for Prometheus, by prom-client. Values of labels come from short lists of our own,
 * never from a client, so that the number of time series is limited.
 */
import { cpuUsage, memoryUsage } from 'node:process';
import { AggregatorRegistry, Counter, Gauge, type MetricObject, Registry } from 'prom-client';
import { type ErrorCode, FixativeError } from './errors.ts';

export interface Metrics {
  readonly registry: Registry;
  readonly requests: Calls<'route' | 'status'>;
  readonly operations: Calls<'operation' | 'outcome'>;
  readonly providerCalls: Calls<'provider' | 'outcome'>;
  readonly storeCalls: Calls<'store' | 'call' | 'outcome'>;
  /** Adds bytes of connections. */
  countBytes(received: number, sent: number): void;
  readonly files: Counter<'outcome'>;
  readonly fileBytes: Counter;
  /** Counts a request to the cache of bytes. */
  countLookup(found: boolean): void;
  /**
   * Adds a gauge whose value is read at each scrape.
   * @param over how several processes are combined. Default: sum.
   */
  gauge(
    name: string,
    help: string,
    read: () => number | Readonly<Record<string, number>>,
    over?: 'sum' | 'max',
  ): void;
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
  addProcessMetrics(registers);
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
    files: counter('fixative_files_received_total', 'Files that were received or fetched, by outcome.', [
      'outcome',
    ]),
    fileBytes: counter('fixative_file_bytes_received_total', 'Bytes of the files that were received whole.'),
    ...makeQuickCounters(registry),
    gauge(name, help, read, over = 'sum') {
      new Gauge({
        name,
        help,
        registers,
        labelNames: ['state'],
        aggregator: over,
        collect() {
          const value = read();
          if (typeof value === 'number') this.set(value);
          else for (const [state, each] of Object.entries(value)) this.set({ state }, each);
        },
      });
    },
  };
}

function addProcessMetrics(registers: Registry[]): void {
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
}

/** Makes the counters of what happens too often for those of prom-client (makeCalls). */
function makeQuickCounters(registry: Registry): Pick<Metrics, 'countBytes' | 'countLookup'> {
  const bytes = { received: 0, sent: 0 };
  const lookups = { hit: 0, miss: 0 };
  const count = (name: string, help: string, values: () => Value[]) =>
    register(registry, { name, help, type: 'counter', values });
  count('fixative_received_bytes_total', 'Bytes received from clients over HTTP.', () => [
    { labels: {}, value: bytes.received },
  ]);
  count('fixative_sent_bytes_total', 'Bytes sent to clients over HTTP.', () => [
    { labels: {}, value: bytes.sent },
  ]);
  count('fixative_cache_requests_total', 'Requests to the cache of bytes, by result: hit or miss.', () =>
    Object.entries(lookups).map(([result, value]) => ({ labels: { result }, value })),
  );
  return {
    countBytes(received, sent) {
      bytes.received += received;
      bytes.sent += sent;
    },
    countLookup(found) {
      if (found) lookups.hit++;
      else lookups.miss++;
    },
  };
}

/** Calls with the same labels. */
interface Series {
  readonly labels: Readonly<Record<string, string>>;
  count: number;
}

interface TimedSeries extends Series {
  sum: number;
  /** Number of durations up to each limit, and above the last one. */
  readonly buckets: number[];
}

/**
 * Makes a counter `NAME_total` of calls and a histogram `NAME_seconds` of their durations. It counts by
 * itself, and prom-client reads the counts at a scrape: prom-client's own counters look up a hash of the
 * labels at each call, which took a tenth of the time of a small response.
 */
function makeCalls<Label extends string>(
  registry: Registry,
  name: string,
  what: string,
  { counted, timed, buckets }: { counted: Label[]; timed: Label; buckets: readonly number[] },
): Calls<Label> {
  const counts = new Map<string, Series>();
  const durations = new Map<string, TimedSeries>();
  register(registry, {
    name: `${name}_total`,
    help: `${what}, by ${counted.join(', ')}.`,
    type: 'counter',
    values: () => [...counts.values()].map(({ labels, count }) => ({ labels, value: count })),
  });
  register(registry, {
    name: `${name}_seconds`,
    help: `${what}: seconds that each took, by ${timed}.`,
    type: 'histogram',
    values: () => [...durations.values()].flatMap((series) => valuesOf(`${name}_seconds`, series, buckets)),
  });
  const made = <Each extends Series>(all: Map<string, Each>, key: string, series: Each): Each => {
    all.set(key, series);
    return series;
  };
  return {
    note(labels, seconds) {
      let key = '';
      for (const label of counted) key += `${labels[label]} `;
      const one = counts.get(key) ?? made(counts, key, { labels, count: 0 });
      one.count++;
      const value = labels[timed];
      const each =
        durations.get(value) ??
        made(durations, value, {
          labels: { [timed]: value },
          count: 0,
          sum: 0,
          buckets: new Array(buckets.length + 1).fill(0),
        });
      each.count++;
      each.sum += seconds;
      let place = 0;
      while (place < buckets.length && seconds > (buckets[place] as number)) place++;
      (each.buckets[place] as number)++;
    },
  };
}

interface Value {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
  readonly metricName?: string;
}

/** Returns the values of a histogram as prom-client has them: each bucket counts those before it too. */
function valuesOf(
  name: string,
  { labels, count, sum, buckets }: TimedSeries,
  limits: readonly number[],
): Value[] {
  let total = 0;
  const ofBuckets = buckets.map((each, place) => {
    total += each;
    return { labels: { le: limits[place] ?? '+Inf', ...labels }, value: total, metricName: `${name}_bucket` };
  });
  return [
    ...ofBuckets,
    { labels, value: sum, metricName: `${name}_sum` },
    { labels, value: count, metricName: `${name}_count` },
  ];
}

/** Registers a metric whose values are read at each scrape. */
function register(
  registry: Registry,
  { values, ...rest }: { name: string; help: string; type: 'counter' | 'histogram'; values: () => Value[] },
): void {
  const metric = { ...rest, aggregator: 'sum' as const };
  const get = async () => ({ ...metric, values: values() });
  registry.registerMetric({ ...metric, get } as never);
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
export async function textOf(measured: readonly Measured[], shared: string): Promise<string> {
  const text = await AggregatorRegistry.aggregate([...measured]).metrics();
  return `${text.replaceAll('\n\n', '\n')}${shared}`;
}
