import type { Database } from '../../database/database.ts';
import { NotFoundError } from '../../errors.ts';
import { findImages, type Image } from '../image.ts';
import { Conditions, type ImageFilter } from '../list/conditions.ts';
import { findAmong, findChangedSince } from '../list/list.ts';
import { type ChangeReader, MAX_GATHERED, Watch, type Watched } from './change-feed.ts';
import { parseEventId } from './event-id.ts';
import type { ImageEvents } from './events.ts';

export type { Watched, WatchedImage } from './change-feed.ts';

export interface WatchDeps {
  readonly database: Database;
  readonly imageEvents: ImageEvents;
}

/** Most images to send after a gap or a burst of changes: the newest are sent. */
const MAX_CAUGHT_UP = 1000;
/**
 * Seconds to read again before the last read. Clocks of servers differ, and a commit is visible after the
 * times in its rows.
 */
const OVERLAP_SECONDS = 30;
/** Seconds to read again before the beginning of a new subscription. */
const NEW_OVERLAP_SECONDS = 5;
/** Seconds for which changes can be sent again after a reconnection. */
const MAX_RESUMED_SECONDS = 24 * 3600;

/**
 * Yields an image now and after each change. Changes that follow each other faster than the client takes them
 * are sent as one.
 * @throws NotFoundError when there is no such image; FixativeError OVERLOADED when the server stops. Ends
 *   when the image is purged.
 */
export function watchImage(deps: WatchDeps, uuid: string, visibleTo: string | null): Watched {
  let last: string | null = null;
  return new Watch(deps.imageEvents, {
    concerns: (changed) => changed === uuid,
    readsRegularly: true,
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
 * Yields images of a filter after each of their changes, from now on.
 * @param lastId id of an event of an earlier connection: changes since then come first. The first image tells
 *   when changes are missing, or when the id is not known.
 * @throws FixativeError OVERLOADED when the server stops.
 */
export function watchImages(deps: WatchDeps, filter: ImageFilter, lastId: string | null = null): Watched {
  // Rejects a wrong filter now and not with the first change.
  new Conditions(filter);
  const begun = Date.now();
  const wish = lastId === null ? begun : parseEventId(lastId, begun);
  const since = Math.max(wish ?? begun, begun - MAX_RESUMED_SECONDS * 1000);
  const isBehind = lastId !== null && wish !== null;
  return new Watch(deps.imageEvents, {
    concerns: () => true,
    readsRegularly: false,
    since,
    isBehind,
    missedSince: lastId !== null && wish !== since ? new Date(wish ?? begun) : null,
    // A new subscription gets no changes from before it.
    read: makeFilterReader(deps, filter, { earliest: isBehind ? 0 : begun - NEW_OVERLAP_SECONDS * 1000 }),
  });
}

/**
 * Reads the changed images of a filter, each change once.
 * @param options.earliest milliseconds since 1970.
 */
function makeFilterReader(
  { database }: WatchDeps,
  filter: ImageFilter,
  { earliest }: { readonly earliest: number },
): ChangeReader {
  /** Time of the last change that was sent of each image, the newest MAX_CAUGHT_UP. */
  const sent = new Map<string, number>();
  const overlapping = (from: number) => new Date(Math.max(from - OVERLAP_SECONDS * 1000, earliest));

  return async (changed, from, isAny) => {
    const since =
      isAny || changed.size > MAX_GATHERED
        ? await findChangedSince(database, filter, overlapping(from), MAX_CAUGHT_UP)
        : { images: [], complete: true };
    const named =
      changed.size > 0 && changed.size <= MAX_GATHERED ? await findAmong(database, filter, [...changed]) : [];
    const isNamed = new Set(named.map(({ uuid }) => uuid));
    const found = [...since.images.filter(({ uuid }) => !isNamed.has(uuid)), ...named];
    const images = found.filter(
      ({ uuid, updatedAt }) => changed.has(uuid) || sent.get(uuid) !== updatedAt.getTime(),
    );
    rememberSent(sent, images);
    return { images, complete: since.complete };
  };
}

function rememberSent(sent: Map<string, number>, images: readonly Image[]): void {
  for (const { uuid, updatedAt } of images) {
    sent.delete(uuid);
    sent.set(uuid, updatedAt.getTime());
  }
  for (const uuid of sent.keys()) {
    if (sent.size <= MAX_CAUGHT_UP) break;
    sent.delete(uuid);
  }
}
