import { NotFoundError, StoreError } from '../../errors.ts';
import type { Store } from './store.ts';

export interface CircuitOptions {
  /** How many failures in a row open the circuit. */
  readonly failures?: number;
  /** How long it stays open. */
  readonly openSeconds?: number;
  /** Hears that the circuit opens. */
  readonly onOpen?: (error: StoreError) => void;
  /** The clock, in milliseconds. */
  readonly now?: () => number;
}

/**
 * The same store, which is left alone for a while once it has failed often in a row: a store that is gone then costs every request an
 * error at once, and not a time-out. After that time one request is let through to probe it; the others still fail until
 * that one is answered.
 *
 * A failure is a StoreError that may pass (`retryable`), thrown or met at the end of a stream. "Not found" is an answer, and so is
 * success. A refusal that cannot pass, and an error of the caller, say nothing either way. Streams are counted by themselves, because a
 * store may answer every question and still break off whenever it gives bytes.
 */
export function withCircuit(store: Store, options: CircuitOptions = {}): Store {
  const { failures = 5, openSeconds = 30, now = Date.now } = options;
  const inARow = { answers: 0, streams: 0 };
  /** While the circuit is open, the time at which it may be probed. */
  let openUntil: number | null = null;
  let probing = false;
  let last: StoreError | null = null;

  /** @returns whether this request is the probe. */
  function enter(): boolean {
    if (openUntil === null) return false;
    if (probing || now() < openUntil) {
      const seconds = Math.max(1, Math.ceil((openUntil - now()) / 1000));
      throw new StoreError(
        `${store.name} has failed ${failures} times in a row and is left alone for ${seconds} s; the last time: ${last?.message}`,
        store.name,
        { cause: last },
      );
    }
    probing = true;
    return true;
  }

  function answered(kind: keyof typeof inARow): void {
    inARow[kind] = 0;
    if (openUntil === null) return;
    openUntil = null;
    // That a probe was answered does not show that a whole stream would be: one more that breaks off opens it again.
    inARow.streams = Math.min(inARow.streams, failures - 1);
  }

  function failed(kind: keyof typeof inARow, error: unknown, isProbe: boolean): void {
    if (error instanceof NotFoundError) answered(kind);
    if (!(error instanceof StoreError && error.retryable)) return;
    inARow[kind]++;
    last = error;
    // What was under way when it opened does not keep it open for longer.
    if (!isProbe && (openUntil !== null || inARow[kind] < failures)) return;
    openUntil = now() + openSeconds * 1000;
    if (!isProbe) options.onOpen?.(error);
  }

  async function through<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    const isProbe = enter();
    try {
      const answer = await ask();
      answered('answers');
      return answer;
    } catch (error) {
      failed('answers', error, isProbe);
      throw error;
    } finally {
      if (isProbe) probing = false;
    }
  }

  return {
    name: store.name,
    kind: store.kind,
    maxBytes: store.maxBytes,
    put: (key, source) => through(() => store.put(key, source)),
    stat: (key) => through(() => store.stat(key)),
    delete: (key) => through(() => store.delete(key)),

    async open(key, range) {
      const opened = await through(() => store.open(key, range));
      opened.stream.once('end', () => answered('streams'));
      opened.stream.once('error', (error) => failed('streams', error, false));
      return opened;
    },

    async *list() {
      const objects = store.list()[Symbol.asyncIterator]();
      try {
        for (;;) {
          const next = await through(() => objects.next());
          if (next.done) return;
          yield next.value;
        }
      } finally {
        await objects.return?.();
      }
    },
  };
}
