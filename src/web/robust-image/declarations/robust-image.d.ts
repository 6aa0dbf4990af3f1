/**
 * Types of `robust-image.js`: the element `<robust-image>` and `robustImage`, which gives the same care to an
 * `<img>` of yours. The module needs no other file.
 */

/** pending: no address yet. waiting: a retry is due. stored: shown. failed: given up, nothing is shown. */
export type RobustImageState = 'pending' | 'loading' | 'waiting' | 'stored' | 'failed';

/** Space of an image that is finally not there: kept, or given up. */
export type RobustImageGap = 'keep' | 'collapse';

/** The image is shown. */
export interface Stored {
  /** Address that the browser chose, from `src` and `srcset`. */
  readonly address: string;
  /** Attempts that it took, from 1. */
  readonly attempts: number;
  /** Milliseconds from the first attempt. */
  readonly ms: number;
}

/** The image is finally not there. */
export interface PermanentFailure {
  readonly address: string;
  readonly attempts: number;
  readonly ms: number;
  /**
   * missing: status 404 or 410. forbidden: 401 or 403. refused: another status that a retry does not change.
   * exhausted: all attempts failed. unrenewed: the signed address ended, and `renew` gave no new one.
   */
  readonly reason: 'missing' | 'forbidden' | 'refused' | 'exhausted' | 'unrenewed';
  /** HTTP status of the last attempt; null if the server could not be asked. */
  readonly status: number | null;
}

export interface RobustImageLogEntry {
  readonly event: 'attempt' | 'retry' | 'stored' | 'renewed' | 'renewal-failed' | 'original' | 'failed';
  readonly address: string;
  readonly attempt: number;
  /** HTTP status, where it is known. */
  readonly status?: number | null;
  /** Milliseconds until the next attempt. */
  readonly delay?: number;
  readonly message?: string;
}

/** New address of an image; its candidates too, if each size is signed. */
export type RenewedAddress = string | { readonly src: string; readonly srcset?: string };

export interface RobustImageOptions {
  /** Address of the image; empty or null while it does not exist yet. */
  src?: string | null | undefined;
  /** Candidates. Without it they are made of `src`, if that is an unsigned address `/images/{uuid}`. */
  srcset?: string | null | undefined;
  /** Default: `auto` and a size from `width`. */
  sizes?: string | null | undefined;
  /** Widths of the variants in `srcset`. Default: the default of VARIANT_SIZES. []: no variants. */
  widths?: readonly number[] | undefined;
  /** Format of the variants: webp, avif, jpeg, png or auto. Default: webp. */
  format?: string | undefined;
  alt?: string | undefined;
  /** Size of the original in pixels. It reserves the space, so that the page does not move. */
  width?: number | null | undefined;
  height?: number | null | undefined;
  /** Placeholder, in base64: `Image.thumbhash`. */
  thumbhash?: string | null | undefined;
  /** Default: lazy. */
  loading?: 'lazy' | 'eager' | undefined;
  crossOrigin?: 'anonymous' | 'use-credentials' | null | undefined;
  /** Attempts before it gives up, from 1. Default: 5. */
  attempts?: number | undefined;
  /** Longest wait before the first retry, in milliseconds; it doubles with each attempt. Default: 500. */
  delay?: number | undefined;
  /** Longest wait before any retry, in milliseconds. Default: 30,000. */
  maxDelay?: number | undefined;
  /** Whether a request HEAD learns why an attempt failed. False: every failure is retried. Default: true. */
  probe?: boolean | undefined;
  /** Default: keep. */
  gap?: RobustImageGap | undefined;
  /** Returns a new signed address. It is called before the address ends, and after it was refused. */
  renew?: ((address: string) => Promise<RenewedAddress>) | null | undefined;
  onStored?: ((detail: Stored) => void) | null | undefined;
  onPermanentFailure?: ((detail: PermanentFailure) => void) | null | undefined;
  onState?: ((state: RobustImageState) => void) | null | undefined;
  /** Receives every step, for your log. */
  log?: ((entry: RobustImageLogEntry) => void) | null | undefined;
  /** Element around the image, for the placeholder and the fade. Default: the image, without a fade. */
  frame?: HTMLElement | undefined;
}

export interface RobustImageController {
  readonly state: RobustImageState;
  /** Takes new options. A new address is loaded; anything else keeps the image that is shown. */
  update(options: RobustImageOptions): void;
  /** Ends all requests, timers and listeners. The image stays as it is. */
  stop(): void;
}

/** Loads the image into the `<img>`, as the options say, until `stop` is called. */
export declare function robustImage(
  image: HTMLImageElement,
  options: RobustImageOptions,
): RobustImageController;

export interface RobustImageElementEventMap extends HTMLElementEventMap {
  stored: CustomEvent<Stored>;
  permanentfailure: CustomEvent<PermanentFailure>;
}

/**
 * The element `<robust-image>`. Attributes: src, srcset, sizes, widths, format, alt, width, height,
 * thumbhash, loading, crossorigin, attempts, delay and max-delay (milliseconds), probe (`off`), gap, mark,
 * store. Parts: frame, image, mark.
 */
export interface RobustImageElement extends HTMLElement {
  src: string;
  alt: string;
  renew: RobustImageOptions['renew'];
  onStored: RobustImageOptions['onStored'];
  onPermanentFailure: RobustImageOptions['onPermanentFailure'];
  log: RobustImageOptions['log'];
  readonly state: RobustImageState;
  /** Loads the image again, with all attempts. */
  reload(): void;
  addEventListener<Type extends keyof RobustImageElementEventMap>(
    type: Type,
    listener: (this: RobustImageElement, event: RobustImageElementEventMap[Type]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

/** Attributes and properties in JSX. React 19 sets functions as properties. */
export interface RobustImageAttributes {
  src?: string | null | undefined;
  srcset?: string | undefined;
  sizes?: string | undefined;
  /** Numbers with commas between them. */
  widths?: string | undefined;
  format?: string | undefined;
  alt?: string | undefined;
  width?: number | string | null | undefined;
  height?: number | string | null | undefined;
  thumbhash?: string | null | undefined;
  loading?: 'lazy' | 'eager' | undefined;
  crossorigin?: string | undefined;
  attempts?: number | string | undefined;
  delay?: number | string | undefined;
  'max-delay'?: number | string | undefined;
  probe?: 'on' | 'off' | undefined;
  gap?: RobustImageGap | undefined;
  mark?: boolean | string | undefined;
  store?: string | null | undefined;
  renew?: RobustImageOptions['renew'];
  onStored?: RobustImageOptions['onStored'];
  onPermanentFailure?: RobustImageOptions['onPermanentFailure'];
  log?: RobustImageOptions['log'];
  class?: string | undefined;
  className?: string | undefined;
  id?: string | undefined;
  slot?: string | undefined;
  title?: string | undefined;
}

declare global {
  interface HTMLElementTagNameMap {
    'robust-image': RobustImageElement;
  }
}
