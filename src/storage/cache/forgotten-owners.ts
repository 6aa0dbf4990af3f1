/**
 * The logical times at which owners were forgotten. A cache compares them with the time at which a value was
 * read, so that it adds no value of an owner that was forgotten meanwhile.
 */
export interface ForgottenOwners {
  /** Number of calls of `add`; serves as a logical clock. */
  readonly now: number;
  add(owner: string): void;
  /** Returns whether the owner was forgotten after the time `since`. */
  isAfter(owner: string, since: number): boolean;
}

/** @param maxOwners most owners to remember; the one forgotten longest ago is dropped. */
export function makeForgottenOwners(maxOwners: number): ForgottenOwners {
  const times = new Map<string, number>();
  let now = 0;
  return {
    get now() {
      return now;
    },
    add(owner) {
      now += 1;
      const [first] = times.keys();
      if (times.size >= maxOwners && first !== undefined) times.delete(first);
      times.delete(owner);
      times.set(owner, now);
    },
    isAfter: (owner, since) => (times.get(owner) ?? 0) > since,
  };
}
