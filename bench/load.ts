import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import { cpuSeconds } from './cpu.ts';

export interface Subject {
  readonly body: string;
  /** How long the right answer is; a longer or shorter one, or another status than 200, is a wrong one. */
  readonly answerBytes: number;
}

export interface Target {
  readonly url: URL;
  readonly pid: number;
  readonly headers: Readonly<Record<string, string>>;
}

export interface LoadResult {
  readonly requests: number;
  readonly wrong: number;
  readonly seconds: number;
  /** Of the server's process; null where the system does not say. */
  readonly cpuSeconds: number | null;
}

/** Asks for each subject in turn, over and over, each connection as soon as it has its answer. */
export async function load(
  target: Target,
  subjects: readonly Subject[],
  options: { connections: number; seconds: number; signal: AbortSignal },
): Promise<LoadResult> {
  const pool = new Pool(target.url.origin, { connections: options.connections, pipelining: 1 });
  const request = {
    path: target.url.pathname,
    method: 'POST' as const,
    headers: { 'content-type': 'application/json', accept: 'application/json', ...target.headers },
  };
  let requests = 0;
  let wrong = 0;
  let stopped = false;
  const stop = sleep(options.seconds * 1000, undefined, { signal: options.signal }).finally(() => {
    stopped = true;
  });
  const connection = async () => {
    while (!stopped) {
      const subject = subjects[requests++ % subjects.length] as Subject;
      const right = await ask(pool, { ...request, body: subject.body }, subject.answerBytes);
      if (!right) wrong++;
    }
  };
  const cpuBefore = await cpuSeconds(target.pid);
  const start = performance.now();
  try {
    await Promise.all([stop, ...Array.from({ length: options.connections }, connection)]);
    const seconds = (performance.now() - start) / 1000;
    const cpuAfter = await cpuSeconds(target.pid);
    const cpu = cpuBefore === null || cpuAfter === null ? null : cpuAfter - cpuBefore;
    return { requests, wrong, seconds, cpuSeconds: cpu };
  } finally {
    stopped = true;
    await pool.destroy();
  }
}

/** The leanest way through undici: the less the load takes of the machine, the more is left for what is measured. */
function ask(pool: Pool, options: Dispatcher.DispatchOptions, answerBytes: number): Promise<boolean> {
  return new Promise((resolve) => {
    let status = 0;
    let bytes = 0;
    pool.dispatch(options, {
      onRequestStart() {},
      onResponseStart(_controller, statusCode) {
        status = statusCode;
      },
      onResponseData(_controller, chunk) {
        bytes += chunk.length;
      },
      onResponseEnd: () => resolve(status === 200 && bytes === answerBytes),
      onResponseError: () => resolve(false),
    });
  });
}
