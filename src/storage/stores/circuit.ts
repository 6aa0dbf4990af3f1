import { NotFoundError, StoreError } from '../../errors.ts';
import type { Store } from './store.ts';

export interface CircuitOptions {
  /** Failures in a row that open the circuit. Default: 5. */
  readonly failures?: number;
  /** Seconds for which it stays open. Default: 30. */
  readonly openSeconds?: number;
  /** Called when the circuit opens. */
  readonly onOpen?: (error: StoreError) => void;
  /** Called when the circuit closes. */
  readonly onClose?: () => void;
  /** The clock, in milliseconds since 1970. */
  readonly now?: () => number;
}

/**
 * Wraps a store in a circuit breaker. After several failures in a row the circuit opens: requests fail at
 * once instead of waiting for a timeout. When `openSeconds` have passed, one request probes the store. Its
 * success closes the circuit.
 *
 * A retryable StoreError counts as a failure, thrown or at the end of a stream. Success and NotFoundError
 * count as success. Other errors count as neither. Streams have a count of their own, because a store may
 * answer every request and still break off every stream.
 */
export function withCircuit(store: Store, options: CircuitOptions = {}): Store {
  const { failures = 5, openSeconds = 30, now = Date.now } = options;
  const failuresInARow = { requests: 0, streams: 0 };
  /** When an open circuit may be probed; null: the circuit is closed. */
  let openUntil: number | null = null;
  let isProbing = false;
  let lastError: StoreError | null = null;

  /** Admits a request. @returns whether it is the probe. @throws StoreError while the circuit is open. */
  function admit(): boolean {
    if (openUntil === null) return false;
    if (isProbing || now() < openUntil) {
      const seconds = Math.max(1, Math.ceil((openUntil - now()) / 1000));
      throw new StoreError(
        `${store.name} has failed ${failures} times in a row and is not asked again for ${seconds} s. The last error: ${lastError?.message}`,
        store.name,
        { cause: lastError },
      );
    }
    isProbing = true;
    return true;
  }

  function noteSuccess(kind: keyof typeof failuresInARow): void {
    failuresInARow[kind] = 0;
    if (openUntil === null) return;
    openUntil = null;
    options.onClose?.();
    // The success of a probe says nothing about streams: one more broken stream opens the circuit again.
    failuresInARow.streams = Math.min(failuresInARow.streams, failures - 1);
  }

  function noteFailure(kind: keyof typeof failuresInARow, error: unknown, isProbe: boolean): void {
    if (error instanceof NotFoundError) noteSuccess(kind);
    if (!(error instanceof StoreError && error.retryable)) return;
    failuresInARow[kind]++;
    lastError = error;
    // Requests that were sent before the circuit opened do not extend it.
    if (!isProbe && (openUntil !== null || failuresInARow[kind] < failures)) return;
    openUntil = now() + openSeconds * 1000;
    if (!isProbe) options.onOpen?.(error);
  }

  async function guarded<Result>(send: () => Promise<Result>): Promise<Result> {
    const isProbe = admit();
    try {
      const result = await send();
      noteSuccess('requests');
      return result;
    } catch (error) {
      noteFailure('requests', error, isProbe);
      throw error;
    } finally {
      if (isProbe) isProbing = false;
    }
  }

  return {
    name: store.name,
    kind: store.kind,
    maxBytes: store.maxBytes,
    put: (key, source) => guarded(() => store.put(key, source)),
    stat: (key) => guarded(() => store.stat(key)),
    delete: (key) => guarded(() => store.delete(key)),

    async open(key, range) {
      const opened = await guarded(() => store.open(key, range));
      opened.stream.once('end', () => noteSuccess('streams'));
      opened.stream.once('error', (error) => noteFailure('streams', error, false));
      return opened;
    },

    async *list() {
      const objects = store.list()[Symbol.asyncIterator]();
      try {
        for (;;) {
          const next = await guarded(() => objects.next());
          if (next.done) return;
          yield next.value;
        }
      } finally {
        await objects.return?.();
      }
    },
  };
}
