/** Limits on what is in progress at the same time. */
import type { ServerResponse } from 'node:http';
import type { Refusal } from './refusal.ts';

export interface ConcurrencyLimit {
  /** Counts one in, unless the limit is reached. */
  enter(): Refusal | null;
  leave(): void;
  readonly count: number;
}

/**
 * Limits the number over all clients.
 * @param what plural noun for the message.
 * @param setting name of the limit.
 */
export function makeConcurrencyLimit(what: string, setting: string, limit: number): ConcurrencyLimit {
  let count = 0;
  return {
    enter() {
      if (count >= limit) {
        const message = `The server has ${limit} ${what} in progress, which is the limit (${setting}). Try again in a moment.`;
        return { status: 503, code: 'OVERLOADED', message, retryAfterSeconds: 5 };
      }
      count++;
      return null;
    },
    leave() {
      count--;
    },
    get count() {
      return count;
    },
  };
}

export interface KeyedConcurrencyLimit {
  /** Counts one in for the key, unless its limit is reached. */
  enter(key: string): Refusal | null;
  leave(key: string): void;
}

/** Limits the number for each key, such as the address of a client. */
export function makeKeyedConcurrencyLimit(
  what: string,
  setting: string,
  limit: number,
): KeyedConcurrencyLimit {
  const counts = new Map<string, number>();
  return {
    enter(key) {
      const count = counts.get(key) ?? 0;
      if (count >= limit) {
        const message = `You have ${count} ${what} in progress, which is the limit (${setting}). Wait for one to end.`;
        return { status: 429, code: 'RATE_LIMITED', message, retryAfterSeconds: 5 };
      }
      counts.set(key, count + 1);
      return null;
    },
    leave(key) {
      const count = (counts.get(key) ?? 1) - 1;
      if (count > 0) counts.set(key, count);
      else counts.delete(key);
    },
  };
}

/** Counts one in under both limits, and out when the response is closed. */
export function enterUntilClosed(
  { all, perKey, key }: { all: ConcurrencyLimit; perKey: KeyedConcurrencyLimit; key: string },
  response: ServerResponse,
): Refusal | null {
  const refusalOfKey = perKey.enter(key);
  if (refusalOfKey) return refusalOfKey;
  const refusal = all.enter();
  if (refusal) {
    perKey.leave(key);
    return refusal;
  }
  const leave = () => {
    all.leave();
    perKey.leave(key);
  };
  // The client may have hung up during authentication. `close` does not come again then.
  if (response.destroyed) leave();
  else response.once('close', leave);
  return null;
}
