import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Metrics } from '../metrics.ts';
import type { TraceHeaders, Tracing } from '../tracing.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;
/** Returns the route of a request target, such as `/images/{name}`; null: there is none. */
type RouteOf = (target: string) => string | null;

/** Returns a handler that counts and times each request, from its headers to the end of its response. */
export function counted(metrics: Metrics, routeOf: RouteOf, handle: Handler): Handler {
  const counts = new WeakMap<Socket, { read: number; written: number }>();

  /** Counts the bytes of a connection since the last time. */
  function countBytes(socket: Socket): void {
    const before = counts.get(socket) ?? { read: 0, written: 0 };
    const { bytesRead, bytesWritten } = socket;
    metrics.countBytes(bytesRead - before.read, bytesWritten - before.written);
    before.read = bytesRead;
    before.written = bytesWritten;
    counts.set(socket, before);
  }

  return (request, response) => {
    const since = performance.now();
    const { socket } = request;
    response.once('close', () => {
      // A client that left got no status.
      const status = response.headersSent ? `${response.statusCode}` : 'none';
      metrics.requests.note(
        { route: routeOf(request.url ?? '/') ?? 'none', status },
        (performance.now() - since) / 1000,
      );
      countBytes(socket);
    });
    handle(request, response);
  };
}

/**
 * Returns a handler that records a span for each request
 * (https://opentelemetry.io/docs/specs/semconv/http/http-spans/). It belongs to the span that the header
 * `traceparent` names. It has no query string: that may hold a signature.
 */
export const traced =
  (tracing: Tracing, routeOf: RouteOf, handle: Handler): Handler =>
  (request, response) => {
    const { method = 'GET', url = '/', headers } = request;
    const route = routeOf(url);
    const attributes = {
      'http.request.method': method,
      'url.path': url.split('?', 1)[0] ?? '/',
      ...(route === null ? {} : { 'http.route': route }),
    };
    const name = route === null ? method : `${method} ${route}`;
    tracing.begin(name, { kind: 'SERVER', attributes, parent: traceHeadersOf(headers) }, (span) => {
      response.once('close', () => {
        span.setAttribute('http.response.status_code', response.statusCode);
        if (!response.writableFinished) span.setAttribute('error.type', 'aborted');
        else if (response.statusCode >= 500) span.setStatus({ code: 2 });
        span.end();
      });
      handle(request, response);
    });
  };

function traceHeadersOf({ traceparent, tracestate }: IncomingMessage['headers']): TraceHeaders | undefined {
  if (typeof traceparent !== 'string') return undefined;
  return typeof tracestate === 'string' ? { traceparent, tracestate } : { traceparent };
}
