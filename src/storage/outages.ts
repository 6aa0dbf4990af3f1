import type { Logger } from 'pino';

/** Which stores are away. The log has one line when an outage begins and one when it ends, however much fails meanwhile. */
export interface Outages {
  /** A store could not be asked, or did not take what it was given. */
  failed(store: string, error: Error): void;
  /** A store has answered, or taken something, after that. */
  answered(store: string): void;
  /** Takes a store for away without a word: its copies wait, and nobody knows why any more. */
  suspect(store: string): void;
  isAway(store: string): boolean;
  /** @param listener hears of each store whose outage ends. */
  onEnd(listener: (store: string) => void): void;
}

export function makeOutages(log: Logger): Outages {
  /** When each outage began; null where that is not known, and the log has no line of it. */
  const away = new Map<string, number | null>();
  const listeners: ((store: string) => void)[] = [];
  return {
    failed(store, error) {
      if (typeof away.get(store) === 'number') return;
      away.set(store, Date.now());
      log.warn({ store, reason: error.message }, 'a store is away; what it lacks waits until it is back');
    },
    answered(store) {
      const since = away.get(store);
      if (since === undefined) return;
      away.delete(store);
      if (since !== null)
        log.warn({ store, seconds: Math.round((Date.now() - since) / 1000) }, 'a store is back');
      for (const listener of listeners) listener(store);
    },
    suspect(store) {
      if (!away.has(store)) away.set(store, null);
    },
    isAway: (store) => away.has(store),
    onEnd: (listener) => void listeners.push(listener),
  };
}
