import type { Attributes, TraceHeaders, Tracing } from '../tracing.ts';

/** Part of the data of a job: the span in which it was queued. */
export interface Traced {
  readonly trace?: TraceHeaders;
}

/** Returns the part of a job's data that names the current span. */
export const currentTrace = (tracing: Tracing | null): Traced =>
  tracing ? { trace: tracing.headers() } : {};

/** Runs a job in a span that belongs to the span in which it was queued, also of another process. */
export const duringJob = (
  tracing: Tracing | null,
  job: { readonly name: string; readonly attributes?: Attributes; readonly trace?: TraceHeaders | undefined },
  work: () => Promise<void>,
): Promise<void> =>
  tracing
    ? tracing.during(
        `job ${job.name}`,
        { kind: 'CONSUMER', attributes: job.attributes ?? {}, parent: job.trace },
        work,
      )
    : work();
