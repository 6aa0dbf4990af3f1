import { makeRandom } from '../pictures.ts';

/** Seeded choices for generated tests. The same seed gives the same choices. */
export interface Chance {
  /** A number in [0, 1). */
  readonly random: () => number;
  /** True in this share of the calls. */
  of(share: number): boolean;
  /** A whole number from 0 to `most` - 1. */
  below(most: number): number;
  oneOf<Value>(values: readonly Value[]): Value;
  /** `least` to `most` values. */
  many<Value>(least: number, most: number, make: (at: number) => Value): Value[];
}

export function makeChance(seed: number): Chance {
  const random = makeRandom(seed);
  const below = (most: number) => Math.floor(random() * most);
  return {
    random,
    of: (share) => random() < share,
    below,
    oneOf: <Value>(values: readonly Value[]) => values[below(values.length)] as Value,
    many: (least, most, make) => Array.from({ length: least + below(most - least + 1) }, (_, at) => make(at)),
  };
}

/** Seconds that each generated test runs: COMPARE_SECONDS, or 5. */
export const COMPARE_SECONDS = Number(process.env.COMPARE_SECONDS ?? 5);
/** COMPARE_SEED repeats a run. Without it each run has a seed of its own, which a failure names. */
export const COMPARE_SEED = Number(process.env.COMPARE_SEED ?? Date.now() % 1_000_000);

/** Runs `compare` with one seed after the other until the time is over. @returns how many seeds were run. */
export async function compareForSeconds(
  compare: (seed: number) => Promise<void> | void,
  seconds = COMPARE_SECONDS,
): Promise<number> {
  const deadline = performance.now() + seconds * 1000;
  let seeds = 0;
  do {
    await compare(COMPARE_SEED + seeds);
    seeds++;
    // Under vitest a turn of the event loop is needed to report and to time out.
    await new Promise((resolve) => setImmediate(resolve));
  } while (performance.now() < deadline);
  return seeds;
}
