/** Runs work when there is a place for it among that of the same name; the rest waits in its order. */
export type Places = <Result>(name: string, work: () => Promise<Result>) => Promise<Result>;

export function makePlaces(perName: number): Places {
  const taken = new Map<string, number>();
  const waiting = new Map<string, (() => void)[]>();
  return async (name, work) => {
    if ((taken.get(name) ?? 0) >= perName) {
      await new Promise<void>((resolve) => waiting.set(name, [...(waiting.get(name) ?? []), resolve]));
    } else {
      taken.set(name, (taken.get(name) ?? 0) + 1);
    }
    try {
      return await work();
    } finally {
      // The place goes to the next, or is free.
      const next = waiting.get(name)?.shift();
      if (next) next();
      else taken.set(name, (taken.get(name) ?? 1) - 1);
    }
  };
}
