import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Plugin } from 'graphql-yoga';
import { bearerOf } from '../auth/authenticator.ts';
import { badRequest } from './body/bad-request.ts';
import type { ServerContext } from './body/request-body.ts';

/**
 * A page of another site cannot send these headers without a preflight. Any value shows that a program chose
 * them.
 */
export const DELIBERATE = [
  'x-graphql-csrf',
  'x-graphql-require-preflight',
  'graphql-require-preflight',
  'apollo-require-preflight',
  'x-apollo-operation-name',
] as const;

const SIMPLE_TYPES = ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'];

/**
 * Returns whether a page of another site may have made a browser send this request (CSRF): a "simple" request
 * of the Fetch standard (https://fetch.spec.whatwg.org/#cors-preflight-fetch-0) whose origin is unknown or
 * foreign. GET and multipart are simple requests; JSON is not.
 */
export function mayBeForged(headers: IncomingHttpHeaders): boolean {
  // The browser may send another scheme by itself.
  if (bearerOf(headers.authorization) !== null) return false;
  if (DELIBERATE.some((name) => headers[name])) return false;
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type && !SIMPLE_TYPES.includes(type)) return false;
  const site = headers['sec-fetch-site'];
  // none: the user typed the URL.
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const from = headers.origin ?? headers.referer;
  return !(from && isOfHost(from, headers));
}

/**
 * Returns whether a request with a session cookie was sent by a page of this server. SameSite=Strict excludes
 * other sites, but not other ports of the same host, and a multipart form needs no preflight. Scripts of
 * another origin send `Origin`. Other pages cannot read an image because of `Cross-Origin-Resource-Policy`,
 * and cannot frame it because of `frame-ancestors` (image-body.ts).
 */
export function isOwnPage({ headers, method }: Pick<IncomingMessage, 'headers' | 'method'>): boolean {
  const { origin } = headers;
  if (bearerOf(headers.authorization) !== null) return true;
  if (method === 'GET' || method === 'HEAD') return origin === undefined || isOfHost(origin, headers);
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin' || site === 'none';
  return origin === undefined || isOfHost(origin, headers);
}

const isOfHost = (address: string, { host }: IncomingHttpHeaders) =>
  host !== undefined && URL.parse(address)?.host === host;

/** Refuses requests that may be forged, before their body is read. */
export function useCsrfPrevention(): Plugin<object, ServerContext> {
  return {
    onRequestParse({ request, serverContext }) {
      const { headers } = serverContext.req;
      if (request.method === 'POST' && /^\s*application\/json/i.test(headers['content-type'] ?? '')) return;
      if (!mayBeForged(headers)) return;
      throw badRequest(
        400,
        'A page of another site could have sent this request. Send Authorization, or the header `x-graphql-csrf: 1`, or the operation as application/json.',
      );
    },
  };
}
