/**
 * Placeholder, fade and space of a picture. Styles are set by CSSOM, which a strict
 * Content-Security-Policy allows; attributes `style` in markup it does not.
 */

import type { RobustImageState } from './declarations/robust-image.d.ts';
import type { Settings } from './settings.ts';
import { placeholderOf } from './thumbhash.ts';

const FADE_MILLISECONDS = 200;
const PULSE_MILLISECONDS = 1800;
/** Time after which a picture fades in. A picture from the cache is shown at once. */
const FADE_AFTER_MILLISECONDS = 80;

export interface Appearance {
  /** Shows the state. @param ms time since the first attempt. */
  show(state: RobustImageState, settings: Settings, ms: number): void;
  /** Ends the animations. */
  stop(): void;
}

export function makeAppearance(image: HTMLImageElement): Appearance {
  let shown: RobustImageState | null = null;
  let pulse: Animation | null = null;
  let isInline: boolean | null = null;

  function setBox(state: RobustImageState, { frame, gap }: Settings): void {
    const isFailed = state === 'failed';
    const box = frame ?? image;
    // An inline `<img>` without a picture would be as small as its text.
    if (isInline === null && image.isConnected)
      isInline = frame === undefined && getComputedStyle(image).display === 'inline';
    const isGone = isFailed && gap === 'collapse';
    box.style.display = isGone ? 'none' : isInline && state !== 'stored' ? 'inline-block' : '';
    // Hidden from screen readers too: there is no picture that the text could stand for.
    image.style.visibility = isFailed ? 'hidden' : '';
  }

  function setBackground({ thumbhash, frame }: Settings, isOpen: boolean): void {
    const { style } = frame ?? image;
    const placeholder = isOpen && thumbhash ? placeholderOf(thumbhash) : null;
    style.backgroundImage = placeholder ? `url("${placeholder}")` : '';
    style.backgroundSize = placeholder ? '100% 100%' : '';
  }

  function reserve({ frame, width, height }: Settings): void {
    for (const [name, value] of [
      ['width', width],
      ['height', height],
    ] as const)
      if (value) image.setAttribute(name, String(value));
    if (frame === undefined) image.style.aspectRatio = width && height ? `auto ${width} / ${height}` : '';
  }

  function setPulse(frame: HTMLElement | undefined, isPending: boolean): void {
    if (!isPending || frame === undefined) {
      pulse?.cancel();
      pulse = null;
    } else if (!pulse && !prefersStill()) {
      const steps = [{ opacity: 1 }, { opacity: 0.55 }, { opacity: 1 }];
      pulse = frame.animate(steps, { duration: PULSE_MILLISECONDS, iterations: Infinity });
    }
  }

  return {
    show(state, settings, ms) {
      const { frame } = settings;
      const isOpen = state !== 'stored' && state !== 'failed';
      reserve(settings);
      setBox(state, settings);
      setPulse(frame, state === 'pending');
      // Without a frame the placeholder is the background of the image itself, which must stay visible.
      if (frame) image.style.opacity = isOpen ? '0' : '';
      else image.style.color = isOpen ? 'transparent' : '';
      const fades = frame && state === 'stored' && shown !== 'stored' && ms > FADE_AFTER_MILLISECONDS;
      if (fades && !prefersStill()) {
        const fade = image.animate([{ opacity: 0 }, { opacity: 1 }], { duration: FADE_MILLISECONDS });
        fade.onfinish = () => shown === 'stored' && setBackground(settings, false);
      } else setBackground(settings, isOpen);
      shown = state;
    },
    stop: () => setPulse(undefined, false),
  };
}

const prefersStill = () => matchMedia('(prefers-reduced-motion: reduce)').matches;
