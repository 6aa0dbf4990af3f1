import type { Database } from '../database/database.ts';
import { NotFoundError } from '../errors.ts';
import { Conditions, type ImageFilter } from './conditions.ts';
import type { ImageEvents } from './events.ts';
import { findImages, type Image } from './image.ts';
import { findAmong, findChangedSince } from './list.ts';

export interface WatchDeps {
  readonly database: Database;
  readonly imageEvents: ImageEvents;
}

/** One image is looked at this often even when nothing was heard of it. */
const LOOK_EVERY_SECONDS = 30;
/** Changes that come this close together are read together. */
const GATHER_MS = 25;
/** Changes of more images than these are read by their times. */
const MAX_GATHERED = 100;
/** Of more images than these that have changed at once, or while nothing was heard, the newest are sent. */
const MAX_CAUGHT_UP = 1000;

/**
 * An image now, and whenever it has changed. Changes that follow each other faster than they are taken are one.
 * @throws NotFoundError when there is none; ends when it is purged.
 */
export function watchImage(
  deps: WatchDeps,
  uuid: string,
  visibleTo: string | null,
): AsyncIterableIterator<Image> {
  let last: string | null = null;
  return follow(deps, {
    concerns: (changed) => changed === uuid,
    first: true,
    async read() {
      const [image] = await findImages(deps.database, [uuid], visibleTo);
      if (!image) {
        if (last === null) throw new NotFoundError(`There is no image ${uuid}.`);
        return null;
      }
      const now = JSON.stringify(image, (_key, value) => (typeof value === 'bigint' ? Number(value) : value));
      if (now === last) return [];
      last = now;
      return [image];
    },
  });
}

/** Images that a filter finds, each whenever it has changed, from now on. */
export function watchImages(deps: WatchDeps, filter: ImageFilter): AsyncIterableIterator<Image> {
  // A wrong filter is told at once, and not with the first change.
  new Conditions(filter);
  let since = new Date();
  const sent = new Map<string, number>();
  return follow(deps, {
    concerns: () => true,
    first: false,
    async read(changed) {
      const begun = new Date();
      // Nobody said which: whatever was changed since the last look, with some time for clocks that differ.
      const found =
        changed.size === 0 || changed.size > MAX_GATHERED
          ? await findChangedSince(deps.database, filter, new Date(since.getTime() - 5000), MAX_CAUGHT_UP)
          : await findAmong(deps.database, filter, [...changed]);
      since = begun;
      const images = found.filter(
        ({ uuid, updatedAt }) => changed.has(uuid) || sent.get(uuid) !== updatedAt.getTime(),
      );
      for (const { uuid, updatedAt } of images) {
        sent.delete(uuid);
        sent.set(uuid, updatedAt.getTime());
      }
      for (const uuid of sent.keys()) {
        if (sent.size <= MAX_CAUGHT_UP) break;
        sent.delete(uuid);
      }
      return images;
    },
  });
}

interface Following {
  concerns(uuid: string): boolean;
  /** Whether to read before anything has changed. */
  readonly first: boolean;
  /** @param changed uuids; empty: some have changed. @returns null when there is nothing to follow any more. */
  read(changed: ReadonlySet<string>): Promise<Image[] | null>;
}

/** An iterator that `return` ends at once, also while it waits: a generator would wait for the next change first. */
function follow({ imageEvents }: WatchDeps, following: Following): AsyncIterableIterator<Image> {
  const ready: Image[] = [];
  let changed = new Set<string>();
  let dirty = following.first;
  let ended = false;
  let wake: (() => void) | null = null;
  let stop: Promise<() => void> | null = null;

  const touch = () => {
    dirty = true;
    wake?.();
  };
  const onChange = (uuid: string | null) => {
    if (uuid === null) return touch();
    if (!following.concerns(uuid)) return;
    if (changed.size <= MAX_GATHERED) changed.add(uuid);
    touch();
  };
  // A hint may be lost without anybody noticing; for many images that would be a search each time.
  const timer = following.first ? setInterval(touch, LOOK_EVERY_SECONDS * 1000) : undefined;
  timer?.unref();

  async function end(): Promise<IteratorResult<Image>> {
    ended = true;
    clearInterval(timer);
    wake?.();
    (await stop?.catch(() => null))?.();
    return { done: true, value: undefined };
  }

  async function next(): Promise<IteratorResult<Image>> {
    stop ??= imageEvents.watch(onChange, () => void end());
    await stop;
    while (!ended) {
      const value = ready.shift();
      if (value) return { done: false, value };
      if (!dirty) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = null;
        if (!ended) await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
        continue;
      }
      dirty = false;
      const these = changed;
      changed = new Set();
      const images = await following.read(these);
      if (images === null) return end();
      ready.push(...images);
    }
    return { done: true, value: undefined };
  }

  return {
    next: () =>
      next().catch(async (error) => {
        await end();
        throw error;
      }),
    return: end,
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** Waits until images are made, or have failed, or the time is over. */
export async function waitForImages(
  deps: WatchDeps,
  uuids: readonly string[],
  seconds: number,
): Promise<void> {
  if (seconds === 0 || uuids.length === 0) return;
  const deadline = Date.now() + seconds * 1000;
  const mine = new Set(uuids);
  let wake: (() => void) | null = null;
  let dirty = true;
  const stop = await deps.imageEvents.watch((uuid) => {
    if (uuid !== null && !mine.has(uuid)) return;
    dirty = true;
    wake?.();
  });
  try {
    for (;;) {
      if (dirty) {
        dirty = false;
        const found = await deps.database.query<Pick<Image, 'uuid' | 'status'>>(STATUSES, [[...mine]]);
        for (const image of found) if (isSettled(image)) mine.delete(image.uuid);
        if (mine.size === 0 || found.length === 0) return;
      }
      const left = deadline - Date.now();
      if (left <= 0) return;
      if (dirty) continue;
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        wake = resolve;
        timer = setTimeout(resolve, Math.min(left, WAIT_LOOK_MS));
      });
      clearTimeout(timer);
      wake = null;
      // A hint may have been lost.
      dirty = true;
    }
  } finally {
    stop();
  }
}

const WAIT_LOOK_MS = 2000;
const STATUSES = 'SELECT uuid, status FROM generated_images WHERE uuid = ANY($1::uuid[])';

const isSettled = ({ status }: Pick<Image, 'status'>) => status !== 'pending' && status !== 'processing';
