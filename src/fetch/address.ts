import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { FixativeError, InputError } from '../errors.ts';

/**
 * Which foreign addresses may be asked. A caller who names an address must not make the server fetch what only the server can
 * reach: its own loopback, its neighbours, the metadata of its cloud. So only http and https, only hosts whose every address is
 * a public one, literal or resolved, and nothing that would carry credentials.
 *
 * What a name resolves to is checked where the connection is made, not before: a name that is resolved twice can answer twice.
 */
export interface AddressGuard {
  /**
   * Parses an address and checks what can be seen in it.
   * @throws InputError INVALID_INPUT when it is none; FixativeError SOURCE_FORBIDDEN.
   */
  parse(address: string): URL;
  /** Whether a connection may be made to this address, to which the host resolved. */
  allows(hostname: string, address: string): boolean;
}

const MAX_ADDRESS_LENGTH = 8192;

/** The fault lies in what the caller named, wherever a redirect led from there. */
const AT_URL = { path: ['input', 'url'] };

/** All of the internet's unicast IPv6 is here (RFC 4291, 2.4); what translates to IPv4 or is obsolete is mostly not. */
const GLOBAL_UNICAST: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse('2000::'), 3];

/** Azure answers its virtual machines here, secrets included, though the address is a public one. */
const AZURE_WIRE_SERVER = '168.63.129.16';

/** @param allowed host names, addresses and CIDR ranges that may be asked although they are not public (ALLOW_PRIVATE_SOURCES). */
export function makeAddressGuard(allowed: readonly string[]): AddressGuard {
  const names = new Set<string>();
  const ranges: [ipaddr.IPv4 | ipaddr.IPv6, number][] = [];
  for (const entry of allowed) {
    const bare = entry.replace(/^\[(.*)\]$/, '$1');
    if (ipaddr.isValidCIDR(bare)) ranges.push(ipaddr.parseCIDR(bare));
    else if (isIP(bare)) {
      const address = ipaddr.process(bare);
      ranges.push([address, address.kind() === 'ipv4' ? 32 : 128]);
    } else names.add(bareName(entry));
  }

  const allows = (hostname: string, text: string) => {
    if (names.has(bareName(hostname))) return true;
    if (!ipaddr.isValid(text)) return false;
    // An IPv4 address in the clothes of IPv6 (`::ffff:127.0.0.1`) is judged as what it is.
    const address = ipaddr.process(text);
    if (ranges.some(([range, bits]) => range.kind() === address.kind() && address.match(range, bits)))
      return true;
    if (address.range() !== 'unicast' || address.toString() === AZURE_WIRE_SERVER) return false;
    return address.kind() === 'ipv4' || address.match(...GLOBAL_UNICAST);
  };

  return {
    allows,
    parse(text) {
      if (text.length > MAX_ADDRESS_LENGTH) {
        throw new InputError(
          'INVALID_INPUT',
          `The address is longer than ${MAX_ADDRESS_LENGTH} characters.`,
          AT_URL,
        );
      }
      // WHATWG's parser spells hosts one way: `0x7f.1`, `2130706433` and `①②⑦.0.0.1` all come out as 127.0.0.1.
      const url = URL.parse(text);
      if (!url)
        throw new InputError(
          'INVALID_INPUT',
          'That is not an address; it begins with https:// or http://.',
          AT_URL,
        );
      if (url.protocol !== 'https:' && url.protocol !== 'http:') {
        throw forbidden(`Only http and https addresses are fetched, not ${url.protocol}//.`);
      }
      if (url.username || url.password) {
        throw forbidden(`The address at ${url.host} carries a user name or a password; those are not sent.`);
      }
      const literal = url.hostname.replace(/^\[(.*)\]$/, '$1');
      if (isIP(literal) && !allows(literal, literal)) throw notPublic(url.hostname);
      url.hash = '';
      return url;
    },
  };
}

/** What it resolves to is not said: a caller is not to learn the addresses of names inside. */
export function notPublic(hostname: string): FixativeError {
  return forbidden(
    `${hostname} is not a public address. Whoever runs the server may allow it with ALLOW_PRIVATE_SOURCES.`,
  );
}

export function forbidden(message: string): FixativeError {
  return new FixativeError('SOURCE_FORBIDDEN', message, AT_URL);
}

/** `localhost.` is `localhost`. */
function bareName(hostname: string): string {
  return hostname.toLowerCase().replace(/\.$/, '');
}
