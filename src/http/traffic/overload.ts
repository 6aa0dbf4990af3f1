import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

const LOOK_SECONDS = 1;

/** Whether the process is so busy, or so short of memory, that it had better say no. */
export interface Overload {
  /** Why, for the log; null where it is not. */
  readonly reason: string | null;
  stop(): void;
}

/**
 * Looks every second at the mean delay of the event loop and at the heap. One look too slow says nothing, for a migration or a large answer
 * may hold the loop for a moment; two are an overload, until one is well again. A heap that is nearly full is one at once.
 */
export function watchOverload(limits: {
  readonly maxEventLoopDelayMilliseconds: number;
  readonly maxHeapPercent: number;
}): Overload {
  const delay = monitorEventLoopDelay({ resolution: 20 });
  delay.enable();
  let slow = 0;
  let reason: string | null = null;
  const look = () => {
    const milliseconds = delay.count > 0 ? delay.mean / 1e6 : 0;
    delay.reset();
    slow = milliseconds > limits.maxEventLoopDelayMilliseconds ? slow + 1 : 0;
    const { used_heap_size: used, heap_size_limit: most } = getHeapStatistics();
    const percent = (100 * used) / most;
    if (percent > limits.maxHeapPercent) reason = `the heap is ${Math.round(percent)} % full`;
    else if (slow > 1) reason = `the event loop is ${Math.round(milliseconds)} ms late`;
    else reason = null;
  };
  const timer = setInterval(look, LOOK_SECONDS * 1000);
  timer.unref();
  return {
    get reason() {
      return reason;
    },
    stop() {
      clearInterval(timer);
      delay.disable();
    },
  };
}
