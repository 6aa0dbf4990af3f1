import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import { cpuSecondsOfFamily } from './cpu.ts';

/** A request that is sent over and over, and what is known of its answer. */
export interface Subject {
  /** POST without it. */
  readonly method?: 'GET' | 'POST';
  /** That of the target without it. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A function is asked for each request, where no two may be the same. */
  readonly body?: string | Buffer | (() => string | Buffer);
  /** How long the right answer is: a longer or shorter one, or another status than 200, is a wrong one. null: it may have any length. */
  readonly answerBytes: number | null;
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
  /** Of the server's process and its children; null where the system does not say. */
  readonly cpuSeconds: number | null;
}

/** Asks for each subject in turn, over and over, each connection as soon as it has its answer. */
export async function load(
  target: Target,
  subjects: readonly Subject[],
  options: { connections: number; seconds: number; signal: AbortSignal },
): Promise<LoadResult> {
  const pool = new Pool(target.url.origin, { connections: options.connections, pipelining: 1 });
  const requestOf = ({ method = 'POST', path = target.url.pathname, headers, body }: Subject) => ({
    path,
    method,
    headers: { ...target.headers, ...headers },
    body: typeof body === 'function' ? body() : (body ?? null),
  });
  let requests = 0;
  let wrong = 0;
  let stopped = false;
  const stop = sleep(options.seconds * 1000, undefined, { signal: options.signal }).finally(() => {
    stopped = true;
  });
  const connection = async () => {
    while (!stopped) {
      const subject = subjects[requests++ % subjects.length] as Subject;
      const right = await ask(pool, requestOf(subject), subject.answerBytes);
      if (!right) wrong++;
    }
  };
  const cpuBefore = await cpuSecondsOfFamily(target.pid);
  const start = performance.now();
  try {
    await Promise.all([stop, ...Array.from({ length: options.connections }, connection)]);
    const seconds = (performance.now() - start) / 1000;
    const cpuAfter = await cpuSecondsOfFamily(target.pid);
    const cpu = cpuBefore === null || cpuAfter === null ? null : cpuAfter - cpuBefore;
    return { requests, wrong, seconds, cpuSeconds: cpu };
  } finally {
    stopped = true;
    await pool.destroy();
  }
}

/** The leanest way through undici: the less the load takes of the machine, the more is left for what is measured. */
function ask(pool: Pool, options: Dispatcher.DispatchOptions, answerBytes: number | null): Promise<boolean> {
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
      onResponseEnd: () => resolve(status === 200 && (answerBytes === null || bytes === answerBytes)),
      onResponseError: () => resolve(false),
    });
  });
}
