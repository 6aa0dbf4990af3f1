import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';

const MAX_KNOWN_HOSTS = 100;

/** Returns a check of the Host header (RFC 9112, 3.2), which returns what is wrong with it; null: nothing. */
export function makeHostCheck(): (request: IncomingMessage) => string | null {
  // Most requests name one of a few hosts.
  const known = new LRUCache<string, true>({ max: MAX_KNOWN_HOSTS });
  return ({ headers: { host }, rawHeaders }) => {
    let count = 0;
    for (let at = 0; at < rawHeaders.length; at += 2) if (/^host$/i.test(rawHeaders[at] ?? '')) count++;
    if (count > 1) return 'The request has more than one Host header.';
    if (host === undefined || known.get(host)) return null;
    const isHost =
      /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d+)?$/.test(host) && URL.canParse(`http://${host}/`);
    if (!isHost) return 'The Host header is not a valid host.';
    known.set(host, true);
    return null;
  };
}
