/** Scene of a sample landscape: its mood, colours and features, all chosen from a seed. */
import { type Colour, parseColour, turnHue } from './colour.ts';
import { makeRandom } from './noise.ts';

/**
 * Eight colours for each mood, in this order: four of the sky from the zenith to the horizon, the sun or
 * moon, its glow, the furthest ridge, the nearest ridge. Ridges in between mix the last two.
 */
const DAYS = {
  dawn: '#3b4a86 #8f7bb0 #f2a6a0 #ffe0bd #fff3d6 #ffd19a #b58aa8 #2a2140',
  ember: '#2b1b3d #8a2f4f #ee6c3a #ffc466 #ffe9b0 #ff9d4d #a8485a #1f0f22',
  noon: '#2d7fc4 #5aa9de #a4d6ee #eaf6f3 #fffdf0 #fff3c4 #86b4cf #1d4a4d',
  meadow: '#4fa3c7 #8ecbd0 #cfe8cb #fbf3cf #fffbe3 #fdf0ae #8fbfa8 #1f4a35',
  mist: '#8fa3ad #b4c2c6 #d5dcd9 #f1efe6 #fffef7 #ffffff #a9b9be #36474f',
  rose: '#5d4a8c #b06aa5 #f093a8 #ffd3c4 #fff0e8 #ffc2c9 #a873a8 #2f1b45',
  desert: '#3f7c9c #8fb7b3 #f0d3a1 #fbe7c2 #fff6dc #ffdf9e #d39a72 #5a2a22',
  teal: '#0c3b4c #1f6f78 #67b5a0 #f3e3a3 #fff4c8 #f4d58a #4f9a95 #08252f',
};
const NIGHTS = {
  dusk: '#141a3f #3a3474 #8a5590 #e79a86 #ffe6cf #ffae8c #5f4a80 #0f1029',
  moonlight: '#070d22 #10234a #234a78 #5c8cab #f4f6e8 #a9cbe6 #3a6286 #050b18',
  aurora: '#050a1c #0a1c3a #124251 #2f7f74 #eef7ee #8fe0c0 #1d5560 #030a12',
  violet: '#120a2b #2c1657 #5b2d86 #b667ad #fde9f5 #d9a0e0 #4f2f7d #0a0618',
};
const MOODS = Object.entries({ ...DAYS, ...NIGHTS });

type Eight<T> = [T, T, T, T, T, T, T, T];

/** Everything that a landscape shows. It holds no sizes in pixels, so one scene fits every frame. */
export interface Scene {
  readonly seed: Buffer;
  readonly mood: string;
  readonly night: boolean;
  readonly sky: readonly [Colour, Colour, Colour, Colour];
  readonly disc: Colour;
  readonly glow: Colour;
  readonly far: Colour;
  readonly near: Colour;
  /** Centre of the sun or moon: `x` as a part of the frame's width, `y` as a part of `Frame.open`. */
  readonly discAt: { readonly x: number; readonly y: number };
  /** Radius of the sun or moon, as a part of the frame's shorter side. */
  readonly discRadius: number;
  readonly crescent: boolean;
  readonly ridges: number;
  /** Shape of the mountains, from 0 (round hills) to 1 (jagged rock). */
  readonly sharpness: number;
  readonly snow: boolean;
  readonly lake: boolean;
  readonly trees: boolean;
  readonly birds: number;
  readonly clouds: number;
}

/** Chooses a scene. One seed always gives one scene. */
export function composeScene(seed: Buffer): Scene {
  const random = makeRandom(seed, 'scene');
  const [mood, palette] = MOODS[Math.floor(random() * MOODS.length)] ?? ['dawn', DAYS.dawn];
  const turn = (random() - 0.5) * (Math.PI / 5);
  const colours = palette.split(' ').map((hex) => turnHue(parseColour(hex), turn));
  const [zenith, upper, lower, horizon, disc, glow, far, near] = colours as Eight<Colour>;
  const night = mood in NIGHTS;
  return {
    seed,
    mood,
    night,
    sky: [zenith, upper, lower, horizon],
    disc,
    glow,
    far,
    near,
    discAt: { x: 0.18 + 0.64 * random(), y: night ? 0.2 + 0.3 * random() : 0.3 + 0.5 * random() },
    discRadius: night ? 0.035 + 0.03 * random() : 0.045 + 0.05 * random(),
    crescent: random() < 0.5 && night,
    ridges: 4 + Math.floor(random() * 3),
    sharpness: random(),
    snow: random() < 0.6 && mood !== 'desert',
    lake: random() < 0.45,
    trees: random() < 0.75 && mood !== 'desert',
    birds: night ? 0 : Math.floor(random() * 6),
    clouds: Math.floor(random() * 7),
  };
}

/** The frame of a picture, in pixels. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  /** The shorter side. All sizes in the picture are measured by it. */
  readonly unit: number;
  /** Height at which the land meets the lake; without a lake, the lower edge. */
  readonly shore: number;
  /** Height down to which no ridge covers the sky. */
  readonly open: number;
}
