/** Which pages of other sites may show our images (hotlinks), and which of their scripts may read the bytes (CORS). */
import type { IncomingHttpHeaders } from 'node:http';

export interface Sharing {
  /** Origins whose scripts may read bytes; `*`: every one, of public images. */
  readonly corsOrigins: readonly string[];
  /** Hosts whose pages may show public images, `*.example.com` with all below; empty: every one. */
  readonly hotlinkAllow: readonly string[];
  readonly publicUrl: () => string;
}

/** How somebody was let in to bytes. */
export type LetInBy = 'public' | 'signature' | 'caller';

/**
 * A signed address is made to be shown by pages of others, and is a secret of those who have it: listed origins may read it, `*` is not meant for
 * it. What a token or a cookie lets in to is for pages of this server.
 */
export function sharingHeaders(
  { corsOrigins, hotlinkAllow }: Sharing,
  { origin }: IncomingHttpHeaders,
  by: LetInBy,
): Record<string, string> {
  const vary: string[] = by === 'public' ? [] : ['Authorization', 'Cookie'];
  if (by === 'public' && hotlinkAllow.length > 0) vary.push('Referer', 'Sec-Fetch-Site', 'Sec-Fetch-Dest');
  let allowed: string | null = null;
  if (by === 'public' && corsOrigins.includes('*')) allowed = '*';
  else if (by !== 'caller' && corsOrigins.length > 0) {
    vary.push('Origin');
    if (origin !== undefined && corsOrigins.includes(origin)) allowed = origin;
  }
  return {
    'Cross-Origin-Resource-Policy': by === 'caller' ? 'same-origin' : 'cross-origin',
    ...(allowed === null ? {} : { 'Access-Control-Allow-Origin': allowed }),
    ...(vary.length === 0 ? {} : { Vary: vary.join(', ') }),
  };
}

/** Whether a public image is shared with all who ask for it alike, whatever they say of themselves. */
export function isAlike({ corsOrigins, hotlinkAllow }: Sharing): boolean {
  return hotlinkAllow.length === 0 && (corsOrigins.length === 0 || corsOrigins.includes('*'));
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
