import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

const CHECK_SECONDS = 1;

/** Whether the process is too busy, or too short of memory, to take requests. */
export interface Overload {
  /** Reason for the log; null: the process is not overloaded. */
  readonly reason: string | null;
  /** Mean delay of the event loop in the last second. */
  readonly delaySeconds: number;
  stop(): void;
}

/**
 * Checks the mean delay of the event loop and the heap every second. One slow second is no overload, because
 * a migration or a large response may block the loop for a moment. Two in a row are, until a second is fast
 * again. A heap above its limit is an overload at once.
 */
export function watchOverload(limits: {
  readonly maxEventLoopDelayMilliseconds: number;
  readonly maxHeapPercent: number;
}): Overload {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  let slowChecks = 0;
  let reason: string | null = null;
  let delaySeconds = 0;
  const check = () => {
    const milliseconds = delay.count > 0 ? delay.mean / 1e6 : 0;
    delaySeconds = milliseconds / 1000;
    delay.reset();
    slowChecks = milliseconds > limits.maxEventLoopDelayMilliseconds ? slowChecks + 1 : 0;
    const { used_heap_size: used, heap_size_limit: most } = getHeapStatistics();
    const percent = (100 * used) / most;
    if (percent > limits.maxHeapPercent) reason = `the heap is ${Math.round(percent)} % full`;
    else if (slowChecks > 1) reason = `the event loop is ${Math.round(milliseconds)} ms late`;
    else reason = null;
  };
  const timer = setInterval(check, CHECK_SECONDS * 1000);
  timer.unref();
  return {
    get reason() {
      return reason;
    },
    get delaySeconds() {
      return delaySeconds;
    },
    stop() {
      clearInterval(timer);
      delay.disable();
    },
  };
}
