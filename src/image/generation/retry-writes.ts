import type { Logger } from 'pino';
import type { Queryable } from '../../database/database.ts';
import type { Image } from '../image.ts';

/** Seconds to keep a response in memory while the disk takes no writes. */
const KEEP_SECONDS = 600;
/** Milliseconds before the first retry; doubled for each one after it. */
const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 10_000;

export interface RetryWritesDeps {
  readonly database: Queryable;
  readonly log: Logger;
  /** Ends all retries: the worker stops. */
  readonly signal: AbortSignal;
}

/**
 * Retries writing a response to the disk for ten minutes: its bytes are nowhere else.
 * @returns whether it was written.
 */
export async function writeWithRetries(
  { log, signal }: RetryWritesDeps,
  image: Pick<Image, 'uuid'>,
  write: () => Promise<void>,
): Promise<boolean> {
  const until = Date.now() + KEEP_SECONDS * 1000;
  for (let delay = FIRST_DELAY_MS; ; delay = Math.min(delay * 2, MAX_DELAY_MS)) {
    try {
      await write();
      return true;
    } catch (error) {
      log.error({ image: image.uuid, err: error }, "could not write a provider's response to the disk");
      if (Date.now() > until || signal.aborted) return false;
      await pause(delay, signal);
    }
  }
}

/** Retries a write to the database while the database is away: the result to record is known nowhere else. */
export async function recordWithRetries<Result>(
  { database, log, signal }: RetryWritesDeps,
  record: () => Promise<Result>,
): Promise<Result> {
  for (let delay = FIRST_DELAY_MS; ; delay = Math.min(delay * 2, MAX_DELAY_MS)) {
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
        'the database is away; the result of a generation is recorded when it is back',
      );
      await pause(delay, signal);
    }
  }
}

/** Resolves after a time, or when the worker stops. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
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
