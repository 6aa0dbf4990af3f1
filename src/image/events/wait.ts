import type { Image } from '../image.ts';
import type { WatchDeps } from './watch.ts';

/** Milliseconds between two reads when no change is heard: a notification may be lost. */
const READ_AGAIN_MS = 2000;
const FIND_STATUSES = 'SELECT uuid, status FROM generated_images WHERE uuid = ANY($1::uuid[])';

/** Waits until images are generated or have failed, for `seconds` at most. */
export async function waitForImages(
  deps: WatchDeps,
  uuids: readonly string[],
  seconds: number,
): Promise<void> {
  if (seconds === 0 || uuids.length === 0) return;
  const deadline = Date.now() + seconds * 1000;
  const unfinished = new Set(uuids);
  let wake: (() => void) | null = null;
  let isChanged = true;
  const stop = await deps.imageEvents.watch((uuid) => {
    if (uuid !== null && !unfinished.has(uuid)) return;
    isChanged = true;
    wake?.();
  });
  try {
    for (;;) {
      if (isChanged) {
        isChanged = false;
        const found = await deps.database.query<Pick<Image, 'uuid' | 'status'>>(FIND_STATUSES, [
          [...unfinished],
        ]);
        for (const image of found) if (isFinished(image)) unfinished.delete(image.uuid);
        if (unfinished.size === 0 || found.length === 0) return;
      }
      const left = deadline - Date.now();
      if (left <= 0) return;
      if (isChanged) continue;
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        wake = resolve;
        timer = setTimeout(resolve, Math.min(left, READ_AGAIN_MS));
      });
      clearTimeout(timer);
      wake = null;
      isChanged = true;
    }
  } finally {
    stop();
  }
}

const isFinished = ({ status }: Pick<Image, 'status'>) => status !== 'pending' && status !== 'processing';
