/** Which pages of other sites may show our images (hotlinks), and which of their scripts may read the bytes (CORS). */
import type { IncomingHttpHeaders } from 'node:http';
import { type CorsOrigins, corsHeaders, isEveryOrigin } from '../cors.ts';

export interface Sharing {
  readonly corsOrigins: CorsOrigins;
  /** Hosts whose pages may show public images, `*.example.com` with all below; empty: every one. */
  readonly hotlinkAllow: readonly string[];
  readonly publicUrl: () => string;
}

/** How somebody was let in to bytes. */
export type LetInBy = 'public' | 'signature' | 'caller';

/**
 * Returns the CORP, CORS and Vary headers of an answer with bytes. What every origin may read does not depend on the request, because caches share
 * the answer; to other answers `shareWithOrigin` adds the CORS headers of the origin that asks.
 * @param others headers of the request that decide what is answered.
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
 * Whether a public image is shown by a page that may. Only browsers say whose page it is, and only where the page lets them: what says
 * nothing at all is let through, a browser that says "another site" and no more is not. Links are no hotlinks.
 */
export function mayShow({ hotlinkAllow, publicUrl }: Sharing, headers: IncomingHttpHeaders): boolean {
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
