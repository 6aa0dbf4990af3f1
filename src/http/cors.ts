/**
 * CORS: the scripts of other origins that may use this server
 * (https://fetch.spec.whatwg.org/#http-cors-protocol). Such a script authenticates by a token or a signed
 * URL, never by a cookie. A session is valid only for pages of this server (`isOwnPage`).
 */
import type { IncomingHttpHeaders } from 'node:http';
import { DELIBERATE } from './csrf.ts';
import type { Exchange } from './exchange.ts';
import { sendProblem } from './response/problem.ts';

/** Origins as browsers write them; `https://*.example.com`: all its subdomains; `*`: every origin. */
export type CorsOrigins = readonly string[];

const METHODS = 'GET, HEAD, POST, PUT';
/** Headers of our clients that the Fetch standard does not allow by itself. */
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
/** Headers that scripts may read. Proxies set X-Request-Id. */
const EXPOSED =
  'ETag, Content-Range, Content-Length, Content-Disposition, Accept-Ranges, Location, Retry-After, WWW-Authenticate, X-Request-Id';
/** Seconds that browsers may cache a preflight: the limit of Chromium. Firefox allows a day. */
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
 * Returns the CORS headers for an origin; empty: it is not allowed. With `*` they are the same for every
 * origin, so that caches can share the response. A listed origin may send credentials, because its proxy may
 * read cookies and some clients always send them. This server ignores them.
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
 * Sets the CORS headers of every response, errors included, and answers preflights, which carry no
 * credentials.
 * @param sharedTargets matches the request targets that other origins may use.
 * @returns whether the request is answered.
 */
export function shareWithOrigin(origins: CorsOrigins, sharedTargets: RegExp, exchange: Exchange): boolean {
  const { request, response } = exchange;
  const { origin, 'access-control-request-method': asked } = request.headers;
  if (origin === undefined || !sharedTargets.test(request.url ?? '')) return false;
  const headers = corsHeaders(origins, { origin });
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  if (request.method !== 'OPTIONS' || asked === undefined) return false;
  if (headers['Access-Control-Allow-Origin'] === undefined) {
    const message = `Pages of ${JSON.stringify(origin.slice(0, 200))} may not use this server. Add the origin to CORS_ORIGINS.`;
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
