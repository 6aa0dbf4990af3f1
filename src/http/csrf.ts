import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Plugin } from 'graphql-yoga';
import { bearerOf } from '../auth/authenticator.ts';
import { badRequest } from './body/bad-request.ts';
import type { ServerContext } from './body/request-body.ts';

/** Any of these, with any value, says that a program chose the headers: a page of another site may send none without our leave. */
export const DELIBERATE = [
  'x-graphql-csrf',
  'x-graphql-require-preflight',
  'graphql-require-preflight',
  'apollo-require-preflight',
  'x-apollo-operation-name',
] as const;

const SIMPLE_TYPES = ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain'];

/**
 * Whether a page of another site can have made a browser send this in its visitor's name: a "simple" request of the Fetch standard
 * (https://fetch.spec.whatwg.org/#cors-preflight-fetch-0) that neither says by itself where it comes from. GET and multipart are
 * such; JSON is not.
 */
export function mayBeForged(headers: IncomingHttpHeaders): boolean {
  // Another scheme may be the browser's own doing, and does not say who asks.
  if (bearerOf(headers.authorization) !== null) return false;
  if (DELIBERATE.some((name) => headers[name])) return false;
  const type = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  if (type && !SIMPLE_TYPES.includes(type)) return false;
  const site = headers['sec-fetch-site'];
  // none: its user typed the address.
  if (site !== undefined) return site !== 'same-origin' && site !== 'none';
  const from = headers.origin ?? headers.referer;
  return !(from && isOfHost(from, headers));
}

/**
 * Whether a request that is let in by its cookie was sent by a page of ours. SameSite=Strict keeps other sites out and not other ports
 * of the same host, and a multipart form needs nobody's leave to be sent. Reads of another origin carry `Origin`; an image without it is kept from
 * the page by `Cross-Origin-Resource-Policy`, and from a frame by `frame-ancestors` (image-body.ts).
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

/** Refuses such requests before anything of them is read. A GET without an operation only shows GraphiQL. */
export function useCsrfPrevention(): Plugin<object, ServerContext> {
  return {
    onRequestParse({ request, serverContext }) {
      const { headers } = serverContext.req;
      if (request.method === 'POST' && /^\s*application\/json/i.test(headers['content-type'] ?? '')) return;
      if (!mayBeForged(headers)) return;
      throw badRequest(
        400,
        'A page of another site could have sent this. Send Authorization, or the header `x-graphql-csrf: 1`, or the operation as application/json.',
      );
    },
  };
}
