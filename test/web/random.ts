/** A source of numbers that gives the same ones for the same seed. */
export interface Random {
  /** Returns a number from 0 to below 1. */
  next(): number;
  /** Returns an integer from 0 to below `limit`. */
  integer(limit: number): number;
  chance(probability: number): boolean;
  pick<Value>(values: readonly Value[]): Value;
}

/** Makes a source of random numbers by mulberry32. */
export function makeRandom(seed: number): Random {
  let state = seed;
  const random: Random = {
    next() {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
    integer: (limit) => Math.floor(random.next() * limit),
    chance: (probability) => random.next() < probability,
    pick: (values) => values[random.integer(values.length)] as (typeof values)[number],
  };
  return random;
}
