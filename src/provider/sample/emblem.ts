/**
 * The emblem that the sample provider draws for a request with a transparent background: a badge with a
 * figure on it. The seed decides its shape and colours.
 */
import { type Colour, mix, parseColour, turnHue } from './colour.ts';
import { makeRandom, type Random } from './noise.ts';

/** Colours of badges. Each is dark enough for a white figure to stand out. */
const BADGES = ['#e4572e', '#f2a541', '#3fa34d', '#2d7fc4', '#7a5bc7', '#d1477a', '#1f8a8a', '#8a5a3c'];

/** Paths of badges, around the origin and within about a circle of radius 1. */
const SHAPES: readonly ((random: Random) => string)[] = [
  () => 'M-1 0A1 1 0 1 1 1 0A1 1 0 1 1 -1 0Z',
  () =>
    'M-.55 -.85H.55Q.85 -.85 .85 -.55V.55Q.85 .85 .55 .85H-.55Q-.85 .85 -.85 .55V-.55Q-.85 -.85 -.55 -.85Z',
  () => 'M0 -1Q.45 -.72 .85 -.72V0Q.85 .66 0 1Q-.85 .66 -.85 0V-.72Q-.45 -.72 0 -1Z',
  (random) => star(6 + 2 * Math.floor(random() * 4), 0.86),
  () => polygon(6),
];

/** Paths of figures, in this order: heart, drop, bolt, leaf, mountain, crescent. */
const FIGURES = [
  'M0 .55C-.75 .05 -.62 -.5 -.3 -.5C-.12 -.5 0 -.36 0 -.24C0 -.36 .12 -.5 .3 -.5C.62 -.5 .75 .05 0 .55Z',
  'M0 -.62C.3 -.2 .44 .02 .44 .22A.44 .4 0 0 1 -.44 .22C-.44 .02 -.3 -.2 0 -.62Z',
  'M.14 -.65L-.4 .1H-.04L-.16 .65L.4 -.14H.04Z',
  'M-.5 .5C-.55 -.2 -.1 -.55 .55 -.5C.6 .15 .2 .55 -.3 .38L.16 -.1L-.38 .3Z',
  'M-.68 .42L-.2 -.38L.04 0L.18 -.18L.68 .42Z',
  'M.2 -.58A.6 .6 0 1 0 .2 .58A.48 .48 0 1 1 .2 -.58Z',
];

/** @returns the SVG, which has no background; `width` and `height` are in pixels */
export function drawEmblem(seed: Buffer, width: number, height: number): string {
  const random = makeRandom(seed, 'emblem');
  const hex = BADGES[Math.floor(random() * BADGES.length)] ?? '#e4572e';
  const badge = turnHue(parseColour(hex), (random() - 0.5) * 0.5);
  const [white, dark] = [parseColour('#ffffff'), mix(badge, parseColour('#101020'), 0.45)];
  const shape = SHAPES[Math.floor(random() * SHAPES.length)]?.(random) ?? '';
  const figure = random() < 0.15 ? star(5, 0.42, 0.6) : FIGURES[Math.floor(random() * FIGURES.length)];
  const tilt = Math.round((random() - 0.5) * 24);
  const radius = Math.round(Math.min(width, height) * 42) / 100;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">`,
    `<defs>${badgeGradient(mix(badge, white, 0.28), mix(badge, dark, 0.25))}</defs>`,
    `<g transform="translate(${width / 2} ${height / 2}) scale(${radius})">`,
    `<path d="${shape}" fill="url(#badge)" stroke="${dark.hex}" stroke-width=".09" stroke-linejoin="round"/>`,
    `<g transform="rotate(${tilt})">`,
    `<path d="${figure}" transform="translate(.03 .05)" fill="${dark.hex}" opacity=".45"/>`,
    `<path d="${figure}" fill="${mix(white, badge, 0.06).hex}"/>`,
    '</g></g></svg>',
  ].join('');
}

function badgeGradient(top: Colour, bottom: Colour): string {
  const stops = `<stop stop-color="${top.hex}"/><stop offset="1" stop-color="${bottom.hex}"/>`;
  return `<linearGradient id="badge" x2="0" y2="1">${stops}</linearGradient>`;
}

function star(points: number, inner: number, outer = 1): string {
  return closedPath(2 * points, (k) => (k % 2 === 0 ? outer : inner * outer));
}

function polygon(corners: number): string {
  return closedPath(corners, () => 1);
}

function closedPath(corners: number, radiusOf: (k: number) => number): string {
  const points = Array.from({ length: corners }, (_, k) => {
    const [angle, radius] = [(k / corners) * 2 * Math.PI - Math.PI / 2, radiusOf(k)];
    return [Math.cos(angle) * radius, Math.sin(angle) * radius]
      .map((v) => Math.round(v * 1000) / 1000)
      .join(' ');
  });
  return `M${points.join('L')}Z`;
}
