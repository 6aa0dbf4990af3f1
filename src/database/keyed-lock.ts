/** Runs one task at a time under each name, in the order of the calls. */
export type KeyedLock = <Result>(name: string, work: () => Promise<Result>) => Promise<Result>;

export function makeKeyedLock(): KeyedLock {
  const tails = new Map<string, Promise<unknown>>();
  return async (name, work) => {
    const before = tails.get(name);
    const mine = (before ?? Promise.resolve()).catch(() => {}).then(work);
    tails.set(name, mine);
    try {
      return await mine;
    } finally {
      if (tails.get(name) === mine) tails.delete(name);
    }
  };
}
