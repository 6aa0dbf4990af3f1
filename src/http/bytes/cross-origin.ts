/** Pages of other sites that may show images (hotlinks), and scripts that may read their bytes (CORS). */
import type { IncomingHttpHeaders } from 'node:http';
import { type CorsOrigins, corsHeaders, isEveryOrigin } from '../cors.ts';

export interface Sharing {
  readonly corsOrigins: CorsOrigins;
  /** Hosts whose pages may show public images; `*.example.com`: all subdomains; empty list: every host. */
  readonly hotlinkAllow: readonly string[];
  readonly publicUrl: () => string;
}

/** Reason why a client may read the bytes of an image. */
export type LetInBy = 'public' | 'signature' | 'caller';

/**
 * Returns the CORP, CORS and Vary headers of a response with bytes. If every origin may read the bytes, they
 * do not depend on the request, because caches share the response. To other responses `shareWithOrigin` adds
 * the CORS headers of the requesting origin.
 * @param others request headers that decide the response, for Vary.
 */
export function sharingHeaders(
  { corsOrigins, hotlinkAllow }: Sharing,
  by: LetInBy,
  others: readonly string[] = [],
): Readonly<Record<string, string>> {
  const vary = by === 'public' ? [...others] : [...others, 'Authorization', 'Cookie'];
  if (by === 'public' && hotlinkAllow.length > 0) vary.push('Referer', 'Sec-Fetch-Site', 'Sec-Fetch-Dest');
  const isForAll = by !== 'caller' && isEveryOrigin(corsOrigins);
  if (corsOrigins.length > 0 && !isForAll) vary.push('Origin');
  return {
    'Cross-Origin-Resource-Policy': by === 'caller' ? 'same-origin' : 'cross-origin',
    ...(isForAll ? corsHeaders(corsOrigins, {}) : {}),
    ...(vary.length === 0 ? {} : { Vary: vary.join(', ') }),
  };
}

/**
 * Returns whether the requesting page may show a public image. Only browsers name the page, and a page can
 * suppress that. A request that names no site is allowed; one that says "another site" without a page is not.
 * Following a link is allowed.
 */
export function mayHotlink({ hotlinkAllow, publicUrl }: Sharing, headers: IncomingHttpHeaders): boolean {
  if (hotlinkAllow.length === 0) return true;
  const site = headers['sec-fetch-site'];
  if (site === 'same-origin' || site === 'none' || headers['sec-fetch-dest'] === 'document') return true;
  const { referer } = headers;
  if (referer === undefined) return site === undefined;
  const page = URL.parse(referer);
  if (!page) return false;
  if (page.host === headers.host || page.host === URL.parse(publicUrl())?.host) return true;
  return hotlinkAllow.some((host) =>
    host.startsWith('*.') ? page.hostname.endsWith(host.slice(1)) : page.hostname === host,
  );
}
