import { CronExpressionParser } from 'cron-parser';
import type { Logger } from 'pino';

/** Longest timeout of a Node timer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface Schedule {
  /** Aborts the current run, waits for it to end, and starts no other. */
  stop(): Promise<void>;
}

/**
 * Runs a function at the times of a cron expression of five fields, in UTC. Runs never overlap: a time that
 * passes during a run is skipped.
 * @param when.atStart whether to run it now too, to continue what a crash interrupted. Default: false.
 * @param run gets a signal that is aborted when the server stops.
 */
export function startSchedule(
  when: { readonly expression: string; readonly atStart?: boolean },
  run: (signal: AbortSignal) => Promise<void>,
  log: Logger,
): Schedule {
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();

  function wait(until: number): void {
    const left = until - Date.now();
    if (left > MAX_TIMER_MS) timer = setTimeout(() => wait(until), MAX_TIMER_MS);
    else timer = setTimeout(begin, Math.max(0, left));
    timer.unref();
  }

  function begin(): void {
    running = run(stopping.signal)
      .catch((error) => {
        if (!stopping.signal.aborted)
          log.error({ err: error }, 'a scheduled job failed; it runs again at its next time');
      })
      .finally(() => {
        if (!stopping.signal.aborted) wait(next());
      });
  }

  const next = () => CronExpressionParser.parse(when.expression, { tz: 'UTC' }).next().getTime();
  if (when.atStart) begin();
  else wait(next());
  return {
    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await running;
    },
  };
}
