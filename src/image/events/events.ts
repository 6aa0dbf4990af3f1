import type { Logger } from 'pino';
import type { Database } from '../../database/database.ts';

/** Channel that the triggers of `generated_images` notify. */
const CHANNEL = 'fixative_images';

/**
 * Notifications of changed images, whichever process changed them. A notification is a hint to read the row.
 * It may come late or twice. After a lost connection, one notification says that any image may have changed.
 */
export interface ImageEvents {
  /**
   * Calls `onChange` for each change. Rejects when the server cannot listen.
   * @param onChange gets the uuid of a changed image; null: any may have changed.
   * @param onEnd is called when the server stops, or at once when it stops already.
   * @returns a function that ends the watch.
   */
  watch(onChange: (uuid: string | null) => void, onEnd?: () => void): Promise<() => void>;
  /** Calls every `onEnd`: an open subscription would keep the server from stopping. */
  end(): void;
  close(): Promise<void>;
}

export function makeImageEvents(database: Pick<Database, 'listen'>, log: Logger): ImageEvents {
  const watchers = new Map<(uuid: string | null) => void, (() => void) | undefined>();
  let listening: Promise<{ close(): Promise<void> }> | null = null;
  let ended = false;

  const tell = (uuid: string | null) => {
    for (const watcher of watchers.keys()) {
      try {
        watcher(uuid);
      } catch (error) {
        log.error({ err: error }, 'a watcher of images failed');
      }
    }
  };

  return {
    async watch(onChange, onEnd) {
      watchers.set(onChange, onEnd);
      if (ended) onEnd?.();
      // Listens from the first watch on; most servers are never watched.
      listening ??= database.listen(
        CHANNEL,
        (payload) => tell(payload === '' ? null : payload),
        () => tell(null),
      );
      try {
        await listening;
      } catch (error) {
        watchers.delete(onChange);
        listening = null;
        throw error;
      }
      return () => watchers.delete(onChange);
    },
    end() {
      ended = true;
      for (const onEnd of watchers.values()) onEnd?.();
    },
    async close() {
      const open = await listening?.catch(() => null);
      listening = null;
      watchers.clear();
      await open?.close();
    },
  };
}
