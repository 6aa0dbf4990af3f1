/**
 * Draws a scene as SVG into a frame of any size. The SVG has no text, because fonts differ between machines.
 */
import { BLACK, mix } from './colour.ts';
import { drawLake } from './lake.ts';
import { drawLand } from './land.ts';
import type { Frame, Scene } from './scene.ts';
import { drawAurora, drawBirds, drawClouds, drawDisc, drawStars } from './sky.ts';
import { gradientStop, radialGradient, svgTag, verticalGradient } from './svg.ts';

/** @returns the SVG; `width` and `height` are in pixels */
export function drawScene(scene: Scene, width: number, height: number): string {
  const shore = scene.lake ? height * 0.74 : height;
  const frame: Frame = { width, height, unit: Math.min(width, height), shore, open: shore * 0.6 };
  const cloud = mix(scene.sky[3], scene.disc, 0.5);
  const [zenith, upper, lower, horizon] = scene.sky;
  const view = [
    svgTag('rect', { width, height, fill: 'url(#sky)' }),
    scene.night ? drawStars(scene, frame) : '',
    scene.mood === 'aurora' ? drawAurora(scene, frame) : '',
    drawDisc(scene, frame),
    drawClouds(scene, frame),
    drawBirds(scene, frame),
    drawLand(scene, frame),
  ];
  const picture = [
    verticalGradient('sky', 0, shore * 0.7, [
      gradientStop(0, zenith),
      gradientStop(0.38, upper),
      gradientStop(0.72, lower),
      gradientStop(1, horizon),
    ]),
    radialGradient('glow', [
      gradientStop(0, scene.glow, 0.85),
      gradientStop(0.25, scene.glow, 0.35),
      gradientStop(1, scene.glow, 0),
    ]),
    radialGradient('cloud', [gradientStop(0, cloud, 0.7), gradientStop(1, cloud, 0)]),
    radialGradient('vignette', [gradientStop(0.72, BLACK, 0), gradientStop(1, BLACK, 0.24)], 0.75),
    svgTag('g', { id: 'view' }, view),
    scene.lake ? drawLake(scene, frame) : '',
    svgTag('rect', { width, height, fill: 'url(#vignette)' }),
  ];
  return svgTag('svg', { xmlns: 'http://www.w3.org/2000/svg', width, height }, picture);
}
