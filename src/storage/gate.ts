/** Runs work with limited concurrency. Work beyond the limit waits and starts in order of arrival. */
export type Gate = <Result>(work: () => Promise<Result>) => Promise<Result>;

/**
 * @param concurrency how many pieces of work run at a time.
 * @param options.maxWaiting how many may wait. Default: no limit.
 * @param options.refuse throws the error for work beyond `maxWaiting`.
 */
export function makeGate(
  concurrency: number,
  options?: { readonly maxWaiting: number; refuse(waiting: number): never },
): Gate {
  let free = concurrency;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free -= 1;
    else {
      if (options && waiting.length >= options.maxWaiting) options.refuse(waiting.length);
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
    try {
      return await work();
    } finally {
      // The slot goes directly to the next in line, so that work that arrives now cannot overtake it.
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
