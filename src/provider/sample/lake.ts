import { mix } from './colour.ts';
import { makeRandom } from './noise.ts';
import type { Frame, Scene } from './scene.ts';
import { gradientStop, px, repeatSvg, svgTag, verticalGradient } from './svg.ts';

/**
 * Draws the lake: the view upside down, darker with depth, and light on the ripples, most of it below the sun
 * or moon. The document must have an element with the id `view`.
 */
export function drawLake(scene: Scene, { width, height, unit, shore }: Frame): string {
  const random = makeRandom(scene.seed, 'lake');
  const deep = mix(scene.sky[0], scene.near, 0.45);
  const fill = scene.disc.hex;
  const glitter = repeatSvg(90, () => {
    const depth = random() ** 1.4;
    const underDisc = random() < 0.6;
    const cx = underDisc
      ? width * scene.discAt.x + (random() + random() - 1) * unit * (0.05 + 0.14 * depth)
      : random() * width;
    const cy = shore + (height - shore) * (0.015 + 0.98 * depth);
    const [rx, ry] = [unit * (0.012 + 0.06 * random()) * (0.4 + depth), unit * 0.0016 * (0.5 + depth)];
    return svgTag('ellipse', {
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
    verticalGradient('deep', shore, height, [gradientStop(0, deep, 0.12), gradientStop(1, deep, 0.78)]),
    svgTag('clipPath', { id: 'lake' }, [svgTag('rect', surface)]),
    svgTag('g', { 'clip-path': 'url(#lake)' }, [
      svgTag('use', { href: '#view', transform: `matrix(1 0 0 -1 0 ${px(2 * shore)})` }),
      svgTag('rect', { ...surface, fill: 'url(#deep)' }),
      glitter,
    ]),
    svgTag('rect', { y: shore - unit * 0.001, width, height: unit * 0.003, fill, opacity: 0.35 }),
  ].join('');
}
