import cluster, { type Worker } from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { FixativeError } from '../errors.ts';
import type { Scrape } from '../http/serve-metrics.ts';
import type { ProcessMetrics } from '../metrics.ts';
import { serveScrapes } from './metrics.ts';
import {
  type MetricsFromServer,
  type MetricsToServer,
  makeAnswering,
  makeMeasuring,
} from './process-metrics.ts';
import { EXIT, type ExitCode, type Terminal } from './terminal.ts';

/** Task of a server process, from the primary process. */
export interface Assignment {
  /** Whether the process also takes jobs. One of them does. */
  readonly works: boolean;
}

type ToServer = { readonly assignment: Assignment } | { readonly stop: true } | MetricsToServer;
type FromServer =
  /** The process receives messages from now on. */
  | { readonly hears: true }
  /** The process listens. The text is for the terminal. */
  | { readonly ready: string }
  | MetricsFromServer;

/** Longest back-off before a process is restarted. */
const LONGEST_PAUSE_SECONDS = 30;

/**
 * Serves in several processes that share one port (https://nodejs.org/api/cluster.html). The primary process
 * accepts connections and distributes them. The first server process starts alone, because it migrates the
 * database. A process that ends is restarted after 1 s, then 2, 4, … 30 s.
 * @returns the exit code of a process that ended before it listened.
 */
export async function serveInProcesses(
  count: number,
  config: Pick<Config, 'databaseUrl' | 'metricsPort' | 'metricsHost'>,
  options: { terminal: Terminal; stopped: Promise<void>; workers: boolean },
): Promise<ExitCode> {
  if (config.databaseUrl === null) {
    throw new FixativeError(
      'INVALID_INPUT',
      'The embedded database allows only one process. Set DATABASE_URL to a PostgreSQL server, or remove --processes.',
    );
  }
  const { terminal } = options;
  const running = new Set<Worker>();
  const measuring = makeMeasuring(running);
  await serveScrapes(config, measuring.scrape, { warn: () => {} });
  let stopping = false;

  /** Starts a process. Resolves when it listens, or to its exit code if it ended before. */
  async function start(
    index: number,
  ): Promise<{ worker: Worker; ended: Promise<number>; ready: string } | number> {
    let worker: Worker;
    try {
      worker = cluster.fork();
    } catch (error) {
      return noteFailure(terminal, error);
    }
    running.add(worker);
    const ended = new Promise<number>((resolve) => {
      const end = (code: number) => {
        running.delete(worker);
        measuring.noteEnd(worker);
        resolve(code);
      };
      worker.once('exit', (code, signal) => end(signal ? EXIT.failed : code));
      // The process could not be started, or cannot receive messages.
      worker.on('error', (error) => end(noteFailure(terminal, error)));
    });
    const ready = new Promise<string>((resolve) => {
      worker.on('message', (message: FromServer) => {
        if ('ready' in message) return resolve(message.ready);
        if ('measured' in message || 'scrape' in message) return measuring.hear(worker, message);
        send(worker, { assignment: { works: options.workers && index === 0 } });
        if (stopping) send(worker, { stop: true });
      });
    });
    const first = await Promise.race([ready, ended]);
    return typeof first === 'number' ? first : { worker, ended, ready: first };
  }

  /** Restarts a process whenever it ends, until all are stopped. */
  async function keep(index: number, ended: Promise<number>): Promise<void> {
    let pause = 1;
    for (let code = await ended; !stopping; ) {
      terminal.note(
        `Server process ${index + 1} of ${count} ended (exit code ${code}). Restarting it in ${pause} s.\n`,
      );
      await Promise.race([sleep(pause * 1000, undefined, { ref: false }), options.stopped]);
      if (stopping) return;
      const started = await start(index);
      pause = typeof started === 'number' ? Math.min(pause * 2, LONGEST_PAUSE_SECONDS) : 1;
      code = typeof started === 'number' ? started : await started.ended;
    }
  }

  const stop = () => {
    stopping = true;
    for (const worker of running) send(worker, { stop: true });
  };
  const stopped = options.stopped.then(stop);
  const first = await start(0);
  const others = typeof first === 'number' || stopping ? [] : await Promise.all(range(1, count).map(start));
  // A process that ends during a stop has not failed. Ctrl-C reaches each process, some before they can
  // report it.
  const failed = stopping ? undefined : [first, ...others].find((one) => typeof one === 'number');
  const kept = [first, ...others].flatMap((one, index) =>
    typeof one === 'number' ? [] : [keep(index, one.ended)],
  );
  if (failed !== undefined) stop();
  else if (typeof first !== 'number' && !stopping)
    terminal.out(first.ready.replace(/\n\n$/, `\n  Processes  ${count}\n\n`));
  if (failed === undefined) await stopped;
  await Promise.all(kept);
  return (failed as ExitCode | undefined) ?? EXIT.ok;
}

/** Prints why a process could not be started. Returns its exit code. */
function noteFailure(terminal: Terminal, error: unknown): number {
  terminal.note(
    `A server process could not be started: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  return EXIT.failed;
}

/** Returns whether this process is one of several server processes. */
export const isOneOfSeveral = (): boolean => cluster.isWorker;

/**
 * Connects a server process to the primary process. `stopped` resolves when that asks it to stop, or has
 * ended.
 */
export async function enterProcess(): Promise<
  Assignment & {
    stopped: Promise<void>;
    terminal: Terminal;
    /** Returns the metrics of all processes, by the primary process. */
    scrape: Scrape;
    /** Answers the questions of the primary process for the metrics of this one. */
    answerWith(metrics: ProcessMetrics): void;
    /** Disconnects from the primary process. The connection keeps the process alive until then. */
    leave(): void;
  }
> {
  const worker = cluster.worker as Worker;
  let onAssignment: (assignment: Assignment) => void;
  let onStop: () => void;
  const measured = makeAnswering((message) => {
    if (worker.isConnected()) worker.send(message satisfies FromServer);
  });
  const assignment = new Promise<Assignment>((resolve) => {
    onAssignment = resolve;
  });
  const stopped = new Promise<void>((resolve) => {
    onStop = resolve;
  });
  worker.on('message', (message: ToServer) => {
    if ('assignment' in message) onAssignment(message.assignment);
    else if ('stop' in message) onStop();
    else measured.hear(message);
  });
  worker.on('disconnect', () => {
    // Otherwise Node ends the process at once.
    worker.exitedAfterDisconnect = true;
    onStop();
  });
  worker.send({ hears: true } satisfies FromServer);
  return {
    ...(await assignment),
    scrape: measured.scrape,
    answerWith: measured.answerWith,
    stopped,
    terminal: {
      out: (text) => {
        if (worker.isConnected()) worker.send({ ready: text } satisfies FromServer);
      },
      // Every process would print the same.
      note: () => {},
      interactive: false,
    },
    leave: () => {
      if (worker.isConnected()) worker.disconnect();
    },
  };
}

function send(worker: Worker, message: ToServer): void {
  if (worker.isConnected()) worker.send(message);
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
