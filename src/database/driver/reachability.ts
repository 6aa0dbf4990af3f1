import { orAfter } from '../../time.ts';
import { DatabaseUnavailableError } from './errors.ts';

/** Whether the database can be reached, and waiting for it when it cannot. */
export interface Reachability {
  /** Whether the last look found the database unreachable. */
  readonly isAway: boolean;
  /** Says that a connection broke or could not be made. */
  report(error: Error): void;
  /**
   * Resolves when the database can be reached.
   * @throws DatabaseUnavailableError at once when it has been away for longer than requests wait, or when that time is over.
   */
  wait(): Promise<void>;
  close(): void;
}

export interface ReachabilityEvents {
  /** A connection broke although the database can be reached. */
  onBroken(error: Error): void;
  onAway(error: Error): void;
  /** @param seconds how long the database was away. */
  onBack(seconds: number): void;
}

/** How long a request waits for a database that has just gone: a restart takes about as long. */
const PATIENCE_MILLISECONDS = 2000;
const LOOK_MILLISECONDS = 200;

/**
 * Looks at the database from the first report until it answers, on behalf of everybody: without this, each request would try a connection of its own, and
 * write its own error into the log.
 * @param look rejects when the database cannot be reached.
 */
export function watchReachability(look: () => Promise<unknown>, events: ReachabilityEvents): Reachability {
  let isAway = false;
  let isClosed = false;
  /** Resolves when the database answers; null while nothing is amiss. */
  let looking: Promise<void> | null = null;
  /** When the first report came, in milliseconds of performance.now(). */
  let since = 0;

  async function lookUntilBack(first: Error): Promise<void> {
    while (!isClosed) {
      try {
        await look();
        break;
      } catch (error) {
        if (!isAway && !isClosed) {
          isAway = true;
          events.onAway(error as Error);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_MILLISECONDS).unref());
    }
    const wasAway = isAway;
    isAway = false;
    looking = null;
    if (isClosed) return;
    if (wasAway) events.onBack((performance.now() - since) / 1000);
    else events.onBroken(first);
  }

  return {
    get isAway() {
      return isAway;
    },
    report(error) {
      if (looking || isClosed) return;
      since = performance.now();
      looking = lookUntilBack(error);
    },
    async wait() {
      if (!looking) return;
      const left = since + PATIENCE_MILLISECONDS - performance.now();
      if (left <= 0) throw new DatabaseUnavailableError();
      await orAfter(left, looking, () => {
        throw new DatabaseUnavailableError();
      });
    },
    close() {
      isClosed = true;
    },
  };
}
