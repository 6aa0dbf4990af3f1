import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import { cpuSecondsOfFamily } from './cpu.ts';

/** A request to send repeatedly, and the expected length of its response. */
export interface Subject {
  /** Default: POST. */
  readonly method?: 'GET' | 'POST';
  /** Default: the path of the target. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A function is called for each request, so that every body can differ. */
  readonly body?: string | Buffer | (() => string | Buffer);
  /**
   * Length of the right response in bytes. Another length, or another status than 200, counts as wrong. null:
   * any length.
   */
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
  /** CPU time of the server's process and its children; null where there is no /proc. */
  readonly cpuSeconds: number | null;
}

/** Sends the subjects in turn. Each connection sends the next one as soon as it has its response. */
export async function loadTarget(
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
      const isRight = await dispatchRequest(pool, requestOf(subject), subject.answerBytes);
      if (!isRight) wrong++;
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

/**
 * Sends one request by undici's cheapest API, to leave as much CPU as possible to the server. Resolves to
 * whether the response was right.
 */
function dispatchRequest(
  pool: Pool,
  options: Dispatcher.DispatchOptions,
  answerBytes: number | null,
): Promise<boolean> {
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
