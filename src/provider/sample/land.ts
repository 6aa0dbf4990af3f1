/** The mountains and woods of a sample landscape. */
import { type Colour, mix } from './colour.ts';
import { makeNoise, makeRandom, type Noise, type Random } from './noise.ts';
import type { Frame, Scene } from './scene.ts';
import { gradientStop, px, repeatSvg, svgTag, tracePath, verticalGradient } from './svg.ts';

/** One ridge of mountains or hills. Lengths are in pixels from the top left corner. */
interface Ridge {
  /** Height of the skyline at `x`. */
  readonly skyAt: (x: number) => number;
  /** Height at which the ridge has faded into the haze. */
  readonly foot: number;
  readonly colour: Colour;
}

/**
 * Draws the ridges from the furthest to the nearest. The second one carries the peaks; near ones carry woods.
 */
export function drawLand(scene: Scene, frame: Frame): string {
  const { width, unit, shore } = frame;
  const peaks = placePeaks(scene, frame);
  const haze = mix(scene.sky[3], scene.glow, 0.35);
  return repeatSvg(scene.ridges, (i) => {
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
    const d = `M0 ${px(shore)}L${tracePath(skyAt, 0, width + step, step)}V${px(shore)}Z`;
    return [
      verticalGradient(`ridge${i}`, base - rise, ridge.foot, [
        gradientStop(0, colour),
        gradientStop(1, faded),
      ]),
      svgTag('path', { d, fill: `url(#ridge${i})` }),
      peaked.length > 0 ? drawPeaks(scene, frame, { ridge, peaks }) : '',
      scene.trees && near > 0.55 ? drawTrees(scene, frame, { ridge, near }) : '',
    ].join('');
  });
}

/**
 * Returns the height of bare rock at `u`, about 0 to 1: a sum of octaves. `sharpness` 0 to 1 folds each
 * octave into a crest.
 */
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
  /** Half of the width of its foot, in pixels. */
  readonly reach: number;
  /** As a part of the highest peak's height. */
  readonly height: number;
}

/**
 * Places one or two peaks for each square of the frame. The first is the highest and stands away from the
 * sun.
 */
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

/** Draws the shaded side of each peak and, when the scene has snow, its cap. */
function drawPeaks(scene: Scene, frame: Frame, land: { ridge: Ridge; peaks: readonly Peak[] }): string {
  const { skyAt, foot } = land.ridge;
  const random = makeRandom(scene.seed, 'slopes');
  // A peak on the slope of a higher one is a shoulder. It would look wrong with a shade of its own.
  const free = land.peaks.filter((p) =>
    land.peaks.every((q) => p === q || skyAt(p.x) < skyAt(q.x) || Math.abs(p.x - q.x) > q.reach),
  );
  const highest = Math.min(...free.map((p) => skyAt(p.x)));
  const shapes = free.map((peak) => {
    // The order of these calls decides which random numbers each shape gets, and so the bytes of the picture.
    const shade = shadedSide(scene, frame, { ridge: land.ridge, peak, random });
    const cap = snowCap(scene, frame, { ridge: land.ridge, peak, random });
    return cap + shade;
  });
  const gradient = verticalGradient('shade', highest, foot, [
    gradientStop(0, scene.near, 0.42),
    gradientStop(1, scene.near, 0),
  ]);
  return gradient + shapes.join('');
}

interface Slope {
  readonly ridge: Ridge;
  readonly peak: Peak;
  readonly random: Random;
}

/** Draws the side of a peak that faces away from the sun or moon. */
function shadedSide(scene: Scene, { width, unit }: Frame, { ridge, peak, random }: Slope): string {
  const { skyAt, foot } = ridge;
  const { x, reach } = peak;
  const top = skyAt(x);
  const away = x < width * scene.discAt.x ? -1 : 1;
  const fold = repeatSvg(7, (k) => {
    const down = 1 - k / 7;
    const drift = (k % 2 === 0 ? 0.05 : -0.03) + 0.16 * down + 0.04 * random();
    return `L${px(x + away * reach * drift)} ${px(top + (foot - top) * down)}`;
  });
  const d = `M${tracePath(skyAt, x, x + away * reach, unit / 160)}${fold}Z`;
  return svgTag('path', { d, fill: 'url(#shade)' });
}

/**
 * Draws the cap of snow with a jagged hem; empty when the scene has no snow or the peak is too flat for it.
 */
function snowCap(scene: Scene, { unit }: Frame, { ridge, peak, random }: Slope): string {
  const { skyAt, colour } = ridge;
  const { x, reach } = peak;
  const half = reach * 0.3;
  const [left, right] = [skyAt(x - half), skyAt(x + half)];
  const depth = Math.min(unit * 0.03, (left + right) / 2 - skyAt(x));
  const hem = repeatSvg(9, (k) => {
    const across = (k + 0.5) / 9;
    const tooth = depth * (k % 2 === 0 ? 0.6 : -0.4) * (0.5 + random());
    return `L${px(x + half * (1 - 2 * across))} ${px(right + (left - right) * across + tooth)}`;
  });
  if (!scene.snow || depth <= unit * 0.015) return '';
  const d = `M${tracePath(skyAt, x - half, x + half, unit / 160)}${hem}Z`;
  return svgTag('path', { d, fill: mix(scene.disc, colour, 0.18).hex, opacity: 0.85 });
}

/** Draws the woods on a ridge, with none in the water. The noise leaves clearings. */
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
  return svgTag('path', { d, fill: mix(ridge.colour, scene.near, 0.35).hex });
}

/** Returns the path of a tree with four tiers of branches. */
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
