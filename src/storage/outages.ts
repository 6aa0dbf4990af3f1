import type { Logger } from 'pino';

/** Tracks which stores are away. Logs one line when an outage begins and one when it ends. */
export interface Outages {
  /** Notes that a request to the store failed. */
  failed(store: string, error: Error): void;
  /** Notes that the store answers; ends its outage. */
  answered(store: string): void;
  /**
   * Treats the store as away, without a log line: after a restart its state is not known until it answers.
   */
  suspect(store: string): void;
  isAway(store: string): boolean;
  /** Returns why requests to the store failed in the last minutes; null: none did. */
  reasonOf(store: string): string | null;
  /** @param listener is called with the name of each store whose outage begins, and with the reason. */
  onBegin(listener: (store: string, reason: string) => void): void;
  /** @param listener is called with the name of each store whose outage ends. */
  onEnd(listener: (store: string) => void): void;
}

/** Time for which a failure counts. The repairer tries a store that is away each half minute. */
const REMEMBER_MS = 120_000;

export function makeOutages(log: Logger): Outages {
  /** Start of each outage, in milliseconds since 1970; null: suspected only and not logged. */
  const away = new Map<string, number | null>();
  const failures = new Map<string, { readonly reason: string; readonly at: number }>();
  const listeners: ((store: string) => void)[] = [];
  const beginListeners: ((store: string, reason: string) => void)[] = [];
  return {
    failed(store, error) {
      failures.set(store, { reason: error.message, at: Date.now() });
      if (typeof away.get(store) === 'number') return;
      away.set(store, Date.now());
      log.warn(
        { store, reason: error.message },
        'a store is away; its missing copies are made when it is back',
      );
      for (const listener of beginListeners) listener(store, error.message);
    },
    answered(store) {
      failures.delete(store);
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
    reasonOf(store) {
      const last = failures.get(store);
      return last && Date.now() - last.at < REMEMBER_MS ? last.reason : null;
    },
    onBegin: (listener) => void beginListeners.push(listener),
    onEnd: (listener) => void listeners.push(listener),
  };
}
