import type { Database } from '../../database/database.ts';
import { FixativeError, NotFoundError } from '../../errors.ts';
import { findImages, type Image } from '../image.ts';
import { Conditions, type ImageFilter } from '../list/conditions.ts';
import { findAmong, findChangedSince } from '../list/list.ts';
import { parseEventId, writeEventId } from './event-id.ts';
import type { ImageEvents } from './events.ts';

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
/** Clocks of servers differ, and a transaction is seen some time after the time that its rows carry. */
const OVERLAP_SECONDS = 30;
const NEW_OVERLAP_SECONDS = 5;
/** What has changed longer ago is not told again. */
const MAX_RESUMED_SECONDS = 24 * 3600;

/** An image that has changed, and what its client is told along with it. */
export interface WatchedImage {
  readonly image: Image;
  /** Up to here the client has been told what has changed, when it has had this one (event-id.ts). */
  readonly id: string;
  /** Said with the first image after a gap: changes since then may have been missed. */
  readonly missedSince: Date | null;
}

export interface Watched extends AsyncIterableIterator<WatchedImage> {
  /** The id of now, while nothing waits to be told; else that of what was told last. */
  position(): string;
}

/**
 * An image now, and whenever it has changed. Changes that follow each other faster than they are taken are one.
 * @throws NotFoundError when there is none; FixativeError OVERLOADED when the server stops. Ends when the image is purged.
 */
export function watchImage(deps: WatchDeps, uuid: string, visibleTo: string | null): Watched {
  let last: string | null = null;
  return follow(deps, {
    concerns: (changed) => changed === uuid,
    looksAgain: true,
    since: Date.now(),
    isBehind: true,
    async read() {
      const [image] = await findImages(deps.database, [uuid], visibleTo);
      if (!image) {
        if (last === null) throw new NotFoundError(`There is no image ${uuid}.`);
        return null;
      }
      const now = JSON.stringify(image, (_key, value) => (typeof value === 'bigint' ? Number(value) : value));
      if (now === last) return { images: [], complete: true };
      last = now;
      return { images: [image], complete: true };
    },
  });
}

/**
 * Images that a filter finds, each whenever it has changed, from now on.
 * @param lastId of an event of an earlier connection: what has changed since comes first. Where that is not all of it, or the id is not known,
 *   the first image says so.
 * @throws FixativeError OVERLOADED when the server stops.
 */
export function watchImages(deps: WatchDeps, filter: ImageFilter, lastId: string | null = null): Watched {
  // A wrong filter is told at once, and not with the first change.
  new Conditions(filter);
  const begun = Date.now();
  const wish = lastId === null ? begun : parseEventId(lastId, begun);
  const since = Math.max(wish ?? begun, begun - MAX_RESUMED_SECONDS * 1000);
  const isBehind = lastId !== null && wish !== null;
  // Of a subscription that begins now, nothing is wanted that was before.
  const earliest = isBehind ? 0 : begun - NEW_OVERLAP_SECONDS * 1000;
  const overlapping = (from: number) => new Date(Math.max(from - OVERLAP_SECONDS * 1000, earliest));
  const sent = new Map<string, number>();
  return follow(deps, {
    concerns: () => true,
    looksAgain: false,
    since,
    isBehind,
    missedSince: lastId !== null && wish !== since ? new Date(wish ?? begun) : null,
    async read(changed, from, isAny) {
      const since =
        isAny || changed.size > MAX_GATHERED
          ? await findChangedSince(deps.database, filter, overlapping(from), MAX_CAUGHT_UP)
          : { images: [], complete: true };
      const named =
        changed.size > 0 && changed.size <= MAX_GATHERED
          ? await findAmong(deps.database, filter, [...changed])
          : [];
      const isNamed = new Set(named.map(({ uuid }) => uuid));
      const found = [...since.images.filter(({ uuid }) => !isNamed.has(uuid)), ...named];
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
      return { images, complete: since.complete };
    },
  });
}

interface Following {
  concerns(uuid: string): boolean;
  /** Whether to read now and then even when nothing was heard. */
  readonly looksAgain: boolean;
  /** Up to when the client knows everything; milliseconds since 1970. */
  readonly since: number;
  /** Whether to read before anything is heard. */
  readonly isBehind: boolean;
  readonly missedSince?: Date | null;
  /**
   * @param changed uuids.
   * @param isAny others may have changed as well, at `since` or later.
   * @returns null when there is nothing to follow any more. Not complete: more has changed than is read.
   */
  read(
    changed: ReadonlySet<string>,
    since: number,
    isAny: boolean,
  ): Promise<{ readonly images: readonly Image[]; readonly complete: boolean } | null>;
}

/** An iterator that `return` ends at once, also while it waits: a generator would wait for the next change first. */
function follow({ imageEvents }: WatchDeps, following: Following): Watched {
  const ready: WatchedImage[] = [];
  let changed = new Set<string>();
  let dirty = following.isBehind;
  /** Whether images have changed whose uuids are not known. */
  let isAny = following.isBehind;
  let ended = false;
  let isStopped = false;
  let wake: (() => void) | null = null;
  let stop: Promise<() => void> | null = null;
  /** Up to when everything was read, and up to when all that was read was taken. */
  let read = following.since;
  let told = following.since;
  let missedSince = following.missedSince ?? null;
  let isReading = false;

  const touch = () => {
    dirty = true;
    wake?.();
  };
  const onChange = (uuid: string | null) => {
    if (uuid === null) isAny = true;
    else if (!following.concerns(uuid)) return;
    else if (changed.size <= MAX_GATHERED) changed.add(uuid);
    touch();
  };
  // A hint may be lost without anybody noticing; for many images that would be a search each time.
  const timer = following.looksAgain ? setInterval(touch, LOOK_EVERY_SECONDS * 1000) : undefined;
  timer?.unref();

  async function end(): Promise<IteratorResult<WatchedImage>> {
    ended = true;
    clearInterval(timer);
    wake?.();
    (await stop?.catch(() => null))?.();
    return { done: true, value: undefined };
  }

  /** @returns whether there is more to follow. */
  async function look(): Promise<boolean> {
    dirty = false;
    const these = changed;
    changed = new Set();
    const any = isAny;
    isAny = false;
    const begun = Date.now();
    isReading = true;
    const found = await following.read(these, read, any).finally(() => {
      isReading = false;
    });
    if (found === null) return false;
    if (!found.complete) missedSince ??= new Date(read);
    const before = writeEventId(read);
    read = begun;
    // Only whoever has had the last of them has been told all.
    const ids = found.images.map((_, at) => (at === found.images.length - 1 ? writeEventId(begun) : before));
    for (const [at, image] of found.images.entries()) {
      ready.push({ image, id: ids[at] as string, missedSince });
      missedSince = null;
    }
    if (found.images.length === 0) told = begun;
    return true;
  }

  async function next(): Promise<IteratorResult<WatchedImage>> {
    stop ??= imageEvents.watch(onChange, () => {
      isStopped = true;
      wake?.();
    });
    await stop;
    while (!ended) {
      if (isStopped) throw new FixativeError('OVERLOADED', 'The server stops.', { retryable: true });
      const value = ready.shift();
      if (value) {
        if (ready.length === 0) told = read;
        return { done: false, value };
      }
      if (!dirty) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = null;
        if (!ended) await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
        continue;
      }
      if (!(await look())) return end();
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
    position: () => writeEventId(dirty || isReading || ready.length > 0 ? told : Date.now()),
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
