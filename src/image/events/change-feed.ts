import { FixativeError } from '../../errors.ts';
import type { Image } from '../image.ts';
import { writeEventId } from './event-id.ts';
import type { ImageEvents } from './events.ts';

/** Seconds between two reads of a single image when no change is heard. */
const READ_EVERY_SECONDS = 30;
/** Milliseconds to collect changes before they are read together. */
const GATHER_MS = 25;
/** Most changed images to read by their uuids. More are read by their times. */
export const MAX_GATHERED = 100;

/** A changed image, and what its client is told with it. */
export interface WatchedImage {
  readonly image: Image;
  /** Event id: a client that has this image knows all changes up to here (event-id.ts). */
  readonly id: string;
  /** Changes since this time may have been missed; set with the first image after a gap. */
  readonly missedSince: Date | null;
}

export interface Watched extends AsyncIterableIterator<WatchedImage> {
  /** Returns the event id of now, or of the last image taken while others wait. */
  position(): string;
}

/**
 * Reads changed images.
 * @param changed uuids.
 * @param isAny others may have changed too, at `since` or later. Milliseconds since 1970.
 * @returns null: there is nothing more to watch. complete: whether these are all.
 */
export type ChangeReader = (
  changed: ReadonlySet<string>,
  since: number,
  isAny: boolean,
) => Promise<{ readonly images: readonly Image[]; readonly complete: boolean } | null>;

export interface WatchOptions {
  /** Returns whether a changed image is watched. */
  concerns(uuid: string): boolean;
  /**
   * Reads every 30 seconds, even when no change is heard: a notification may be lost. Too expensive for many
   * images.
   */
  readonly readsRegularly: boolean;
  /** Up to when the client knows all changes, in milliseconds since 1970. */
  readonly since: number;
  /** Reads before any change is heard. */
  readonly isBehind: boolean;
  readonly missedSince?: Date | null;
  readonly read: ChangeReader;
}

/**
 * Iterator over changed images. Not a generator: `return` would wait there for the next change, and ends at
 * once here.
 */
export class Watch implements Watched {
  readonly #events: ImageEvents;
  readonly #options: WatchOptions;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #ready: WatchedImage[] = [];
  /** uuids of changed images to read. */
  #changed = new Set<string>();
  /** Whether images have changed whose uuids are not known. */
  #isAny: boolean;
  #needsRead: boolean;
  #isReading = false;
  #hasEnded = false;
  #isServerStopping = false;
  #wake: (() => void) | null = null;
  #unwatch: Promise<() => void> | null = null;
  /** Up to when changes were read. */
  #readUntil: number;
  /** Up to when changes were read and taken. */
  #takenUntil: number;
  #missedSince: Date | null;

  constructor(events: ImageEvents, options: WatchOptions) {
    this.#events = events;
    this.#options = options;
    this.#isAny = options.isBehind;
    this.#needsRead = options.isBehind;
    this.#readUntil = options.since;
    this.#takenUntil = options.since;
    this.#missedSince = options.missedSince ?? null;
    if (options.readsRegularly) {
      this.#timer = setInterval(() => this.#requestRead(), READ_EVERY_SECONDS * 1000);
      this.#timer.unref();
    }
  }

  async next(): Promise<IteratorResult<WatchedImage>> {
    try {
      return await this.#next();
    } catch (error) {
      await this.return();
      throw error;
    }
  }

  async return(): Promise<IteratorResult<WatchedImage>> {
    this.#hasEnded = true;
    clearInterval(this.#timer);
    this.#wake?.();
    (await this.#unwatch?.catch(() => null))?.();
    return { done: true, value: undefined };
  }

  position(): string {
    const isBehind = this.#needsRead || this.#isReading || this.#ready.length > 0;
    return writeEventId(isBehind ? this.#takenUntil : Date.now());
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #next(): Promise<IteratorResult<WatchedImage>> {
    this.#unwatch ??= this.#events.watch(
      (uuid) => this.#onChange(uuid),
      () => {
        this.#isServerStopping = true;
        this.#wake?.();
      },
    );
    await this.#unwatch;
    while (!this.#hasEnded) {
      if (this.#isServerStopping)
        throw new FixativeError('OVERLOADED', 'The server stops. Connect again.', { retryable: true });
      const value = this.#ready.shift();
      if (value) {
        if (this.#ready.length === 0) this.#takenUntil = this.#readUntil;
        return { done: false, value };
      }
      if (!this.#needsRead) await this.#waitForChange();
      else if (!(await this.#read())) return this.return();
    }
    return { done: true, value: undefined };
  }

  #onChange(uuid: string | null): void {
    if (uuid === null) this.#isAny = true;
    else if (!this.#options.concerns(uuid)) return;
    else if (this.#changed.size <= MAX_GATHERED) this.#changed.add(uuid);
    this.#requestRead();
  }

  #requestRead(): void {
    this.#needsRead = true;
    this.#wake?.();
  }

  async #waitForChange(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = null;
    if (!this.#hasEnded) await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
  }

  /** Reads what has changed. @returns whether there is more to watch. */
  async #read(): Promise<boolean> {
    const [changed, isAny] = [this.#changed, this.#isAny];
    this.#needsRead = false;
    this.#changed = new Set();
    this.#isAny = false;
    this.#isReading = true;
    const begun = Date.now();
    const found = await this.#options.read(changed, this.#readUntil, isAny).finally(() => {
      this.#isReading = false;
    });
    if (found === null) return false;
    if (!found.complete) this.#missedSince ??= new Date(this.#readUntil);
    // A client knows all changes up to now only when it has the last of these images.
    const idBefore = writeEventId(this.#readUntil);
    const last = found.images.length - 1;
    for (const [index, image] of found.images.entries()) {
      const id = index === last ? writeEventId(begun) : idBefore;
      this.#ready.push({ image, id, missedSince: this.#missedSince });
      this.#missedSince = null;
    }
    this.#readUntil = begun;
    if (last < 0) this.#takenUntil = begun;
    return true;
  }
}
