/** The options of an image with their defaults, and the addresses that follow from them. */
import { sizesOf, srcsetOf } from './addresses.ts';
import type { RobustImageOptions } from './declarations/robust-image.d.ts';

export interface Settings extends RobustImageOptions {
  readonly loading: 'lazy' | 'eager';
  readonly attempts: number;
  readonly delay: number;
  readonly maxDelay: number;
  readonly gap: 'keep' | 'collapse';
}

const atLeast = (least: number, value: number | undefined, usual: number) =>
  value !== undefined && value >= least ? value : usual;

export function settle(options: RobustImageOptions): Settings {
  return {
    ...options,
    loading: options.loading ?? 'lazy',
    attempts: atLeast(1, options.attempts, 5),
    delay: atLeast(0, options.delay, 500),
    maxDelay: atLeast(0, options.maxDelay, 30_000),
    gap: options.gap ?? 'keep',
  };
}

/** Values of the attributes src, srcset and sizes; '' for none. */
export interface Source {
  readonly src: string;
  readonly srcset: string;
  readonly sizes: string;
  /** Whether the server's variants are the candidates. */
  readonly derived: boolean;
}

export function sourceOf(settings: Settings): Source {
  const src = settings.src ?? '';
  const derived = settings.srcset ? '' : srcsetOf(src, settings);
  const srcset = settings.srcset || derived;
  const sizes = srcset && (settings.sizes || sizesOf(settings.width, settings.loading));
  return { src, srcset, sizes, derived: derived !== '' };
}

/** Returns a text that differs when another picture must be loaded. */
export function keyOf(settings: Settings): string {
  const { src, srcset, sizes, derived } = sourceOf(settings);
  return JSON.stringify([src, srcset, sizes, derived, settings.crossOrigin ?? null]);
}

/** Calls a function of the page. Its errors are reported, and do not end the care for the image. */
export function tell<Detail>(listener: ((detail: Detail) => void) | null | undefined, detail: Detail): void {
  try {
    listener?.(detail);
  } catch (error) {
    reportError(error);
  }
}
