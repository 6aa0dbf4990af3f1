import type { Metrics } from './metrics.ts';
import type { Tracing } from './tracing.ts';

/** Everything that watches the calls of the parts. */
export interface Observers {
  readonly metrics: Metrics;
  /** null: nothing is traced. */
  readonly tracing: Tracing | null;
}
