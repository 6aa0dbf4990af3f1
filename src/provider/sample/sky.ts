/** The sky of a sample landscape. Every function returns SVG. */
import { parseColour } from './colour.ts';
import { makeNoise, makeRandom } from './noise.ts';
import type { Frame, Scene } from './scene.ts';
import { gradientStop, px, repeatSvg, svgTag } from './svg.ts';

export function drawStars(scene: Scene, { width, height, unit, shore }: Frame): string {
  const random = makeRandom(scene.seed, 'stars');
  const count = Math.min(900, Math.round((150 * width * height) / unit ** 2));
  return repeatSvg(count, () => {
    const [cx, cy] = [random() * width, random() ** 1.5 * shore * 0.75];
    const r = unit * (0.0009 + 0.0019 * random() ** 4);
    return svgTag('circle', { cx, cy, r, fill: '#fff', opacity: (0.3 + 0.7 * random()) * (1 - cy / shore) });
  });
}

/**
 * Draws curtains of light: narrow strips side by side along a wave. Noise decides how long and how bright
 * each strip is.
 */
export function drawAurora(scene: Scene, { width, unit, open }: Frame): string {
  const [violet, green, pale] = [parseColour('#a07cf0'), parseColour('#62e6a6'), parseColour('#8ff5c0')];
  const strip = Math.max(unit / 160, width / 500);
  const curtains = repeatSvg(3, (i) => {
    const noise = makeNoise(scene.seed, `aurora ${i}`);
    return repeatSvg(Math.ceil(width / strip) + 4, (k) => {
      const x = (k - 4) * strip;
      const u = (x - width / 2) / unit;
      const foot = open * (0.45 + 0.18 * i + 0.3 * (noise(u * 1.1) - 0.5));
      const height = Math.min(open, unit) * (0.2 + 0.45 * noise(u * 2.3 + 40));
      const opacity = 0.34 * noise(u * 5 + 80) * noise(u * 0.9 + 120);
      return svgTag('rect', {
        x,
        y: foot - height,
        width: strip * 4,
        height,
        fill: 'url(#curtain)',
        opacity,
      });
    });
  });
  const light = [
    gradientStop(0, violet, 0),
    gradientStop(0.45, green, 0.35),
    gradientStop(0.9, pale, 0.9),
    gradientStop(1, pale, 0),
  ];
  return svgTag('linearGradient', { id: 'curtain', x2: 0, y2: 1 }, light) + curtains;
}

export function drawDisc(scene: Scene, { width, unit, open }: Frame): string {
  const [cx, cy, r] = [width * scene.discAt.x, open * scene.discAt.y, unit * scene.discRadius];
  const fill = scene.disc.hex;
  const glow = svgTag('circle', { cx, cy, r: r * (scene.night ? 6 : 9), fill: 'url(#glow)' });
  if (!scene.crescent) return glow + svgTag('circle', { cx, cy, r, fill });
  const [top, bottom, inner] = [`${px(cx)} ${px(cy - r)}`, `${px(cx)} ${px(cy + r)}`, px(r * 1.25)];
  const d = `M${top}A${px(r)} ${px(r)} 0 1 1 ${bottom}A${inner} ${inner} 0 0 0 ${top}Z`;
  return glow + svgTag('path', { d, fill, transform: `rotate(-28 ${px(cx)} ${px(cy)})` });
}

export function drawClouds(scene: Scene, { width, unit, open }: Frame): string {
  const random = makeRandom(scene.seed, 'clouds');
  return repeatSvg(scene.clouds, () => {
    const [x, y, size] = [random() * width, open * (0.12 + 0.8 * random()), unit * (0.1 + 0.14 * random())];
    return repeatSvg(5, () => {
      const [cx, cy] = [x + (random() - 0.5) * size * 2.6, y + (random() - 0.5) * size * 0.16];
      const [rx, ry] = [size * (0.5 + random()), size * (0.05 + 0.11 * random())];
      return svgTag('ellipse', { cx, cy, rx, ry, fill: 'url(#cloud)' });
    });
  });
}

export function drawBirds(scene: Scene, { width, unit, open }: Frame): string {
  const random = makeRandom(scene.seed, 'birds');
  const flock = { x: width * (0.25 + 0.5 * random()), y: open * (0.3 + 0.35 * random()) };
  const d = repeatSvg(scene.birds, () => {
    const [x, y] = [flock.x + (random() - 0.5) * unit * 0.34, flock.y + (random() - 0.5) * unit * 0.13];
    const span = unit * (0.009 + 0.011 * random());
    const wing = `q${px(span * 0.5)} ${px(span * -0.75)} ${px(span)} 0`;
    return `M${px(x)} ${px(y)}${wing}${wing}`;
  });
  return svgTag('path', {
    d,
    fill: 'none',
    stroke: scene.near.hex,
    'stroke-width': unit * 0.0026,
    opacity: 0.75,
  });
}
