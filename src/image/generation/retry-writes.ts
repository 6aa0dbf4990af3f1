import type { Logger } from 'pino';
import type { Queryable } from '../../database/database.ts';
import type { Image } from '../image.ts';

/** How long an answer waits in memory for a disk that is away. */
const KEEP_SECONDS = 600;

/** Tries again what must not be lost, while what it needs is away. @param deps.signal ends it: the worker stops. */
export function makePatience({
  database,
  log,
  signal,
}: {
  readonly database: Queryable;
  readonly log: Logger;
  readonly signal: AbortSignal;
}) {
  /** Tries again while a disk is away: the bytes are nowhere else. @returns whether they are kept. */
  async function untilKept(image: Pick<Image, 'uuid'>, keep: () => Promise<void>): Promise<boolean> {
    const until = Date.now() + KEEP_SECONDS * 1000;
    for (let delay = 500; ; delay = Math.min(delay * 2, 10_000)) {
      try {
        await keep();
        return true;
      } catch (error) {
        log.error({ image: image.uuid, err: error }, 'could not write the answer of a provider to the disk');
        if (Date.now() > until || signal.aborted) return false;
        await pause(delay);
      }
    }
  }

  /** Resolves after a time, or when the worker stops. */
  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(end, ms);
      function end() {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      }
      signal.addEventListener('abort', end);
    });
  }

  /** Tries again while the database is away: what is to be recorded is known nowhere else. */
  async function untilRecorded<Result>(record: () => Promise<Result>): Promise<Result> {
    for (let delay = 500; ; delay = Math.min(delay * 2, 10_000)) {
      try {
        return await record();
      } catch (error) {
        const isThere = await database.query('SELECT 1').then(
          () => true,
          () => false,
        );
        if (isThere || signal.aborted) throw error;
        log.warn(
          { err: error },
          'the database is away; what a generation came to is recorded when it is back',
        );
        await pause(delay);
      }
    }
  }

  return { untilKept, untilRecorded };
}
