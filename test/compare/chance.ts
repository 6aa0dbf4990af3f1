import { makeRandom } from '../pictures.ts';

/** Seeded choices for generated tests: a seed always gives the same choices. */
export interface Chance {
  /** Returns a number in [0, 1). */
  readonly random: () => number;
  /** Returns true in this share of the calls. */
  of(share: number): boolean;
  /** Returns an integer from 0 to `most` - 1. */
  below(most: number): number;
  oneOf<Value>(values: readonly Value[]): Value;
  /** Returns `least` to `most` values. */
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
/** COMPARE_SEED repeats a run. Default: a new seed for each run, which a failure names. */
export const COMPARE_SEED = Number(process.env.COMPARE_SEED ?? Date.now() % 1_000_000);

/** Runs `compare` with one seed after another until the time is over. Returns the number of seeds. */
export async function compareForSeconds(
  compare: (seed: number) => Promise<void> | void,
  seconds = COMPARE_SECONDS,
): Promise<number> {
  const deadline = performance.now() + seconds * 1000;
  let seeds = 0;
  do {
    await compare(COMPARE_SEED + seeds);
    seeds++;
    // vitest needs a turn of the event loop to report and to time out.
    await new Promise((resolve) => setImmediate(resolve));
  } while (performance.now() < deadline);
  return seeds;
}
