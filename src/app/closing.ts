import type { Logger } from 'pino';
import { withTimeLimit } from '../time.ts';

/** Closes one part. @param seconds how long the stop waits for it. */
export type Close = (seconds: number) => Promise<unknown>;

export interface Closing {
  /** @param what name of the part, for the log. */
  add(what: string, close: Close): void;
  /** Adds a part that the stop waits for without a limit. */
  addPatient(what: string, close: Close): void;
  /** Closes the parts in reverse order, each even if another could not be closed. */
  run(): Promise<void>;
}

/** Seconds for each part when the parts before it have used up the time. */
const LEAST_SECONDS = 0.5;
/** Seconds that the parts after a patient one have at least. */
const AFTER_PATIENT_SECONDS = 5;

/** @param options.seconds limit for all parts together that are not patient. */
export function makeClosing(options: { readonly seconds: number; readonly log: Logger }): Closing {
  const { log } = options;
  const parts: { what: string; close: Close; isPatient: boolean }[] = [];
  return {
    add: (what, close) => void parts.push({ what, close, isPatient: false }),
    addPatient: (what, close) => void parts.push({ what, close, isPatient: true }),
    async run() {
      let deadline = performance.now() + options.seconds * 1000;
      for (let part = parts.pop(); part; part = parts.pop()) {
        const { what, close, isPatient } = part;
        const seconds = Math.max(LEAST_SECONDS, (deadline - performance.now()) / 1000);
        const closed = Promise.resolve()
          .then(() => close(seconds))
          .catch((error: unknown) =>
            log.error({ err: error, what }, 'a part of the server could not be closed'),
          );
        if (!isPatient) {
          const isClosed = await endsWithin(seconds, closed);
          if (!isClosed) log.warn({ what }, 'a part of the server did not close in time; the stop goes on');
          continue;
        }
        await closed;
        deadline = Math.max(deadline, performance.now() + AFTER_PATIENT_SECONDS * 1000);
      }
    },
  };
}

/** Returns whether `work` resolves in that time. @throws what it rejects with in that time. */
export function endsWithin(seconds: number, work: Promise<unknown>): Promise<boolean> {
  return withTimeLimit(
    seconds * 1000,
    work.then(() => true),
    () => false,
  );
}
