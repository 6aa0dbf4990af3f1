import type { Logger } from 'pino';
import type { Database } from '../../database/database.ts';

/** As the triggers of `generated_images` notify it. */
const CHANNEL = 'fixative_images';

/**
 * Hears of images that have changed, whichever process changed them. What is heard is a hint to look at the row: it may come late, twice,
 * or, after a lost connection, as "something has changed".
 */
export interface ImageEvents {
  /**
   * @param onChange gets the uuid of an image that has changed; null: some have.
   * @param onEnd is called when the server stops, or stops already.
   * @returns when it hears, what ends it.
   */
  watch(onChange: (uuid: string | null) => void, onEnd?: () => void): Promise<() => void>;
  /** Ends those that asked to be ended: what they feed would keep a server from stopping. */
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
      // Most servers are never watched; the first watcher begins to listen, and the rest listen along.
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
