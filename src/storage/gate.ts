/** Lets so many pieces of work run at a time; the others begin in the order in which they came. */
export type Gate = <Result>(work: () => Promise<Result>) => Promise<Result>;

/**
 * @param options.maxWaiting how many may wait; as many as come, without it.
 * @param options.refuse throws for one that would be one too many to wait.
 */
export function makeGate(
  places: number,
  options?: { readonly maxWaiting: number; refuse(waiting: number): never },
): Gate {
  let free = places;
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
      // The place is handed on, not given back, so that nobody who comes now can slip in before the one who waits.
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
