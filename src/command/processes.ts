import cluster, { type Worker } from 'node:cluster';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { FixativeError } from '../errors.ts';
import { EXIT, type ExitCode, type Terminal } from './terminal.ts';

/** What a process of several is told by the one that began it. */
export interface Assignment {
  /** Whether this one also works: one of them does. */
  readonly works: boolean;
}

type ToServer = { readonly assignment: Assignment } | { readonly stop: true };
type FromServer =
  /** It hears what it is told from now on. */
  | { readonly hears: true }
  /** It listens; what a person is told of that. */
  | { readonly ready: string };

const LONGEST_PAUSE_SECONDS = 30;

/**
 * Serves in several processes that share one port (https://nodejs.org/api/cluster.html): the one that accepts
 * connections hands them round. The first begins alone, for it brings the database up to date. One that ends
 * by itself is begun anew, after 1 s, then 2, 4, … 30.
 * @returns what a first one ended with that did not come to listen.
 */
export async function serveInProcesses(
  count: number,
  config: Pick<Config, 'databaseUrl'>,
  options: { terminal: Terminal; stopped: Promise<void>; workers: boolean },
): Promise<ExitCode> {
  if (config.databaseUrl === null) {
    throw new FixativeError(
      'INVALID_INPUT',
      'The embedded database belongs to one process. Set DATABASE_URL to a PostgreSQL server, or leave --processes out.',
    );
  }
  const { terminal } = options;
  const running = new Set<Worker>();
  let stopping = false;

  /** Resolves when it listens, or with its exit code when it ended before. */
  async function begin(
    index: number,
  ): Promise<{ worker: Worker; ended: Promise<number>; ready: string } | number> {
    let worker: Worker;
    try {
      worker = cluster.fork();
    } catch (error) {
      return noteFailure(error);
    }
    running.add(worker);
    const ended = new Promise<number>((resolve) => {
      const end = (code: number) => {
        running.delete(worker);
        resolve(code);
      };
      worker.once('exit', (code, signal) => end(signal ? EXIT.failed : code));
      // It could not be begun, or cannot be told anything.
      worker.on('error', (error) => end(noteFailure(error)));
    });
    const ready = new Promise<string>((resolve) => {
      worker.on('message', (message: FromServer) => {
        if ('ready' in message) return resolve(message.ready);
        send(worker, { assignment: { works: options.workers && index === 0 } });
        if (stopping) send(worker, { stop: true });
      });
    });
    const first = await Promise.race([ready, ended]);
    return typeof first === 'number' ? first : { worker, ended, ready: first };
  }

  function noteFailure(error: unknown): number {
    terminal.note(
      `A process could not be begun: ${error instanceof Error ? error.message : String(error)}\n`,
    );
    return EXIT.failed;
  }

  /** Keeps one running until all are stopped. */
  async function keep(index: number, ended: Promise<number>): Promise<void> {
    let pause = 1;
    for (let code = await ended; !stopping; ) {
      terminal.note(`Process ${index + 1} of ${count} ended (${code}); it is begun anew in ${pause} s.\n`);
      await Promise.race([sleep(pause * 1000, undefined, { ref: false }), options.stopped]);
      if (stopping) return;
      const begun = await begin(index);
      pause = typeof begun === 'number' ? Math.min(pause * 2, LONGEST_PAUSE_SECONDS) : 1;
      code = typeof begun === 'number' ? begun : await begun.ended;
    }
  }

  const stop = () => {
    stopping = true;
    for (const worker of running) send(worker, { stop: true });
  };
  const stopped = options.stopped.then(stop);
  const first = await begin(0);
  const others = typeof first === 'number' || stopping ? [] : await Promise.all(range(1, count).map(begin));
  // One that ends while all are stopped has not failed: Ctrl-C reaches each of them, some before they can say
  // that they heard it.
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

/** Whether this process is one of several. */
export const isOneOfSeveral = (): boolean => cluster.isWorker;

/**
 * In one of several: what it is told, and when it is to stop: when it is told to, or when the one that tells
 * it is gone.
 */
export async function enterProcess(): Promise<
  Assignment & {
    stopped: Promise<void>;
    terminal: Terminal;
    /** What ties it to the others keeps it running until then. */
    leave(): void;
  }
> {
  const worker = cluster.worker as Worker;
  let onAssignment: (assignment: Assignment) => void;
  let onStop: () => void;
  const assignment = new Promise<Assignment>((resolve) => {
    onAssignment = resolve;
  });
  const stopped = new Promise<void>((resolve) => {
    onStop = resolve;
  });
  worker.on('message', (message: ToServer) => {
    if ('assignment' in message) onAssignment(message.assignment);
    else onStop();
  });
  worker.on('disconnect', () => {
    // Without this Node ends the process here and now.
    worker.exitedAfterDisconnect = true;
    onStop();
  });
  worker.send({ hears: true } satisfies FromServer);
  return {
    ...(await assignment),
    stopped,
    terminal: {
      out: (text) => {
        if (worker.isConnected()) worker.send({ ready: text } satisfies FromServer);
      },
      // All of them would say the same.
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
