import { createHash } from 'node:crypto';

/**
 * Returns the next number of a stream, from 0 to below 1. Every purpose has its own stream, so that a change
 * to one part of the picture leaves the others unchanged.
 */
export type Random = () => number;

/** Makes a stream with the generator sfc32. @see https://pracrand.sourceforge.net/RNG_engines.txt */
export function makeRandom(seed: Buffer, purpose: string): Random {
  const key = createHash('sha256').update(seed).update(purpose).digest();
  let [a, b, c, counter] = [key.readInt32LE(0), key.readInt32LE(4), key.readInt32LE(8), key.readInt32LE(12)];
  return () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
}

/**
 * A smooth curve with values from 0 to 1. It passes through a random value at each whole number and repeats
 * after 256.
 */
export type Noise = (u: number) => number;

export function makeNoise(seed: Buffer, purpose: string): Noise {
  const values = Float64Array.from({ length: 256 }, makeRandom(seed, purpose));
  return (u) => {
    const cell = Math.floor(u);
    const part = u - cell;
    const [from = 0, to = 0] = [values[cell & 255], values[(cell + 1) & 255]];
    return from + (to - from) * part * part * (3 - 2 * part);
  };
}
