import { CronExpressionParser } from 'cron-parser';
import type { Logger } from 'pino';

/** The longest that a timer of Node can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export interface Schedule {
  /** Tells a run that is under way to end, waits for it, and begins no other. */
  stop(): Promise<void>;
}

/**
 * Runs something at the times of a cron expression of five fields, in UTC. A run that lasts until the next time is not run twice at once.
 * @param when.atStart also run it now: what a crash interrupted goes on at the next start.
 * @param run gets a signal that says that the server stops.
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
        if (!stopping.signal.aborted) log.error({ err: error }, 'a scheduled run failed');
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
