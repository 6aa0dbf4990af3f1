import { useSyncExternalStore } from 'react';

/** A value outside of React that components can watch. */
export interface Signal<Value> {
  readonly get: () => Value;
  readonly set: (value: Value) => void;
  /** Calls `listener` after each change. Returns a function that ends it. */
  readonly subscribe: (listener: () => void) => () => void;
}

export function makeSignal<Value>(initial: Value): Signal<Value> {
  let current = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => current,
    set(value) {
      if (Object.is(value, current)) return;
      current = value;
      for (const listener of listeners) listener();
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}

/** Returns the present value of a signal, and renders again when it changes. */
export const useSignal = <Value>({ subscribe, get }: Pick<Signal<Value>, 'get' | 'subscribe'>): Value =>
  useSyncExternalStore(subscribe, get);
