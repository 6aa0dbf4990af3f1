/**
 * Conditional requests (RFC 9110, 13). Our responses have strong ETags and no Last-Modified, so conditions
 * with dates are ignored (13.1.3, 13.1.4), and a date in If-Range never matches.
 */
import type { IncomingHttpHeaders } from 'node:http';

/** Returns whether If-None-Match has the ETag, by the weak comparison (13.1.2). */
export function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.trim() === '*' || header.split(',').some((each) => each.trim().replace(/^W\//, '') === etag);
}

/** Returns whether If-Match excludes the ETag (412), by the strong comparison (13.1.1). */
export function failsIfMatch({ 'if-match': header }: IncomingHttpHeaders, etag: string): boolean {
  if (header === undefined || header.trim() === '*') return false;
  return !header.split(',').some((each) => each.trim() === etag);
}
