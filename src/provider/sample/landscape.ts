/**
 * The landscape of the sample provider: a scene follows from a seed, and is drawn as SVG into a frame of any size. There is no text
 * in it, because fonts differ between machines.
 */
import { BLACK, type Colour, mix, parseColour, turnHue } from './colour.ts';
import { makeNoise, makeRandom, type Noise } from './noise.ts';

/**
 * The lights to paint in, each as eight colours: the sky from the zenith to the horizon in four, the sun or moon, its glow,
 * the furthest ridge and the nearest; the ridges between are mixed from both.
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

/** Everything about a picture but its frame. */
export interface Scene {
  readonly seed: Buffer;
  readonly mood: string;
  readonly night: boolean;
  readonly sky: readonly [Colour, Colour, Colour, Colour];
  readonly disc: Colour;
  readonly glow: Colour;
  readonly far: Colour;
  readonly near: Colour;
  /** The centre of the sun or moon, as parts of the frame's width and of the height of the open sky. */
  readonly discAt: { readonly x: number; readonly y: number };
  /** As a part of the frame's shorter side. */
  readonly discRadius: number;
  readonly crescent: boolean;
  readonly ridges: number;
  /** Of the mountains: 0 for round hills, 1 for jagged rock. */
  readonly sharpness: number;
  readonly snow: boolean;
  readonly lake: boolean;
  readonly trees: boolean;
  readonly birds: number;
  readonly clouds: number;
}

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

/** A frame in pixels; `unit` is its shorter side, in which the sizes of things are measured. */
interface Frame {
  readonly width: number;
  readonly height: number;
  readonly unit: number;
  /** Where the land meets the lake; the lower edge, where there is none. */
  readonly shore: number;
  /** Down to where the sky is sure to be open. */
  readonly open: number;
}

export function drawScene(scene: Scene, width: number, height: number): string {
  const shore = scene.lake ? height * 0.74 : height;
  const frame: Frame = { width, height, unit: Math.min(width, height), shore, open: shore * 0.6 };
  const cloud = mix(scene.sky[3], scene.disc, 0.5);
  const [zenith, upper, lower, horizon] = scene.sky;
  const view = [
    tag('rect', { width, height, fill: 'url(#sky)' }),
    scene.night ? drawStars(scene, frame) : '',
    scene.mood === 'aurora' ? drawAurora(scene, frame) : '',
    drawDisc(scene, frame),
    drawClouds(scene, frame),
    drawBirds(scene, frame),
    drawLand(scene, frame),
  ];
  const picture = [
    fall('sky', 0, shore * 0.7, [stop(0, zenith), stop(0.38, upper), stop(0.72, lower), stop(1, horizon)]),
    around('glow', [stop(0, scene.glow, 0.85), stop(0.25, scene.glow, 0.35), stop(1, scene.glow, 0)]),
    around('cloud', [stop(0, cloud, 0.7), stop(1, cloud, 0)]),
    around('vignette', [stop(0.72, BLACK, 0), stop(1, BLACK, 0.24)], 0.75),
    tag('g', { id: 'view' }, view),
    scene.lake ? drawLake(scene, frame) : '',
    tag('rect', { width, height, fill: 'url(#vignette)' }),
  ];
  return tag('svg', { xmlns: 'http://www.w3.org/2000/svg', width, height }, picture);
}

function drawStars(scene: Scene, { width, height, unit, shore }: Frame): string {
  const random = makeRandom(scene.seed, 'stars');
  const count = Math.min(900, Math.round((150 * width * height) / unit ** 2));
  return repeat(count, () => {
    const [cx, cy] = [random() * width, random() ** 1.5 * shore * 0.75];
    const r = unit * (0.0009 + 0.0019 * random() ** 4);
    return tag('circle', { cx, cy, r, fill: '#fff', opacity: (0.3 + 0.7 * random()) * (1 - cy / shore) });
  });
}

/** Curtains of light: narrow strips side by side, hung on a wave, each as long and as bright as the noise says. */
function drawAurora(scene: Scene, { width, unit, open }: Frame): string {
  const [violet, green, pale] = [parseColour('#a07cf0'), parseColour('#62e6a6'), parseColour('#8ff5c0')];
  const strip = Math.max(unit / 160, width / 500);
  const curtains = repeat(3, (i) => {
    const noise = makeNoise(scene.seed, `aurora ${i}`);
    return repeat(Math.ceil(width / strip) + 4, (k) => {
      const x = (k - 4) * strip;
      const u = (x - width / 2) / unit;
      const foot = open * (0.45 + 0.18 * i + 0.3 * (noise(u * 1.1) - 0.5));
      const height = Math.min(open, unit) * (0.2 + 0.45 * noise(u * 2.3 + 40));
      const opacity = 0.34 * noise(u * 5 + 80) * noise(u * 0.9 + 120);
      return tag('rect', {
        x,
        y: foot - height,
        width: strip * 4,
        height,
        fill: 'url(#curtain)',
        opacity,
      });
    });
  });
  const light = [stop(0, violet, 0), stop(0.45, green, 0.35), stop(0.9, pale, 0.9), stop(1, pale, 0)];
  return tag('linearGradient', { id: 'curtain', x2: 0, y2: 1 }, light) + curtains;
}

function drawDisc(scene: Scene, { width, unit, open }: Frame): string {
  const [cx, cy, r] = [width * scene.discAt.x, open * scene.discAt.y, unit * scene.discRadius];
  const fill = scene.disc.hex;
  const glow = tag('circle', { cx, cy, r: r * (scene.night ? 6 : 9), fill: 'url(#glow)' });
  if (!scene.crescent) return glow + tag('circle', { cx, cy, r, fill });
  const [top, bottom, inner] = [`${px(cx)} ${px(cy - r)}`, `${px(cx)} ${px(cy + r)}`, px(r * 1.25)];
  const d = `M${top}A${px(r)} ${px(r)} 0 1 1 ${bottom}A${inner} ${inner} 0 0 0 ${top}Z`;
  return glow + tag('path', { d, fill, transform: `rotate(-28 ${px(cx)} ${px(cy)})` });
}

function drawClouds(scene: Scene, { width, unit, open }: Frame): string {
  const random = makeRandom(scene.seed, 'clouds');
  return repeat(scene.clouds, () => {
    const [x, y, size] = [random() * width, open * (0.12 + 0.8 * random()), unit * (0.1 + 0.14 * random())];
    return repeat(5, () => {
      const [cx, cy] = [x + (random() - 0.5) * size * 2.6, y + (random() - 0.5) * size * 0.16];
      const [rx, ry] = [size * (0.5 + random()), size * (0.05 + 0.11 * random())];
      return tag('ellipse', { cx, cy, rx, ry, fill: 'url(#cloud)' });
    });
  });
}

function drawBirds(scene: Scene, { width, unit, open }: Frame): string {
  const random = makeRandom(scene.seed, 'birds');
  const flock = { x: width * (0.25 + 0.5 * random()), y: open * (0.3 + 0.35 * random()) };
  const d = repeat(scene.birds, () => {
    const [x, y] = [flock.x + (random() - 0.5) * unit * 0.34, flock.y + (random() - 0.5) * unit * 0.13];
    const span = unit * (0.009 + 0.011 * random());
    const wing = `q${px(span * 0.5)} ${px(span * -0.75)} ${px(span)} 0`;
    return `M${px(x)} ${px(y)}${wing}${wing}`;
  });
  return tag('path', {
    d,
    fill: 'none',
    stroke: scene.near.hex,
    'stroke-width': unit * 0.0026,
    opacity: 0.75,
  });
}

/** One fold of the land. `skyAt` is the height of its skyline at `x`; both, and `foot`, in pixels from the top left. */
interface Ridge {
  readonly skyAt: (x: number) => number;
  /** Where it has faded into the haze. */
  readonly foot: number;
  readonly colour: Colour;
}

function drawLand(scene: Scene, frame: Frame): string {
  const { width, unit, shore } = frame;
  const peaks = placePeaks(scene, frame);
  const haze = mix(scene.sky[3], scene.glow, 0.35);
  return repeat(scene.ridges, (i) => {
    const near = i / (scene.ridges - 1);
    const noise = makeNoise(scene.seed, `ridge ${i}`);
    const rise = Math.min(unit * (0.24 - 0.11 * near), shore * 0.3);
    const base = shore * (0.62 + (scene.lake ? 0.36 : 0.32) * near ** 1.15);
    const peaked = i === 1 ? peaks : [];
    const skyAt = (x: number): number => {
      const u = ((x - width / 2) / unit) * (2.4 - 0.9 * near);
      const rock = roughness(noise, u, scene.sharpness * (1 - 0.75 * near));
      const peak = Math.max(
        0,
        ...peaked.map((p) => p.height * Math.max(0, 1 - Math.abs(x - p.x) / p.reach) ** 1.3),
      );
      return base - rise * (rock * (1 - 0.55 * peak) + 1.15 * peak - 0.35);
    };
    const colour = mix(scene.far, scene.near, near ** 1.3);
    const ridge = { skyAt, foot: Math.min(shore, base + unit * 0.22), colour };
    const faded = mix(colour, haze, 0.05 + 0.5 * (1 - near));
    const step = Math.max(0.75, unit / 320, width / 900);
    const d = `M0 ${px(shore)}L${trace(skyAt, 0, width + step, step)}V${px(shore)}Z`;
    return [
      fall(`ridge${i}`, base - rise, ridge.foot, [stop(0, colour), stop(1, faded)]),
      tag('path', { d, fill: `url(#ridge${i})` }),
      peaked.length > 0 ? drawPeaks(scene, frame, { ridge, peaks }) : '',
      scene.trees && near > 0.55 ? drawTrees(scene, frame, { ridge, near }) : '',
    ].join('');
  });
}

/** The skyline of bare rock, about 0 to 1: a sum of octaves, folded at the middle where it shall be sharp. */
function roughness(noise: Noise, u: number, sharpness: number): number {
  let [sum, weight] = [0, 0.5];
  for (let octave = 0; octave < 6; octave++) {
    const value = noise(u * 2 ** octave + octave * 17.3);
    const folded = (1 - Math.abs(2 * value - 1)) ** 1.3;
    sum += weight * (value + (folded - value) * sharpness);
    weight *= 0.36 + 0.12 * sharpness;
  }
  return sum;
}

interface Peak {
  readonly x: number;
  /** From its middle to where it ends in the ridge, in pixels. */
  readonly reach: number;
  /** Beside the highest one, which has 1. */
  readonly height: number;
}

/** One or two peaks to a square, the highest one away from the sun. */
function placePeaks(scene: Scene, { width, unit }: Frame): Peak[] {
  const random = makeRandom(scene.seed, 'peaks');
  const count = Math.max(1, Math.min(20, Math.round((width / unit) * (1 + random()))));
  const away = scene.discAt.x < 0.5 ? 0.62 : 0.18;
  return Array.from({ length: count }, (_, k) => {
    const x = width * (k === 0 ? away + 0.2 * random() : random());
    const height = k === 0 ? 1 : 0.3 + 0.5 * random();
    return { x, height, reach: unit * (0.2 + 0.22 * height) };
  });
}

/** Gives the peaks a side in the shade and, where the scene has it, a cap of snow. */
function drawPeaks(scene: Scene, frame: Frame, land: { ridge: Ridge; peaks: readonly Peak[] }): string {
  const { skyAt, foot, colour } = land.ridge;
  const { width, unit } = frame;
  const random = makeRandom(scene.seed, 'slopes');
  // A peak on the slope of a higher one is a shoulder and looks wrong with a shade of its own.
  const free = land.peaks.filter((p) =>
    land.peaks.every((q) => p === q || skyAt(p.x) < skyAt(q.x) || Math.abs(p.x - q.x) > q.reach),
  );
  const highest = Math.min(...free.map((p) => skyAt(p.x)));
  const shapes = free.map(({ x, reach }) => {
    const top = skyAt(x);
    const away = x < width * scene.discAt.x ? -1 : 1;
    const fold = repeat(7, (k) => {
      const down = 1 - k / 7;
      const drift = (k % 2 === 0 ? 0.05 : -0.03) + 0.16 * down + 0.04 * random();
      return `L${px(x + away * reach * drift)} ${px(top + (foot - top) * down)}`;
    });
    const shade = `M${trace(skyAt, x, x + away * reach, unit / 160)}${fold}Z`;
    const half = reach * 0.3;
    const [left, right] = [skyAt(x - half), skyAt(x + half)];
    const depth = Math.min(unit * 0.03, (left + right) / 2 - top);
    const hem = repeat(9, (k) => {
      const across = (k + 0.5) / 9;
      const tooth = depth * (k % 2 === 0 ? 0.6 : -0.4) * (0.5 + random());
      return `L${px(x + half * (1 - 2 * across))} ${px(right + (left - right) * across + tooth)}`;
    });
    const cap = `M${trace(skyAt, x - half, x + half, unit / 160)}${hem}Z`;
    const snow = { d: cap, fill: mix(scene.disc, colour, 0.18).hex, opacity: 0.85 };
    return (
      (scene.snow && depth > unit * 0.015 ? tag('path', snow) : '') +
      tag('path', { d: shade, fill: 'url(#shade)' })
    );
  });
  return fall('shade', highest, foot, [stop(0, scene.near, 0.42), stop(1, scene.near, 0)]) + shapes.join('');
}

/** Woods on a ridge: none in the water, none where the noise leaves a clearing. */
function drawTrees(scene: Scene, frame: Frame, { ridge, near }: { ridge: Ridge; near: number }): string {
  const { width, unit, shore } = frame;
  const random = makeRandom(scene.seed, `trees ${near}`);
  const noise = makeNoise(scene.seed, `woods ${near}`);
  const size = unit * (0.02 + 0.075 * (near - 0.5));
  let d = '';
  for (let x = -size; x < width + size; x += size * (0.25 + 0.7 * random())) {
    const height = size * (0.6 + 0.8 * random());
    const foot = ridge.skyAt(x);
    if (foot < shore && noise((x / unit) * 3) > 0.42) d += conifer(x, foot + height * 0.12, height);
  }
  return tag('path', { d, fill: mix(ridge.colour, scene.near, 0.35).hex });
}

/** Four tiers of branches down the right side, and the same up the left. */
function conifer(x: number, foot: number, height: number): string {
  const half = [1, 2, 3, 4].flatMap((tier) => [
    [tier, tier],
    [tier * 0.45, tier],
  ]);
  const outline = [...half, ...half.toReversed().map(([out = 0, down = 0]) => [-out, down])];
  const points = outline.map(
    ([out = 0, down = 0]) => `L${px(x + out * height * 0.0575)} ${px(foot - height * (1 - down / 4))}`,
  );
  return `M${px(x)} ${px(foot - height)}${points.join('')}Z`;
}

/** The view upside down, darker with depth, and light on the ripples, most of it under the sun. */
function drawLake(scene: Scene, { width, height, unit, shore }: Frame): string {
  const random = makeRandom(scene.seed, 'lake');
  const deep = mix(scene.sky[0], scene.near, 0.45);
  const fill = scene.disc.hex;
  const glitter = repeat(90, () => {
    const depth = random() ** 1.4;
    const underDisc = random() < 0.6;
    const cx = underDisc
      ? width * scene.discAt.x + (random() + random() - 1) * unit * (0.05 + 0.14 * depth)
      : random() * width;
    const cy = shore + (height - shore) * (0.015 + 0.98 * depth);
    const [rx, ry] = [unit * (0.012 + 0.06 * random()) * (0.4 + depth), unit * 0.0016 * (0.5 + depth)];
    return tag('ellipse', {
      cx,
      cy,
      rx,
      ry,
      fill,
      opacity: (underDisc ? 0.5 : 0.16) * (0.3 + 0.7 * random()),
    });
  });
  const surface = { y: shore, width, height: height - shore };
  return [
    fall('deep', shore, height, [stop(0, deep, 0.12), stop(1, deep, 0.78)]),
    tag('clipPath', { id: 'lake' }, [tag('rect', surface)]),
    tag('g', { 'clip-path': 'url(#lake)' }, [
      tag('use', { href: '#view', transform: `matrix(1 0 0 -1 0 ${px(2 * shore)})` }),
      tag('rect', { ...surface, fill: 'url(#deep)' }),
      glitter,
    ]),
    tag('rect', { y: shore - unit * 0.001, width, height: unit * 0.003, fill, opacity: 0.35 }),
  ].join('');
}

function tag(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  body: readonly string[] = [],
): string {
  const written = Object.entries(attributes).map(([k, v]) => ` ${k}="${typeof v === 'number' ? px(v) : v}"`);
  return `<${name}${written.join('')}>${body.join('')}</${name}>`;
}

/** Two decimals are finer than can be seen, and hide what differs between the mathematics of two machines. */
function px(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function repeat(count: number, draw: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => draw(i)).join('');
}

/** The points of a curve from one x to another, in either direction, as the middle of a path: `x y` joined by `L`. */
function trace(curve: (x: number) => number, from: number, to: number, step: number): string {
  const count = Math.max(2, Math.ceil(Math.abs(to - from) / step));
  const at = (k: number): number => from + ((to - from) * k) / count;
  return Array.from({ length: count + 1 }, (_, k) => `${px(at(k))} ${px(curve(at(k)))}`).join('L');
}

function stop(offset: number, colour: Colour, opacity = 1): string {
  return tag('stop', { offset, 'stop-color': colour.hex, 'stop-opacity': opacity });
}

/** A gradient that falls from the height `top` to `bottom`. */
function fall(id: string, top: number, bottom: number, stops: readonly string[]): string {
  return tag(
    'linearGradient',
    { id, gradientUnits: 'userSpaceOnUse', x1: 0, x2: 0, y1: top, y2: bottom },
    stops,
  );
}

function around(id: string, stops: readonly string[], r = 0.5): string {
  return tag('radialGradient', { id, r }, stops);
}
