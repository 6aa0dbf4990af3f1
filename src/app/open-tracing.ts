import type { Tracer } from '@opentelemetry/api';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { TracingConfig } from '../config.ts';
import type { Logger } from '../log.ts';
import type { SpanOptions, TraceHeaders, Tracing } from '../tracing.ts';
import type { Closing } from './closing.ts';
import { readVersion } from './version.ts';

/** Most spans that wait for the collector. More are dropped. */
const MAX_WAITING = 8192;
/** Time limit of one request to the collector, with its retries. */
const EXPORT_MS = 5000;
const SEND_EVERY_MS = 1000;

/**
 * Opens tracing with the SDK of OpenTelemetry, which is loaded only here. Spans that are still to be sent are
 * sent when `closing` closes.
 * @returns null: no collector is configured.
 */
export async function openTracing(
  config: TracingConfig | null,
  { closing, log }: { closing: Closing; log: Logger },
): Promise<Tracing | null> {
  if (config === null) return null;
  const [sdk, { resourceFromAttributes }, exporter] = await Promise.all([
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/resources'),
    openExporter(config),
  ]);
  const version = readVersion();
  const provider = new sdk.TracerProvider({
    resource: resourceFromAttributes({ 'service.name': config.serviceName, 'service.version': version }),
    sampler: new sdk.ParentBasedSampler({ root: new sdk.TraceIdRatioBasedSampler(config.share) }),
    spanProcessors: [
      new sdk.BatchSpanProcessor({
        exporter: loggingFailures(exporter, log),
        maxQueueSize: MAX_WAITING,
        scheduledDelayMillis: SEND_EVERY_MS,
        exportTimeoutMillis: EXPORT_MS,
      }),
    ],
  });
  closing.add('tracing', () => provider.shutdown());
  return makeTracing(provider.getTracer('fixative', version));
}

async function openExporter({ endpoint, headers, protocol }: TracingConfig): Promise<SpanExporter> {
  const { OTLPTraceExporter } =
    protocol === 'http/json'
      ? await import('@opentelemetry/exporter-trace-otlp-http')
      : await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter({
    url: `${endpoint}/v1/traces`,
    headers: Object.fromEntries(headers.map((header) => splitAt(header, header.indexOf('=')))),
    timeoutMillis: EXPORT_MS,
  });
}

const splitAt = (text: string, index: number) => [text.slice(0, index), text.slice(index + 1)] as const;

/** Logs when the collector stops taking spans, and when it takes them again. */
function loggingFailures(exporter: SpanExporter, log: Logger): SpanExporter {
  let isFailing = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const failed = result.code !== 0;
        if (failed && !isFailing)
          log.warn({ err: result.error }, 'the collector of traces takes no spans; spans are lost');
        if (!failed && isFailing) log.info('the collector of traces takes spans again');
        isFailing = failed;
        // Reported above. The SDK would print each failure.
        done({ code: 0 });
      });
    },
    shutdown: () => exporter.shutdown(),
    ...(exporter.forceFlush ? { forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve() } : {}),
  };
}

async function makeTracing(tracer: Tracer): Promise<Tracing> {
  const [api, hooks, core] = await Promise.all([
    import('@opentelemetry/api'),
    import('@opentelemetry/context-async-hooks'),
    import('@opentelemetry/core'),
  ]);
  const { context, SpanKind, SpanStatusCode, trace } = api;
  // Does nothing if an SDK that was loaded before the server has set its own.
  context.setGlobalContextManager(new hooks.AsyncLocalStorageContextManager().enable());
  const propagator = new core.W3CTraceContextPropagator();

  const begin: Tracing['begin'] = (name, { kind = 'INTERNAL', attributes = {}, parent }, work) => {
    const outer = parent
      ? propagator.extract(context.active(), parent, api.defaultTextMapGetter)
      : context.active();
    const span = tracer.startSpan(name, { kind: SpanKind[kind], attributes }, outer);
    return context.with(trace.setSpan(outer, span), () => work(span));
  };

  return {
    begin,
    during: (name: string, options: SpanOptions, work) =>
      begin(name, options, async (span) => {
        try {
          return await work(span);
        } catch (error) {
          const { code = 'INTERNAL' } = error as Error & { code?: string };
          span.setAttribute('error.type', code);
          // Without the message: a provider may quote the prompt in it.
          span.setStatus({ code: SpanStatusCode.ERROR });
          throw error;
        } finally {
          span.end();
        }
      }),
    headers() {
      const headers: TraceHeaders = {};
      propagator.inject(context.active(), headers, api.defaultTextMapSetter);
      return headers;
    },
  };
}
