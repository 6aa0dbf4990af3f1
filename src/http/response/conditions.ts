/**
 * Preconditions of requests (RFC 9110, 13). What we send has strong ETags and no Last-Modified, so conditions on dates are left aside
 * (13.1.3, 13.1.4), and a date in If-Range never holds.
 */
import type { IncomingHttpHeaders } from 'node:http';

/** Weak comparison, as If-None-Match wants it (13.1.2). */
export function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === '*' || header.split(',').some((each) => each.trim().replace(/^W\//, '') === etag);
}

/** Whether If-Match forbids to answer with what has this ETag (412). Strong comparison (13.1.1). */
export function failsIfMatch({ 'if-match': header }: IncomingHttpHeaders, etag: string): boolean {
  if (header === undefined || header.trim() === '*') return false;
  return !header.split(',').some((each) => each.trim() === etag);
}
