/** The few pieces of SVG that the sample provider draws with. */
import type { Colour } from './colour.ts';

/** Writes one element. Numbers are rounded by `px`. */
export function svgTag(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  body: readonly string[] = [],
): string {
  const written = Object.entries(attributes).map(([k, v]) => ` ${k}="${typeof v === 'number' ? px(v) : v}"`);
  return `<${name}${written.join('')}>${body.join('')}</${name}>`;
}

/**
 * Formats a length with two decimals. They are finer than the eye can see, and they hide the differences in
 * floating-point results between machines.
 */
export function px(value: number): string {
  return String(Math.round(value * 100) / 100);
}

/** Joins the SVG of `count` drawings; `i` starts at 0. */
export function repeatSvg(count: number, draw: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => draw(i)).join('');
}

/**
 * Samples a curve at equal steps between two x, in either direction.
 * @returns the middle of a path: points `x y`, joined by `L`
 */
export function tracePath(curve: (x: number) => number, from: number, to: number, step: number): string {
  const count = Math.max(2, Math.ceil(Math.abs(to - from) / step));
  const at = (k: number): number => from + ((to - from) * k) / count;
  return Array.from({ length: count + 1 }, (_, k) => `${px(at(k))} ${px(curve(at(k)))}`).join('L');
}

export function gradientStop(offset: number, colour: Colour, opacity = 1): string {
  return svgTag('stop', { offset, 'stop-color': colour.hex, 'stop-opacity': opacity });
}

/** A gradient in pixels, from the height `top` down to `bottom`. */
export function verticalGradient(id: string, top: number, bottom: number, stops: readonly string[]): string {
  return svgTag(
    'linearGradient',
    { id, gradientUnits: 'userSpaceOnUse', x1: 0, x2: 0, y1: top, y2: bottom },
    stops,
  );
}

/** A gradient from the centre of a shape outwards; `r` is a part of the shape's size. */
export function radialGradient(id: string, stops: readonly string[], r = 0.5): string {
  return svgTag('radialGradient', { id, r }, stops);
}
