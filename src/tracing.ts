import type { Attributes, Span, SpanKind } from '@opentelemetry/api';

export type { Attributes, Span };

export interface SpanOptions {
  /** Default: internal. */
  readonly kind?: keyof typeof SpanKind;
  /** Names follow the semantic conventions (https://opentelemetry.io/docs/specs/semconv/). */
  readonly attributes?: Attributes;
  /** The span that this one belongs to, of another process. Default: the current span. */
  readonly parent?: TraceHeaders | undefined;
}

/** Headers of W3C Trace Context (https://www.w3.org/TR/trace-context/) that name a span. */
export interface TraceHeaders {
  readonly traceparent?: string;
  readonly tracestate?: string;
}

/**
 * Records spans with OpenTelemetry (app/open-tracing.ts). Parts get null where nothing is traced, and leave
 * their wrappers out then, so that tracing that is off costs nothing.
 */
export interface Tracing {
  /**
   * Runs work in a span, which is the current one during the work. The span ends when the promise of the work
   * settles, with the status ERROR if it rejects.
   */
  during<Result>(name: string, options: SpanOptions, work: (span: Span) => Promise<Result>): Promise<Result>;
  /** Runs work in a span that the caller ends. */
  begin<Result>(name: string, options: SpanOptions, work: (span: Span) => Result): Result;
  /** Returns the headers that name the current span; empty: there is none. */
  headers(): TraceHeaders;
}
