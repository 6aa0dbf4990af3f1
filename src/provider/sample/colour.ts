/**
 * A colour in OKLab and as sRGB. Steps of equal size in OKLab look equally large.
 * @see https://bottosson.github.io/posts/oklab/
 */
export interface Colour {
  readonly lab: readonly [number, number, number];
  /** `#rrggbb` */
  readonly hex: string;
}

/** @param hex `#rrggbb` */
export function parseColour(hex: string): Colour {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const c = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return colourOf(
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  );
}

function colourOf(L: number, a: number, b: number): Colour {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const channels = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((c) => {
    const encoded = c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055;
    const byte = Math.round(255 * Math.min(1, Math.max(0, encoded)));
    return byte.toString(16).padStart(2, '0');
  });
  return { lab: [L, a, b], hex: `#${channels.join('')}` };
}

export const BLACK = colourOf(0, 0, 0);

/** @param part of `to`, from 0 to 1 */
export function mix(from: Colour, to: Colour, part: number): Colour {
  const between = (i: 0 | 1 | 2): number => from.lab[i] + (to.lab[i] - from.lab[i]) * part;
  return colourOf(between(0), between(1), between(2));
}

/** Changes the hue alone. @param angle in radians */
export function turnHue({ lab: [L, a, b] }: Colour, angle: number): Colour {
  const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
  return colourOf(L, a * cos - b * sin, a * sin + b * cos);
}
