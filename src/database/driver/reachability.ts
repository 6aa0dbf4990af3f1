import { withTimeLimit } from '../../time.ts';
import { DatabaseUnavailableError } from './errors.ts';

/** Knows whether the database can be reached, and waits for it when it cannot. */
export interface Reachability {
  /** Whether the last probe found the database unreachable. */
  readonly isAway: boolean;
  /** Reports that a connection broke or could not be made; starts probing. */
  report(error: Error): void;
  /**
   * Resolves when the database can be reached. Waits until 2 seconds after the first report.
   * @throws DatabaseUnavailableError when that time is over, or already was at the call.
   */
  wait(): Promise<void>;
  close(): void;
}

export interface ReachabilityEvents {
  /** A connection broke, but the database can be reached. */
  onBroken(error: Error): void;
  /** The database cannot be reached. */
  onAway(error: Error): void;
  /** @param seconds duration of the outage. */
  onBack(seconds: number): void;
}

/** Time that requests wait after the first report: about as long as a restart takes. */
const WAIT_MILLISECONDS = 2000;
/** Pause between two probes. */
const PROBE_MILLISECONDS = 200;

/**
 * Probes the database from the first report until it answers, on behalf of all callers. Without this, each
 * request would open a connection of its own and log its own error.
 * @param probe rejects when the database cannot be reached.
 */
export function watchReachability(probe: () => Promise<unknown>, events: ReachabilityEvents): Reachability {
  let isAway = false;
  let isClosed = false;
  /** Resolves when the database answers; null while no report is open. */
  let probing: Promise<void> | null = null;
  /** Time of the first report, in milliseconds of performance.now(). */
  let since = 0;

  async function probeUntilBack(first: Error): Promise<void> {
    while (!isClosed) {
      try {
        await probe();
        break;
      } catch (error) {
        if (!isAway && !isClosed) {
          isAway = true;
          events.onAway(error as Error);
        }
      }
      await new Promise((resolve) => setTimeout(resolve, PROBE_MILLISECONDS).unref());
    }
    const wasAway = isAway;
    isAway = false;
    probing = null;
    if (isClosed) return;
    if (wasAway) events.onBack((performance.now() - since) / 1000);
    else events.onBroken(first);
  }

  return {
    get isAway() {
      return isAway;
    },
    report(error) {
      if (probing || isClosed) return;
      since = performance.now();
      probing = probeUntilBack(error);
    },
    async wait() {
      if (!probing) return;
      const left = since + WAIT_MILLISECONDS - performance.now();
      if (left <= 0) throw new DatabaseUnavailableError();
      await withTimeLimit(left, probing, () => {
        throw new DatabaseUnavailableError();
      });
    },
    close() {
      isClosed = true;
    },
  };
}
