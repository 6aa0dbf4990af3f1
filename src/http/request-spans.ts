import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TraceHeaders, Tracing } from '../tracing.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Records a span for each request, from its headers to the end of its response
 * (https://opentelemetry.io/docs/specs/semconv/http/http-spans/). It belongs to the span that the header
 * `traceparent` names. It has no query string: that may hold a signature.
 * @param routeOf returns the route of a request target, such as `/images/{name}`; null: there is none.
 */
export const withRequestSpans =
  (tracing: Tracing, routeOf: (target: string) => string | null, handle: Handler): Handler =>
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
