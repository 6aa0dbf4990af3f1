import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';

/**
 * Returns a function that finds the address a request is counted under: the address of the connection, or
 * behind a trusted proxy the last one in X-Forwarded-For that is not a trusted proxy. An IPv6 address counts
 * as its /64, which is what a provider gives to one household or machine.
 */
export function makeAddressOf(trustedProxies: readonly string[]): (request: IncomingMessage) => string {
  const trusted = trustedProxies.map((text) =>
    ipaddr.isValidCIDR(text) ? ipaddr.parseCIDR(text) : ([ipaddr.process(text), null] as const),
  );
  const isTrusted = (text: string) => {
    if (trusted.length === 0 || !ipaddr.isValid(text)) return false;
    const address = ipaddr.process(text);
    return trusted.some(([range, bits]) => {
      if (address.kind() !== range.kind()) return false;
      return bits === null ? address.toString() === range.toString() : address.match(range, bits);
    });
  };
  const find = (peer: string, forwarded: string): string => {
    if (!isTrusted(peer)) return nameOf(peer);
    // From the nearest hop on. Entries before an unreadable one may be forged.
    for (const hop of forwarded.split(',').reverse()) {
      const address = withoutPort(hop.trim());
      if (address === null) return nameOf(peer);
      if (!isTrusted(address)) return nameOf(address);
    }
    return nameOf(peer);
  };
  // Parsing addresses is a tenth of the cost of a small response, and most requests come from known
  // addresses.
  const known = new LRUCache<string, string>({ max: MAX_KNOWN });
  return ({ socket, headers }) => {
    const peer = socket.remoteAddress ?? '';
    const forwarded = String(headers['x-forwarded-for'] ?? '');
    const key = `${peer} ${forwarded}`;
    const before = known.get(key);
    if (before !== undefined) return before;
    const found = find(peer, forwarded);
    if (key.length <= MAX_KNOWN_LENGTH) known.set(key, found);
    return found;
  };
}

/** Most addresses to cache, and the longest key of one. */
const MAX_KNOWN = 5000;
const MAX_KNOWN_LENGTH = 200;

/** Reads `203.0.113.9`, `203.0.113.9:51234` or `[2001:db8::1]:443`. Returns null for anything else. */
function withoutPort(hop: string): string | null {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(hop)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop)?.[1] ?? hop;
  return ipaddr.isValid(bare) ? bare : null;
}

function nameOf(text: string): string {
  if (!text.includes(':')) return text;
  if (!ipaddr.isValid(text)) return 'unknown';
  const address = ipaddr.process(text);
  if (address.kind() === 'ipv4') return address.toString();
  return `${(address as ipaddr.IPv6).parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
}
