import type { IncomingMessage } from 'node:http';
import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';

/**
 * The address that a request is counted under: of the connection, or where that is a trusted proxy's the last in X-Forwarded-For that is
 * none. An IPv6 address counts as its /64, which is what one household or machine is given.
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
    // From the nearest on; behind what cannot be read anybody may have written anything.
    for (const hop of forwarded.split(',').reverse()) {
      const address = withoutPort(hop.trim());
      if (address === null) return nameOf(peer);
      if (!isTrusted(address)) return nameOf(address);
    }
    return nameOf(peer);
  };
  // Reading addresses is a tenth of what a small answer costs, and most requests come from where others came from.
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

const MAX_KNOWN = 5000;
const MAX_KNOWN_LENGTH = 200;

/** `203.0.113.9`, `203.0.113.9:51234`, `[2001:db8::1]:443`; null for what is no address. */
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
