/**
 * Which pages of other origins may talk to this server: the CORS protocol (https://fetch.spec.whatwg.org/#http-cors-protocol). What lets a caller in
 * is its token or a signed address, never a cookie: a session is good for pages of this server only (`isOwnPage`).
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { DELIBERATE } from './csrf.ts';
import { sendProblem } from './response/problem.ts';

/** Origins as browsers write them, with `https://*.example.com` for all below it; `*`: every one. */
export type CorsOrigins = readonly string[];

/** The addresses that pages of other origins may use; the rest is for people, and for the operator's own tools. */
const SHARED = /^\/(?:graphql|api|uploads|images|generated)(?:[/?]|$)/;

const METHODS = 'GET, HEAD, POST, PUT';
/** What our clients send beyond what the Fetch standard lets every page send. */
const HEADERS = [
  'accept',
  'accept-language',
  'authorization',
  'content-type',
  'cache-control',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-event-id',
  'range',
  ...DELIBERATE,
  'apollographql-client-name',
  'apollographql-client-version',
  'x-request-id',
  'x-requested-with',
  'traceparent',
  'tracestate',
  'baggage',
  'sentry-trace',
].join(', ');
/** X-Request-Id is set by proxies. */
const EXPOSED =
  'ETag, Content-Range, Content-Length, Content-Disposition, Accept-Ranges, Location, Retry-After, WWW-Authenticate, X-Request-Id';
/** As long as Chromium remembers the answer to a preflight; Firefox would for a day. */
const PREFLIGHT_SECONDS = 7200;

export const isEveryOrigin = (origins: CorsOrigins): boolean => origins.includes('*');

function isListed(origins: CorsOrigins, origin: string): boolean {
  return origins.some((entry) => {
    const at = entry.indexOf('*.');
    if (at < 0) return entry === origin;
    const [before, after] = [entry.slice(0, at), entry.slice(at + 1)];
    if (!origin.startsWith(before) || !origin.endsWith(after)) return false;
    return /^[a-z0-9._-]+$/.test(origin.slice(before.length, -after.length));
  });
}

/**
 * Returns the CORS headers for an origin; empty where it is not allowed. With `*` they are the same for every origin, so that caches can share the answer.
 * A listed origin may send credentials (its own proxy may look at cookies, and some clients always send them); this server looks at none of them.
 */
export function corsHeaders(
  origins: CorsOrigins,
  { origin }: Pick<IncomingHttpHeaders, 'origin'>,
): Readonly<Record<string, string>> {
  if (isEveryOrigin(origins))
    return { 'Access-Control-Allow-Origin': '*', 'Access-Control-Expose-Headers': EXPOSED };
  if (origin === undefined || !isListed(origins, origin)) return {};
  return {
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Credentials': 'true',
    'Access-Control-Expose-Headers': EXPOSED,
  };
}

/**
 * Sets those headers for whatever will be answered, also for errors, and answers preflights, which carry no credentials.
 * @returns whether it is answered.
 */
export function shareWithOrigin(
  origins: CorsOrigins,
  exchange: { readonly request: IncomingMessage; readonly response: ServerResponse },
): boolean {
  const { request, response } = exchange;
  const { origin, 'access-control-request-method': asked } = request.headers;
  if (origin === undefined || !SHARED.test(request.url ?? '')) return false;
  const headers = corsHeaders(origins, { origin });
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (request.method !== 'OPTIONS' || asked === undefined) return false;
  if (headers['Access-Control-Allow-Origin'] === undefined) {
    const message = `Pages of ${JSON.stringify(origin.slice(0, 200))} may not use this server; CORS_ORIGINS names those that may.`;
    sendProblem(exchange, 403, { code: 'FORBIDDEN', message });
    return true;
  }
  response.writeHead(204, {
    'Access-Control-Allow-Methods': METHODS,
    'Access-Control-Allow-Headers': HEADERS,
    'Access-Control-Max-Age': String(PREFLIGHT_SECONDS),
    'Cache-Control': 'no-store',
    Vary: 'Origin',
  });
  response.end();
  return true;
}
